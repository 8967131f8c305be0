"""The base of layers that slide a window over one, two or three spatial axes."""

from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import field_validator

from netbuild.components.fields import unwanted
from netbuild.components.layers._sizes import positions, positions_formula
from netbuild.components.layers.formula import Equation
from netbuild.components.layers.layer import Arrangement, Layer, Window
from netbuild.components.layers.layout import Placed, Strides, of_channels_1d
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import Shape, ShapeError, expect_rank

#: The names of the axes of an input, by the number of spatial axes.
AXES = {1: "channels, length", 2: "channels, height, width", 3: "channels, depth, height, width"}


class Spatial(Layer):
    """A layer over `rank` spatial axes: (C, *) to (C', *)."""

    rank: ClassVar[int]

    arrangement: ClassVar[Arrangement] = "channels"

    @field_validator(
        "kernel_size", "stride", "padding", "dilation", "output_size", check_fields=False
    )
    @classmethod
    def _one_per_axis(cls, value: Any) -> Any:
        if isinstance(value, tuple) and len(value) != cls.rank:
            one = "one number" if cls.rank == 1 else f"one number, or {cls.rank} in a list"
            raise unwanted(one)
        return value

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        if self.arrangement == "channels" and self.rank == 1:
            return tuple(of_channels_1d(x[0], shape) for shape in y)
        return super().layouts(y, *x)

    def per_axis(self, value: int | Shape) -> Shape:
        """Return one number for each axis, from a field with one number or a list."""
        return value if isinstance(value, tuple) else (value,) * self.rank

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        window = self.window(*x)
        if axis == 0 or window is None:
            return Sight(axis) if axis == 0 else across(axis, x[source][axis])
        kernel, stride, padding, dilation = (part[axis - 1] for part in window)
        return Sight(axis, stride, -padding, dilation * (kernel - 1) - padding)

    def expect_axes(self, x: Shape) -> None:
        """Refuse an input without exactly one channel axis and `rank` spatial axes."""
        expect_rank(x, AXES[self.rank], ranks=(self.rank + 1,))


def slide(
    x: Shape,
    kernel: Shape,
    stride: Shape,
    padding: Shape,
    dilation: Shape,
    *,
    ceil_mode: bool = False,
) -> Shape:
    """Return the sizes of the spatial axes after a window slides over them.

    Raises:
        ShapeError: the window is larger than the padded input.
    """
    sizes = []
    for n, k, s, p, d in zip(x[1:], kernel, stride, padding, dilation, strict=True):
        size = positions(n, k, s, p, d, ceil_mode=ceil_mode)
        if size < 1:
            reach = f", which spans {d * (k - 1) + 1} with dilation {d}," if d > 1 else ""
            raise ShapeError(
                "NB204",
                f"kernel_size {k}{reach} is larger than the padded input {n + 2 * p}",
                at="kernel_size",
                formula=positions_formula(n, k, s, p, d, ceil_mode=ceil_mode),
            )
        sizes.append(size)
    return tuple(sizes)


#: The meaning of n in rules.
N = {"n": "the size of the axis in the input"}


def by_name(*formulas: Equation) -> dict[str, Equation]:
    """Return the formulas of the channels and the spatial axes, by the names of the axes."""
    return dict(zip(AXES[len(formulas) - 1].split(", "), formulas, strict=True))


def sizes_of(x: Shape) -> dict[str, int]:
    """Return the sizes of spatial axes by their names."""
    return dict(zip(AXES[len(x)].split(", ")[1:], x, strict=True))


def slide_formulas(x: Shape, window: Window, *, ceil_mode: bool = False) -> list[Equation]:
    """Return the formulas of the sizes that `slide` returns."""
    rule = "(n + 2·padding − dilation·(kernel_size − 1) − 1) / stride"
    found = []
    for n, k, s, p, d in zip(x[1:], *window, strict=True):
        numbers = {"n": n, "kernel_size": k, "stride": s, "padding": p, "dilation": d}
        whole = f"⌈{rule}⌉ + 1" if ceil_mode else f"⌊{rule}⌋ + 1"
        if ceil_mode and (p + n) <= s * -(-(n + 2 * p - d * (k - 1) - 1) // s):
            whole += " − 1"  # the last window would begin in the padding after the input
        found.append(Equation(whole, numbers))
    return found
