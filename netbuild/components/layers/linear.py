"""Linear layers: https://docs.pytorch.org/docs/stable/nn.html#linear-layers."""

from collections.abc import Sequence
from typing import Any, ClassVar

from netbuild.components.fields import Bool, PositiveInt, SizeFromInput
from netbuild.components.first_values import FirstValues, by_size
from netbuild.components.layers._lazy import Lazy
from netbuild.components.layers.formula import (
    Equation,
    Formulas,
    Numbers,
    biased,
    by_axis,
    unchanged,
)
from netbuild.components.layers.layer import Layer, Memory, Needs, Window, parameters
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, ShapeError, product, times


class Identity(Layer):
    """Passes on its input unchanged; any shape to the same.

    - Identity  # 6×28×28 to 6×28×28
    """

    needs_float = False
    rearranges = True
    regroups = True

    def memory(self, *x: Placed) -> Memory:
        return "same"

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (x[0].strides,)


class Linear(Layer):
    """x · weightᵀ + bias over the last axis: (*, in_features) to (*, out_features).

    - Linear: 120  # 400 to 120
    """

    is_affine = True
    feature_axis = -1
    results = ANY

    in_features: SizeFromInput = None
    """Number of features of the input, on its last axis."""
    out_features: PositiveInt
    """Number of features of the result."""
    bias: Bool = True
    """Whether each feature has a learned bias."""

    def output_shape(self, x: Shape) -> Shape:
        _expect_features(x)
        return (*x[:-1], self.out_features)

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"in_features": x[-1]}

    def weights(self, x: Shape) -> dict[str, Shape]:
        bias = (self.out_features,) if self.bias else None
        return parameters((self.out_features, x[-1]), bias)

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        return dict.fromkeys(self.weights(x), by_size("in_features", x[-1]))

    def macs(self, x: Shape) -> int:
        return product(x) * self.out_features

    def window(self, x: Shape) -> Window | None:
        """Every value depends on the whole last axis."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return every(x[0][-1]) if axis == len(x[0]) - 1 else Sight(axis)

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The input, for the gradient of the weight only."""
        return Needs((0,) if learns else ())

    def keeps_itself(self, x: Placed) -> bool:
        return _is_matrix(x)

    def formulas(self, x: Shape) -> Formulas:
        numbers: Numbers = {
            "out_features": self.out_features,
            "in_features": x[-1],
            "places": x[:-1],
        }
        bias = Equation("out_features", numbers)
        matrix = Equation("out_features·in_features", numbers)
        each = "∏ places·" if len(x) > 1 else ""
        return Formulas(
            _features(x, bias),
            biased(matrix, bias, self.weights(x)),
            {"": Equation(f"{each}{matrix.rule}", numbers)},
            terms={"places": "the sizes of the axes before the last one"} if each else {},
        )


class LazyLinear(Lazy, Linear):
    """Linear without the field in_features: (*, in_features) to (*, out_features).

    - LazyLinear: 10  # 84 to 10
    """

    in_features: ClassVar[None] = None


class Bilinear(Layer):
    """x1ᵀ · weight · x2 + bias: (*, in1_features) and (*, in2_features) to (*, out_features).

    - {Bilinear: 10, inputs: [left, right]}  # 7×20 and 7×30 to 7×10
    """

    inputs = ("input1", "input2")
    is_affine = True
    feature_axis = -1
    results = ANY

    in1_features: SizeFromInput = None
    """Number of features of the first input."""
    in2_features: SizeFromInput = None
    """Number of features of the second input."""
    out_features: PositiveInt
    """Number of features of the result."""
    bias: Bool = True
    """Whether each feature has a learned bias."""

    def output_shape(self, x1: Shape, x2: Shape) -> Shape:
        _expect_features(x1, x2)
        if x1[:-1] != x2[:-1]:
            message = f"input1 is {times(x1)} and input2 is {times(x2)}"
            raise ShapeError("NB212", f"{message}: they may differ only on the last axis")
        return (*x1[:-1], self.out_features)

    def decide(self, x1: Shape, x2: Shape) -> dict[str, Any]:
        return {"in1_features": x1[-1], "in2_features": x2[-1]}

    def weights(self, x1: Shape, x2: Shape) -> dict[str, Shape]:
        bias = (self.out_features,) if self.bias else None
        return parameters((self.out_features, x1[-1], x2[-1]), bias)

    def first_values(self, x1: Shape, x2: Shape) -> dict[str, FirstValues]:
        return dict.fromkeys(self.weights(x1, x2), by_size("in1_features", x1[-1]))

    def macs(self, x1: Shape, x2: Shape) -> int:
        """For each feature, x1 times a matrix, times x2: two products in torch's `_trilinear`."""
        return product(x1[:-1]) * self.out_features * (x1[-1] * x2[-1] + x2[-1])

    def window(self, x1: Shape, x2: Shape) -> Window | None:
        """Every value depends on the whole last axis, as in Linear."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        n = x[source][axis]
        return every(n) if axis == len(x[source]) - 1 else Sight(axis)

    def saved(self, x1: Shape, x2: Shape) -> tuple[str, ...]:
        return self.inputs

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """An input, for the gradients of the weight and of the other input."""
        first, second = (learns or one.gradient for one in reversed(x))
        return Needs((0,) * first + (1,) * second)

    def keeps_itself(self, x: Placed) -> bool:
        return _is_matrix(x)

    def formulas(self, x1: Shape, x2: Shape) -> Formulas:
        numbers: Numbers = {"in1_features": x1[-1], "in2_features": x2[-1], "places": x1[:-1]}
        numbers |= {"out_features": self.out_features}
        bias = Equation("out_features", numbers)
        each = "∏ places·" if len(x1) > 1 else ""
        macs = f"{each}out_features·(in1_features·in2_features + in2_features)"
        weight = Equation("out_features·in1_features·in2_features", numbers)
        return Formulas(
            _features(x1, bias),
            biased(weight, bias, self.weights(x1, x2)),
            {"": Equation(macs, numbers)},
            terms={"places": "the sizes of the axes before the last one"} if each else {},
        )


def _is_matrix(x: Placed) -> bool:
    """Whether all axes before the last one are one axis in memory, as torch needs them."""
    return x.strides is None or x.merged(*range(len(x.shape)))


def _features(x: Shape, features: Equation) -> dict[str, Equation]:
    """Return the formulas of the axes when the last axis gets new features."""
    return {**by_axis(unchanged(n) for n in x[:-1]), "features": features}


def _expect_features(*x: Shape) -> None:
    """Refuse inputs that have only the batch axis: torch would take it for features."""
    if () in x:
        raise ShapeError("NB201", "it needs an axis of features, and the input has only the batch")
