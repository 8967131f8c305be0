"""Adaptive steps: each weight has a step of its own, by the sizes of its gradients."""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import (
    Bool,
    NaturalFloat,
    PositiveFloat,
    Probability,
    Wants,
    optional,
    real,
)
from netbuild.components.optimizers.optimizer import (
    Capturable,
    Decaying,
    Fusing,
    Grouped,
    Maximizing,
    Optimizer,
    Weight,
)
from netbuild.components.tensor import ShapeError

_Betas = Annotated[
    tuple[float, float],
    Wants(
        "a list of two numbers from 0 to below 1",
        core_schema.tuple_schema([real(ge=0, lt=1), real(ge=0, lt=1)]),
    ),
]


class _Moments(Optimizer):
    """Keeps a mean of the gradient and one of its square, or something in its place."""

    betas: _Betas = (0.9, 0.999)
    """Shares of the mean gradient and of the mean square that stay at a step; near 1 is slow."""
    eps: NaturalFloat = 1e-8
    """Added to the root that divides the step, so that small gradients make no huge steps."""


class _Amsgrad(_Moments):
    """May divide by the largest mean square so far (Reddi et al. 2018)."""

    amsgrad: Bool = False
    """Whether a step is divided by the largest mean square so far, so that it never grows again."""


class _Decoupling(Decaying, Capturable):
    """May decay the weights apart from the gradient, as AdamW does."""

    decoupled_weight_decay: Bool = False
    """Whether weight_decay takes its part of the weights directly, as in AdamW."""


class Adagrad(Decaying, Fusing):
    """Duchi et al. 2011: each weight's gradient over the root of the sum of its squares.

    optimizer: {Adagrad: {lr: 0.01}}
    """

    last = "weight_decay initial_accumulator_value eps foreach maximize differentiable fused"
    takes_sparse = True

    lr: NaturalFloat = 1e-2
    lr_decay: NaturalFloat = 0.0
    """How fast lr falls: at step t it is lr / (1 + (t − 1) · lr_decay); 0 keeps it."""
    initial_accumulator_value: NaturalFloat = 0.0
    """What the sum of squares begins with; more makes the first steps smaller."""
    eps: NaturalFloat = 1e-10
    """Added to the root that divides the step, so that small sums make no huge steps."""


class Adadelta(Decaying, Capturable):
    """Zeiler 2012: the gradient times the mean size of the last steps over that of gradients.

    optimizer: Adadelta
    """

    last = "weight_decay foreach capturable maximize differentiable"

    lr: NaturalFloat = 1.0
    rho: Probability = 0.9
    """How much of the mean squares stays at a step; near 1 averages over more steps."""
    eps: NaturalFloat = 1e-6
    """Added to both mean squares: lets the first steps begin, and bounds the quotient."""


class RMSprop(Decaying, Capturable):
    """Hinton 2012: each weight's gradient over the root of its mean square.

    optimizer: {RMSprop: {lr: 1e-3, momentum: 0.9}}
    """

    last = "weight_decay momentum centered capturable foreach maximize differentiable"

    lr: NaturalFloat = 1e-2
    alpha: NaturalFloat = 0.99
    """How much of the mean square stays at a step; near 1 averages over more steps."""
    eps: NaturalFloat = 1e-8
    """Added to the root that divides the step, so that small gradients make no huge steps."""
    momentum: NaturalFloat = 0.0
    """Share of the last step that stays; 0 has no momentum."""
    centered: Bool = False
    """Whether the variance divides instead of the mean square."""


class Adam(_Amsgrad, _Decoupling, Fusing):
    """Kingma and Ba 2015: each weight's step is its mean gradient over the root of its mean square.

    optimizer: {Adam: {lr: 1e-3}}
    """

    last = (
        "weight_decay amsgrad foreach maximize capturable differentiable fused "
        "decoupled_weight_decay"
    )


class AdamW(_Amsgrad, Capturable, Fusing):
    """Adam with the weights' decay apart from their gradient (Loshchilov and Hutter 2019).

    optimizer: {AdamW: {lr: 3e-4, weight_decay: 0.05}}
    """

    last = "weight_decay amsgrad maximize foreach capturable differentiable fused"

    weight_decay: NaturalFloat = 0.01
    """Takes lr times this part of each weight away at a step; 0 takes nothing."""


class Adamax(_Moments, Decaying, Capturable):
    """Adam with the largest gradient so far, which fades, in place of the root (its section 7).

    optimizer: {Adamax: {lr: 2e-3}}
    """

    lr: NaturalFloat = 2e-3
    betas: _Betas = (0.9, 0.999)
    """Shares of the mean gradient and of the largest one that stay at a step; near 1 is slow."""
    eps: NaturalFloat = 1e-8
    """Added to the size of a gradient, so that nothing is divided by 0."""


class NAdam(_Moments, _Decoupling):
    """Dozat 2016: Adam with the momentum of Nesterov, which momentum_decay lets rise.

    optimizer: {NAdam: {lr: 2e-3}}
    """

    last = (
        "weight_decay momentum_decay decoupled_weight_decay foreach maximize capturable "
        "differentiable"
    )

    lr: NaturalFloat = 2e-3
    momentum_decay: NaturalFloat = 4e-3
    """How fast the momentum rises from half of betas[0] to betas[0]; 0 keeps half."""


class RAdam(_Moments, _Decoupling):
    """Liu et al. 2020: Adam that does without the variance until it is known well enough.

    optimizer: {RAdam: {lr: 1e-3}}
    """

    last = "weight_decay decoupled_weight_decay foreach maximize capturable differentiable"


class SparseAdam(_Moments, Maximizing):
    """Adam for sparse gradients: rows of an Embedding that a batch does not read stay as they are.

    It takes nothing else: each weight is that of an Embedding or EmbeddingBag with `sparse: true`.

    optimizer: {SparseAdam: {lr: 1e-3}}
    """

    takes_sparse = True

    lr: PositiveFloat = 1e-3
    eps: PositiveFloat = 1e-8

    def check_weight(self, weight: Weight) -> None:  # noqa: D102  as Optimizer.check_weight
        if not weight.sparse:
            message = f"it steps with sparse gradients only, and that of {weight.name} is dense"
            raise ShapeError("NB406", message)


class Adafactor(Grouped):
    """Shazeer and Stern 2018: Adam that keeps a row and a column for the mean squares of a matrix.

    `eps` are the least gradient, null for that of the dtype, and the least size of a weight, in
    proportion to which it steps; `d` clips the step.

    optimizer: {Adafactor: {lr: 0.01}}
    """

    lr: NaturalFloat = 1e-2
    beta2_decay: Annotated[float, Wants("a number of at most 0", real(le=0))] = -0.8
    """Power of the step by which a new gradient counts less; 0 counts the last gradient alone."""
    eps: Annotated[
        tuple[float | None, float],
        Wants(
            "a list of two numbers of at least 0, of which the first may be null",
            core_schema.tuple_schema([optional(real(ge=0)), real(ge=0)]),
        ),
    ] = (None, 1e-3)
    """Least size of a gradient, null for the dtype's own, and least size of weights for a step."""
    d: Annotated[float, Wants("a number of at least 1", real(ge=1))] = 1.0
    """Largest mean size of a step before lr; more clips less."""
    weight_decay: NaturalFloat = 0.0
    """Takes lr times this part of each weight away at a step; 0 takes nothing."""
