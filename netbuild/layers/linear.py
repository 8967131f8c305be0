"""Linear layers: https://docs.pytorch.org/docs/stable/nn.html#linear-layers."""

from typing import Any

from netbuild.fields import Bool, PositiveInt, SizeFromInput
from netbuild.layers.layer import Layer, Memory, Shape, Window, parameters, product


class Identity(Layer):
    """Passes its input on, of any shape.

    >>> Identity().output_shape((6, 28, 28))
    (6, 28, 28)
    """

    needs_float = False

    def memory(self) -> Memory:
        return "view"


class Linear(Layer):
    """x · weightᵀ + bias over the last axis: (*, in_features) to (*, out_features).

    >>> Linear(out_features=120).output_shape((400,))
    (120,)
    >>> Linear(out_features=120).macs((400,))
    48000
    """

    in_features: SizeFromInput = None
    out_features: PositiveInt
    bias: Bool = True

    def output_shape(self, x: Shape) -> Shape:
        return (*x[:-1], self.out_features)

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"in_features": x[-1]}

    def weights(self, x: Shape) -> dict[str, Shape]:
        bias = (self.out_features,) if self.bias else None
        return parameters((self.out_features, x[-1]), bias)

    def macs(self, x: Shape) -> int:
        return product(x) * self.out_features

    def window(self, x: Shape) -> Window | None:
        """Every value sees the whole last axis, which has no places any more."""
        return None

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)
