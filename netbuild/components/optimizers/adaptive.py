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
from netbuild.components.optimizers.optimizer import Optimizer, Switch, Weight
from netbuild.components.tensor import ShapeError

_Betas = Annotated[
    tuple[float, float],
    Wants(
        "a list of two numbers from 0 to below 1",
        core_schema.tuple_schema([real(ge=0, lt=1), real(ge=0, lt=1)]),
    ),
]


class Adagrad(Optimizer):
    """Duchi et al. 2011: each weight's gradient over the root of the sum of its squares.

    optimizer: {Adagrad: {lr: 0.01}}
    """

    takes_sparse = True

    lr: NaturalFloat = 1e-2
    lr_decay: NaturalFloat = 0.0
    weight_decay: NaturalFloat = 0.0
    initial_accumulator_value: NaturalFloat = 0.0
    eps: NaturalFloat = 1e-10
    foreach: Switch = None
    maximize: Bool = False
    differentiable: Bool = False
    fused: Switch = None


class Adadelta(Optimizer):
    """Zeiler 2012: the gradient times the mean size of the last steps over that of gradients.

    optimizer: Adadelta
    """

    lr: NaturalFloat = 1.0
    rho: Probability = 0.9
    eps: NaturalFloat = 1e-6
    weight_decay: NaturalFloat = 0.0
    foreach: Switch = None
    capturable: Bool = False
    maximize: Bool = False
    differentiable: Bool = False


class RMSprop(Optimizer):
    """Hinton 2012: each weight's gradient over the root of its mean square.

    optimizer: {RMSprop: {lr: 1e-3, momentum: 0.9}}
    """

    lr: NaturalFloat = 1e-2
    alpha: NaturalFloat = 0.99
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    momentum: NaturalFloat = 0.0
    centered: Bool = False
    capturable: Bool = False
    foreach: Switch = None
    maximize: Bool = False
    differentiable: Bool = False


class Adam(Optimizer):
    """Kingma and Ba 2015: each weight's step is its mean gradient over the root of its mean square.

    optimizer: {Adam: {lr: 1e-3}}
    """

    lr: NaturalFloat = 1e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    amsgrad: Bool = False
    foreach: Switch = None
    maximize: Bool = False
    capturable: Bool = False
    differentiable: Bool = False
    fused: Switch = None
    decoupled_weight_decay: Bool = False


class AdamW(Optimizer):
    """Adam with the weights' decay apart from their gradient (Loshchilov and Hutter 2019).

    optimizer: {AdamW: {lr: 3e-4, weight_decay: 0.05}}
    """

    lr: NaturalFloat = 1e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.01
    amsgrad: Bool = False
    maximize: Bool = False
    foreach: Switch = None
    capturable: Bool = False
    differentiable: Bool = False
    fused: Switch = None


class Adamax(Optimizer):
    """Adam with the largest gradient so far, which fades, in place of the root (its section 7).

    optimizer: {Adamax: {lr: 2e-3}}
    """

    lr: NaturalFloat = 2e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    foreach: Switch = None
    maximize: Bool = False
    differentiable: Bool = False
    capturable: Bool = False


class NAdam(Optimizer):
    """Dozat 2016: Adam with the momentum of Nesterov, which momentum_decay lets rise.

    optimizer: {NAdam: {lr: 2e-3}}
    """

    lr: NaturalFloat = 2e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    momentum_decay: NaturalFloat = 4e-3
    decoupled_weight_decay: Bool = False
    foreach: Switch = None
    maximize: Bool = False
    capturable: Bool = False
    differentiable: Bool = False


class RAdam(Optimizer):
    """Liu et al. 2020: Adam that does without the variance until it is known well enough.

    optimizer: {RAdam: {lr: 1e-3}}
    """

    lr: NaturalFloat = 1e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    decoupled_weight_decay: Bool = False
    foreach: Switch = None
    maximize: Bool = False
    capturable: Bool = False
    differentiable: Bool = False


class SparseAdam(Optimizer):
    """Adam for sparse gradients: rows of an Embedding that a batch does not read stay as they are.

    It takes nothing else: each weight is that of an Embedding or EmbeddingBag with `sparse: true`.

    optimizer: {SparseAdam: {lr: 1e-3}}
    """

    takes_sparse = True

    lr: PositiveFloat = 1e-3
    betas: _Betas = (0.9, 0.999)
    eps: PositiveFloat = 1e-8
    maximize: Bool = False

    def check_weight(self, weight: Weight) -> None:  # noqa: D102  as Optimizer.check_weight
        if not weight.sparse:
            message = f"it steps with sparse gradients only, and that of {weight.name} is dense"
            raise ShapeError("NB406", message)


class Adafactor(Optimizer):
    """Shazeer and Stern 2018: Adam that keeps a row and a column for the mean squares of a matrix.

    `eps` are the least gradient, null for that of the dtype, and the least size of a weight, in
    proportion to which it steps; `d` clips the step.

    optimizer: {Adafactor: {lr: 0.01}}
    """

    lr: NaturalFloat = 1e-2
    beta2_decay: Annotated[float, Wants("a number of at most 0", real(le=0))] = -0.8
    eps: Annotated[
        tuple[float | None, float],
        Wants(
            "a list of two numbers of at least 0, of which the first may be null",
            core_schema.tuple_schema([optional(real(ge=0)), real(ge=0)]),
        ),
    ] = (None, 1e-3)
    d: Annotated[float, Wants("a number of at least 1", real(ge=1))] = 1.0
    weight_decay: NaturalFloat = 0.0
    foreach: Switch = None
    maximize: Bool = False
