"""Gradient descent: along the gradient, its mean, its sign or its curvature."""

from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import (
    Bool,
    Float,
    Int,
    NaturalFloat,
    PositiveInt,
    Wants,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.components.optimizers.optimizer import (
    Capturable,
    Decaying,
    Fusing,
    Optimizer,
    Weight,
)
from netbuild.components.tensor import ShapeError, times


class SGD(Decaying, Fusing):
    """Stochastic gradient descent, w ← w − lr · v, with v the gradient or its momentum.

    optimizer: {SGD: {lr: 0.1, momentum: 0.9, nesterov: true}}
    """

    last = "weight_decay nesterov maximize foreach differentiable fused"
    takes_sparse = True

    momentum: NaturalFloat = 0.0
    """Share of the last step's direction that stays; 0 follows the gradient alone."""
    dampening: Float = 0.0
    """Part of a new gradient that the momentum leaves out; 0 takes all of it."""
    nesterov: Bool = False
    """Whether the momentum looks one step ahead; it needs momentum, and no dampening."""

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: Any, info: Any) -> Any:
        data = info.data
        if nesterov and (data.get("momentum") == 0 or data.get("dampening") != 0):
            raise unwanted("a momentum above 0 and a dampening of 0 beside it")
        return nesterov


class ASGD(Decaying, Capturable):
    """Polyak and Juditsky 1992: SGD whose lr falls, lr / (1 + lambd · lr · t)^alpha, and averages.

    The mean of the weights from step t0 on is in its state; the network keeps the weights.

    optimizer: {ASGD: {lr: 0.01}}
    """

    lr: NaturalFloat = 1e-2
    lambd: Float = 1e-4
    """How fast lr falls; each step also takes the part lambd · lr of a weight away."""
    alpha: Float = 0.75
    """Power by which lr falls; 0 keeps lr."""
    t0: Float = 1e6
    """Number of steps after which the mean of the weights begins."""


class Rprop(Capturable):
    """Riedmiller and Braun 1993: steps of their own size, against the sign of the gradient.

    A step grows by etas[1] while the sign stays and shrinks by etas[0] when it turns, within
    step_sizes. It is for gradients of all samples at once.

    optimizer: Rprop
    """

    last = "capturable foreach maximize differentiable"

    lr: NaturalFloat = 1e-2
    """Size of the first step of every weight; later sizes follow from the signs."""
    etas: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers, one between 0 and 1 and one greater than 1",
            core_schema.tuple_schema([real(gt=0, lt=1), real(gt=1)]),
        ),
    ] = (0.5, 1.2)
    """Factors of a weight's step: the first where its gradient changes sign, else the second."""
    step_sizes: Annotated[
        tuple[float, float],
        Wants("a list of two numbers", core_schema.tuple_schema([real(), real()])),
    ] = (1e-6, 50.0)
    """Smallest and largest size of a step."""


class Muon(Optimizer):
    """Jordan et al. 2024: momentum made orthogonal by ns_steps of Newton and Schulz.

    It takes matrices only: no bias, no norm and no convolution.

    optimizer: {Muon: {lr: 0.02}}
    """

    last = ""

    weight_decay: NaturalFloat = 0.1
    """Takes lr times this part of each weight away at a step; 0 takes nothing."""
    momentum: NaturalFloat = 0.95
    """Share of the mean gradient so far that stays at a step; 0 takes the gradient alone."""
    nesterov: Bool = True
    """Whether the momentum looks one step ahead."""
    ns_coefficients: Annotated[
        tuple[float, float, float],
        Wants("a list of three numbers", core_schema.tuple_schema([real(), real(), real()])),
    ] = (3.4445, -4.775, 2.0315)
    """Coefficients a, b and c of the polynomial that makes the matrix orthogonal."""
    eps: Float = 1e-7
    """Least norm by which the matrix is divided, so that 0 is no divisor."""
    ns_steps: Annotated[
        int, Wants("a whole number below 100", core_schema.int_schema(strict=True, lt=100))
    ] = 5
    """How often the polynomial is applied; more steps come closer to orthogonal."""
    adjust_lr_fn: Annotated[
        Literal["original", "match_rms_adamw"] | None,
        Wants(
            "original, match_rms_adamw or null",
            optional(core_schema.literal_schema(["original", "match_rms_adamw"])),
        ),
    ] = None
    """How lr depends on the matrix: its shape (original, also null), or as AdamW steps."""

    def check_weight(self, weight: Weight) -> None:  # noqa: D102  as Optimizer.check_weight
        if len(weight.shape) != 2:
            shape = times(weight.shape)
            message = f"it steps with matrices only, and {weight.name} is {shape}"
            raise ShapeError("NB406", message)
        super().check_weight(weight)


class LBFGS(Optimizer):
    """Liu and Nocedal 1989: Newton's method, with the curvature read from the last gradients.

    A step computes the loss of its batch up to max_eval times, 1.25 · max_iter where it is null; a
    search along the line finds how far to go, or lr says it. It is for gradients of all samples at
    once: train with a batch_size of all.

    optimizer: {LBFGS: {line_search_fn: strong_wolfe}}
    """

    takes_sparse = True

    lr: NaturalFloat = 1.0
    """Length of each iteration's move; with a line search, where that begins."""
    max_iter: Int = 20
    """Most iterations of one step."""
    max_eval: Annotated[int | None, Wants("a whole number or null", optional(whole()))] = None
    """Most times that one step computes the loss; null is 1.25 · max_iter."""
    tolerance_grad: Float = 1e-7
    """A step ends where no gradient is larger than this."""
    tolerance_change: Float = 1e-9
    """A step ends where the weights or the loss change by less than this."""
    history_size: PositiveInt = 100
    """Number of last changes that give the curvature; each keeps two copies of all weights."""
    line_search_fn: Annotated[
        Literal["strong_wolfe"] | None,
        Wants("strong_wolfe or null", optional(core_schema.literal_schema(["strong_wolfe"]))),
    ] = None
    """How an iteration finds its length: a search by Wolfe's conditions, or lr with null."""
