"""Where a training stands."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Position:
    """Where a training stands, between two steps."""

    epoch: int = 0  # finished epochs
    step: int = 0  # finished steps of the epoch under way
    total: int = 0  # finished steps of all epochs
    samples: int = 0  # that it has seen
    seconds: float = 0.0  # spent on the epoch under way
    spent: float = 0.0  # spent on all finished epochs
    lr: float = 0.0  # of the last step
    best: float = math.inf  # validation loss
    waited: int = 0  # epochs since it was reached

    def behind(self, loss: float) -> Position:
        """Return where it stands behind the epoch, whose validation loss was this."""
        best = loss < self.best
        return Position(
            epoch=self.epoch + 1,
            total=self.total,
            spent=self.spent + self.seconds,
            lr=self.lr,
            best=loss if best else self.best,
            waited=0 if best else self.waited + 1,
        )
