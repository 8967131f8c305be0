"""The base of paddings: the last axes get places before and behind them."""

from collections.abc import Sequence
from math import isinf
from typing import Annotated, Any, ClassVar

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import Wants, either, many, unwanted, whole
from netbuild.components.layers._sizes import signed
from netbuild.components.layers._spatial import AXES, N, by_name
from netbuild.components.layers.formula import Equation, Formulas, by_axis, unchanged
from netbuild.components.layers.layer import Arrangement, Layer, Window
from netbuild.components.layers.layout import Placed, Strides, elementwise
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, expect_at_least, expect_rank

_Anything = Annotated[
    float,
    Wants("a number or .inf", core_schema.float_schema(strict=True, allow_inf_nan=True)),
]
_Padding = Annotated[
    int | tuple[int, ...],
    Wants(
        "a whole number, or a list with two whole numbers for each axis",
        either(whole(), many(whole())),
    ),
]

#: The smallest and the largest number of a dtype; torch refuses other fill values.
_LIMITS = {
    "float32": (-3.4028234663852886e38, 3.4028234663852886e38),
    "int64": (-float(1 << 63), float(1 << 63)),
    "int32": (-float(1 << 31), float((1 << 31) - 1)),
    "uint8": (0.0, 255.0),
}


class AnyPad(Layer):
    """Pads the last `rank` axes: (*, n…) to (*, n + before + behind…)."""

    rank: ClassVar[int]

    needs_float = False
    arrangement: ClassVar[Arrangement] = "channels"

    padding: _Padding
    """Places before and behind each axis, beginning with the last axis; negative numbers crop."""

    @field_validator("padding")
    @classmethod
    def _two_for_each_axis(cls, padding: Any) -> Any:
        if isinstance(padding, tuple) and len(padding) != 2 * cls.rank:
            raise unwanted(f"a whole number, or {2 * cls.rank} in a list")
        return padding

    def output_shape(self, x: Shape) -> Shape:
        self._expect_axes(x)
        sizes = []
        for n, (before, behind) in zip(x[-self.rank :], self._pairs(), strict=True):
            self._expect_enough(n, before, behind)
            size = n + before + behind
            if size < 1:
                raise ShapeError(
                    "NB204",
                    f"padding {signed(before)} and {signed(behind)} leaves nothing of {n}",
                    at="padding",
                    formula=f"{n} + ({signed(before)}) + ({signed(behind)}) = {signed(size)}",
                )
            sizes.append(size)
        return (*x[: -self.rank], *sizes)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        padded = axis - (len(x[0]) - self.rank)
        before = self._pairs()[padded][0] if padded >= 0 else 0
        return Sight(axis, 1, -before, -before)

    def _pairs(self) -> tuple[tuple[int, int], ...]:
        """Return the places before and behind each axis, in the order of the axes."""
        each = self.padding if isinstance(self.padding, tuple) else (self.padding,) * 2 * self.rank
        return tuple(zip(each[::2], each[1::2], strict=True))[::-1]

    def _expect_axes(self, x: Shape) -> None:
        """Refuse an input that is not the spatial axes, with or without channels."""
        axes = AXES[self.rank]
        expect_rank(x, f"{axes}, or without channels", ranks=(self.rank, self.rank + 1))

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        """Refuse a padding for which an axis of n is too short."""

    def window(self, x: Shape) -> Window | None:
        """A position sees itself. A window holds only one padding, so it is the one before."""
        ones = (1,) * (len(x) - 1)
        before = (0,) * (len(x) - self.rank) + tuple(pair[0] for pair in self._pairs())
        return Window(ones, ones, before[1:], ones)

    def formulas(self, x: Shape) -> Formulas:
        around = zip(x[-self.rank :], self._pairs(), strict=True)
        sizes = [
            Equation("n + before + behind", {"n": n, "before": before, "behind": behind})
            for n, (before, behind) in around
        ]
        others = [unchanged(n) for n in x[: -self.rank]]
        spatial = len(others) == 1 and self.rank in AXES
        named = by_name if spatial else lambda *each: by_axis(each)
        pairs = "from padding, which has two numbers for each axis, beginning with the last axis"
        terms = N | {"before": pairs, "behind": pairs}
        return Formulas(named(*others, *sizes), terms=terms)


class Surrounding(AnyPad):
    """Surrounds the last axes with one value; any axes may come before them."""

    results = None

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(getattr(self, "value", 0.0))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """A padding that only crops is a copy with the axes in their order."""
        if all(padding <= 0 for pair in self._pairs() for padding in pair):
            cropped = Placed(y[0], x[0].strides or x[0].distances)
            return (elementwise(y[0], (cropped,)),)
        return super().layouts(y, *x)

    def _expect_axes(self, x: Shape) -> None:
        if len(x) < self.rank:
            expect_at_least(self.rank, x, AXES[self.rank].removeprefix("channels, "))

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        """Refuse crops longer than the axis; torch crops first and then pads."""
        cropped = -min(before, 0) - min(behind, 0)
        if cropped > n:
            message = f"padding crops {cropped} of an axis of {n}"
            raise ShapeError("NB204", message, at="padding")


class FilledPad(Surrounding):
    """Surrounds the last axes with `value`."""

    value: _Anything
    """Value of the added places."""

    def expect_dtypes(self, *x: Tensor) -> None:
        least, greatest = _LIMITS.get(x[0].dtype, (self.value, self.value))
        fills = any(padding > 0 for pair in self._pairs() for padding in pair)
        endless = isinf(self.value) and x[0].floating
        if fills and not endless and not least <= self.value <= greatest:
            raise ShapeError("NB207", f"{x[0].dtype} cannot hold {self.value}", at="value")
