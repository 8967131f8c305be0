"""A scheduler of torch at work."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from torch.optim import lr_scheduler

from netbuild.components.schedulers.composite import ChainedScheduler, SequentialLR
from netbuild.components.schedulers.cycle import OneCycleLR
from netbuild.config.scheduler import misfits
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch

    from netbuild.components.schedulers.scheduler import Scheduler
    from netbuild.config.scheduler import Schedule, Training
    from netbuild.runs.position import Position


#: What ReduceLROnPlateau remembers of the losses.
_SEEN = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


class Scheduling:
    """Steps a scheduler, if there is one, behind each batch or each epoch.

    Raises:
        TrainingError: it does not go with the training, of which all is known now.
    """

    def __init__(
        self, schedule: Schedule | None, optimizer: torch.optim.Optimizer, training: Training
    ) -> None:
        self.made: Any = None
        self.step = schedule.step if schedule else None
        if schedule is None:
            return
        for (_, part), error in misfits(schedule, training):
            message = f"{type(part).__name__} does not go with the training: {error}"
            raise TrainingError(message)
        with _torch():
            self.made = made(schedule.scheduler, optimizer, schedule.total(training))

    @property
    def remembers(self) -> bool:
        """Whether it goes by the losses that there were, not by the number of steps alone."""
        return isinstance(self.made, lr_scheduler.ReduceLROnPlateau)

    def after_batch(self) -> None:
        """Step, if this is the time for it."""
        if self.step == "batch":
            with _torch():
                self.made.step()

    def after_epoch(self, val_loss: float) -> None:
        """Step, if this is the time for it."""
        if self.step == "epoch":
            with _torch():
                self.made.step(*([val_loss] if self.remembers else []))

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint holds of it."""
        return self.made.state_dict() if self.made else {}

    def replay(self, position: Position, state: dict[str, Any]) -> None:
        """Go to where the schedule would be by now.

        What ReduceLROnPlateau has seen, by the state of a scheduler of before, still counts.
        """
        if self.made is None:
            return
        if self.remembers:
            for name in _SEEN:
                setattr(self.made, name, state.get(name, getattr(self.made, name)))
            return
        with _torch():
            for _ in range(position.epoch if self.step == "epoch" else position.total):
                self.made.step()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go back to what a checkpoint held; the optimizer has been there before."""
        if self.made:
            self.made.load_state_dict(state)


def made(declared: Scheduler, optimizer: torch.optim.Optimizer, total: int | None) -> Any:
    """Return torch's scheduler, and first those that it is made of.

    `total` is the number of its steps, which OneCycleLR may be left to.
    """
    arguments = declared.model_dump()
    if isinstance(declared, SequentialLR | ChainedScheduler):
        arguments["schedulers"] = [made(part, optimizer, total) for part in declared.schedulers]
    if isinstance(declared, SequentialLR):
        arguments["milestones"] = list(declared.milestones)
    if isinstance(declared, OneCycleLR):
        arguments["total_steps"] = declared.total(total)
    return getattr(lr_scheduler, type(declared).__name__)(optimizer=optimizer, **arguments)


@contextmanager
def _torch() -> Iterator[None]:
    """Turn what torch cannot compute into a sentence.

    Its warning that no step of the optimizer came before is for loops written by hand: behind a
    resumption, and within a scheduler made of others, torch did not see it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Detected call of `lr_scheduler.step")
        try:
            yield
        except (ArithmeticError, ValueError) as error:
            message = f"torch refused a step of the scheduler: {error.args[-1]}"
            raise TrainingError(message) from error
