"""Paddings: https://docs.pytorch.org/docs/stable/nn.html#padding-layers.

A list of paddings begins with the last axis and goes backwards. Each axis has two numbers: the
places before it and the places behind it. Negative numbers crop.
"""

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


class _Pad(Layer):
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
        named = by_name if len(others) == 1 else lambda *each: by_axis(each)
        pairs = "from padding, which has two numbers for each axis, beginning with the last axis"
        terms = N | {"before": pairs, "behind": pairs}
        return Formulas(named(*others, *sizes), terms=terms)


class _Constant(_Pad):
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
        expect_at_least(self.rank, x, AXES[self.rank].removeprefix("channels, "))

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        """Refuse crops longer than the axis; torch crops first and then pads."""
        cropped = -min(before, 0) - min(behind, 0)
        if cropped > n:
            message = f"padding crops {cropped} of an axis of {n}"
            raise ShapeError("NB204", message, at="padding")


class ZeroPad1d(_Constant):
    """Pads the last axis with zeros: (*, L) to (*, L + before + behind).

    - ZeroPad1d: {padding: [3, 1]}  # 4×10 to 4×14
    """

    rank = 1


class ZeroPad2d(_Constant):
    """Pads the last two axes with zeros: (*, H, W) to (*, H', W'), each n + before + behind.

    - ZeroPad2d: {padding: [1, 1, 2, 0]}  # 3×28×28 to 3×30×30
    """

    rank = 2


class ZeroPad3d(_Constant):
    """Pads the last three axes with zeros: (*, D, H, W) to (*, D', H', W'), sizes as in ZeroPad2d.

    - ZeroPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class _ConstantPad(_Constant):
    """Surrounds the last axes with `value`."""

    value: _Anything
    """Value of the added places."""

    def expect_dtypes(self, *x: Tensor) -> None:
        least, greatest = _LIMITS.get(x[0].dtype, (self.value, self.value))
        fills = any(padding > 0 for pair in self._pairs() for padding in pair)
        endless = isinf(self.value) and x[0].floating
        if fills and not endless and not least <= self.value <= greatest:
            raise ShapeError("NB207", f"{x[0].dtype} cannot hold {self.value}", at="value")


class ConstantPad1d(_ConstantPad):
    """Pads the last axis with a value: (*, L) to (*, L + before + behind).

    - ConstantPad1d: {padding: [0, 5], value: -1.0}  # 27 to 32
    """

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Pads the last two axes with a value: (*, H, W) to (*, H', W'), each n + before + behind.

    - ConstantPad2d: {padding: -2, value: 0.0}  # 3×32×32 to 3×28×28
    """

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Pads the last three axes with a value: (*, D, H, W) to (*, D', H', W'), as in ConstantPad2d.

    - ConstantPad3d: {padding: 1, value: 0.5}  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class _Copying(_Pad):
    """Pads with values of the input. torch keeps the input for backward, for its shape."""

    rearranges = True

    def expect_dtypes(self, *x: Tensor) -> None:
        if x[0].dtype == "bool":
            raise ShapeError("NB207", "it computes with numbers, and gets bool")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class _ReflectionPad(_Copying):
    """Mirrors the input at its border values, without repeating these."""

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        longest = max(before, behind)
        if longest >= n:
            message = f"padding {longest} is too large: an axis of {n} can reflect at most {n - 1}"
            raise ShapeError("NB204", message, at="padding")


class ReflectionPad1d(_ReflectionPad):
    """Pads the last axis with the mirrored input: (C, L) to (C, L + before + behind).

    - ReflectionPad1d: 2  # 4×10 to 4×14
    """

    rank = 1


class ReflectionPad2d(_ReflectionPad):
    """Pads images with the mirrored input: (C, H, W) to (C, H', W'), each n + before + behind.

    - ReflectionPad2d: 3  # 3×28×28 to 3×34×34
    """

    rank = 2


class ReflectionPad3d(_ReflectionPad):
    """Pads volumes with the mirrored input: (C, D, H, W) to (C, D', H', W'), as ReflectionPad2d.

    - ReflectionPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class ReplicationPad1d(_Copying):
    """Pads the last axis with its border values: (C, L) to (C, L + before + behind).

    - ReplicationPad1d: {padding: [0, 20]}  # 4×10 to 4×30
    """

    rank = 1


class ReplicationPad2d(_Copying):
    """Pads images with their border values: (C, H, W) to (C, H', W'), each n + before + behind.

    - ReplicationPad2d: {padding: [1, 1, 0, 0]}  # 3×28×28 to 3×28×30
    """

    rank = 2


class ReplicationPad3d(_Copying):
    """Pads volumes with border values: (C, D, H, W) to (C, D', H', W'), as ReplicationPad2d.

    - ReplicationPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3


class _CircularPad(_Pad):
    """Wraps the input around: its end is added before it, and its beginning behind it."""

    rearranges = True
    arrangement = "in order"

    def _expect_enough(self, n: int, before: int, behind: int) -> None:
        """Torch compares with `n`. If the other side crops, torch would wrap unset memory."""
        left = max(n + min(before, 0) + min(behind, 0), 0)
        longest = max(before, behind)
        if longest > left and longest > 0:
            there = f"an axis of {n}" if left == n else f"an axis of {n}, cropped to {left},"
            message = f"padding {longest} is more than {there} can wrap around"
            raise ShapeError("NB204", message, at="padding")


class CircularPad1d(_CircularPad):
    """Pads the last axis with its other end: (C, L) to (C, L + before + behind).

    - CircularPad1d: 10  # 4×10 to 4×30
    """

    rank = 1


class CircularPad2d(_CircularPad):
    """Pads images with their other end: (C, H, W) to (C, H', W'), each n + before + behind.

    - CircularPad2d: {padding: [2, 2, 0, 0]}  # 3×28×28 to 3×28×32
    """

    rank = 2


class CircularPad3d(_CircularPad):
    """Pads volumes with their other end: (C, D, H, W) to (C, D', H', W'), as CircularPad2d.

    - CircularPad3d: 1  # 3×8×8×8 to 3×10×10×10
    """

    rank = 3
