"""Pooling: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers."""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import (
    Bool,
    Paddings,
    Sizes,
    Wants,
    either,
    optional,
    unwanted,
    whole,
)
from netbuild.components.layers._max_pool import WithIndices
from netbuild.components.layers._pool import Pooling, expect_kernel_inside
from netbuild.components.layers._spatial import by_name, slide, slide_formulas
from netbuild.components.layers.formula import Formulas, unchanged
from netbuild.components.layers.layer import Window
from netbuild.components.layers.ranges import Range
from netbuild.components.tensor import Shape, ShapeError

_NonZero = Annotated[
    int | None,
    Wants(
        "a whole number other than 0",
        optional(either(whole(1), core_schema.int_schema(strict=True, lt=0))),
    ),
]


class _Pool(Pooling):
    """(C, *) to (C, *), each axis ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1; stride is kernel_size."""

    pools = True
    slides = True

    padding: Paddings = 0
    """Places added at both ends of an axis: −∞ for max, 0 for mean; at most half of kernel_size."""
    ceil_mode: Bool = False
    """Whether the last window may reach beyond the end; false ignores the rest of the axis."""

    @field_validator("padding")
    @classmethod
    def _at_most_half_the_kernel(cls, padding: Any, info: Any) -> Any:
        kernel = info.data.get("kernel_size")
        if kernel is not None:
            pairs = zip(_each(padding, cls.rank), _each(kernel, cls.rank), strict=True)
            if any(2 * p > k for p, k in pairs):
                raise unwanted("at most half of kernel_size")
        return padding

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        return (x[0], *slide(x, *self._geometry(), ceil_mode=self.ceil_mode))

    def _geometry(self) -> Window:
        kernel = self.per_axis(self.kernel_size)
        dilation = self.per_axis(getattr(self, "dilation", 1))
        return Window(kernel, self.steps(), self.per_axis(self.padding), dilation)

    def window(self, x: Shape) -> Window | None:
        return self._geometry()

    def formulas(self, x: Shape) -> Formulas:
        sizes = slide_formulas(x, self._geometry(), ceil_mode=self.ceil_mode)
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=self.terms())


def _each(value: int | Shape, rank: int) -> Shape:
    return value if isinstance(value, tuple) else (value,) * rank


class _MaxPool(WithIndices, _Pool):
    """The largest value of each window; `return_indices` also gives the place of each value."""

    last = "return_indices ceil_mode"

    dilation: Sizes = 1
    """Distance between the values of a window; 1 takes neighbouring values."""

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        _, strides, paddings, dilations = self._geometry()
        for n, s, p, d in zip(x[1:], strides, paddings, dilations, strict=True):
            # Each window that begins in the padding has its first input value at start % d.
            if any(start % d >= n for start in range(-p, 0, s)):
                message = f"with dilation {d}, a window sees only padding on an axis of {n}"
                raise ShapeError("NB204", message, at="dilation")
        return y

    def formulas(self, x: Shape) -> Formulas:
        return super().formulas(x)._replace(workspace=self.kept_indices(x))


class MaxPool1d(_MaxPool):
    """1-D max pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − d(k − 1) − 1) / s⌋ + 1.

    - MaxPool1d: 2  # 4×9 to 4×4
    """

    rank = 1


class MaxPool2d(_MaxPool):
    """2-D max pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.

    - MaxPool2d: {kernel_size: 3, stride: 2, padding: 1}  # 64×112×112 to 64×56×56
    """

    rank = 2


class MaxPool3d(_MaxPool):
    """3-D max pooling: (C, D, H, W) to (C, D', H', W'), with the sizes as in MaxPool2d.

    - MaxPool3d: 2  # 1×8×8×8 to 1×4×4×4
    """

    rank = 3


class _AvgPool(_Pool):
    """The mean of each window."""

    count_include_pad: Bool = True
    """Whether the zeros of the padding count in the mean."""

    def range(self, *x: Range | None) -> Range | None:
        """Zeros of the padding count; with another divisor, the result is not a mean."""
        if getattr(self, "divisor_override", None) is not None:
            return None
        padded = self.count_include_pad and any(self.per_axis(self.padding))
        return x[0] and (x[0].with_(0) if padded else x[0])

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class AvgPool1d(_AvgPool):
    """1-D average pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − k) / s⌋ + 1.

    - AvgPool1d: 3  # 4×9 to 4×3
    """

    rank = 1


class _DividedPool(_AvgPool):
    """A mean with an optional divisor."""

    divisor_override: _NonZero = None
    """Divisor of a window's sum; null is the number of its values."""


class AvgPool2d(_DividedPool):
    """2-D average pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    - AvgPool2d: 2  # 6×28×28 to 6×14×14
    """

    rank = 2


class AvgPool3d(_DividedPool):
    """3-D average pooling: (C, D, H, W) to (C, D', H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    - AvgPool3d: {kernel_size: 2, ceil_mode: true}  # 1×5×5×5 to 1×3×3×3
    """

    rank = 3
    arrangement = "in order"

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        expect_kernel_inside(x, self.per_axis(self.kernel_size))
        return y
