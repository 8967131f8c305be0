"""Pooling: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.fields import (
    Bool,
    OptionalSizes,
    Paddings,
    Sizes,
    Wants,
    either,
    many,
    optional,
    unwanted,
    whole,
)
from netbuild.layers.layer import BYTES, Shape, ShapeError, Tensor, Window, product
from netbuild.layers.spatial import Spatial, slide

_NonZero = Annotated[
    int | None,
    Wants(
        "a whole number other than 0",
        optional(either(whole(1), core_schema.int_schema(strict=True, lt=0))),
    ),
]
#: Sizes of which some may be null: such an axis stays as it is.
_AdaptiveSizes = Annotated[
    int | tuple[int | None, ...],
    Wants(
        "a whole number of at least 1, or a list with one, or null, for each axis",
        either(whole(1), many(optional(whole(1)))),
    ),
]


class _WithIndices(Spatial):
    """A max pool: which value was the largest is a second result, kept for backward anyway."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        output = Tensor(self.output_shape(x[0].shape), x[0].dtype)
        if not getattr(self, "return_indices", False):
            return {"output": output}
        return {"output": output, "indices": Tensor(output.shape, "int64")}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        y = forward(*x)
        if not getattr(self, "return_indices", False):
            return {"output": y}
        return {"output": y[0], "indices": y[1]}

    def workspace(self, x: Shape) -> int:
        return product(self.output_shape(x)) * BYTES["int64"]

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class _Pool(Spatial):
    """(C, *) to (C, *), each axis ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1; stride is kernel_size."""

    kernel_size: Sizes
    stride: OptionalSizes = None
    padding: Paddings = 0

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
        ceil_mode: bool = getattr(self, "ceil_mode", False)
        return (x[0], *slide(x, *self._geometry(), ceil_mode=ceil_mode))

    def _geometry(self) -> Window:
        kernel = self.per_axis(self.kernel_size)
        stride = kernel if self.stride is None else self.per_axis(self.stride)
        dilation = self.per_axis(getattr(self, "dilation", 1))
        return Window(kernel, stride, self.per_axis(self.padding), dilation)

    def window(self, x: Shape) -> Window | None:
        return self._geometry()


def _each(value: int | Shape, rank: int) -> Shape:
    return value if isinstance(value, tuple) else (value,) * rank


class _MaxPool(_WithIndices, _Pool):
    """The largest value of each window; with `return_indices`, where it was as a second result."""

    dilation: Sizes = 1
    return_indices: Bool = False
    ceil_mode: Bool = False

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        _, strides, paddings, dilations = self._geometry()
        for n, s, p, d in zip(x[1:], strides, paddings, dilations, strict=True):
            # A window that begins in the padding has its first value at this place of the input.
            if any(start % d >= n for start in range(-p, 0, s)):
                message = f"with dilation {d} a window sees nothing but padding on an axis of {n}"
                raise ShapeError("NB204", message, at="dilation")
        return y


class MaxPool1d(_MaxPool):
    """1-D max pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − d(k − 1) − 1) / s⌋ + 1.

    >>> MaxPool1d(kernel_size=2).output_shape((4, 9))
    (4, 4)
    """

    rank = 1


class MaxPool2d(_MaxPool):
    """2-D max pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.

    >>> MaxPool2d(kernel_size=3, stride=2, padding=1).output_shape((64, 112, 112))
    (64, 56, 56)
    """

    rank = 2


class MaxPool3d(_MaxPool):
    """3-D max pooling: (C, D, H, W) to (C, D', H', W'), each axis as in MaxPool2d.

    >>> MaxPool3d(kernel_size=2).output_shape((1, 8, 8, 8))
    (1, 4, 4, 4)
    """

    rank = 3


class _AvgPool(_Pool):
    """The mean of each window."""

    ceil_mode: Bool = False
    count_include_pad: Bool = True

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class AvgPool1d(_AvgPool):
    """1-D average pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − k) / s⌋ + 1.

    >>> AvgPool1d(kernel_size=3).output_shape((4, 9))
    (4, 3)
    """

    rank = 1


