"""Values in the order of their size: https://docs.pytorch.org/docs/stable/generated/torch.topk.html."""

from math import inf
from types import MappingProxyType
from typing import ClassVar

from netbuild.components.fields import Bool, Int, PositiveInt
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Needs, Window
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import POSITIVE, Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, axis


class _Ordered(Operation):
    """Gives values in the order of their size, and the positions that they come from."""

    gives_tuple = True
    results = None
    other_results = MappingProxyType({"indices": POSITIVE})

    dim: Int

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        shape = self.output_shape(x[0].shape)
        return {"values": Tensor(shape, x[0].dtype), "indices": Tensor(shape, "int64")}

    def range(self, *x: Range | None) -> Range | None:
        return x[0]

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """Any value may be at any place of the order."""
        along = axis_ == axis(self.dim, x[0], at="dim")
        return Sight(axis_, 1, -inf, inf) if along else Sight(axis_)

    def window(self, x: Shape) -> Window | None:
        """An order of channels keeps the positions."""
        return super().window(x) if axis(self.dim, x, at="dim") == 0 else None

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("indices",)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        return super().needs(*x, learns=learns) if x[0].gradient else Needs()


class Topk(_Ordered):
    """The `k` largest values along the axis `dim`: (A, n) to (A, k), and their positions.

    The results are `values` and `indices`, which are int64.

    - Topk: 5  # 10×64 to 10×5, indices: 10×5 of int64
    """

    function = "topk"

    last: ClassVar[str] = "dim largest sorted"

    k: PositiveInt
    """Number of values."""
    dim: Int = -1
    """Axis along which values are chosen; −1 is the last axis."""
    largest: Bool = True
    """Whether the largest values are chosen; false chooses the smallest."""
    sorted: Bool = True
    """Whether the values are in order; the first one is then the largest, or the smallest."""

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype == "bool":
            raise ShapeError("NB207", "it compares numbers, and gets bool")

    def output_shape(self, x: Shape) -> Shape:
        here = axis(self.dim, x, at="dim")
        if self.k > x[here]:
            raise ShapeError("NB204", f"k is {self.k}, and axis {here + 1} has {x[here]}", at="k")
        return (*x[:here], self.k, *x[here + 1 :])

    def formulas(self, x: Shape) -> Formulas:
        sizes = [unchanged(n) for n in x]
        sizes[axis(self.dim, x, at="dim")] = formula("k", k=self.k)
        return Formulas(by_axis(sizes))


class Sort(_Ordered):
    """Sorts the values along the axis `dim`: (*) to (*), and gives their positions.

    The results are `values` and `indices`, which are int64.

    - Sort: {descending: true}  # 10×64 to 10×64, indices: 10×64 of int64
    """

    function = "sort"
    arrangement = "as input"

    dim: Int = -1
    """Axis along which values are sorted; −1 is the last axis."""
    descending: Bool = False
    """Whether the largest value comes first."""
    stable: Bool = False
    """Whether equal values keep their order."""

    def output_shape(self, x: Shape) -> Shape:
        axis(self.dim, x, at="dim")
        return x
