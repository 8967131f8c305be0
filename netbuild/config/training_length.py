"""The length of a training, which schedules follow, and the warm-up at its begin."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netbuild.components.optimizers.optimizer import Optimizer


class Training(NamedTuple):
    """The parts of a training that a scheduler has to fit."""

    optimizer: Optimizer | None
    epochs: int
    batches: int | None  # steps of an epoch; None if only the loaded data tells
    grouped: bool = False  # whether a parameter group has its own learning rate
    max_steps: int | None = None
    every: int = 1  # the optimizer takes each step with this divisor
    rises: bool = False  # a larger value of the monitor is better
    endless: bool = False  # the data is a stream, whose length nobody knows

    @property
    def steps(self) -> int | None:
        """The most steps of the optimizer; None if their number is not known yet."""
        known = [] if self.batches is None else [self.epochs * self.batches]
        if self.max_steps is not None and (known or self.endless):
            known.append(self.max_steps)
        return min(known) // self.every if known else None

    @property
    def begun_epochs(self) -> int:
        """The most epochs that begin."""
        if self.max_steps is None or self.batches is None:
            return self.epochs
        return min(self.epochs, ceil(self.max_steps / self.batches))

    def epoch_ends(self, steps: int) -> int | None:
        """Return the number of epochs that end within the first steps of the optimizer."""
        return None if self.batches is None else steps * self.every // self.batches


def warmup_steps(warmup: int | str | None, training: Training) -> int | None:
    """Return the steps of a warm-up: 500, 5% of all steps, or 2 epochs; None if not known yet."""
    if warmup is None or isinstance(warmup, int):
        return warmup or 0
    if warmup.endswith("%"):
        steps = training.steps
        share = float(warmup.removesuffix("%")) / 100
        return None if steps is None else max(1, round(steps * share))
    if training.batches is None:
        return None
    return max(1, int(warmup.split()[0]) * training.batches // training.every)
