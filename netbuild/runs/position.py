"""The position of a training, and the limits at which it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

#: Counts are smaller than this. The seed of an epoch has room for its number.
_COUNTS = 2**31


class Limits(NamedTuple):
    """The limits of a training. None means no limit."""

    epochs: int
    patience: int | None = None  # epochs without a better monitor
    max_steps: int | None = None
    max_time: float | None = None  # seconds


@dataclass
class Position:
    """The position of a training between two steps."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the current epoch
    total: int = 0  # finished steps of all epochs
    samples: int = 0  # seen in the current epoch, by one process
    seconds: float = 0.0  # spent on the current epoch
    spent: float = 0.0  # spent on all finished epochs
    lr: float = 0.0  # of the last step
    best: float = math.inf  # the best value of the monitor; its negative if it rises
    waited: int = 0  # epochs since that value

    @classmethod
    def read(cls, saved: Any) -> Position:
        """Return the position that a checkpoint holds.

        Raises:
            ValueError: it is no position of a training. The message names the value.
        """
        names = {field.name: field.type for field in fields(cls)}
        if not isinstance(saved, dict) or not {"epoch", "total"} <= saved.keys() <= names.keys():
            raise ValueError("it has no position")
        for name, value in saved.items():
            wanted = "a whole number from 0" if names[name] == "int" else "a number from 0"
            if not (_is_count(value) if names[name] == "int" else _is_number(name, value)):
                raise ValueError(f"{name} is {value!r:.40}, not {wanted}")
        found = cls(**saved)
        if found.total < found.epoch + (found.step > 0) or found.total < found.step:
            raise ValueError(
                f"epoch {found.epoch} and step {found.step} are more than {found.total} steps"
            )
        if found.step > 0 and found.seconds == 0:
            raise ValueError(f"step {found.step} has taken no time")
        if found.waited > found.epoch:
            raise ValueError(f"waited is {found.waited}, more than {found.epoch} epochs")
        return found

    def after_epoch(self, cost: float | None) -> Position:
        """Return the position at the end of the current epoch.

        A lower cost is better. Without costs, the newest epoch is the best.
        """
        best = cost is None or cost < self.best
        return Position(
            epoch=self.epoch + 1,
            total=self.total,
            spent=self.spent + self.seconds,
            lr=self.lr,
            best=self.best if cost is None else min(cost, self.best),
            waited=0 if best else self.waited + 1,
        )

    def is_at_limit(self, limits: Limits) -> bool:
        """Whether the limit of steps or of time is reached, which also ends an epoch early."""
        if limits.max_steps is not None and self.total >= limits.max_steps:
            return True
        return limits.max_time is not None and self.spent + self.seconds >= limits.max_time

    def is_finished(self, limits: Limits) -> bool:
        """Whether a training with these limits ends at this position.

        An interrupted epoch still has to be validated. So no limit of steps or time ends it.
        """
        waited = limits.patience is not None and self.waited >= limits.patience
        limited = self.step == 0 and self.is_at_limit(limits)
        return self.epoch >= limits.epochs or waited or limited


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _COUNTS


def _is_number(name: str, value: Any) -> bool:
    """Whether a time or a rate is finite and not negative. `best` is any loss, or infinite."""
    if type(value) not in {int, float} or math.isnan(value):
        return False
    return name == "best" or (math.isfinite(value) and value >= 0)
