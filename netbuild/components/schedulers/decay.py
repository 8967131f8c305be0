"""Decay: the rate falls, at some steps or at every step."""

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import (
    Float,
    Int,
    Wants,
    either,
    many,
    one_of,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.components.schedulers.scheduler import Scheduler, Use, expect_start
from netbuild.components.tensor import ShapeError

_WholeDivisor = Annotated[
    int,
    Wants(
        "a whole number other than 0",
        either(whole(1), core_schema.int_schema(strict=True, ge=-LARGEST, le=-1)),
    ),
]
_Fraction = Annotated[float, Wants("a number from 0 to 1", real(ge=0, le=1))]
_BelowOne = Annotated[float, Wants("a number below 1", real(lt=1))]
_Start = Annotated[float, Wants("a number above 0 and at most 1", real(gt=0, le=1))]
_Milestones = Annotated[tuple[int, ...], Wants("a list of whole numbers", many(whole()))]
_Mode = Annotated[
    str | None,
    Wants("min or max, or null", optional(core_schema.literal_schema(["min", "max"]))),
]
_PerGroup = Annotated[
    float | tuple[float],
    Wants("a number, or a list of one number", either(real(), core_schema.tuple_schema([real()]))),
]


class _Falling(Scheduler):
    """Multiplies the rate by the same factor, at some steps."""

    last = "gamma"

    gamma: Float = 0.1
    """Factor of the rate each time; below 1 the rate falls, 1 keeps it."""


class StepLR(_Falling):
    """Multiplies the rate by gamma after every `step_size` steps.

    scheduler: {StepLR: {step_size: 30}}
    """

    step_size: _WholeDivisor
    """Number of steps from one factor to the next."""

    def constant(self, lr: float | None, last: int) -> str | None:
        return "step_size" if self.gamma == 1 or abs(self.step_size) > last else None

    def zero_from(self) -> tuple[str, int] | None:
        return ("gamma", abs(self.step_size)) if self.gamma == 0 else None


class MultiStepLR(_Falling):
    """Multiplies the rate by gamma after each number of steps in `milestones`.

    scheduler: {MultiStepLR: {milestones: [30, 60, 80]}}
    """

    milestones: _Milestones
    """Numbers of steps after which the rate falls."""

    def constant(self, lr: float | None, last: int) -> str | None:
        reached = any(1 <= milestone <= last for milestone in self.milestones)
        return "milestones" if self.gamma == 1 or not reached else None

    def zero_from(self) -> tuple[str, int] | None:
        reached = [milestone for milestone in self.milestones if milestone >= 1]
        return ("gamma", min(reached)) if self.gamma == 0 and reached else None


class ConstantLR(Scheduler):
    """lr · factor for the first `total_iters` steps, then lr.

    scheduler: {ConstantLR: {factor: 0.1, total_iters: 3}}
    """

    factor: _Fraction = 1 / 3
    """Factor of lr in the first steps, from 0 to 1."""
    total_iters: Annotated[Int, Field(validate_default=True)] = 5
    """Number of steps with this factor."""

    @field_validator("total_iters")
    @classmethod
    def _can_go_back(cls, total_iters: Any, info: Any) -> Any:
        if info.data.get("factor") == 0 and total_iters > 0:
            raise unwanted("at most 0 where factor is 0: torch divides by factor after these steps")
        return total_iters

    def constant(self, lr: float | None, last: int) -> str | None:
        return "total_iters" if self.factor == 1 or not 1 <= self.total_iters <= last else None


class LinearLR(Scheduler):
    """lr · f, where f moves on a line from `start_factor` to `end_factor` in `total_iters` steps.

    scheduler: {LinearLR: {start_factor: 0.1, total_iters: 5}}
    """

    start_factor: _Start = 1 / 3
    """Factor of lr in the first step."""
    end_factor: _Fraction = 1.0
    """Factor of lr from total_iters steps on."""
    total_iters: Int = 5
    """Number of steps from start_factor to end_factor."""

    def check(self, use: Use) -> None:
        expect_start(self, use, possible=self.total_iters != 0, at="total_iters")

    def constant(self, lr: float | None, last: int) -> str | None:
        return (
            "end_factor" if self.start_factor == self.end_factor or self.total_iters < 1 else None
        )

    def zero_from(self) -> tuple[str, int] | None:
        return ("total_iters", self.total_iters) if self.end_factor == 0 else None


class ExponentialLR(_Falling):
    """Multiplies the rate by gamma after every step.

    scheduler: {ExponentialLR: 0.95}
    """

    gamma: Float

    def constant(self, lr: float | None, last: int) -> str | None:
        return "gamma" if self.gamma == 1 else None

    def zero_from(self) -> tuple[str, int] | None:
        return ("gamma", 1) if self.gamma == 0 else None


class PolynomialLR(Scheduler):
    """lr · (1 − step / total_iters)^power, and 0 after `total_iters` steps.

    scheduler: {PolynomialLR: {total_iters: 10}}
    """

    total_iters: Int = 5
    """Number of steps until the rate is 0."""
    power: Float = 1.0
    """Power of the remaining share of steps; 1 is a line, a larger power falls faster at first."""

    @field_validator("power")
    @classmethod
    def _ends(cls, power: Any, info: Any) -> Any:
        if power < 0 and info.data.get("total_iters", 0) > 0:
            raise unwanted("a number of at least 0")
        return power

    def check(self, use: Use) -> None:
        again = use._replace(restarted=use.restarted or use.undone)
        expect_start(self, again, possible=self.total_iters != 0, at="total_iters")
        expect_start(self, use, possible=self.power >= 0, at="power")

    def constant(self, lr: float | None, last: int) -> str | None:
        return "power" if self.power == 0 or self.total_iters < 1 else None

    def zero_from(self) -> tuple[str, int] | None:
        return "total_iters", self.total_iters


class ReduceLROnPlateau(Scheduler):
    """Multiplies lr by factor after more than `patience` epochs without a better `train.monitor`.

    scheduler: {ReduceLROnPlateau: {patience: 5}}
    """

    reads_monitor = True

    mode: _Mode = None
    """Whether a smaller value is better (min) or a larger one (max); null: as the monitor says."""
    factor: _BelowOne = 0.1
    """Factor of the rate after too many epochs without improvement."""
    patience: Int = 10
    """Number of allowed epochs without improvement; one more lets the rate fall."""
    threshold: Float = 1e-4
    """Smallest change that counts as an improvement."""
    threshold_mode: Annotated[str, one_of("rel", "abs")] = "rel"
    """Whether threshold is a share of the best value (rel) or a difference (abs)."""
    cooldown: Int = 0
    """Number of epochs after a fall of the rate that do not count towards patience."""
    min_lr: _PerGroup = 0.0
    """Smallest rate; the rate never falls below it."""
    eps: Float = 1e-8
    """Smallest change of the rate; a smaller change is skipped."""

    def check(self, use: Use) -> None:
        if use.owner:
            message = f"it reads train.monitor, which {use.owner} does not pass on"
            raise ShapeError("NB403", message)

    def decided(self, use: Use) -> Scheduler:
        if self.mode is not None:
            return self
        return self.model_copy(update={"mode": "max" if use.rises else "min"})

    def constant(self, lr: float | None, last: int) -> str | None:
        """The first epoch is the best so far; the rate can fall after patience + 1 more epochs.

        torch skips a fall of `eps` or less.
        """
        if self.patience >= last:
            return "patience"
        least = self.min_lr[0] if isinstance(self.min_lr, tuple) else self.min_lr
        if not lr or lr - max(self.factor * lr, least) > self.eps:
            return None
        return "min_lr" if lr - least <= self.eps else "eps"

    def misread(self, *, rises: bool) -> tuple[str, str, str] | None:
        if not rises and self.threshold_mode == "rel" and self.threshold >= 1:
            return "threshold", "no loss above 0 counts as an improvement", "1e-4"
        if self.threshold < 0:
            return "threshold", "a worse loss counts as an improvement", "1e-4"
        return None
