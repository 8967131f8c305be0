"""Torch's scheduler during a training."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.optim import lr_scheduler

from netbuild.builder.arguments import differing
from netbuild.components.schedulers.composite import ChainedScheduler, SequentialLR
from netbuild.components.schedulers.cycle import OneCycleLR
from netbuild.config.scheduler import misfits
from netbuild.config.training_length import warmup_steps
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.step.saved import expect_scheduler

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.config.scheduler import Schedule
    from netbuild.config.training_length import Training
    from netbuild.runs.position import Position


#: The attributes in which ReduceLROnPlateau remembers the losses.
_SEEN = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


class Scheduling:
    """Steps a scheduler, if there is one, after each batch or after each epoch.

    Step n of a warm-up of w steps has (n + 1)/w of the rate with which the scheduler begins. The
    scheduler waits for its end. torch's SequentialLR refuses ReduceLROnPlateau, and its LinearLR
    changes the rate of an epoch and not of a step.

    Raises:
        TrainingError: the scheduler does not fit the number of steps, which is known by now.
    """

    def __init__(
        self, schedule: Schedule | None, optimizer: torch.optim.Optimizer, training: Training
    ) -> None:
        self.scheduler: Any = None
        self.step = schedule.step if schedule else None
        self.optimizer, self.every = optimizer, training.every
        #: The steps of the warm-up, and the steps that the optimizer has taken.
        self.warmup, self.taken = 0, 0
        if schedule is not None:
            self._make(schedule, optimizer, training)
        #: The rate of each group at the begin of the schedule.
        self.rates = [group["lr"] for group in optimizer.param_groups]
        self._warm()

    def _make(
        self, schedule: Schedule, optimizer: torch.optim.Optimizer, training: Training
    ) -> None:
        for (_, part), error in misfits(schedule, training):
            message = f"{type(part).__name__} does not fit the training: {error}"
            raise TrainingError(message)
        with _torch():
            declared = schedule.decided(training)
            self.scheduler = torch_scheduler(declared, optimizer, schedule.total(training))
        self.warmup = warmup_steps(schedule.warmup, training) or 0

    @property
    def remembers(self) -> bool:
        """Whether the scheduler depends on the losses of earlier epochs, and not only on steps."""
        return isinstance(self.scheduler, lr_scheduler.ReduceLROnPlateau)

    @property
    def warming(self) -> bool:
        """Whether the next step belongs to the warm-up."""
        return self.taken < self.warmup

    def _warm(self) -> None:
        """Set the rates of the next step, if it belongs to the warm-up."""
        if self.warming:
            for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * ((self.taken + 1) / self.warmup)

    def after_batch(self) -> None:
        """Step after a step of the optimizer, if the scheduler steps after each batch."""
        self.taken += 1
        if self.taken <= self.warmup:
            self._warm()
        elif self.step == "batch":
            with _torch():
                self.scheduler.step()

    def after_epoch(self, measured: float) -> None:
        """Step, if the scheduler steps after each epoch; `measured` is what the monitor measures.

        An epoch that ends with the warm-up is not one of the schedule.
        """
        if self.step == "epoch" and self._counts(self.taken):
            with _torch():
                self.scheduler.step(*([measured] if self.remembers else []))

    def _counts(self, taken: int) -> bool:
        """Whether an epoch that ends after some steps is one of the schedule."""
        return not self.warmup or taken > self.warmup

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the scheduler for a checkpoint."""
        state = self.scheduler.state_dict() if self.scheduler else {}
        return state | ({"warming": True} if self.warming else {})

    def replay(self, position: Position, state: dict[str, Any]) -> None:
        """Take all steps that the schedule would have taken up to a position.

        ReduceLROnPlateau depends on losses instead. It gets the losses that it remembers from
        `state`, the state of the scheduler that the run used before.
        """
        self.taken = position.total // self.every
        self._warm()
        if self.scheduler is None:
            return
        if self.remembers:
            for name in _SEEN:
                setattr(self.scheduler, name, state.get(name, getattr(self.scheduler, name)))
            return
        steps = max(0, self.taken - self.warmup)
        with _torch():
            for _ in range(self._epochs(position) if self.step == "epoch" else steps):
                self.scheduler.step()

    def _epochs(self, position: Position) -> int:
        """Return how many epochs have ended since the warm-up; all have had the same length."""
        ends = range(1, position.epoch + 1)
        each = (position.total - position.step) / max(1, position.epoch)
        return sum(self._counts(round(end * each) // self.every) for end in ends)

    def load_state_dict(self, state: dict[str, Any], position: Position) -> None:
        """Load the state of a checkpoint. The optimizer has to be loaded before.

        Raises:
            ValueError: the state belongs to another scheduler.
        """
        self.taken = position.total // self.every
        state = {name: value for name, value in state.items() if name != "warming"}
        if self.scheduler:
            expect_scheduler(self.scheduler, state)
            self.scheduler.load_state_dict(state)


def torch_scheduler(
    declared: Scheduler, optimizer: torch.optim.Optimizer, total: int | None
) -> Any:
    """Make torch's scheduler for a scheduler of the config; parts of a composite are made first.

    Args:
        declared: the scheduler of the config.
        optimizer: torch's optimizer.
        total: the number of all steps. OneCycleLR uses it if the config does not give one.
    """
    arguments = declared.model_dump()
    if isinstance(declared, SequentialLR | ChainedScheduler):
        arguments["schedulers"] = [
            torch_scheduler(part, optimizer, total) for part in declared.schedulers
        ]
    if isinstance(declared, SequentialLR):
        arguments["milestones"] = list(declared.milestones)
    if isinstance(declared, OneCycleLR):
        arguments["total_steps"] = declared.total(total)
    kind = getattr(lr_scheduler, type(declared).__name__)
    return kind(optimizer=optimizer, **differing(kind, declared, arguments))


@contextmanager
def _torch() -> Iterator[None]:
    """Turn an error of torch into one sentence: the sums went wrong, or a state is damaged.

    torch warns if a scheduler steps before its optimizer. This warning is silenced. It is for loops
    written by hand: after a resumption, and inside a composite scheduler, torch cannot see the
    steps of the optimizer.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        try:
            yield
        except (ArithmeticError, ValueError, TypeError, LookupError, AttributeError) as error:
            message = f"torch refused a step of the scheduler: {error.args[-1]}"
            raise TrainingError(message) from error
