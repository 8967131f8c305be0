"""Schedulers: https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate.

`scheduler: {StepLR: {step_size: 3}, step: epoch}`. Each has the fields of its class in
`torch.optim.lr_scheduler`, without `optimizer`, which is the file's own, and `last_epoch`, which a
checkpoint holds. LambdaLR and MultiplicativeLR need a Python function, as CyclicLR's `scale_fn`
does, and are not offered. A list with a number for each group of parameters has one.

What torch refuses when it makes a scheduler is refused, and so is what it would refuse at one of
its steps: mostly a division by zero.
"""

import sys
from bisect import bisect_right
from collections.abc import Iterator
from math import floor, inf
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, NamedTuple, Optional

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.component import LARGEST, Component, Nested, declared
from netbuild.fields import (
    Bool,
    Float,
    Int,
    OptionalCount,
    PositiveInt,
    Wants,
    either,
    many,
    one_of,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.layers.layer import ShapeError

if TYPE_CHECKING:
    from netbuild.optimizers import Optimizer

Step = Literal["epoch", "batch"]

_Divisor = Annotated[float, Wants("a number other than 0", either(real(gt=0), real(lt=0)))]
_WholeDivisor = Annotated[
    int,
    Wants(
        "a whole number other than 0",
        either(whole(1), core_schema.int_schema(strict=True, ge=-LARGEST, le=-1)),
    ),
]
_OptionalInt = Annotated[int | None, Wants("a whole number or null", optional(whole()))]
_Fraction = Annotated[float, Wants("a number from 0 to 1", real(ge=0, le=1))]
_BelowOne = Annotated[float, Wants("a number below 1", real(lt=1))]
_Start = Annotated[float, Wants("a number above 0, of at most 1", real(gt=0, le=1))]
_Milestones = Annotated[tuple[int, ...], Wants("a list of whole numbers", many(whole()))]
_PerGroup = Annotated[
    float | tuple[float],
    Wants("a number, or a list of one", either(real(), core_schema.tuple_schema([real()]))),
]

#: Filled below, for a scheduler may be made of others.
SCHEDULERS: dict[str, type["Scheduler"]] = {}


class Use(NamedTuple):
    """What a scheduler is used for; None is what only the training will know."""

    optimizer: Optional["Optimizer"] = None
    total: int | None = None  # the steps that the training asks of the outermost scheduler
    steps: int | None = None  # the steps that this one makes
    owner: str = ""  # the type of the scheduler that this one is part of
    restarted: bool = False  # SequentialLR starts it at a milestone
    undone: bool = False  # SequentialLR takes its first step back, and repeats it


class Scheduler(Component):
    """A scheduler of `torch.optim.lr_scheduler`."""

    #: When it steps, unless the file says so.
    steps_every: ClassVar[Step] = "epoch"

    def check(self, use: Use) -> None:
        """Compare with the optimizer, and with the steps of the training.

        Raises:
            ShapeError: they do not go together.
        """

    def parts(self, use: Use) -> list[tuple["Scheduler", Use]]:  # noqa: ARG002  for the composite
        """Return the schedulers that this one is made of, and how it uses them."""
        return []


class StepLR(Scheduler):
    """lr · gamma after every `step_size` steps.

    scheduler: {StepLR: {step_size: 30}}
    """

    step_size: _WholeDivisor
    gamma: Float = 0.1


class MultiStepLR(Scheduler):
    """lr · gamma after each number of steps in `milestones`.

    scheduler: {MultiStepLR: {milestones: [30, 60, 80]}}
    """

    milestones: _Milestones
    gamma: Float = 0.1


class ConstantLR(Scheduler):
    """lr · factor for the first `total_iters` steps, and lr from there on.

    scheduler: {ConstantLR: {factor: 0.1, total_iters: 3}}
    """

    factor: _Fraction = 1 / 3
    total_iters: Annotated[Int, Field(validate_default=True)] = 5

    @field_validator("total_iters")
    @classmethod
    def _can_go_back(cls, total_iters: Any, info: Any) -> Any:
        if info.data.get("factor") == 0 and total_iters > 0:
            raise unwanted("at most 0 where factor is 0, by which torch divides behind them")
        return total_iters


class LinearLR(Scheduler):
    """lr · f, f on a line from `start_factor` to `end_factor` over `total_iters` steps.

    scheduler: {LinearLR: {start_factor: 0.1, total_iters: 5}}
    """

    start_factor: _Start = 1 / 3
    end_factor: _Fraction = 1.0
    total_iters: Int = 5

    def check(self, use: Use) -> None:  # noqa: D102  as Scheduler.check
        _expect_start(self, use, possible=self.total_iters != 0, at="total_iters")


class ExponentialLR(Scheduler):
    """lr · gamma after every step.

    scheduler: {ExponentialLR: 0.95}
    """

    gamma: Float


class PolynomialLR(Scheduler):
    """lr · (1 − step / total_iters)^power, and 0 from `total_iters` steps on.

    scheduler: {PolynomialLR: {total_iters: 10}}
    """

    total_iters: Int = 5
    power: Float = 1.0

    @field_validator("power")
    @classmethod
    def _ends(cls, power: Any, info: Any) -> Any:
        if power < 0 and info.data.get("total_iters", 0) > 0:
            raise unwanted("a number of at least 0")
        return power

    def check(self, use: Use) -> None:  # noqa: D102  as Scheduler.check
        again = use._replace(restarted=use.restarted or use.undone)
        _expect_start(self, again, possible=self.total_iters != 0, at="total_iters")
        _expect_start(self, use, possible=self.power >= 0, at="power")


class CosineAnnealingLR(Scheduler):
    """eta_min + (lr − eta_min) · (1 + cos(π · step / T_max)) / 2: down to `eta_min`, and up.

    scheduler: {CosineAnnealingLR: {T_max: 10}}
    """

    T_max: _WholeDivisor
    eta_min: Float = 0.0


class CosineAnnealingWarmRestarts(Scheduler):
    """Half a cosine from lr to `eta_min` in `T_0` steps, then again, each `T_mult` times longer.

    scheduler: {CosineAnnealingWarmRestarts: {T_0: 5, T_mult: 2}}
    """

    T_0: PositiveInt
    T_mult: PositiveInt = 1
    eta_min: Float = 0.0


class _Cycle(Scheduler):
    """Moves the momentum against the learning rate."""

    steps_every = "batch"

    def check(self, use: Use) -> None:
        cycles: bool = getattr(self, "cycle_momentum")  # noqa: B009  a field of the members
        if cycles and use.optimizer is not None:
            optimizer = type(use.optimizer)
            if not {"momentum", "betas"} & set(optimizer.model_fields):
                name = optimizer.__name__
                message = f"cycle_momentum is true, and {name} has neither momentum nor betas"
                raise ShapeError("NB403", message, at="cycle_momentum")


class CyclicLR(_Cycle):
    """Up and down between `base_lr` and `max_lr`, in `step_size_up` and `step_size_down` steps.

    Smith 2017. The heights stay (triangular), halve (triangular2) or go with gamma^step
    (exp_range).

    scheduler: {CyclicLR: {base_lr: 1e-3, max_lr: 0.1}}
    """

    base_lr: _PerGroup
    max_lr: _PerGroup
    step_size_up: _WholeDivisor = 2000
    step_size_down: _OptionalInt = None
    mode: Annotated[str, one_of("triangular", "triangular2", "exp_range")] = "triangular"
    gamma: Float = 1.0
    scale_mode: Annotated[str, one_of("cycle", "iterations")] = "cycle"
    cycle_momentum: Bool = True
    base_momentum: _PerGroup = 0.8
    max_momentum: _PerGroup = 0.9

    @field_validator("step_size_down")
    @classmethod
    def _has_a_length(cls, step_size_down: Any, info: Any) -> Any:
        up = info.data.get("step_size_up")
        if up is not None and step_size_down == -up:
            raise unwanted("a number that is not step_size_up with the other sign")
        return step_size_down

    def check(self, use: Use) -> None:  # noqa: D102  as Scheduler.check
        super().check(use)
        if use.steps is None:
            return
        try:
            self._last_scale(use.steps)
        except ArithmeticError as error:
            message = f"over {use.steps} steps the factor of {self.mode} grows beyond all numbers"
            at = "gamma" if self.mode == "exp_range" else "mode"
            raise ShapeError("NB403", message, at=at) from error

    def _last_scale(self, steps: int) -> float:
        """Return the factor of the last step, the largest or the smallest of all."""
        if self.mode == "exp_range":
            return float(self.gamma**steps)
        down = self.step_size_up if self.step_size_down is None else self.step_size_down
        cycle = floor(1 + steps / (self.step_size_up + down))
        return 1.0 if self.mode == "triangular" else 1 / 2.0 ** (cycle - 1)


class OneCycleLR(_Cycle):
    """From max_lr / div_factor up to `max_lr`, and down to a `final_div_factor`-th of the start.

    Smith and Topin 2018. Where neither `total_steps` nor `epochs` and `steps_per_epoch` are given
    the steps are those of the training; torch, which does not know them, refuses that.

    scheduler: {OneCycleLR: {max_lr: 0.1}}
    """

    max_lr: _PerGroup
    total_steps: OptionalCount = None
    epochs: _OptionalInt = None
    steps_per_epoch: Annotated[_OptionalInt, Field(validate_default=True)] = None
    pct_start: _Fraction = 0.3
    anneal_strategy: Annotated[str, one_of("cos", "linear")] = "cos"
    cycle_momentum: Bool = True
    base_momentum: _PerGroup = 0.85
    max_momentum: _PerGroup = 0.95
    div_factor: _Divisor = 25.0
    final_div_factor: _Divisor = 1e4
    three_phase: Bool = False

    @field_validator("epochs")
    @classmethod
    def _some_epochs(cls, epochs: Any, info: Any) -> Any:
        return _counted(epochs, info)

    @field_validator("steps_per_epoch")
    @classmethod
    def _beside_epochs(cls, steps: Any, info: Any) -> Any:
        alone = "epochs" in info.data and (steps is None) != (info.data["epochs"] is None)
        if alone and info.data.get("total_steps", 0) is None:
            raise unwanted("a whole number where epochs is one, and null where it is null")
        return _counted(steps, info)

    def total(self, training: int | None) -> int | None:
        """Return the number of steps of the cycle, for a training of so many."""
        if self.total_steps is not None:
            return self.total_steps
        if self.epochs is not None and self.steps_per_epoch is not None:
            return self.epochs * self.steps_per_epoch
        return training

    def check(self, use: Use) -> None:  # noqa: D102  as Scheduler.check
        super().check(use)
        total = self.total(use.total)
        if total is None:
            return
        if use.steps is not None and use.steps > total:
            message = f"its cycle has {total} steps, and the training makes {use.steps}"
            at = "steps_per_epoch" if self.total_steps is None else "total_steps"
            raise ShapeError("NB403", message, at=at)
        # The ends of its phases, as torch computes them; it divides by the length of each in use.
        last, *ends = total - 1, self.pct_start * total - 1
        ends += [2 * self.pct_start * total - 2] if self.three_phase else []
        if ends[0] == 0 or ends[-1] == last:
            message = (
                f"one of its phases has no length: pct_start {self.pct_start} of {total} steps"
            )
            raise ShapeError("NB403", message, at="pct_start")


class ReduceLROnPlateau(Scheduler):
    """lr · factor when the validation loss has not become better for more than `patience` epochs.

    scheduler: {ReduceLROnPlateau: {patience: 5}}
    """

    mode: Annotated[str, one_of("min", "max")] = "min"
    factor: _BelowOne = 0.1
    patience: Int = 10
    threshold: Float = 1e-4
    threshold_mode: Annotated[str, one_of("rel", "abs")] = "rel"
    cooldown: Int = 0
    min_lr: _PerGroup = 0.0
    eps: Float = 1e-8

    def check(self, use: Use) -> None:  # noqa: D102  as Scheduler.check
        if use.owner:
            message = f"it reads the validation loss, which {use.owner} does not pass on"
            raise ShapeError("NB403", message)


class _Composite(Scheduler):
    """A scheduler made of others."""

    schedulers: Annotated[tuple[Scheduler, ...], Nested("scheduler", SCHEDULERS, many=True)]

    def check(self, use: Use) -> None:
        if use.restarted:
            message = f"{use.owner} can only begin with it: torch cannot start it at a milestone"
            raise ShapeError("NB403", message)

    def inner(self, use: Use) -> Use:
        """Return how a part is used, for one that is used like this."""
        undone = use.undone or use.owner == SequentialLR.__name__
        return use._replace(owner=type(self).__name__, restarted=False, undone=undone)


class SequentialLR(_Composite):
    """One scheduler after the other, each from its number of steps in `milestones` on.

    scheduler: {SequentialLR: {schedulers: [LinearLR, {CosineAnnealingLR: 5}], milestones: [5]}}
    """

    milestones: _Milestones

    @field_validator("milestones")
    @classmethod
    def _between_schedulers(cls, milestones: Any, info: Any) -> Any:
        parts = info.data.get("schedulers")
        if parts is not None and len(milestones) != len(parts) - 1:
            raise unwanted(f"a list of {len(parts) - 1}, one less than schedulers")
        return milestones

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:  # noqa: D102  as Scheduler.parts
        inner = self.inner(use)
        return [
            (part, inner._replace(steps=steps, restarted=restarted))
            for part, (steps, restarted) in zip(self.schedulers, self._turns(use), strict=True)
        ]

    def _turns(self, use: Use) -> Iterator[tuple[int | None, bool]]:
        """Yield how many steps each part makes, and whether torch starts it at its milestone."""
        ordered = list(self.milestones) == sorted(self.milestones)
        turns = zip((0, *self.milestones), (*self.milestones, inf), strict=True)
        for index, (begin, end) in enumerate(turns):
            steps = None
            if use.steps is not None and ordered:
                steps = int(max(0, min(use.steps, end - 1) - max(begin, 0)))
            # As torch finds the part whose turn it is; at step 0 it is made, not started.
            yield steps, begin >= 1 and bisect_right(self.milestones, begin) == index


class ChainedScheduler(_Composite):
    """All schedulers at each step, each multiplying what the others give.

    Torch's `optimizer` is the one that they have.

    scheduler: {ChainedScheduler: {schedulers: [LinearLR, {ExponentialLR: 0.95}]}}
    """

    def parts(self, use: Use) -> list[tuple[Scheduler, Use]]:  # noqa: D102  as Scheduler.parts
        return [(part, self.inner(use)) for part in self.schedulers]


def _expect_start(scheduler: Scheduler, use: Use, *, possible: bool, at: str) -> None:
    """Refuse to start at a milestone what divides by zero there.

    Raises:
        ShapeError: it is not possible.
    """
    if use.restarted and not possible:
        value = getattr(scheduler, at)
        message = f"torch divides by zero when {use.owner} starts it with {at} {value}"
        raise ShapeError("NB403", message, at=at)


def _counted(number: Any, info: Any) -> Any:
    """Refuse numbers below 1 where they count the steps of a cycle."""
    if number is not None and number < 1 and info.data.get("total_steps", 0) is None:
        raise unwanted("a whole number of at least 1")
    return number


SCHEDULERS.update(declared(Scheduler, sys.modules[__name__]))
