"""Losses: https://docs.pytorch.org/docs/stable/nn.html#loss-functions.

Each says what it wants of the network's output and of the data, so that both are checked before
anything runs. A loss gives one number, so `reduction: none` is not offered.
"""

import sys
from typing import Annotated, Literal

from netbuild.component import Component, declared
from netbuild.data.dataset import Classes, Target, Values
from netbuild.fields import Int, Probability, Wants, many, one_of, optional, real
from netbuild.layers.layer import Shape, ShapeError, times

_Reduction = Annotated[Literal["mean", "sum"], one_of("mean", "sum")]
_Weights = Annotated[
    tuple[float, ...] | None,
    Wants("a list of numbers of at least 0, one for each class", optional(many(real(ge=0)))),
]


class Loss(Component):
    """A loss of `torch.nn`."""

    def target(self, y: Shape) -> Target:
        """Return what data must hold to be compared with an output of shape `y`."""
        return Values(y)

    def check(self, y: Shape, target: Target) -> None:
        """Compare the output with what the data holds.

        Raises:
            ShapeError: they do not go together.
        """
        if target != Values(y):
            raise ShapeError("NB401", f"it compares with {Values(y)}, and the data has {target}")


class _ClassLoss(Loss):
    """Compares one value for each class, (classes), with the number of the right class."""

    weight: _Weights = None
    ignore_index: Int = -100
    reduction: _Reduction = "mean"

    def target(self, y: Shape) -> Target:
        return Classes(y[0])

    def check(self, y: Shape, target: Target) -> None:
        if not isinstance(target, Classes):
            raise ShapeError("NB401", f"it compares with a class, and the data has {target}")
        if len(y) != 1:
            message = f"it needs one value for each class, and the network gives {times(y)}"
            raise ShapeError("NB401", message)
        if y[0] < target.classes:
            message = f"the data has {target.classes} classes, and the network tells {y[0]} apart"
            raise ShapeError("NB401", message)
        if self.weight is not None and len(self.weight) != y[0]:
            message = f"weight has {len(self.weight)} numbers for {y[0]} classes"
            raise ShapeError("NB401", message, at="weight")


class CrossEntropyLoss(_ClassLoss):
    """−log softmax(y)[class], averaged: takes raw scores (classes) and whole numbers."""

    label_smoothing: Probability = 0.0


class NLLLoss(_ClassLoss):
    """−y[class], averaged: takes log-probabilities (classes), as LogSoftmax gives them."""


class MSELoss(Loss):
    """(y − target)², averaged: takes values of any shape and a target of the same."""

    reduction: _Reduction = "mean"


class BCELoss(Loss):
    """−(t · log y + (1 − t) · log(1 − y)), averaged: takes probabilities, as Sigmoid gives them."""

    weight: _Weights = None
    reduction: _Reduction = "mean"

    def check(self, y: Shape, target: Target) -> None:  # noqa: D102  as Loss.check
        super().check(y, target)
        _check_weight(self.weight, y, at="weight")


class BCEWithLogitsLoss(Loss):
    """BCELoss of sigmoid(y), computed in one: takes raw scores and a target of the same shape."""

    weight: _Weights = None
    reduction: _Reduction = "mean"
    pos_weight: _Weights = None

    def check(self, y: Shape, target: Target) -> None:  # noqa: D102  as Loss.check
        super().check(y, target)
        _check_weight(self.weight, y, at="weight")
        _check_weight(self.pos_weight, y, at="pos_weight")


def _check_weight(weight: tuple[float, ...] | None, y: Shape, *, at: str) -> None:
    if weight is not None and len(weight) not in {1, y[-1]}:
        message = f"{at} has {len(weight)} numbers for a last axis of {y[-1]}"
        raise ShapeError("NB401", message, at=at)


LOSSES = declared(Loss, sys.modules[__name__])
