"""The position of a training, and the limits at which it ends."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

#: No training counts or lasts as far.
_FAR = 1 << 53


class Limits(NamedTuple):
    """The limits of a training. None means no limit."""

    epochs: int
    patience: int | None = None  # epochs without a lower validation loss
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
    best: float = math.inf  # the lowest validation loss
    waited: int = 0  # epochs since that loss

    @classmethod
    def of(cls, saved: Any) -> Position:
        """Return the position that a checkpoint holds as a mapping.

        Raises:
            ValueError: a value is absent, of another kind, or none that a training can reach.
        """
        kinds = {f.name: float if type(f.default) is float else int for f in fields(cls)}
        if not isinstance(saved, dict) or not {"epoch", "total"} <= saved.keys() <= kinds.keys():
            raise ValueError("it has no position of a training")
        for name, value in saved.items():
            kind = kinds[name]
            whole = type(value) is int or (kind is float and type(value) is float)
            free = name in {"best", "lr"}  # a loss may be infinite, and both less than zero
            if not whole or not (free or 0 <= value < _FAR):
                raise ValueError(f"the position of its training has an impossible {name}")
        return cls(**{name: kinds[name](value) for name, value in saved.items()})  # type: ignore[arg-type]

    def after_epoch(self, loss: float) -> Position:
        """Return the position at the end of the current epoch, with its validation loss."""
        best = loss < self.best
        return Position(
            epoch=self.epoch + 1,
            total=self.total,
            spent=self.spent + self.seconds,
            lr=self.lr,
            best=loss if best else self.best,
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