class AvgPool2d(_AvgPool):
    """2-D average pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    >>> AvgPool2d(kernel_size=2).output_shape((6, 28, 28))
    (6, 14, 14)
    """

    rank = 2

    divisor_override: _NonZero = None


class AvgPool3d(_AvgPool):
    """3-D average pooling: (C, D, H, W) to (C, D', H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    >>> AvgPool3d(kernel_size=2, ceil_mode=True).output_shape((1, 5, 5, 5))
    (1, 3, 3, 3)
    """

    rank = 3

    divisor_override: _NonZero = None

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        for n, k in zip(x[1:], self.per_axis(self.kernel_size), strict=True):
            if n < k:  # torch looks at the input before it is padded, in 3-D alone
                message = f"kernel_size {k} is larger than the input {n}, which padding cannot mend"
                raise ShapeError("NB204", message, at="kernel_size")
        return y


class _AdaptivePool(Spatial):
    """(C, *) to (C, *output_size): position i of m sees ⌊i·n / m⌋ up to ⌈(i + 1)·n / m⌉ of n."""

    output_size: _AdaptiveSizes

    @field_validator("output_size")
    @classmethod
    def _no_null_alone(cls, value: Any) -> Any:
        if value == (None,):  # torch's 1-D pools do not take it
            raise unwanted("a whole number of at least 1")
        return value

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        return (x[0], *self._sizes(x))

    def _sizes(self, x: Shape) -> Shape:
        sizes = self.output_size
        each = sizes if isinstance(sizes, tuple) else (sizes,) * self.rank
        return tuple(n if m is None else m for n, m in zip(x[1:], each, strict=True))

    def window(self, x: Shape) -> Window | None:
        """Windows are regular only where the output divides the input."""
        sizes = self._sizes(x)
        if any(n % m for n, m in zip(x[1:], sizes, strict=True)):
            return None
        kernel = tuple(n // m for n, m in zip(x[1:], sizes, strict=True))
        return Window(kernel, kernel, (0,) * self.rank, (1,) * self.rank)


class _AdaptiveAvgPool(_AdaptivePool):
    """The mean of each window; a single one is an ordinary mean, which keeps nothing."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return () if all(size == 1 for size in self._sizes(x)) else ("input",)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """1-D average pooling to a given size: (C, L) to (C, output_size).

    >>> AdaptiveAvgPool1d(output_size=1).output_shape((64, 100))
    (64, 1)
    """

    rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """2-D average pooling to a given size: (C, H, W) to (C, *output_size).

    >>> AdaptiveAvgPool2d(output_size=(None, 1)).output_shape((512, 7, 7))
    (512, 7, 1)
    """

    rank = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """3-D average pooling to a given size: (C, D, H, W) to (C, *output_size).

    >>> AdaptiveAvgPool3d(output_size=2).output_shape((4, 8, 8, 8))
    (4, 2, 2, 2)
    """

    rank = 3


class _AdaptiveMaxPool(_WithIndices, _AdaptivePool):
    """The largest value of each window."""

    return_indices: Bool = False


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """1-D max pooling to a given size: (C, L) to (C, output_size).

    >>> AdaptiveMaxPool1d(output_size=5).output_shape((64, 8))
    (64, 5)
    """

    rank = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """2-D max pooling to a given size: (C, H, W) to (C, *output_size).

    >>> AdaptiveMaxPool2d(output_size=7).output_shape((64, 10, 9))
    (64, 7, 7)
    """

    rank = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """3-D max pooling to a given size: (C, D, H, W) to (C, *output_size).

    >>> AdaptiveMaxPool3d(output_size=1).output_shape((64, 8, 9, 10))
    (64, 1, 1, 1)
    """

    rank = 3
