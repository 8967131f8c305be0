"""Optimizers: https://docs.pytorch.org/docs/stable/optim.html#algorithms.

Throughout, w is a weight, g its gradient and lr the learning rate. `foreach` and `fused` choose how
torch computes a step, `capturable` is for CUDA graphs, `maximize` goes up instead of down, and none
of them changes the method.
"""

import sys
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.component import Component, declared
from netbuild.fields import (
    Bool,
    Float,
    Int,
    NaturalFloat,
    PositiveFloat,
    PositiveInt,
    Probability,
    Wants,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.layers.layer import Shape, ShapeError, times

_Switch = Annotated[
    bool | None,
    Wants("true, false or null for torch's choice", optional(core_schema.bool_schema(strict=True))),
]
_Betas = Annotated[
    tuple[float, float],
    Wants(
        "a list of two numbers from 0 to below 1",
        core_schema.tuple_schema([real(ge=0, lt=1), real(ge=0, lt=1)]),
    ),
]


class Weight(NamedTuple):
    """What an optimizer has to know of a parameter; a `sparse` one has a sparse gradient."""

    name: str
    shape: Shape
    sparse: bool = False


class Optimizer(Component):
    """An optimizer of `torch.optim`, over all parameters of the network."""

    #: Whether gradients may be sparse, as those of an Embedding with `sparse: true` are.
    takes_sparse: ClassVar[bool] = False

    def check(self, weights: Iterable[Weight]) -> None:
        """Refuse weights that torch does not step with.

        Raises:
            ShapeError: names the first weight, or the field, that is to blame.
        """
        if getattr(self, "differentiable", False):
            message = "torch refuses to write into weights while it differentiates by them"
            raise ShapeError("NB406", message, at="differentiable")
        for weight in weights:
            self.check_weight(weight)

    def check_weight(self, weight: Weight) -> None:
        """Refuse a weight that torch does not step with.

        Raises:
            ShapeError: says what it is, and what is wanted.
        """
        if not weight.sparse:
            return
        if not self.takes_sparse:
            takers = "SGD, Adagrad, SparseAdam or LBFGS"
            message = f"{weight.name} has a sparse gradient, which {takers} would take"
            raise ShapeError("NB406", message)
        for field in ("fused", "weight_decay"):
            if getattr(self, field, None):
                message = f"{weight.name} has a sparse gradient, with which it does not go"
                raise ShapeError("NB406", message, at=field)

    @field_validator("fused", check_fields=False)
    @classmethod
    def _one_implementation(cls, fused: Any, info: Any) -> Any:
        if fused and (info.data.get("foreach") or info.data.get("differentiable")):
            raise unwanted("false where foreach or differentiable is true")
        return fused


class SGD(Optimizer):
    """Stochastic gradient descent, w ← w − lr · v, with v the gradient or its momentum.

    optimizer: {SGD: {lr: 0.1, momentum: 0.9, nesterov: true}}
    """

    takes_sparse = True

    lr: NaturalFloat = 1e-3
    momentum: NaturalFloat = 0.0
    dampening: Float = 0.0
    weight_decay: NaturalFloat = 0.0
    nesterov: Bool = False
    maximize: Bool = False
    foreach: _Switch = None
    differentiable: Bool = False
    fused: _Switch = None

    @field_validator("nesterov")
    @classmethod
    def _needs_momentum(cls, nesterov: Any, info: Any) -> Any:
        data = info.data
        if nesterov and (data.get("momentum") == 0 or data.get("dampening") != 0):
            raise unwanted("a momentum above 0 and a dampening of 0 beside it")
        return nesterov


class ASGD(Optimizer):
    """Polyak and Juditsky 1992: SGD whose lr falls, lr / (1 + lambd · lr · t)^alpha, and averages.

    The mean of the weights from step t0 on is in its state; the network keeps the weights.

    optimizer: {ASGD: {lr: 0.01}}
    """

    lr: NaturalFloat = 1e-2
    lambd: Float = 1e-4
    alpha: Float = 0.75
    t0: Float = 1e6
    weight_decay: NaturalFloat = 0.0
    foreach: _Switch = None
    maximize: Bool = False
    differentiable: Bool = False
    capturable: Bool = False


class Rprop(Optimizer):
    """Riedmiller and Braun 1993: steps of their own size, against the sign of the gradient.

    A step grows by etas[1] while the sign stays and shrinks by etas[0] when it turns, within
    step_sizes. It is for gradients of all samples at once.

    optimizer: Rprop
    """

    lr: NaturalFloat = 1e-2
    etas: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers, one between 0 and 1 and one greater than 1",
            core_schema.tuple_schema([real(gt=0, lt=1), real(gt=1)]),
        ),
    ] = (0.5, 1.2)
    step_sizes: Annotated[
        tuple[float, float],
        Wants("a list of two numbers", core_schema.tuple_schema([real(), real()])),
    ] = (1e-6, 50.0)
    capturable: Bool = False
    foreach: _Switch = None
    maximize: Bool = False
    differentiable: Bool = False


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
    foreach: _Switch = None
    maximize: Bool = False
    differentiable: Bool = False
    fused: _Switch = None


