"""Reductions: https://docs.pytorch.org/docs/stable/torch.html#reduction-ops."""

from math import inf
from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import Bool, Int, NaturalInt, Wants
from netbuild.components.layers._view import Axes, axes
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged, without
from netbuild.components.layers.layer import Window
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import POSITIVE, Range, product_of
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, ShapeError, Tensor, product, times

_Order = Annotated[
    float,
    Wants("a number, .inf or -.inf", core_schema.float_schema(strict=True, allow_inf_nan=True)),
]


class _Reduction(Operation):
    """Reduces the axes `dim` to one value; they are removed or keep size 1: (A, *) to (A)."""

    dim: Axes
    """Axes whose values become one value; 1 is the first axis after the batch."""
    keepdim: Bool = False
    """Whether these axes stay with size 1; false removes them."""

    def output_shape(self, x: Shape) -> Shape:
        reduced = axes(self.dim, x, at="dim")
        if self.keepdim:
            return tuple(1 if place in reduced else n for place, n in enumerate(x))
        return tuple(n for place, n in enumerate(x) if place not in reduced)

    def formulas(self, x: Shape) -> Formulas:
        reduced = axes(self.dim, x, at="dim")
        if not self.keepdim:
            return Formulas(without(x, reduced))
        one = formula("1")
        kept = (one if place in reduced else unchanged(n) for place, n in enumerate(x))
        return Formulas(by_axis(kept))

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        reduced = axes(self.dim, x[0], at="dim")
        if axis in reduced:
            return every(x[0][axis])
        return Sight(axis if self.keepdim else axis - sum(place < axis for place in reduced))

    def window(self, x: Shape) -> Window | None:
        """An axis that stays sees all its values; without keepdim, positions no longer match."""
        if not self.keepdim:
            return None
        reduced = axes(self.dim, x, at="dim")
        kernel = tuple(n if place in reduced else 1 for place, n in enumerate(x))[1:]
        return Window(kernel, kernel, (0,) * len(kernel), (1,) * len(kernel))


class Mean(_Reduction):
    """The mean along the axes `dim`: (A, n) to (A).

    - Mean: {dim: [2, 3]}  # 512×7×7 to 512
    """

    function = "mean"
    pools = True
    needs_float = True


class Sum(_Reduction):
    """The sum along the axes `dim`: (A, n) to (A). Sums of whole numbers are int64.

    - Sum: 1  # 6 to scalar
    """

    function = "sum"
    results = None

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        dtype = x[0].dtype if x[0].floating else "int64"
        return {"output": Tensor(self.output_shape(x[0].shape), dtype)}


class Amax(_Reduction):
    """The largest value along the axes `dim`: (A, n) to (A).

    - Amax: {dim: -1, keepdim: true}  # 10×64 to 10×1
    """

    function = "amax"
    pools = True

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")


class _Spread(_Reduction):
    """How far the values along the axes `dim` lie apart."""

    needs_float = True
    results = POSITIVE

    last = "keepdim"

    correction: NaturalInt = 1
    """What is subtracted from the number of values before it divides the sum of squares."""

    def output_shape(self, x: Shape) -> Shape:
        y, n = super().output_shape(x), self._count(x)
        if n <= self.correction:
            values = "1 value" if n == 1 else f"{n} values"
            message = f"a variance of {values} with correction {self.correction} divides by 0"
            formula_ = f"{n} − {self.correction} = {n - self.correction}".replace("= -", "= −")
            raise ShapeError("NB210", message, at="correction", formula=formula_)
        return y

    def over_one(self, x: Shape) -> str | None:
        one = self._count(x) == 1
        return (
            f"there is one value along dim in {times(x)}, so the result is always 0"
            if one
            else None
        )

    def _count(self, x: Shape) -> int:
        """Return the number of values that become one."""
        return product(tuple(x[place] for place in axes(self.dim, x, at="dim")))

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class Var(_Spread):
    """The variance along the axes `dim`: (A, n) to (A).

    - Var: {dim: [2, 3], correction: 0}  # 64×8×8 to 64
    """

    function = "var"


class Std(_Spread):
    """The standard deviation along the axes `dim`: (A, n) to (A).

    - Std: -1  # 10×64 to 10
    """

    function = "std"

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")


class Logsumexp(_Reduction):
    """log Σ eˣ along the axes `dim`, a smooth maximum: (A, n) to (A).

    - Logsumexp: 1  # 10×64 to 64
    """

    function = "logsumexp"
    results = None

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.output_shape(x[0].shape))}

    def range(self, *x: Range | None) -> Range | None:
        """It is at least the largest value."""
        return x[0] and Range(x[0].least, inf)

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")


class VectorNorm(_Reduction):
    """(Σ |x|^ord)^(1 / ord) along the axes `dim`: (A, n) to (A).

    - VectorNorm: {dim: -1}  # 10×64 to 10
    """

    function = "vector_norm"
    namespace = "torch.linalg"
    needs_float = True
    results = POSITIVE

    last = "dim keepdim"

    ord: _Order = 2.0
    """Kind of norm: 2 is the Euclidean one, 1 the sum, .inf the largest of the absolute values."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")


class _OneAxis(_Reduction):
    """Reduces one axis."""

    dim: Int
    """Axis whose values become one value; 1 is the first axis after the batch."""


class Prod(_OneAxis):
    """The product along the axis `dim`: (A, n) to (A). Products of whole numbers are int64.

    - Prod: 1  # 6×3 to 3
    """

    function = "prod"
    results = None

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        dtype = x[0].dtype if x[0].floating else "int64"
        return {"output": Tensor(self.output_shape(x[0].shape), dtype)}

    def range(self, *x: Range | None) -> Range | None:
        return product_of(x[0])

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")


class Argmax(_OneAxis):
    """The position of the largest value along the axis `dim`, as int64: (A, n) to (A).

    No gradient goes through it.

    - Argmax: -1  # 10×64 to 10 of int64
    """

    function = "argmax"
    results = POSITIVE

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype == "bool":
            raise ShapeError("NB207", "it compares numbers, and gets bool")

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(self.output_shape(x[0].shape), "int64")}
