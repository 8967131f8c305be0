"""Vision: https://docs.pytorch.org/docs/stable/nn.html#vision-layers, and shuffled channels."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import (
    OptionalSizes,
    PositiveInt,
    Wants,
    either,
    many,
    one_of,
    optional,
    real,
    unwanted,
)
from netbuild.components.layers._spatial import AXES, N, by_name
from netbuild.components.layers.formula import Equation, Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Layer, Window
from netbuild.components.layers.layout import Placed, Strides
from netbuild.components.layers.ranges import Range, hull
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import Shape, ShapeError, Tensor, expect_rank, times


def _expect_image(x: Shape) -> None:
    """Refuse an input that is not (*, C, H, W); * stands for any axes."""
    if len(x) < 3:
        message = f"it needs at least 3 axes ({AXES[2]}), and the input has {len(x)}: {times(x)}"
        raise ShapeError("NB201", message)


class _Pixels(Layer):
    """Moves values between channels and pixels."""

    needs_float = False
    rearranges = True
    arrangement = "channels"

    def needs_order(self, *x: Shape) -> bool:
        """Five axes with the channels last have an "Unsupported memory format" for torch."""
        return len(x[0]) == 4

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (None,) if self.needs_order(*y) else super().layouts(y, *x)


class PixelShuffle(_Pixels):
    """Turns channels into pixels: (*, C·r², H, W) to (*, C, H·r, W·r), r = upscale_factor.

    - PixelShuffle: 3  # 9×4×5 to 1×12×15
    """

    upscale_factor: PositiveInt
    """Factor r by which height and width grow."""

    def output_shape(self, x: Shape) -> Shape:
        _expect_image(x)
        *others, channels, height, width = x
        r = self.upscale_factor
        if channels % r**2:
            message = f"{channels} channels do not divide into squares of {r}×{r} pixels"
            raise ShapeError("NB203", message, at="upscale_factor")
        return (*others, channels // r**2, height * r, width * r)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        r, pixel = self.upscale_factor, axis - len(x[0])
        if pixel >= -2:
            return Sight(axis, Fraction(1, r))
        return Sight(axis, r**2, 0, r**2 - 1) if pixel == -3 else Sight(axis)

    def window(self, x: Shape) -> Window | None:
        """Each pixel comes from some channels of a position."""
        return None

    def formulas(self, x: Shape) -> Formulas:
        rules = ("n / (upscale_factor·upscale_factor)", *2 * ("n·upscale_factor",))
        return _image_formulas(x, rules, upscale_factor=self.upscale_factor)


class PixelUnshuffle(_Pixels):
    """Turns pixels into channels: (*, C, H·r, W·r) to (*, C·r², H, W), r = downscale_factor.

    - PixelUnshuffle: 3  # 1×12×15 to 9×4×5
    """

    downscale_factor: PositiveInt
    """Factor r by which height and width shrink."""

    def output_shape(self, x: Shape) -> Shape:
        _expect_image(x)
        *others, channels, height, width = x
        r = self.downscale_factor
        if height % r or width % r:
            message = f"an image of {height}×{width} does not divide into squares of {r}×{r} pixels"
            raise ShapeError("NB204", message, at="downscale_factor")
        return (*others, channels * r**2, height // r, width // r)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        r, pixel = self.downscale_factor, axis - len(x[0])
        if pixel >= -2:
            return Sight(axis, r, 0, r - 1)
        return Sight(axis, Fraction(1, r**2)) if pixel == -3 else Sight(axis)

    def window(self, x: Shape) -> Window | None:
        """All channels of a position together see one square of pixels."""
        square = (self.downscale_factor,) * 2
        return Window(square, square, (0, 0), (1, 1)) if len(x) == 3 else None

    def formulas(self, x: Shape) -> Formulas:
        rules = ("n·downscale_factor·downscale_factor", *2 * ("n / downscale_factor",))
        return _image_formulas(x, rules, downscale_factor=self.downscale_factor)


def _image_formulas(x: Shape, rules: tuple[str, ...], **factor: int) -> Formulas:
    """Return the formulas of the axes, with a rule for each of the last three."""
    image = [formula(rule, n=n, **factor) for rule, n in zip(rules, x[-3:], strict=True)]
    if len(x) == 3:
        return Formulas(by_name(*image), terms=N)
    return Formulas(by_axis([*map(unchanged, x[:-3]), *image]), terms=N)


class ChannelShuffle(Layer):
    """Reorders channels: takes one channel of each group in turn. (C, *) keeps its shape.

    - ChannelShuffle: 2  # 4×8×8 to 4×8×8
    """

    needs_float = False
    rearranges = True
    arrangement = "channels"

    groups: PositiveInt
    """Number of groups of channels; the result takes a channel of each group in turn."""

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2:
            message = f"it needs channels and at least one more axis, and the input is {times(x)}"
            raise ShapeError("NB201", message)
        if x[0] % self.groups:
            message = f"{x[0]} channels do not divide into {self.groups} groups"
            raise ShapeError("NB203", message, at="groups")
        return x

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return across(0, x[0][0]) if axis == 0 else Sight(axis)


_FACTOR = real(gt=0)
_Factors = Annotated[
    float | tuple[float, ...] | None,
    Wants(
        "a number greater than 0, a list with one for each axis, or null",
        optional(either(_FACTOR, many(_FACTOR))),
    ),
]
_OptionalBool = Annotated[
    bool | None,
    Wants("true, false or null", optional(core_schema.bool_schema(strict=True))),
]
#: The numbers of spatial axes that each mode takes.
_RANKS = {
    "nearest": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
    "area": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
}
_Mode = Annotated[
    Literal["nearest", "linear", "bilinear", "bicubic", "trilinear", "area", "nearest-exact"],
    one_of(*_RANKS),
]
_CORNERLESS = ("nearest", "area", "nearest-exact")


class Upsample(Layer):
    """Resizes one to three spatial axes: (C, *) to (C, *size).

    Without `size`, each axis becomes ⌊n · scale_factor⌋.

    - Upsample: {scale_factor: 2}  # 8×14×14 to 8×28×28
    """

    results = None
    arrangement = "channels"

    size: OptionalSizes = None
    """Size of the result along each axis; null takes scale_factor."""
    scale_factor: _Factors = Field(None, validate_default=True)
    """Factor of the size of each axis; null takes size."""
    mode: _Mode = "nearest"
    """Interpolation between input values: the nearest value, a smooth curve, or a mean by area."""
    align_corners: _OptionalBool = None
    """Whether corner values stay in the corners; null is false. For smooth modes only."""
    recompute_scale_factor: _OptionalBool = None
    """Whether positions follow from the rounded sizes; false and null use scale_factor itself."""

    @field_validator("scale_factor")
    @classmethod
    def _instead_of_size(cls, scale_factor: Any, info: Any) -> Any:
        if "size" in info.data and (scale_factor is None) == (info.data["size"] is None):
            wanted = "a number if there is no" if scale_factor is None else "null together with"
            raise unwanted(f"{wanted} size")
        return scale_factor

    @field_validator("align_corners", check_fields=False)
    @classmethod
    def _has_corners(cls, align_corners: Any, info: Any) -> Any:
        if align_corners is not None and (mode := info.data.get("mode")) in _CORNERLESS:
            raise unwanted(f"null in mode {mode}")
        return align_corners

    @field_validator("recompute_scale_factor", check_fields=False)
    @classmethod
    def _has_a_factor(cls, recompute: Any, info: Any) -> Any:
        if recompute and info.data.get("size") is not None:
            raise unwanted("false or null together with size")
        return recompute

    def expect_dtypes(self, *x: Tensor) -> None:
        """Bytes work in the nearest modes; in other modes torch takes them only on a CPU."""
        if not (self.mode.startswith("nearest") and x[0].dtype == "uint8"):
            super().expect_dtypes(*x)

    def output_shape(self, x: Shape) -> Shape:
        ranks = _RANKS[self.mode]
        axes = AXES[ranks[0]] if len(ranks) == 1 else "channels, and one to three more axes"
        expect_rank(x, f"{axes}, in mode {self.mode}", ranks=tuple(rank + 1 for rank in ranks))
        if self.size is not None:
            return (x[0], *_each(self.size, x, "size"))
        factors = _each(self.scale_factor, x, "scale_factor")
        return (x[0], *(_scaled(n, factor) for n, factor in zip(x[1:], factors, strict=True)))

    def range(self, *x: Range | None) -> Range | None:
        """Averages stay between neighbours; a cubic curve can exceed them."""
        return None if self.mode == "bicubic" else hull(x)

    def window(self, x: Shape) -> Window | None:
        """Output positions have no regular distance on the input."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """Torch puts position t at (t + ½) · step − ½, or at t · step with align_corners."""
        if axis == 0:
            return Sight(0)
        n, m = x[0][axis], self.output_shape(x[0])[axis]
        if self.mode == "area":
            return Sight(axis, Fraction(n, m), 0, Fraction(n - 1, m))
        if self.align_corners:
            step, start = Fraction(n - 1, max(1, m - 1)), Fraction(0)
        else:
            step = self._step(axis, n, m, x[0])
            start = step / 2 - (0 if self.mode == "nearest-exact" else Fraction(1, 2))
        if self.mode.startswith("nearest"):
            start = start if self.mode == "nearest-exact" else Fraction(0)
            return Sight(axis, step, start, start)
        more = 1 if self.mode == "bicubic" else 0
        return Sight(axis, step, start - more, start + more + 1)

    def _step(self, axis: int, n: int, m: int, x: Shape) -> Fraction:
        """Return the distance on the input between neighbouring positions of the result."""
        if self.scale_factor is None or self.recompute_scale_factor:
            return Fraction(n, m)
        return 1 / Fraction(_each(self.scale_factor, x, "scale_factor")[axis - 1])

    def saved(self, x: Shape) -> tuple[str, ...]:
        """Mode area is an adaptive average pool; with one output position, it is a plain mean."""
        everything = all(size == 1 for size in self.output_shape(x)[1:])
        return ("input",) if self.mode == "area" and not everything else ()

    def formulas(self, x: Shape) -> Formulas:
        if self.size is not None:
            each = _each(self.size, x, "size")
            return Formulas(by_name(unchanged(x[0]), *(formula("size", size=n) for n in each)))
        factors = _each(self.scale_factor, x, "scale_factor")
        sizes = [
            Equation("⌊n·scale_factor⌋", {"n": n, "scale_factor": factor})
            for n, factor in zip(x[1:], factors, strict=True)
        ]
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=N)


def _each(value: Any, x: Shape, field: str) -> tuple[Any, ...]:
    """Return one number for each spatial axis, from a field with one number or a list.

    Raises:
        ShapeError: the list is longer or shorter than the number of spatial axes.
    """
    rank = len(x) - 1
    each = value if isinstance(value, tuple) else (value,) * rank
    if len(each) != rank:
        message = f"{field} has numbers for {len(each)} axes, and the input has {rank} spatial axes"
        raise ShapeError("NB201", message, at=field)
    return each


def _scaled(n: int, factor: float) -> int:
    """Return ⌊n · factor⌋; the product is a double, as in torch.

    Raises:
        ShapeError: the size would be 0, or larger than the largest size.
    """
    size = n * factor
    if size < 1:
        message = f"scale_factor {factor} leaves nothing of an axis of {n}"
        formula = f"⌊{n} · {factor}⌋ = 0"
        raise ShapeError("NB204", message, at="scale_factor", formula=formula)
    if size > LARGEST:
        message = f"scale_factor {factor} makes more than {LARGEST} of an axis of {n}"
        raise ShapeError("NB204", message, at="scale_factor")
    return int(size)


class UpsamplingNearest2d(Upsample):
    """Repeats or skips values of spatial axes: (C, H, W) to (C, *size), or ⌊n · scale_factor⌋.

    torch also takes one or three spatial axes, despite the name.

    - UpsamplingNearest2d: {scale_factor: 2}  # 8×14×14 to 8×28×28
    """

    mode: ClassVar[str] = "nearest"
    align_corners: ClassVar[None] = None
    recompute_scale_factor: ClassVar[None] = None


class UpsamplingBilinear2d(Upsample):
    """Interpolates images, keeps the corners: (C, H, W) to (C, *size), or ⌊n · scale_factor⌋.

    - UpsamplingBilinear2d: {size: [20, 30]}  # 8×14×14 to 8×20×30
    """

    mode: ClassVar[str] = "bilinear"
    align_corners: ClassVar[bool] = True
    recompute_scale_factor: ClassVar[None] = None
