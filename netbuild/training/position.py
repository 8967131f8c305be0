"""Where a training stands, and what its epoch has added up so far."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass
class Sums:
    """What an epoch has added up so far, over the samples that it has seen."""

    weight: float = 0.0  # samples, or the sum of their classes' weights
    loss: float = 0.0
    told: int = 0  # classes that were told apart, of samples or of places in them
    correct: int = 0

    def means(self, prefix: str, *, classes: bool) -> dict[str, float]:
        """Return the loss and, for classes, the accuracy, named with a prefix."""
        means = {f"{prefix}_loss": _ratio(self.loss, self.weight)}
        return means | ({f"{prefix}_accuracy": _ratio(self.correct, self.told)} if classes else {})


def _ratio(value: float, whole: float) -> float:
    """Return a mean, as torch does: that of nothing is not a number."""
    return value / whole if whole else math.nan


@dataclass
class Position:
    """Where a training stands."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the epoch under way
    seconds: float = 0.0  # spent on the epoch under way
    lr: float = 0.0  # of the last step
    sums: Sums = field(default_factory=Sums)
    best: float = math.inf
