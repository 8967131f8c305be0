"""Unit vectors: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.normalize.html."""

from collections.abc import Sequence
from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import Int, NaturalFloat, Wants
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, elementwise, in_order
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import PROBABILITIES, SIGNED, Range
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import BYTES, Shape, axis, product, times


class Normalize(Operation):
    """Divides each vector along the axis `dim` by its norm: (A, n) to (A, n).

    - Normalize  # 64 to 64
    """

    function = "normalize"
    namespace = "torch.nn.functional"
    needs_float = True
    results = SIGNED

    p: Annotated[
        float,
        Wants("a number, .inf or -.inf", core_schema.float_schema(strict=True, allow_inf_nan=True)),
    ] = 2.0
    """Kind of norm: 2 is the Euclidean one, 1 the sum, .inf the largest of the absolute values."""
    dim: Int = 1
    """Axis of the vectors; 1 is the first axis after the batch."""
    eps: NaturalFloat = 1e-12
    """Smallest norm by which a vector is divided."""

    def output_shape(self, x: Shape) -> Shape:
        axis(self.dim, x, at="dim")
        return x

    def range(self, *x: Range | None) -> Range | None:
        """A norm with a positive p is at least the largest absolute value."""
        if self.p <= 0:
            return None
        return PROBABILITIES if x[0] is not None and x[0].least >= 0 else SIGNED

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        here = axis_ == axis(self.dim, x[0], at="dim")
        return across(axis_, x[0][axis_]) if here else Sight(axis_)

    def window(self, x: Shape) -> Window | None:
        """A norm over a spatial axis sees the whole axis."""
        return super().window(x) if axis(self.dim, x, at="dim") == 0 else None

    def over_one(self, x: Shape) -> str | None:
        here = axis(self.dim, x, at="dim")
        if x[here] != 1:
            return None
        return f"axis {here + 1} of {times(x)} has one value, so the result is always 1 or −1"

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def workspace(self, x: Shape) -> int:
        """The norms, and the norms that are at least eps."""
        return 2 * BYTES["float32"] * product(self._norms(x))

    def formulas(self, x: Shape) -> Formulas:
        kept = formula("4 B·2·norms", norms=product(self._norms(x)))
        return Formulas(workspace=kept, terms={"norms": "the number of vectors"})

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The norms lie in order, and repeat along their axis."""
        here = axis(self.dim, x[0].shape, at="dim") + 1
        strides = list(in_order((BATCH, *self._norms(x[0].shape))))
        strides[here] = 0 if x[0].sizes[here] > 1 else strides[here]
        return (elementwise(y[0], (x[0], Placed(y[0], tuple(strides)))),)

    def _norms(self, x: Shape) -> Shape:
        """Return the shape of the norms."""
        here = axis(self.dim, x, at="dim")
        return tuple(1 if place == here else n for place, n in enumerate(x))
