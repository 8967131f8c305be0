"""Vision: https://docs.pytorch.org/docs/stable/nn.html#vision-layers, and shuffled channels."""

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
from netbuild.components.layers.formula import Formula, Formulas, by_axis, formula, unchanged
from netbuild.components.layers.layer import Layer, Range, Window, hull
from netbuild.components.tensor import Shape, ShapeError, Tensor, expect_rank, times


def _expect_image(x: Shape) -> None:
    """Refuse what is not (*, C, H, W), with any axes in front."""
    if len(x) < 3:
        message = f"it needs at least 3 axes ({AXES[2]}), and the input has {len(x)}: {times(x)}"
        raise ShapeError("NB201", message)


class PixelShuffle(Layer):
    """Channels become pixels: (*, C·r², H, W) to (*, C, H·r, W·r), with upscale_factor for r.

    - PixelShuffle: 3  # 9×4×5 to 1×12×15
    """

    needs_float = False
    rearranges = True

    upscale_factor: PositiveInt
    """How many times larger height and width become."""

    def output_shape(self, x: Shape) -> Shape:
        _expect_image(x)
        *others, channels, height, width = x
        r = self.upscale_factor
        if channels % r**2:
            message = f"{channels} channels do not divide into squares of {r}×{r} pixels"
            raise ShapeError("NB203", message, at="upscale_factor")
        return (*others, channels // r**2, height * r, width * r)

    def window(self, x: Shape) -> Window | None:
        """A pixel comes from a part of a place."""
        return None

    def formulas(self, x: Shape) -> Formulas:
        rules = ("n / (upscale_factor·upscale_factor)", *2 * ("n·upscale_factor",))
        return _image_formulas(x, rules, upscale_factor=self.upscale_factor)


class PixelUnshuffle(Layer):
    """Pixels become channels: (*, C, H·r, W·r) to (*, C·r², H, W), with downscale_factor for r.

    - PixelUnshuffle: 3  # 1×12×15 to 9×4×5
    """

    needs_float = False
    rearranges = True

    downscale_factor: PositiveInt
    """How many times smaller height and width become."""

    def output_shape(self, x: Shape) -> Shape:
        _expect_image(x)
        *others, channels, height, width = x
        r = self.downscale_factor
        if height % r or width % r:
            message = f"an image of {height}×{width} does not divide into squares of {r}×{r} pixels"
            raise ShapeError("NB204", message, at="downscale_factor")
        return (*others, channels * r**2, height // r, width // r)

    def window(self, x: Shape) -> Window | None:
        """All channels of a place together see one square."""
        square = (self.downscale_factor,) * 2
        return Window(square, square, (0, 0), (1, 1)) if len(x) == 3 else None

    def formulas(self, x: Shape) -> Formulas:
        rules = ("n·downscale_factor·downscale_factor", *2 * ("n / downscale_factor",))
        return _image_formulas(x, rules, downscale_factor=self.downscale_factor)


def _image_formulas(x: Shape, rules: tuple[str, ...], **factor: int) -> Formulas:
    """Return the formulas of the last three axes, by a rule for each; the others stay."""
    image = [formula(rule, n=n, **factor) for rule, n in zip(rules, x[-3:], strict=True)]
    if len(x) == 3:
        return Formulas(by_name(*image), terms=N)
    return Formulas(by_axis([*map(unchanged, x[:-3]), *image]), terms=N)


class ChannelShuffle(Layer):
    """Groups of channels are dealt out, one of each in turn: (C, *) keeps its shape.

    - ChannelShuffle: 2  # 4×8×8 to 4×8×8
    """

    needs_float = False
    rearranges = True

    groups: PositiveInt
    """Number of groups of channels, from which one is taken in turn."""

    def output_shape(self, x: Shape) -> Shape:
        if len(x) < 2:
            message = f"it needs channels and at least one axis more, and the input is {times(x)}"
            raise ShapeError("NB201", message)
        if x[0] % self.groups:
            message = f"{x[0]} channels do not divide into {self.groups} groups"
            raise ShapeError("NB203", message, at="groups")
        return x


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
#: The numbers of spatial axes that a mode is for.
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
    """One to three spatial axes made larger or smaller: (C, *) to (C, *size).

    Without a size, each axis becomes ⌊n · scale_factor⌋.

    - Upsample: {scale_factor: 2}  # 8×14×14 to 8×28×28
    """

    results = None

    size: OptionalSizes = None
    """Size of the result along each axis; null takes scale_factor."""
    scale_factor: _Factors = Field(None, validate_default=True)
    """Factor of the size of each axis; null takes size."""
    mode: _Mode = "nearest"
    """How values are found between those of the input: the nearest, smoothly, or by area."""
    align_corners: _OptionalBool = None
    """Whether outermost values stay in the corners; null is false. For smooth modes only."""
    recompute_scale_factor: _OptionalBool = None
    """Whether places follow from the rounded sizes; false and null take scale_factor itself."""

    @field_validator("scale_factor")
    @classmethod
    def _instead_of_size(cls, scale_factor: Any, info: Any) -> Any:
        if "size" in info.data and (scale_factor is None) == (info.data["size"] is None):
            wanted = "a number where there is no" if scale_factor is None else "null beside"
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
            raise unwanted("false or null beside size")
        return recompute

    def expect_dtypes(self, *x: Tensor) -> None:
        """The nearest pixel may be one of bytes; on a CPU alone, so may others."""
        if not (self.mode.startswith("nearest") and x[0].dtype == "uint8"):
            super().expect_dtypes(*x)

    def output_shape(self, x: Shape) -> Shape:
        ranks = _RANKS[self.mode]
        axes = AXES[ranks[0]] if len(ranks) == 1 else "channels, and one to three more"
        expect_rank(x, f"{axes}, in mode {self.mode}", ranks=tuple(rank + 1 for rank in ranks))
        if self.size is not None:
            return (x[0], *_each(self.size, x, "size"))
        factors = _each(self.scale_factor, x, "scale_factor")
        return (x[0], *(_scaled(n, factor) for n, factor in zip(x[1:], factors, strict=True)))

    def range(self, *x: Range | None) -> Range | None:
        """Neighbours are averaged; a cubic goes beyond them."""
        return None if self.mode == "bicubic" else hull(x)

    def window(self, x: Shape) -> Window | None:
        """Places have no regular distance on the input."""
        return None

    def saved(self, x: Shape) -> tuple[str, ...]:
        """An area is an adaptive average pool, and a plain mean where it is everything."""
        everything = all(size == 1 for size in self.output_shape(x)[1:])
        return ("input",) if self.mode == "area" and not everything else ()

    def formulas(self, x: Shape) -> Formulas:
        if self.size is not None:
            each = _each(self.size, x, "size")
            return Formulas(by_name(unchanged(x[0]), *(formula("size", size=n) for n in each)))
        factors = _each(self.scale_factor, x, "scale_factor")
        sizes = [
            Formula("⌊n·scale_factor⌋", {"n": n, "scale_factor": factor})
            for n, factor in zip(x[1:], factors, strict=True)
        ]
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=N)


def _each(value: Any, x: Shape, field: str) -> tuple[Any, ...]:
    """Return a field that holds one number for all spatial axes, or one for each, as the latter.

    Raises:
        ShapeError: there are more numbers, or fewer, than axes.
    """
    rank = len(x) - 1
    each = value if isinstance(value, tuple) else (value,) * rank
    if len(each) != rank:
        message = f"{field} has numbers for {len(each)} axes, and behind the channels are {rank}"
        raise ShapeError("NB201", message, at=field)
    return each


def _scaled(n: int, factor: float) -> int:
    """Return ⌊n · factor⌋, the product being rounded to a double as in torch.

    Raises:
        ShapeError: nothing is left, or more than a size can say.
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
    """Spatial axes repeated or left out: (C, H, W) to (C, *size), or ⌊n · scale_factor⌋.

    In spite of its name torch takes one and three spatial axes as well.

    - UpsamplingNearest2d: {scale_factor: 2}  # 8×14×14 to 8×28×28
    """

    mode: ClassVar[str] = "nearest"
    align_corners: ClassVar[None] = None
    recompute_scale_factor: ClassVar[None] = None


class UpsamplingBilinear2d(Upsample):
    """Images interpolated with their corners kept: (C, H, W) to (C, *size), or ⌊n · scale_factor⌋.

    - UpsamplingBilinear2d: {size: [20, 30]}  # 8×14×14 to 8×20×30
    """

    mode: ClassVar[str] = "bilinear"
    align_corners: ClassVar[bool] = True
    recompute_scale_factor: ClassVar[None] = None
