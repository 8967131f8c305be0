"""Reductions: https://docs.pytorch.org/docs/stable/torch.html#reduction-ops."""

from netbuild.components.fields import Bool
from netbuild.components.layers._view import Axes, axes
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged, without
from netbuild.components.layers.layer import Operation, Window
from netbuild.components.layers.sight import Sight, every
from netbuild.components.tensor import Shape, Tensor


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
