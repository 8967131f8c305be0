"""The loop: epochs of steps, a validation after each epoch, and checkpoints.

Random numbers come from generators whose states are in the checkpoint, or from the seed and the
number of the epoch. So a training may be stopped at any step and resumed. It ends with the same
weights, bit for bit, as a training that was not stopped.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any

from netbuild.builder import module as builder
from netbuild.config.monitor import rises
from netbuild.diagnostics.exceptions import Interrupted, TrainingError
from netbuild.runs.checkpoint_folder import recover, whole
from netbuild.runs.position import Limits, Position
from netbuild.training import checkpoint, randomness
from netbuild.training.data.batches import of_epoch, steps
from netbuild.training.events import Events
from netbuild.training.step.unfreezing import Unfreezing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from netbuild.runs.folder import Run
    from netbuild.training.changes import Anew
    from netbuild.training.data.batches import Batch, Split
    from netbuild.training.parallel.distributed import World
    from netbuild.training.progress import Progress
    from netbuild.training.step.learner import Learner


#: Exceptions that a damaged or foreign state raises when it is loaded.
_NO_STATE = (
    *(KeyError, TypeError, ValueError, RuntimeError, AttributeError),
    *(IndexError, ArithmeticError),
)


class Trainer:
    """A learner, its data and its run, and the position of the training."""

    def __init__(
        self,
        run: Run,
        graph: Graph,
        learner: Learner,
        world: World,
        *,
        training: Split,
        held_out: Split,
        lock: bool = True,
        notes: Sequence[str] = (),
    ) -> None:
        self.lock = run.lock() if lock and world.writes else None
        self.run, self.graph, self.learner, self.world = run, graph, learner, world
        self.train = graph.config.train
        self.training, self.held_out = training, held_out
        #: Sentences about the split of the samples.
        self.notes = notes
        #: Whether a smaller last batch is left out: a loss is over the whole batch.
        self.whole = graph.config.over_batch is not None
        self.position = Position()
        self.events = Events(run.folder, wanted=self.train.tensorboard and world.writes)
        self.stopping = False
        #: Whether a larger value of the monitor is better.
        self.rises = rises(graph.config)
        self.unfreezing = Unfreezing(learner.module, graph)
        #: Whether this is a dry run. Its one batch may be without a label that counts.
        self.trial = False

    def stop(self, *_: Any) -> None:
        """Ask the loop to finish the current step, save its state and end; a signal handler."""
        self.stopping = True

    @property
    def kept(self) -> bool:
        """Whether there is a checkpoint to continue from; another process may write it."""
        return not self.world.writes or whole(self.run.checkpoint("last")) is not None

    @property
    def steps(self) -> int | None:
        """The number of steps of an epoch; None for a stream, whose length is unknown."""
        return steps(self.training, self.train, whole=self.whole)

    @property
    def limits(self) -> Limits:
        """The limits of the config: epochs, patience, steps and time."""
        return Limits(*(getattr(self.train, name) for name in Limits._fields))

    @property
    def finished(self) -> bool:
        """Whether the training has reached a limit."""
        return self._in_any(self.position.is_finished(self.limits))

    @property
    def ending(self) -> str:
        """The limit that ended the training before its last epoch; empty if there is none."""
        train, position = self.train, self.position
        whole = position.epoch >= train.epochs
        if whole and self.steps is not None and position.total >= train.epochs * self.steps:
            return ""
        if train.patience is not None and position.waited >= train.patience:
            what = "the validation loss" if train.monitor == "val_loss" else train.monitor
            way = "risen" if self.rises else "fallen"
            return f"{what} has not {way} for {train.patience} epochs: patience"
        if train.max_steps is not None and position.total >= train.max_steps:
            return f"{position.total} steps are done: max_steps"
        return "the time is used up: max_time" if self._at_limit() else ""

    def fit(self, progress: Progress) -> None:
        """Train from the current position to the end.

        Raises:
            Interrupted: `stop` was called.
            TrainingError: torch refused a step, or the loss is not finite.
        """
        if self.position.total == 0:
            self.save("last")
        progress.begin()
        if self.world.any(self.stopping):
            raise Interrupted
        while not self.finished:
            self.epoch(progress)
            if self.world.any(self.stopping) and not self.finished:  # during the validation
                raise Interrupted

    def epoch(self, progress: Progress) -> None:
        """Finish the current epoch, validate, and save."""
        position, started = self.position, time.perf_counter() - self.position.seconds
        builder.train(self.learner.module, self.graph)
        self.unfreezing.begin(position.epoch + 1)
        for batches in self._groups():
            if self._at_limit():
                break
            at = f"in epoch {position.epoch + 1}, step {position.step + 1}"
            # The rate of this step: the scheduler changes it at the end of the step.
            position.lr = float(self.learner.optimizers[0].param_groups[0]["lr"])
            self.learner.step(batches, at)
            position.samples += sum(targets[0].shape[0] for _, targets in batches)
            position.step += 1
            position.total += 1
            position.seconds = time.perf_counter() - started
            self.events.step(position.total, self.learner.value)
            progress.step(position, self.learner.measures)
            if self.world.any(self.stopping):
                self.save("last")
                raise Interrupted
        if not position.step:
            raise TrainingError("the data has no samples to train on")
        self._finish(progress)

    def _groups(self) -> Iterator[list[Batch]]:
        """Yield the batches of each remaining step of the epoch."""
        train, position = self.train, self.position
        skip = position.step * train.accumulate
        batches = of_epoch(self.training, train, position.epoch, skip, whole=self.whole)
        while together := list(islice(batches, train.accumulate)):
            yield together

    def _at_limit(self) -> bool:
        """Whether a limit of steps or time ends the epoch early."""
        return self._in_any(self.position.is_at_limit(self.limits))

    def _in_any(self, ended: bool) -> bool:  # noqa: FBT001  a value, not an option
        """Return whether the training has ended in any process: the clocks of processes differ."""
        return ended if self.limits.max_time is None else self.world.any(ended)

    def _finish(self, progress: Progress) -> None:
        """Validate at the end of an epoch, and write its metrics and checkpoints.

        `last` is written at the end. After an earlier kill, the training continues from the former
        `last`, and repeats the epoch with the same result.
        """
        metrics = self._measured()
        value = self._monitored(metrics)
        for one in self.learner.stepping:
            one.scheduling.after_epoch(value)
        cost = None if self.train.monitor is None else -value if self.rises else value
        # As long as no epoch has had a value, the newest one is kept.
        best = cost is None or cost < self.position.best or self.position.best == math.inf
        self.position = self.position.after_epoch(cost)
        if self.world.writes:
            self.run.append(metrics | {"best": best})
            self.events.epoch(self.position.total, metrics)
        if best:
            self.save("best")
        self.save("last")
        progress.epoch(metrics)

    def _monitored(self, metrics: dict[str, Any]) -> float:
        """Return the value of the monitor; the worst value if the epoch has none."""
        value = metrics.get(self.train.monitor or "")
        worst = -math.inf if self.rises else math.inf
        return value if isinstance(value, float) and not math.isnan(value) else worst

    def _measured(self) -> dict[str, Any]:
        """Validate, and return the metrics of the epoch.

        Raises:
            TrainingError: the validation has no loss, or its loss is not finite.
        """
        position, learner = self.position, self.learner
        learner.measures.merge_all(self.world)
        trained = learner.measures.means("train")
        learner.measures = learner.new_measures()
        epoch = position.epoch + 1
        measures = learner.validate(self.validation())
        measures.expect_loss(f"the validation of epoch {epoch}", labels=not self.trial)
        seen = measures.means("val")
        speed = position.samples * self.world.size / position.seconds
        return {
            "epoch": epoch,
            **trained,
            **seen,
            "lr": position.lr,
            "seconds": round(position.seconds, 4),
            "samples_per_second": round(speed, 1),
        }

    def validation(self) -> Iterable[Batch]:
        """Return the batches to validate with."""
        return self.held_out.in_order(self.train.batch_size, self.train.limit_batches)

    def save(self, which: str) -> None:
        """Write a checkpoint of the state of all processes."""
        learner, place = self.learner, self.run.checkpoint(which)
        state = {
            "position": asdict(self.position),
            **learner.state_dict(),
            "randomness": self.world.gather(randomness.state()),
        }
        if self.world.sharded:
            self._save_shards(which, state)
        elif self.world.writes:
            checkpoint.save(place, learner.validated.state_dict(), state)
        self.world.wait()

    def _save_shards(self, which: str, state: dict[str, Any]) -> None:
        """Write a checkpoint of a network of which each process has a part.

        `last` is in parts. `best` is one file, because other programs read it: one tensor after the
        other is gathered, and the first process writes it.
        """
        learner, place, world = self.learner, self.run.checkpoint(which), self.world
        if which == "last":
            if world.writes:
                checkpoint.begin(place)
            world.wait()
            learner.save_parts(checkpoint.parts_of_new(place))
            if world.writes:
                checkpoint.finish(place, state)
            return
        from netbuild.training.parallel import units

        own = learner.validated.state_dict()
        tensors = units.whole(own[name] for name in checkpoint.order(own))
        if world.writes:
            checkpoint.save_each(place, own, tensors, state)
        else:
            for _ in tensors:
                pass

    def resume(self, anew: Anew) -> None:
        """Load the last checkpoint of the run, except for what begins anew.

        Raises:
            TrainingError: there is no checkpoint, or it cannot be read.
        """
        place = self.run.checkpoint("last")
        if self.world.writes:
            for which in ("last", "best"):
                recover(self.run.checkpoint(which))
        self.world.wait()
        saved, learner = checkpoint.Saved(place), self.learner
        state, weights = saved.state(), saved.described()
        checkpoint.check_names(place, weights, learner.validated.state_dict())
        try:
            self.position = _position(state, place)
            if saved.parts:
                learner.load_parts(saved.parts, anew)
            else:
                saved.load_into(learner.validated, divided=self.world.sharded)
            learner.load_state_dict(state, self.position, anew)
            if anew.best:
                self.position.best, self.position.waited = math.inf, 0
            states = state["randomness"]
            randomness.restore(states[self.world.rank % len(states)])
        except TrainingError:
            raise
        except _NO_STATE as error:
            message = f"the checkpoint {place} does not hold the state of this training"
            raise TrainingError(message) from error
        if self.world.writes:
            self.run.forget_after(self.position.epoch)
            self.events.resume(self.position)


def _position(state: dict[str, Any], place: Path) -> Position:
    """Return the position in the state of a checkpoint.

    Raises:
        TrainingError: it is no position of a training.
    """
    try:
        return Position.read(state["position"])
    except ValueError as error:
        message = f"the checkpoint {place} does not hold the state of a training: {error}"
        raise TrainingError(message) from None