class Adadelta(Optimizer):
    """Zeiler 2012: the gradient times the mean size of the last steps over that of gradients.

    optimizer: Adadelta
    """

    lr: NaturalFloat = 1.0
    rho: Probability = 0.9
    eps: NaturalFloat = 1e-6
    weight_decay: NaturalFloat = 0.0
    foreach: _Switch = None
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
    foreach: _Switch = None
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
    foreach: _Switch = None
    maximize: Bool = False
    capturable: Bool = False
    differentiable: Bool = False
    fused: _Switch = None
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
    foreach: _Switch = None
    capturable: Bool = False
    differentiable: Bool = False
    fused: _Switch = None


class Adamax(Optimizer):
    """Adam with the largest gradient so far, which fades, in place of the root (its section 7).

    optimizer: {Adamax: {lr: 2e-3}}
    """

    lr: NaturalFloat = 2e-3
    betas: _Betas = (0.9, 0.999)
    eps: NaturalFloat = 1e-8
    weight_decay: NaturalFloat = 0.0
    foreach: _Switch = None
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
    foreach: _Switch = None
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
    foreach: _Switch = None
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
    foreach: _Switch = None
    maximize: Bool = False


class Muon(Optimizer):
    """Jordan et al. 2024: momentum made orthogonal by ns_steps of Newton and Schulz.

    It takes matrices only: no bias, no norm and no convolution.

    optimizer: {Muon: {lr: 0.02}}
    """

    lr: NaturalFloat = 1e-3
    weight_decay: NaturalFloat = 0.1
    momentum: NaturalFloat = 0.95
    nesterov: Bool = True
    ns_coefficients: Annotated[
        tuple[float, float, float],
        Wants("a list of three numbers", core_schema.tuple_schema([real(), real(), real()])),
    ] = (3.4445, -4.775, 2.0315)
    eps: Float = 1e-7
    ns_steps: Annotated[
        int, Wants("a whole number below 100", core_schema.int_schema(strict=True, lt=100))
    ] = 5
    adjust_lr_fn: Annotated[
        Literal["original", "match_rms_adamw"] | None,
        Wants(
            "original, match_rms_adamw or null",
            optional(core_schema.literal_schema(["original", "match_rms_adamw"])),
        ),
    ] = None

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
    max_iter: Int = 20
    max_eval: Annotated[int | None, Wants("a whole number or null", optional(whole()))] = None
    tolerance_grad: Float = 1e-7
    tolerance_change: Float = 1e-9
    history_size: PositiveInt = 100
    line_search_fn: Annotated[
        Literal["strong_wolfe"] | None,
        Wants("strong_wolfe or null", optional(core_schema.literal_schema(["strong_wolfe"]))),
    ] = None


OPTIMIZERS = declared(Optimizer, sys.modules[__name__])
