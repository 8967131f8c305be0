"""Distances: https://docs.pytorch.org/docs/stable/nn.html#distance-functions."""

from typing import Annotated, ClassVar

from pydantic_core import core_schema

from netbuild.components.fields import Bool, Float, Int, Wants, real
from netbuild.components.layers._broadcast import (
    broadcast,
    broadcast_formulas,
    expect_no_bool,
    promoted,
)
from netbuild.components.layers.combine import LARGEST_FLOAT
from netbuild.components.layers.formula import Equation, Formulas, by_axis, formula, without
from netbuild.components.layers.layer import Layer, Needs, Window
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY, POSITIVE, SIGNED, Range
from netbuild.components.layers.sight import Sight, every, repeated
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, axis, product, times

#: The norm .inf is the largest difference.
_Norm = Annotated[
    float,
    Wants("a number or .inf", core_schema.float_schema(strict=True, ge=float("-inf"))),
]
_Bound = Annotated[
    float, Wants("a number from 0 to the largest float32", real(ge=0, le=LARGEST_FLOAT))
]


class _Distance(Layer):
    """Gives a number for each pair of vectors of two inputs; axes of size 1 repeat."""

    inputs = ("x1", "x2")
    results: ClassVar[Range | None] = None

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.output_shape(*(tensor.shape for tensor in x)))}

    def window(self, x1: Shape, x2: Shape) -> Window | None:
        """Output positions do not match input positions."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        wide = broadcast(*x)
        removed = self.removed(wide)
        if axis == removed:
            return every(x[source][axis])
        sight = repeated(axis, x[source][axis], wide[axis])
        return Sight(axis - (axis > removed)) if sight.axis is not None else sight

    def removed(self, shape: Shape) -> int:
        """Return the position of the axis of the vectors in the common shape of the inputs."""
        return len(shape) - 1

    def broadcast_without(self, place: int, x1: Shape, x2: Shape) -> dict[str, Equation]:
        """Return the formulas of the remaining axes, when one axis is removed."""
        shape = broadcast(x1, x2)
        if x1 == x2:
            return without(shape, [place % len(shape)])
        axes = list((broadcast_formulas(x1, x2) or {}).values())
        del axes[place]
        return by_axis(axes)


class CosineSimilarity(_Distance):
    """x1 · x2 / (max(‖x1‖, eps) · max(‖x2‖, eps)) along `dim`: (*, n, *) to (*).

    - {CosineSimilarity, inputs: [left, right]}  # 128 and 128 to scalar
    """

    results = SIGNED

    dim: Int = 1
    """Axis of the vectors, which is removed; 1 is the first axis after the batch."""
    eps: _Bound = 1e-8
    """Smallest length of a vector; it avoids a division by 0."""

    def expect_dtypes(self, *x: Tensor) -> None:
        if promoted(*x) != "float32":
            dtypes = " and ".join(tensor.dtype for tensor in x)
            message = f"it computes with floating-point numbers, and gets {dtypes}"
            raise ShapeError("NB207", message)

    def removed(self, shape: Shape) -> int:
        return axis(self.dim, shape, at="dim")

    def output_shape(self, x1: Shape, x2: Shape) -> Shape:
        shape = broadcast(x1, x2)
        position = self.removed(shape)
        return (*shape[:position], *shape[position + 1 :])

    def over_one(self, x1: Shape, x2: Shape) -> str | None:
        shape = broadcast(x1, x2)
        if shape[axis(self.dim, shape, at="dim")] != 1:
            return None
        return f"axis {self.dim} of {times(shape)} has one value: the result is only 1 or −1"

    def saved(self, x1: Shape, x2: Shape) -> tuple[str, ...]:
        return self.inputs

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The same for each input that needs a gradient."""
        inputs = tuple(n for n, one in enumerate(x) if one.gradient)
        each = self.workspace(x[0].shape, x[1].shape) // 2
        return Needs(inputs, (), each * len(inputs))

    def workspace(self, x1: Shape, x2: Shape) -> int:
        """Both inputs divided by their lengths, and the lengths before and after the bound eps."""
        vectors, lengths = product(broadcast(x1, x2)), product(self.output_shape(x1, x2))
        return (2 * vectors + 4 * lengths) * BYTES["float32"]

    def formulas(self, x1: Shape, x2: Shape) -> Formulas:
        shape = broadcast(x1, x2)
        sizes = self.broadcast_without(axis(self.dim, shape, at="dim"), x1, x2)
        rule = "4 B·(2·∏ vectors + 4·∏ output)"
        kept = formula(rule, vectors=shape, output=self.output_shape(x1, x2))
        return Formulas(sizes, workspace=kept, terms={"vectors": "the common shape of both inputs"})


class PairwiseDistance(_Distance):
    """‖x1 − x2 + eps‖ along the last axis, with the norm p: (*, n) and (*, n) to (*).

    - {PairwiseDistance, inputs: [left, right]}  # 10×128 and 10×128 to 10
    """

    p: _Norm = 2.0
    """Power of the norm: 1 adds the differences, 2 is Euclidean, .inf takes the largest one."""
    eps: Float = 1e-6
    """Added to each difference, so that the gradient of a distance of 0 is finite."""
    keepdim: Bool = False
    """Whether the last axis stays with size 1; false removes it."""

    def expect_dtypes(self, *x: Tensor) -> None:
        """Whole numbers become floats when eps is added."""
        expect_no_bool(*x)

    def range(self, *x: Range | None) -> Range | None:
        """Vectors of any values have any distance of at least 0."""
        return POSITIVE if ANY in x else None

    def output_shape(self, x1: Shape, x2: Shape) -> Shape:
        shape = broadcast(x1, x2)
        if not shape:
            raise ShapeError("NB201", "it needs vectors, and the inputs have the batch axis only")
        return (*shape[:-1], 1) if self.keepdim else shape[:-1]

    def saved(self, x1: Shape, x2: Shape) -> tuple[str, ...]:
        return ("output",)

    def workspace(self, x1: Shape, x2: Shape) -> int:
        """The difference."""
        return product(broadcast(x1, x2)) * BYTES["float32"]

    def formulas(self, x1: Shape, x2: Shape) -> Formulas:
        sizes = self.broadcast_without(-1, x1, x2)
        if self.keepdim:
            sizes[f"axis {len(sizes) + 1}"] = formula("1")
        kept = formula("4 B·∏ vectors", vectors=broadcast(x1, x2))
        return Formulas(sizes, workspace=kept, terms={"vectors": "the common shape of both inputs"})
