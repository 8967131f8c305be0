"""Parts of matrices: https://docs.pytorch.org/docs/stable/generated/torch.tril.html."""

from collections.abc import Sequence

from netbuild.components.fields import Int
from netbuild.components.layers._view import View, axes
from netbuild.components.layers.formula import Formulas, axis_of_input, by_axis, formula
from netbuild.components.layers.layout import BATCH, Placed, Strides, placed
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, expect_at_least


class _Triangle(Operation):
    """Keeps a part of each matrix of the last two axes; the rest becomes 0."""

    results = None

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(2, x, "rows, columns")
        return x

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(0)


class Tril(_Triangle):
    """Keeps the lower triangle of each matrix, and sets the rest to 0: (*, N, M) to (*, N, M).

    - Tril  # 8×10×10 to 8×10×10
    """

    function = "tril"

    diagonal: Int = 0
    """Last diagonal that is kept: 0 is the main one, positive numbers lie above it."""


class Triu(_Triangle):
    """Keeps the upper triangle of each matrix, and sets the rest to 0: (*, N, M) to (*, N, M).

    - Triu: 1  # 8×10×10 to 8×10×10
    """

    function = "triu"

    diagonal: Int = 0
    """First diagonal that is kept: 0 is the main one, positive numbers lie above it."""


class Diagonal(View):
    """Takes the diagonal of the axes dim1 and dim2, and puts it last: (A, N, M, B) to (A, B, k).

    - Diagonal: {offset: 1, dim1: -2, dim2: -1}  # 8×10×10 to 8×9
    """

    function = "diagonal"

    offset: Int = 0
    """Which diagonal: 0 is the main one, positive numbers lie above it."""
    dim1: Int = 1
    """Axis with the rows; 1 is the first axis after the batch."""
    dim2: Int = 2
    """Axis with the columns."""

    def output_shape(self, x: Shape) -> Shape:
        first, second = self._places(x)
        length = min(x[first] + min(self.offset, 0), x[second] - max(self.offset, 0))
        if length < 1:
            message = f"a matrix of {x[first]}×{x[second]} has no diagonal {self.offset}"
            raise ShapeError("NB204", message, at="offset")
        left = (n for place, n in enumerate(x) if place not in {first, second})
        return (*left, length)

    def _places(self, x: Shape) -> tuple[int, int]:
        """Return the positions of the rows and the columns."""
        expect_at_least(2, x, "rows, columns")
        (first,) = axes(self.dim1, x, at="dim1")
        (second,) = axes(self.dim2, x, at="dim2")
        if first == second:
            raise ShapeError("NB205", f"dim1 and dim2 are both axis {first + 1}", at="dim2")
        return first, second

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        places = self._places(x[0])
        if axis not in places:
            return Sight(axis - sum(place < axis for place in places))
        start = max(-self.offset if axis == places[0] else self.offset, 0)
        return Sight(len(x[0]) - 2, 1, start, start)

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """One step along the diagonal is one step along both axes."""
        places = [place + 1 for place in self._places(x[0].shape)]
        strides = x[0].distances
        left = [step for place, step in enumerate(strides) if place not in places]
        both = sum(strides[place] for place in places)
        return (placed((BATCH, *y[0]), (*left, both)),)

    def formulas(self, x: Shape) -> Formulas:
        places = self._places(x)
        left = [axis_of_input(place, n) for place, n in enumerate(x) if place not in places]
        rows, columns = (x[place] for place in places)
        length = formula(
            "min(rows + min(offset, 0), columns − max(offset, 0))",
            rows=rows,
            columns=columns,
            offset=self.offset,
        )
        terms = {"rows": "the size of axis dim1", "columns": "the size of axis dim2"}
        return Formulas(by_axis([*left, length]), terms=terms)
