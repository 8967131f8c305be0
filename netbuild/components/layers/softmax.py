"""Softmax and gates: activations over an axis.

https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-other
"""

from typing import Annotated, Any, ClassVar

from netbuild.components.fields import Int, Wants, optional, whole
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Layer, Window
from netbuild.components.layers.ranges import LOGARITHMS, PROBABILITIES, Range
from netbuild.components.layers.sight import Sight, across, every
from netbuild.components.tensor import Shape, ShapeError, axis, expect_rank, times


class _OverAxis(Layer):
    """A softmax over one axis."""

    results: ClassVar[Range | None] = PROBABILITIES

    def over_one(self, x: Shape) -> str | None:
        at = self.softmax_axis(x)
        if at is None or x[at] != 1:
            return None
        always = "log 1 = 0" if self.results == LOGARITHMS else "1"
        return f"axis {at + 1} of {times(x)} has one value, so the result is always {always}"

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("output",)


class _Softmax(_OverAxis):
    """Computes over the axis `dim`, separately for each place of the other axes."""

    dim: Annotated[
        int | None, Wants("a whole number, torch's number of an axis", optional(whole()))
    ] = None
    """Axis along which the values add up to 1; by default axis 1."""

    def output_shape(self, x: Shape) -> Shape:
        axis(self._dim(x), x, at="dim")
        return x

    def _dim(self, x: Shape) -> int:
        """Return `dim`, by default 1. torch's default is axis 0 for one or three axes."""
        if self.dim is not None:
            return self.dim
        if len(x) in {0, 2}:
            number = "three axes" if x else "one axis"
            message = f"without dim, torch takes axis 0 of {number}, the batch: write dim"
            raise ShapeError("NB205", message)
        return 1

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        over = axis_ == self.softmax_axis(*x)
        return across(axis_, x[0][axis_]) if over else Sight(axis_)

    def softmax_axis(self, *x: Shape) -> int | None:
        return axis(self._dim(x[0]), x[0], at="dim")

    def arguments(self, x: Shape) -> dict[str, Any]:
        return {"dim": self._dim(x)}


class Softmax(_Softmax):
    """eˣ / Σ eˣ over the axis `dim`. By default, this is axis 1: the classes or channels.

    - Softmax: -1  # 10 to 10
    """

    for_one_score = "Sigmoid"


class LogSoftmax(_Softmax):
    """log(eˣ / Σ eˣ) over the axis `dim`. By default, this is axis 1: the classes or channels.

    - LogSoftmax  # 10 to 10
    """

    results = LOGARITHMS
    for_one_score = "LogSigmoid"


class Softmin(_Softmax):
    """e⁻ˣ / Σ e⁻ˣ over the axis `dim`. By default, this is axis 1: the classes or channels.

    - Softmin: 2  # 5×10 to 5×10
    """


class Softmax2d(_OverAxis):
    """eˣ / Σ eˣ over the channels of (C, H, W), separately at each place.

    - Softmax2d  # 6×28×28 to 6×28×28
    """

    def softmax_axis(self, *x: Shape) -> int | None:
        return 0

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return across(0, x[0][0]) if axis == 0 else Sight(axis)

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, AXES[2], ranks=(3,))
        return x


class GLU(Layer):
    """Splits the axis `dim` into halves a and b, and gives a · sigmoid(b).

    The axis gets half as long.

    - GLU: 1  # 6×28×28 to 3×28×28
    """

    results = None
    arrangement = "as input"

    dim: Int = -1
    """Axis that is split into two halves; −1 is the last axis."""

    def output_shape(self, x: Shape) -> Shape:
        at = axis(self.dim, x, at="dim")
        if x[at] % 2:
            message = f"axis {self.dim} has {x[at]} values, and they do not divide into two halves"
            help_ = "GLU halves an axis: give it one with an even number of values"
            raise ShapeError("NB203", message, at="dim", help=help_)
        return (*x[:at], x[at] // 2, *x[at + 1 :])

    def range(self, *x: Range | None) -> Range | None:
        """The results lie between 0 and the first half."""
        return x[0] and x[0].with_(0)

    def formulas(self, x: Shape) -> Formulas:
        sizes = [unchanged(n) for n in x]
        place = axis(self.dim, x, at="dim")
        sizes[place] = formula("n / 2", n=x[place])
        return Formulas(by_axis(sizes), terms={"n": "the size of the axis in the input"})

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        halved = axis_ == axis(self.dim, x[0], at="dim")
        return every(x[0][axis_]) if halved else Sight(axis_)

    def window(self, x: Shape) -> Window | None:
        """The two halves of a spatial axis are distant positions."""
        return super().window(x) if axis(self.dim, x, at="dim") == 0 else None
