"""Adaptive and fractional pooling: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers."""

from fractions import Fraction
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from netbuild.components.fields import (
    OptionalSizes,
    Sizes,
    Wants,
    either,
    many,
    optional,
    real,
    unwanted,
    whole,
)
from netbuild.components.layers._max_pool import WithIndices
from netbuild.components.layers._spatial import N, Spatial, by_name
from netbuild.components.layers.formula import Equation, Formulas, formula, unchanged
from netbuild.components.layers.layer import Window
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError

#: Sizes, where null keeps the size of an axis.
_AdaptiveSizes = Annotated[
    int | tuple[int | None, ...],
    Wants(
        "a whole number of at least 1, or a list with such a number or null for each axis",
        either(whole(1), many(optional(whole(1)))),
    ),
]
_RATIO = real(gt=0, lt=1)
_Ratios = Annotated[
    float | tuple[float, ...] | None,
    Wants(
        "a number between 0 and 1, a list with one for each axis, or null",
        optional(either(_RATIO, many(_RATIO))),
    ),
]


class _AdaptivePool(Spatial):
    """(C, *) to (C, *output_size): position i of m pools ⌊i·n / m⌋ to ⌈(i + 1)·n / m⌉ − 1 of n."""

    pools = True

    output_size: _AdaptiveSizes
    """Size of the result along each axis; null keeps the size of an axis."""

    @field_validator("output_size")
    @classmethod
    def _no_null_alone(cls, value: Any) -> Any:
        if value == (None,):  # torch's 1-D pools refuse it
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
        """Windows are regular only if the output size divides the input size."""
        sizes = self._sizes(x)
        if any(n % m for n, m in zip(x[1:], sizes, strict=True)):
            return None
        kernel = tuple(n // m for n, m in zip(x[1:], sizes, strict=True))
        return Window(kernel, kernel, (0,) * self.rank, (1,) * self.rank)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        if axis == 0:
            return Sight(0)
        n, m = x[0][axis], self._sizes(x[0])[axis - 1]
        return Sight(axis, Fraction(n, m), 0, Fraction(n - 1, m))

    def formulas(self, x: Shape) -> Formulas:
        written = self.output_size
        each = written if isinstance(written, tuple) else (written,) * self.rank
        sizes = [
            unchanged(n) if m is None else formula("output_size", output_size=m)
            for n, m in zip(x[1:], each, strict=True)
        ]
        return Formulas(by_name(unchanged(x[0]), *sizes))


class _AdaptiveAvgPool(_AdaptivePool):
    """The mean of each window. The mean of a single window keeps nothing for backward."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return () if all(size == 1 for size in self._sizes(x)) else ("input",)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """1-D average pooling to a given size: (C, L) to (C, output_size).

    - AdaptiveAvgPool1d: 1  # 64×100 to 64×1
    """

    rank = 1


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """2-D average pooling to a given size: (C, H, W) to (C, *output_size).

    - AdaptiveAvgPool2d: {output_size: [null, 1]}  # 512×7×7 to 512×7×1
    """

    rank = 2


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """3-D average pooling to a given size: (C, D, H, W) to (C, *output_size).

    - AdaptiveAvgPool3d: 2  # 4×8×8×8 to 4×2×2×2
    """

    rank = 3
    arrangement = "in order"


class _AdaptiveMaxPool(WithIndices, _AdaptivePool):
    """The largest value of each window."""

    def formulas(self, x: Shape) -> Formulas:
        return super().formulas(x)._replace(workspace=self.kept_indices(x))


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """1-D max pooling to a given size: (C, L) to (C, output_size).

    - AdaptiveMaxPool1d: 5  # 64×8 to 64×5
    """

    rank = 1


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """2-D max pooling to a given size: (C, H, W) to (C, *output_size).

    - AdaptiveMaxPool2d: 7  # 64×10×9 to 64×7×7
    """

    rank = 2


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """3-D max pooling to a given size: (C, D, H, W) to (C, *output_size).

    - AdaptiveMaxPool3d: 1  # 64×8×9×10 to 64×1×1×1
    """

    rank = 3
    arrangement = "in order"


class _FractionalMaxPool(WithIndices):
    """The largest value of each of m windows with random positions: (C, *) to (C, *output_size).

    On an axis of size n, m windows begin about n / m apart, and all lie inside the axis. A file may
    write the ratio m / n instead of m. Graham 2014: https://arxiv.org/abs/1412.6071.
    """

    #: The number of values beyond m + k − 1 that torch needs on an axis.
    spare: ClassVar[int]

    @property
    def draws(self) -> bool:
        return True

    kernel_size: Sizes
    """Size of each window along each axis."""
    output_size: OptionalSizes = None
    """Size of the result along each axis; null takes output_ratio."""
    output_ratio: _Ratios = Field(None, validate_default=True)
    """Size of the result as a share of the input's size; null takes output_size."""

    @field_validator("output_ratio")
    @classmethod
    def _instead_of_output_size(cls, ratio: Any, info: Any) -> Any:
        if isinstance(ratio, tuple) and len(ratio) != cls.rank:
            raise unwanted(f"one number, or {cls.rank} in a list")
        if "output_size" in info.data and (ratio is None) == (info.data["output_size"] is None):
            wanted = "a number if there is no" if ratio is None else "null together with"
            raise unwanted(f"{wanted} output_size")
        return ratio

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        sizes = self._sizes(x)
        for n, m, k in zip(x[1:], sizes, self.per_axis(self.kernel_size), strict=True):
            if m + k - 1 + self.spare > n:
                message = f"{_windows(m)} of {k} do not fit on an axis of {n}"
                sign = "<" if self.spare else "≤"
                formula = f"{m} + {k} − 1 {sign} {n}"
                raise ShapeError("NB204", message, at="kernel_size", formula=formula)
        return (x[0], *sizes)

    def _sizes(self, x: Shape) -> Shape:
        if self.output_size is not None:
            return self.per_axis(self.output_size)
        ratio = self.output_ratio
        assert ratio is not None
        ratios = ratio if isinstance(ratio, tuple) else (ratio,) * self.rank
        sizes = tuple(int(n * r) for n, r in zip(x[1:], ratios, strict=True))
        for n, r, m in zip(x[1:], ratios, sizes, strict=True):
            if m == 0:
                message = f"output_ratio {r} leaves nothing of an axis of {n}"
                formula = f"⌊{n} · {r}⌋ = 0"
                raise ShapeError("NB204", message, at="output_ratio", formula=formula)
        return sizes

    def window(self, x: Shape) -> Window | None:
        """The windows have random positions."""
        return None

    def formulas(self, x: Shape) -> Formulas:
        ratio = self.output_ratio
        ratios = ratio if isinstance(ratio, tuple) else (ratio,) * self.rank
        sizes = [formula("output_size", output_size=m) for m in self._sizes(x)]
        if self.output_size is None:
            sizes = [
                Equation("⌊n·output_ratio⌋", {"n": n, "output_ratio": r or 0})
                for n, r in zip(x[1:], ratios, strict=True)
            ]
        kept = self.kept_indices(x)
        return Formulas(by_name(unchanged(x[0]), *sizes), workspace=kept, terms=N)


def _windows(count: int) -> str:
    return "1 window" if count == 1 else f"{count} windows"


class FractionalMaxPool2d(_FractionalMaxPool):
    """2-D max pooling of random windows: (C, H, W) to (C, *output_size), or ⌊n · output_ratio⌋.

    Each call draws new windows, in evaluation too.

    - FractionalMaxPool2d: {kernel_size: 3, output_ratio: 0.7}  # 64×32×30 to 64×22×21
    """

    rank = 2
    arrangement = "in order"
    spare = 0


class FractionalMaxPool3d(_FractionalMaxPool):
    """3-D max pooling of random windows: (C, D, H, W) to (C, *output_size), or ⌊n · output_ratio⌋.

    Each call draws new windows, in evaluation too.

    - FractionalMaxPool3d: {kernel_size: 2, output_size: [4, 5, 6]}  # 8×9×9×9 to 8×4×5×6
    """

    rank = 3
    arrangement = "in order"
    spare = 1
