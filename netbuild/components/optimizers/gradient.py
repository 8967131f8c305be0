"""Gradient descent: steps along the gradient, its mean, its sign or its curvature."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

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
    Maximizing,
    Optimizer,
    Weight,
)
from netbuild.components.tensor import ShapeError, times


class SGD(Decaying, Fusing):
    """Stochastic gradient descent: w ← w − lr · v, where v is the gradient or its momentum.

    optimizer: {SGD: {lr: 0.1, momentum: 0.9, nesterov: true}}
    """

    last = "weight_decay nesterov maximize foreach differentiable fused"
    takes_sparse = True

    momentum: NaturalFloat = 0.0
    """Share of the last direction that the next step keeps; 0 follows the gradient alone."""
    dampening: Float = 0.0
    """Share of a new gradient that the momentum ignores; 0 uses all of it."""
    nesterov: Bool = False
    """Whether the momentum looks one step ahead; it needs a momentum above 0 and dampening 0."""

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: Any, info: Any) -> Any:
        data = info.data
        if nesterov and (data.get("momentum") == 0 or data.get("dampening") != 0):
            raise unwanted("a momentum above 0 and a dampening of 0")
        return nesterov


class ASGD(Decaying, Capturable):
    """SGD with a falling lr, lr / (1 + lambd · lr · t)^alpha, that also averages the weights.

    The optimizer's state holds the mean of the weights from step t0 on. The network itself keeps
    the weights that are not averaged. Polyak and Juditsky 1992.

    optimizer: {ASGD: {lr: 0.01}}
    """

    lr: NaturalFloat = 1e-2
    lambd: NaturalFloat = 1e-4
    """How fast lr falls; each step also subtracts lambd · lr · w from a weight w."""
    alpha: NaturalFloat = 0.75
    """Power of the falling lr; 0 keeps lr."""
    t0: Float = 1e6
    """Number of steps before the mean of the weights begins."""


class Rprop(Capturable):
    """Steps against the sign of the gradient; each weight has its own step size.

    A step size grows by etas[1] while the sign stays the same, and shrinks by etas[0] when the sign
    changes. It stays within step_sizes. Rprop needs gradients of all samples at once. Riedmiller
    and Braun 1993.

    optimizer: Rprop
    """

    takes_parts = False
    last = "capturable foreach maximize differentiable"

    lr: NaturalFloat = 1e-2
    """Size of the first step of every weight; the signs decide later sizes."""
    etas: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers, one between 0 and 1 and one greater than 1",
            core_schema.tuple_schema([real(gt=0, lt=1), real(gt=1)]),
        ),
    ] = (0.5, 1.2)
    """Factors of a step size: the first when the gradient changes sign, else the second."""
    step_sizes: Annotated[
        tuple[float, float],
        Wants("a list of two numbers", core_schema.tuple_schema([real(), real()])),
    ] = (1e-6, 50.0)
    """Smallest and largest step size."""


class Muon(Optimizer):
    """Makes the momentum orthogonal by ns_steps Newton–Schulz iterations. Jordan et al. 2024.

    Muon takes matrices only: no biases, no weights of norms and no convolutions. In a list, these
    go to the next optimizer.

    optimizer: [{Muon: {lr: 0.02}}, {AdamW: {lr: 3e-4}}]
    """

    since: ClassVar[str | None] = "2.9"
    takes_parts = False
    last = ""

    weight_decay: NaturalFloat = 0.1
    """Each step subtracts lr · weight_decay · w from the weight w; 0 subtracts nothing."""
    momentum: NaturalFloat = 0.95
    """Share of the mean gradient that each step keeps; 0 uses the new gradient alone."""
    nesterov: Bool = True
    """Whether the momentum looks one step ahead."""
    ns_coefficients: Annotated[
        tuple[float, float, float],
        Wants("a list of three numbers", core_schema.tuple_schema([real(), real(), real()])),
    ] = (3.4445, -4.775, 2.0315)
    """Coefficients a, b and c of the polynomial that makes the matrix orthogonal."""
    eps: Float = 1e-7
    """Smallest norm that divides the matrix; it avoids a division by 0."""
    ns_steps: Annotated[
        int, Wants("a whole number below 100", core_schema.int_schema(strict=True, lt=100))
    ] = 5
    """Number of times the polynomial is applied; more steps come closer to orthogonal."""
    adjust_lr_fn: Annotated[
        Literal["original", "match_rms_adamw"] | None,
        Wants(
            "original, match_rms_adamw or null",
            optional(core_schema.literal_schema(["original", "match_rms_adamw"])),
        ),
    ] = None
    """How lr adapts to the matrix: to its shape (original or null), or to AdamW's step size."""

    def suits(self, weight: Weight) -> bool:  # noqa: D102  as Optimizer.suits
        return len(weight.shape) == 2 and super().suits(weight)

    def check_weight(self, weight: Weight) -> None:  # noqa: D102  as Optimizer.check_weight
        if len(weight.shape) != 2:
            shape = times(weight.shape)
            message = f"it takes matrices only, and {weight.name} is {shape}"
            help_ = "write a list with an optimizer for the other weights: [Muon, AdamW]"
            raise ShapeError("NB406", message, help=help_)
        super().check_weight(weight)


class LBFGS(Maximizing):
    """Newton's method with a curvature estimated from the last gradients. Liu and Nocedal 1989.

    A step computes the loss of its batch up to max_eval times; null is 1.25 · max_iter. A line
    search finds the length of each move; without a line search, lr is the length. LBFGS needs
    gradients of all samples at once: set batch_size to the number of all samples.

    optimizer: {LBFGS: {line_search_fn: strong_wolfe}}
    """

    fields_since: ClassVar[Mapping[str, str]] = {"maximize": "2.14"}
    takes_parts = False
    takes_sparse = True
    last = "maximize"

    lr: NaturalFloat = 1.0
    """Length of each iteration's move; a line search begins with this length."""
    max_iter: Int = 20
    """Largest number of iterations of one step."""
    max_eval: Annotated[int | None, Wants("a whole number or null", optional(whole()))] = None
    """Largest number of times a step computes the loss; null is 1.25 · max_iter."""
    tolerance_grad: Float = 1e-7
    """A step ends when no gradient is larger than this."""
    tolerance_change: Float = 1e-9
    """A step ends when the weights or the loss change by less than this."""
    history_size: PositiveInt = 100
    """Number of last changes used for the curvature; each keeps two copies of all weights."""
    line_search_fn: Annotated[
        Literal["strong_wolfe"] | None,
        Wants("strong_wolfe or null", optional(core_schema.literal_schema(["strong_wolfe"]))),
    ] = None
    """How an iteration finds its length: line search with Wolfe conditions; null takes lr."""
