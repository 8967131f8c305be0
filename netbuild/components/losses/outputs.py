"""Losses that compare with nothing: an output is itself to be small, or large."""

from collections.abc import Callable
from typing import Any

from netbuild.components.losses.loss import Reduced, Reduction
from netbuild.components.target import Nothing, Target
from netbuild.components.tensor import Shape


class Mean(Reduced):
    """y, averaged: the output is itself a loss, such as a divergence or a price per sample.

    Takes an output of any shape, and no target. With a negative `weight` beside it, training makes
    the output large. It is a loss of netbuild; torch has no module for it.

    loss: {Mean, inputs: kl, weight: 1e-3}
    """

    takes = "values"
    compares = False
    either_way = True

    reduction: Reduction = "mean"
    """How the values of an output become one: by their mean or their sum."""

    @classmethod
    def torch_name(cls) -> str:
        return "Identity"

    def wanted(self, *y: Shape) -> Target:
        return Nothing()

    def compare(self, target: Target, *y: Shape) -> None:
        """Accept any output."""

    def arguments(self, *y: Shape) -> dict[str, Any]:
        return {}

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        (value,) = y
        if value.dtype.itemsize < 4:  # autocast leaves means in half precision
            value = value.float()
        return value.sum() if self.reduction == "sum" else value.mean()
