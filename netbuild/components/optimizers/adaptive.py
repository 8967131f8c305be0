"""Adaptive steps: each weight has its own step size, from the sizes of its gradients."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

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
    """Keeps running means of the gradient and of its square, or of a substitute for the square."""

    betas: _Betas = (0.9, 0.999)
    """Shares of the mean gradient and mean square kept at each step; near 1 changes slowly."""
    eps: NaturalFloat = 1e-8
    """Added to the root that divides the step; it keeps steps of small gradients small."""


class _Amsgrad(_Moments):
    """Can divide by the largest mean square so far (Reddi et al. 2018)."""

    amsgrad: Bool = False
    """Whether the largest mean square so far divides a step, so that steps never grow again."""


class _Decoupling(Decaying, Capturable):
    """Can decay the weights separately from the gradient, as AdamW does."""

    decoupled_weight_decay: Bool = False
    """Whether weight_decay shrinks the weights directly, as in AdamW, not through the gradient."""


class Adagrad(Decaying, Fusing):
    """Divides each gradient by the root of the sum of its squares. Duchi et al. 2011.

    optimizer: {Adagrad: {lr: 0.01}}
    """

    last = "weight_decay initial_accumulator_value eps foreach maximize differentiable fused"
    takes_sparse = True

    lr: NaturalFloat = 1e-2
    lr_decay: NaturalFloat = 0.0
    """How fast lr falls: at step t it is lr / (1 + (t − 1) · lr_decay); 0 keeps lr."""
    initial_accumulator_value: NaturalFloat = 0.0
    """Initial sum of squares; a larger one makes the first steps smaller."""
    eps: NaturalFloat = 1e-10
    """Added to the root that divides the step; it keeps steps of small sums small."""


class Adadelta(Decaying, Capturable):
    """g · RMS of the last steps / RMS of the last gradients. Zeiler 2012.

    optimizer: Adadelta
    """

    last = "weight_decay foreach capturable maximize differentiable"

    lr: NaturalFloat = 1.0
    rho: Probability = 0.9
    """Share of the mean squares kept at each step; near 1 averages over more steps."""
    eps: NaturalFloat = 1e-6
    """Added to both mean squares; it starts the first steps and bounds the quotient."""


class RMSprop(Decaying, Capturable):
    """Divides each gradient by the root of its mean square. Hinton 2012.

    optimizer: {RMSprop: {lr: 1e-3, momentum: 0.9}}
    """

    last = "weight_decay momentum centered capturable foreach maximize differentiable"

    lr: NaturalFloat = 1e-2
    alpha: NaturalFloat = 0.99
    """Share of the mean square kept at each step; near 1 averages over more steps."""
    eps: NaturalFloat = 1e-8
    """Added to the root that divides the step; it keeps steps of small gradients small."""
    momentum: NaturalFloat = 0.0
    """Share of the last step that the next step keeps; 0 means no momentum."""
    centered: Bool = False
    """Whether the variance divides the gradient, instead of the mean square."""


class Adam(_Amsgrad, _Decoupling, Fusing):
    """Divides each mean gradient by the root of the mean square. Kingma and Ba 2015.

    optimizer: {Adam: {lr: 1e-3}}
    """

    fields_since: ClassVar[Mapping[str, str]] = {"decoupled_weight_decay": "2.7"}
    last = (
        "weight_decay amsgrad foreach maximize capturable differentiable fused "
        "decoupled_weight_decay"
    )


class AdamW(_Amsgrad, Capturable, Fusing):
    """Adam with a weight decay separate from the gradient. Loshchilov and Hutter 2019.

    optimizer: {AdamW: {lr: 3e-4, weight_decay: 0.05}}
    """

    last = "weight_decay amsgrad maximize foreach capturable differentiable fused"

    weight_decay: NaturalFloat = 0.01
    """Each step subtracts lr · weight_decay · w from the weight w; 0 subtracts nothing."""


class Adamax(_Moments, Decaying, Capturable):
    """Adam with a decaying maximum of gradients instead of the root. Kingma and Ba 2015, section 7.

    optimizer: {Adamax: {lr: 2e-3}}
    """

    lr: NaturalFloat = 2e-3
    betas: _Betas = (0.9, 0.999)
    """Shares of the mean gradient and the largest one kept at each step; near 1 changes slowly."""
    eps: NaturalFloat = 1e-8
    """Added to the size of a gradient to avoid a division by 0."""


class NAdam(_Moments, _Decoupling):
    """Adam with Nesterov momentum that rises by momentum_decay. Dozat 2016.

    optimizer: {NAdam: {lr: 2e-3}}
    """

    last = (
        "weight_decay momentum_decay decoupled_weight_decay foreach maximize capturable "
        "differentiable"
    )

    lr: NaturalFloat = 2e-3
    momentum_decay: NaturalFloat = 4e-3
    """How fast the momentum rises from betas[0] / 2 to betas[0]; 0 keeps betas[0] / 2."""


class RAdam(_Moments, _Decoupling):
    """Adam that ignores the variance until its estimate is reliable. Liu et al. 2020.

    optimizer: {RAdam: {lr: 1e-3}}
    """

    last = "weight_decay decoupled_weight_decay foreach maximize capturable differentiable"


class SparseAdam(_Moments, Maximizing):
    """Adam for sparse gradients: it updates only the rows of an Embedding that a batch reads.

    It takes weights of an Embedding or EmbeddingBag with `sparse: true` only. In a list, the others
    go to the next optimizer.

    optimizer: [{SparseAdam: {lr: 1e-3}}, {AdamW: {lr: 3e-4}}]
    """

    takes_sparse = True

    lr: PositiveFloat = 1e-3
    eps: PositiveFloat = 1e-8

    def suits(self, weight: Weight) -> bool:  # noqa: D102  as Optimizer.suits
        return weight.sparse

    def check_weight(self, weight: Weight) -> None:  # noqa: D102  as Optimizer.check_weight
        if not weight.sparse:
            message = f"it takes sparse gradients only, and {weight.name} has a dense gradient"
            help_ = "write a list with an optimizer for the other weights: [SparseAdam, AdamW]"
            raise ShapeError("NB406", message, help=help_)


class Adafactor(Grouped):
    """Adam that keeps one row and one column of mean squares per matrix. Shazeer and Stern 2018.

    Steps are proportional to the size of the weights. `eps` holds the smallest gradient, where null
    is the dtype's own limit, and the smallest size of the weights. `d` clips the step.

    optimizer: {Adafactor: {lr: 0.01}}
    """

    takes_parts = False

    lr: NaturalFloat = 1e-2
    beta2_decay: Annotated[float, Wants("a number of at most 0", real(le=0))] = -0.8
    """Power of the step number that weights new gradients; 0 keeps only the last gradient."""
    eps: Annotated[
        tuple[float | None, float],
        Wants(
            "a list of two numbers of at least 0, where the first may be null",
            core_schema.tuple_schema([optional(real(ge=0)), real(ge=0)]),
        ),
    ] = (None, 1e-3)
    """Smallest gradient (null: the dtype's limit), and smallest weights that scale a step."""
    d: Annotated[float, Wants("a number of at least 1", real(ge=1))] = 1.0
    """Largest mean size of a step before lr; a larger d clips less."""
    weight_decay: NaturalFloat = 0.0
    """Each step subtracts lr · weight_decay · w from the weight w; 0 subtracts nothing."""
