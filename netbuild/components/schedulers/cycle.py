"""Cycles: the rate follows a cosine, or rises and falls."""

from math import floor
from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import (
    Bool,
    Float,
    OptionalCount,
    PositiveInt,
    Wants,
    either,
    one_of,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.components.schedulers.scheduler import Scheduler, Use
from netbuild.components.tensor import ShapeError

_Divisor = Annotated[float, Wants("a number other than 0", either(real(gt=0), real(lt=0)))]
_WholeDivisor = Annotated[
    int,
    Wants(
        "a whole number other than 0",
        either(whole(1), core_schema.int_schema(strict=True, ge=-LARGEST, le=-1)),
    ),
]
_OptionalDivisor = Annotated[
    int | None,
    Wants(
        "a whole number other than 0, or null for the length of the training",
        optional(
            either(whole(1), core_schema.int_schema(strict=True, ge=-LARGEST, le=-1)),
        ),
    ),
]
_OptionalInt = Annotated[int | None, Wants("a whole number or null", optional(whole()))]
_Fraction = Annotated[float, Wants("a number from 0 to 1", real(ge=0, le=1))]
_PerGroup = Annotated[
    float | tuple[float],
    Wants("a number, or a list of one number", either(real(), core_schema.tuple_schema([real()]))),
]


class _Cosine(Scheduler):
    """Lets the rate fall along a cosine."""

    last = "eta_min"

    eta_min: Float = 0.0
    """Smallest rate, at the bottom of the cosine."""


class CosineAnnealingLR(_Cosine):
    """eta_min + (lr − eta_min) · (1 + cos(π · step / T_max)) / 2: falls to `eta_min`, then rises.

    Without `T_max`, the rate falls until the end of the training. torch alone cannot know the end.

    scheduler: CosineAnnealingLR
    """

    T_max: _OptionalDivisor = None
    """Number of steps down to eta_min; null is the length of the training."""

    def decided(self, use: Use) -> Scheduler:
        if self.T_max is not None or use.length is None:
            return self
        return self.model_copy(update={"T_max": max(1, use.length)})

    def open_field(self) -> str | None:
        return "T_max" if self.T_max is None else None

    def constant(self, lr: float | None, last: int) -> str | None:
        return "eta_min" if self.eta_min == lr else None


class CosineAnnealingWarmRestarts(_Cosine):
    """Half a cosine from lr to `eta_min` in `T_0` steps; each next round is `T_mult` times longer.

    scheduler: {CosineAnnealingWarmRestarts: {T_0: 5, T_mult: 2}}
    """

    T_0: PositiveInt
    """Number of steps of the first round; after it the rate starts again at lr."""
    T_mult: PositiveInt = 1
    """Factor of the length from one round to the next; 1 keeps the length."""

    def constant(self, lr: float | None, last: int) -> str | None:
        return "T_0" if self.eta_min == lr or self.T_0 == self.T_mult == 1 else None


class _Cycle(Scheduler):
    """Can move the momentum in the opposite direction of the learning rate."""

    steps_every = "batch"
    last = "cycle_momentum base_momentum max_momentum"

    cycle_momentum: Bool = True
    """Whether the momentum, or betas[0], falls while the rate rises."""
    base_momentum: _PerGroup = 0.8
    """Smallest momentum, at the highest rate."""
    max_momentum: _PerGroup = 0.9
    """Largest momentum, at the lowest rate."""

    def check(self, use: Use) -> None:
        if use.grouped:
            message = "it sets one rate for all weights, and a group has its own lr"
            raise ShapeError("NB403", message, at="max_lr")
        if self.cycle_momentum and use.optimizer is not None:
            optimizer = type(use.optimizer)
            if not {"momentum", "betas"} & set(optimizer.model_fields):
                name = optimizer.__name__
                message = f"cycle_momentum is true, and {name} has neither momentum nor betas"
                raise ShapeError("NB403", message, at="cycle_momentum")


class CyclicLR(_Cycle):
    """Rises from `base_lr` to `max_lr` in `step_size_up` steps, falls in `step_size_down` steps.

    Later cycles have the same height (triangular), half the height of the cycle before
    (triangular2), or a height that changes with gamma^step (exp_range). Smith 2017.

    scheduler: {CyclicLR: {base_lr: 1e-3, max_lr: 0.1}}
    """

    base_lr: _PerGroup
    """Lowest rate, at the start of a cycle."""
    max_lr: _PerGroup
    """Highest rate, in the middle of a cycle."""
    step_size_up: _WholeDivisor = 2000
    """Number of steps from base_lr up to max_lr."""
    step_size_down: _OptionalInt = None
    """Number of steps back down to base_lr; null is step_size_up."""
    mode: Annotated[str, one_of("triangular", "triangular2", "exp_range")] = "triangular"
    """Height of later cycles: the same, half of the cycle before, or by gamma^step."""
    gamma: Float = 1.0
    """Factor of the height at each step, for exp_range; 1 keeps the height."""
    scale_mode: Annotated[str, one_of("cycle", "iterations")] = "cycle"
    """Unit of the height's changes, cycles or steps; it has no effect, as mode decides it."""

    @field_validator("step_size_down")
    @classmethod
    def _has_a_length(cls, step_size_down: Any, info: Any) -> Any:
        up = info.data.get("step_size_up")
        if up is not None and step_size_down == -up:
            raise unwanted("a number other than −step_size_up")
        return step_size_down

    def check(self, use: Use) -> None:
        super().check(use)
        if use.steps is None:
            return
        try:
            self._last_scale(use.steps)
        except ArithmeticError as error:
            message = f"over {use.steps} steps the factor of {self.mode} overflows"
            at = "gamma" if self.mode == "exp_range" else "mode"
            raise ShapeError("NB403", message, at=at) from error

    def _last_scale(self, steps: int) -> float:
        """Return the factor of the last step: the largest or the smallest factor."""
        if self.mode == "exp_range":
            return float(self.gamma**steps)
        down = self.step_size_up if self.step_size_down is None else self.step_size_down
        cycle = floor(1 + steps / (self.step_size_up + down))
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (cycle - 1)

    def constant(self, lr: float | None, last: int) -> str | None:
        rates = [
            rate[0] if isinstance(rate, tuple) else rate for rate in (self.base_lr, self.max_lr)
        ]
        return "max_lr" if rates[0] == rates[1] and not self.cycle_momentum else None


class OneCycleLR(_Cycle):
    """Rises from max_lr / div_factor to `max_lr`, then falls to the first rate / final_div_factor.

    Without `total_steps`, `epochs` and `steps_per_epoch`, the cycle has as many steps as the
    training. torch alone cannot know them, and refuses such a scheduler. Smith and Topin 2018.

    scheduler: {OneCycleLR: {max_lr: 0.1}}
    """

    last = f"{_Cycle.last} div_factor final_div_factor three_phase"

    max_lr: _PerGroup
    """Highest rate, at the end of the rise."""
    total_steps: OptionalCount = None
    """Steps of the cycle; null is epochs · steps_per_epoch, or the steps of the training."""
    epochs: _OptionalInt = None
    """Number of epochs of the cycle, together with steps_per_epoch; null leaves both out."""
    steps_per_epoch: Annotated[_OptionalInt, Field(validate_default=True)] = None
    """Number of steps of an epoch, together with epochs; null leaves both out."""
    pct_start: _Fraction = 0.3
    """Share of the steps in which the rate rises, from 0 to 1."""
    anneal_strategy: Annotated[str, one_of("cos", "linear")] = "cos"
    """Curve of the rate: a cosine or a line."""
    base_momentum: _PerGroup = 0.85
    max_momentum: _PerGroup = 0.95
    div_factor: _Divisor = 25.0
    """Divisor of max_lr that gives the first rate."""
    final_div_factor: _Divisor = 1e4
    """Divisor of the first rate that gives the last rate."""
    three_phase: Bool = False
    """Whether the rate first falls to the first rate, as long as it rose; else it falls once."""

    @field_validator("epochs")
    @classmethod
    def _some_epochs(cls, epochs: Any, info: Any) -> Any:
        return _counted(epochs, info)

    @field_validator("steps_per_epoch")
    @classmethod
    def _beside_epochs(cls, steps: Any, info: Any) -> Any:
        alone = "epochs" in info.data and (steps is None) != (info.data["epochs"] is None)
        if alone and info.data.get("total_steps", 0) is None:
            raise unwanted("a whole number if epochs is a number, and null if epochs is null")
        return _counted(steps, info)

    def total(self, training: int | None) -> int | None:
        """Return the steps of the cycle, for a training of `training` steps."""
        if self.total_steps is not None:
            return self.total_steps
        if self.epochs is not None and self.steps_per_epoch is not None:
            return self.epochs * self.steps_per_epoch
        return training

    def open_field(self) -> str | None:
        return "total_steps" if self.total(None) is None else None

    def check(self, use: Use) -> None:
        super().check(use)
        total = self.total(use.total)
        if total is None:
            return
        if use.steps is not None and use.steps > total:
            message = f"its cycle has {total} steps, and the training makes {use.steps}"
            at = "steps_per_epoch" if self.total_steps is None else "total_steps"
            raise ShapeError("NB403", message, at=at)
        # The ends of the phases, as torch computes them. torch divides by the length of each phase.
        last, *ends = total - 1, self.pct_start * total - 1
        ends += [2 * self.pct_start * total - 2] if self.three_phase else []
        if ends[0] == 0 or ends[-1] == last:
            message = f"one of its phases has length 0: pct_start {self.pct_start} of {total} steps"
            raise ShapeError("NB403", message, at="pct_start")


def _counted(number: Any, info: Any) -> Any:
    """Refuse numbers below 1 if they count the steps of a cycle."""
    if number is not None and number < 1 and info.data.get("total_steps", 0) is None:
        raise unwanted("a whole number of at least 1")
    return number
