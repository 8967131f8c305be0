"""The loop: epochs of steps, a validation behind each, and a state from which any of it goes on.

Everything random is either drawn from torch's generators, whose states a checkpoint holds, or
decided by the seed and the number of the epoch. So a training that stopped at any step and goes on
ends with the same weights, bit for bit, as one that did not stop.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch

from netbuild.training import checkpoint
from netbuild.training.failure import TrainingError, refused
from netbuild.training.position import Position, Sums

if TYPE_CHECKING:
    from torch import nn

    from netbuild.sections import Train
    from netbuild.training.batches import Batches, Inputs
    from netbuild.training.criterion import Criterion
    from netbuild.training.progress import Progress
    from netbuild.training.run import Run
    from netbuild.training.scheduling import Scheduling


class Interrupted(Exception):  # noqa: N818  not an error: somebody asked for it
    """Training was asked to stop, and has saved its state."""


class Trainer:
    """A module, its loss, its optimizer and its data, and the position of their training."""

    def __init__(
        self,
        run: Run,
        module: nn.Module,
        loss: Criterion,
        optimizer: torch.optim.Optimizer,
        scheduling: Scheduling,
        train: Train,
        *,
        batches: Batches,
        held_out: Batches,
    ) -> None:
        self.lock = run.lock()
        self.run, self.module, self.loss, self.optimizer = run, module, loss, optimizer
        self.scheduling = scheduling
        self.train, self.batches, self.held_out = train, batches, held_out
        self.position = Position()
        self.stopping = False

    @property
    def classifies(self) -> bool:
        """Whether there is an accuracy."""
        return self.loss.classifies(self.batches.targets)

    def stop(self, *_: Any) -> None:
        """Have the loop save its state and end behind the step under way; a signal handler."""
        self.stopping = True

    @property
    def steps(self) -> int:
        """The number of steps of an epoch."""
        return self.batches.count(self.train.batch_size)

    def fit(self, progress: Progress) -> None:
        """Train from the position to the last epoch.

        Raises:
            Interrupted: `stop` was called.
            TrainingError: torch refused a step, or the loss is not finite.
        """
        if self.position.epoch == self.position.step == 0:
            self.save("last")
        while self.position.epoch < self.train.epochs:
            self.epoch(progress)

    def epoch(self, progress: Progress) -> None:
        """Finish the epoch under way, validate, and save."""
        position, started = self.position, time.perf_counter() - self.position.seconds
        self.module.train()
        seed = (self.train.seed << 31) + position.epoch
        for x, target in self.batches.shuffled(self.train.batch_size, seed, skip=position.step):
            self.step(x, target)
            progress.step(position, classes=self.classifies)
            if self.stopping:
                position.seconds = time.perf_counter() - started
                self.save("last")
                raise Interrupted
        seconds = time.perf_counter() - started
        sums = evaluate(self.module, self.loss, self.held_out, self.train.batch_size)
        _expect_finite(sums.loss, f"in the validation of epoch {position.epoch + 1}")
        metrics = {
            "epoch": position.epoch + 1,
            **position.sums.means("train", classes=self.classifies),
            **sums.means("val", classes=self.classifies),
            "lr": position.lr,
            "seconds": round(seconds, 4),
            "samples_per_second": round(len(self.batches) / seconds, 1),
        }
        self.scheduling.after_epoch(metrics["val_loss"])
        self.finish(metrics)
        progress.epoch(metrics)

    def step(self, x: Inputs, target: torch.Tensor) -> None:
        """Learn from one batch.

        An optimizer that searches, LBFGS, computes the loss several times: that of the step is the
        first, with the weights that it came with.
        """
        given: list[Any] = []

        def closure() -> Any:
            y = self.module(*x)
            loss = self.loss(y, target)
            self.optimizer.zero_grad()
            loss.backward()
            if not given:
                given.extend((loss.detach(), y))
            return loss

        with refused("the step"):
            self.optimizer.step(closure)
        self.position.lr = float(self.optimizer.param_groups[0]["lr"])
        self.scheduling.after_batch()
        first, y = given
        value = first.item()
        position = self.position
        position.step += 1
        _expect_finite(value, f"in epoch {position.epoch + 1}, step {position.step}")
        self.loss.add(position.sums, value, y, target)

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write an epoch's metrics and checkpoints, in an order in which none can be lost.

        A kill in between leaves `last` behind: the epoch is gone through again, with the same
        result.
        """
        best = metrics["val_loss"] < self.position.best
        self.position = Position(
            epoch=metrics["epoch"], best=min(self.position.best, metrics["val_loss"])
        )
        self.run.append(metrics)
        if best:
            self.save("best")
        self.save("last")

    def save(self, which: str) -> None:
        """Write a checkpoint."""
        state = {
            "position": asdict(self.position),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduling.state_dict(),
            "loss": self.loss.module.state_dict(),
            "rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        checkpoint.save(self.run.checkpoint(which), self.module, state)

    def resume(self) -> None:
        """Go back to the last checkpoint of the run.

        Raises:
            TrainingError: there is none, or it cannot be read.
        """
        place = self.run.checkpoint("last")
        for which in ("last", "best"):
            checkpoint.recover(self.run.checkpoint(which))
        state = checkpoint.load(place, self.module)
        self.loss.load(state, place)
        try:
            self.optimizer.load_state_dict(state["optimizer"])
            self.scheduling.load_state_dict(state["scheduler"])
            position = state["position"]
            self.position = Position(**{**position, "sums": Sums(**position["sums"])})
            torch.set_rng_state(state["rng"])
            if state["cuda_rng"] and torch.cuda.is_available():
                torch.cuda.set_rng_state_all(state["cuda_rng"])
        except (KeyError, TypeError, ValueError, RuntimeError, AttributeError) as error:
            message = f"the checkpoint {place} is no state of this training"
            raise TrainingError(message) from error
        self.run.forget_after(self.position.epoch)


@torch.no_grad()
def evaluate(module: nn.Module, loss: Criterion, data: Batches, batch_size: int) -> Sums:
    """Return a module's loss and hits over a data set, in evaluation mode.

    Raises:
        TrainingError: torch refused a batch.
    """
    module.eval()
    sums = Sums()
    for x, target in data.in_order(batch_size):
        with refused("the validation"):
            y = module(*x)
            value = loss(y, target).item()
        loss.add(sums, value, y, target)
    return sums


def _expect_finite(value: float, where: str) -> None:
    if not math.isfinite(value):
        message = f"the loss is {value} {where}: a lower learning rate is the usual remedy"
        raise TrainingError(message)
