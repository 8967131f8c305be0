"""Optimizers: https://docs.pytorch.org/docs/stable/optim.html#algorithms."""

import sys
from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.component import Component, declared
from netbuild.fields import Bool, Float, NaturalFloat, Wants, optional, real, unwanted

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


class Optimizer(Component):
    """An optimizer of `torch.optim`, over all parameters of the network."""

    @field_validator("fused", check_fields=False)
    @classmethod
    def _one_implementation(cls, fused: Any, info: Any) -> Any:
        if fused and (info.data.get("foreach") or info.data.get("differentiable")):
            raise unwanted("false where foreach or differentiable is true")
        return fused


class SGD(Optimizer):
    """Stochastic gradient descent, w ← w − lr · v, with v the gradient or its momentum."""

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


class Adam(Optimizer):
    """Kingma and Ba 2015: each weight's step is its mean gradient over the root of its variance."""

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
    """Adam with the weights' decay apart from their gradient (Loshchilov and Hutter 2019)."""

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


class RMSprop(Optimizer):
    """Hinton 2012: each weight's gradient over the root of its mean square."""

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


class Adagrad(Optimizer):
    """Duchi et al. 2011: each weight's gradient over the root of the sum of its squares."""

    lr: NaturalFloat = 1e-2
    lr_decay: NaturalFloat = 0.0
    weight_decay: NaturalFloat = 0.0
    initial_accumulator_value: NaturalFloat = 0.0
    eps: NaturalFloat = 1e-10
    foreach: _Switch = None
    maximize: Bool = False
    differentiable: Bool = False
    fused: _Switch = None


OPTIMIZERS = declared(Optimizer, sys.modules[__name__])
