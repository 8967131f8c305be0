"""Repetitions: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html."""

from fractions import Fraction
from typing import Annotated, Any

from netbuild.components.fields import Int, PositiveInt, Wants, many, whole
from netbuild.components.layers.formula import Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Window
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.sight import Sight, across, every
from netbuild.components.tensor import Shape, ShapeError, axis, times


class _Repetition(Operation):
    """Copies values to further places."""

    rearranges = True

    def window(self, x: Shape) -> Window | None:
        """Repeated channels keep their positions; repeated positions have several places."""
        return super().window(x) if self.output_shape(x)[1:] == x[1:] else None


class Repeat(_Repetition):
    """Repeats the whole input along each axis, as tiles: (A, B) to (A·a, B·b).

    - Repeat: {repeats: [1, 3]}  # 4×10 to 4×30
    """

    function = "repeat"
    namespace = "torch.Tensor"

    repeats: Annotated[
        tuple[int, ...], Wants("a list of whole numbers of at least 1", many(whole(1)))
    ]
    """How often the input is repeated along each axis, without the batch; 1 keeps an axis."""

    def output_shape(self, x: Shape) -> Shape:
        if len(self.repeats) != len(x):
            count = len(self.repeats)
            message = f"repeats is for {count} axes, and the input has {len(x)}: {times(x)}"
            raise ShapeError("NB201", message.replace("for 1 axes", "for 1 axis"), at="repeats")
        return tuple(n * count for n, count in zip(x, self.repeats, strict=True))

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """A tile begins with the first position again, so later positions see earlier ones."""
        n = x[0][axis_]
        if self.repeats[axis_] == 1:
            return Sight(axis_)
        return every(1) if n == 1 else across(axis_, n)

    def formulas(self, x: Shape) -> Formulas:
        pairs = zip(x, self.repeats, strict=True)
        sizes = (
            unchanged(n) if count == 1 else formula("n·repeats", n=n, repeats=count)
            for n, count in pairs
        )
        return Formulas(by_axis(sizes), terms={"n": "the size of the axis"})

    def arguments(self, x: Shape) -> dict[str, Any]:
        """The batch does not repeat."""
        return {"repeats": (1, *self.repeats)}


class RepeatInterleave(_Repetition):
    """Repeats each value of the axis `dim`, side by side: (A, n, B) to (A, n·repeats, B).

    - RepeatInterleave: {repeats: 4, dim: 1}  # 8×10×64 to 32×10×64
    """

    function = "repeat_interleave"

    repeats: PositiveInt
    """How often each value is repeated."""
    dim: Int
    """Axis along which values repeat; 1 is the first axis after the batch."""

    def output_shape(self, x: Shape) -> Shape:
        here = axis(self.dim, x, at="dim")
        return (*x[:here], x[here] * self.repeats, *x[here + 1 :])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        along = axis_ == axis(self.dim, x[0], at="dim")
        return Sight(axis_, Fraction(1, self.repeats)) if along else Sight(axis_)

    def formulas(self, x: Shape) -> Formulas:
        sizes = [unchanged(n) for n in x]
        here = axis(self.dim, x, at="dim")
        sizes[here] = formula("n·repeats", n=x[here], repeats=self.repeats)
        return Formulas(by_axis(sizes), terms={"n": "the size of the axis dim"})
