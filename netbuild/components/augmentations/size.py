"""Crops and sizes: the images of the network's size, cut out of or made from others.

A crop is drawn anew for each image, where it is not that of the middle.
"""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Drawn, Sampled, Shaped
from netbuild.components.augmentations.ranges import (
    CroppingMode,
    Number,
    SideOrSize,
    Size,
    number,
    positive_interval,
)
from netbuild.components.fields import (
    Bool,
    PositiveInt,
    Probability,
    Wants,
    either,
    many,
    one_of,
    optional,
    unwanted,
    whole,
)
from netbuild.components.tensor import Shape, ShapeError, times

_Padding = Annotated[
    int | tuple[int, int] | tuple[int, int, int, int] | None,
    Wants(
        "a whole number of at least 0, a list of two, along x and y, or of four, left, top, right "
        "and bottom; or null",
        optional(
            either(
                whole(0),
                core_schema.tuple_schema([whole(0)] * 2),
                core_schema.tuple_schema([whole(0)] * 4),
            )
        ),
    ),
]


def _both(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def _expect_inside(x: Shape, size: tuple[int, int], help_: str | None) -> None:
    """Refuse a crop that is larger than its image.

    Raises:
        ShapeError: says both sizes.
    """
    if size[0] > x[1] or size[1] > x[2]:
        message = f"a crop of {times(size)} is cut out of no image of {times(x[1:])}"
        raise ShapeError("NB501", message, at="size", help=help_)


class _Sized(Sampled):
    """Brings all images of a batch to one size."""

    align_corners: Bool = True
    p: Probability = 1.0
    """Probability with which a batch is changed; below 1 only where that keeps the size."""


class _Crop(_Sized, Shaped):
    """Cuts a part out."""

    last = "resample same_on_batch align_corners p keepdim cropping_mode"

    cropping_mode: CroppingMode = "slice"
    """Whether pixels are cut out, which is faster, or read anew, which gradients pass."""


class CenterCrop(_Crop):
    """Cuts the middle out; a number is the side of a square.

    - CenterCrop: {size: [28, 28]}
    """

    last = "align_corners resample p keepdim cropping_mode"

    size: SideOrSize
    """Height and width of the crop; a number is the side of a square."""

    def shape(self, x: Shape) -> Shape:
        """Return the size of the crop."""
        size = _both(self.size)
        _expect_inside(x, size, None)
        return (x[0], *size)


class RandomCrop(_Crop, Drawn):
    """Cuts a part out of the image, which may be padded first.

    - RandomCrop: {size: [28, 28], padding: 2}
    """

    size: Size
    """Height and width of the crop."""
    padding: _Padding = None
    """Pixels added around the image first: all sides, along x and y, or each side. null: none."""
    pad_if_needed: Bool = False
    """Whether images that are smaller than the crop are padded up to it."""
    fill: Annotated[
        float | tuple[float, ...],
        Wants(
            "a number, or a list with one for each channel",
            either(number(), many(number(), at_least=1)),
        ),
    ] = 0
    """What the padding holds: a number, or one for each channel; for padding_mode constant."""
    padding_mode: Annotated[str, one_of("constant", "reflect", "replicate")] = "constant"
    """What the padding shows: fill, the image mirrored, or its edge."""

    def shape(self, x: Shape) -> Shape:
        """Return the size of the crop."""
        if isinstance(self.fill, tuple) and len(self.fill) != x[0]:
            message = f"it has {len(self.fill)} numbers, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="fill")
        left, top, right, bottom = self._paddings(x)
        if self.padding_mode == "reflect" and (
            max(top, bottom) >= x[1] or max(left, right) >= x[2]
        ):
            message = f"it is less than the image, {times(x[1:])}, where it reflects it"
            raise ShapeError("NB501", message, at="padding")
        padded = (x[0], x[1] + top + bottom, x[2] + left + right)
        _expect_inside(padded, self.size, "pad_if_needed: true")
        return (x[0], *self.size)

    def _paddings(self, x: Shape) -> tuple[int, int, int, int]:
        """Return what is laid at the left, top, right and bottom."""
        match self.padding:
            case None:
                given = (0, 0, 0, 0)
            case int(n):
                given = (n, n, n, n)
            case (along_x, along_y):
                given = (along_x, along_y, along_x, along_y)
            case (left, top, right, bottom):
                given = (left, top, right, bottom)
        if not self.pad_if_needed:
            return given
        height, width = (max(0, size - n) for size, n in zip(self.size, x[1:], strict=True))
        left, top, right, bottom = given
        return max(left, width), max(top, height), max(right, width), max(bottom, height)


class RandomResizedCrop(_Crop, Drawn):
    """Szegedy et al. 2015: cuts out a part of the area, of a ratio of sides, and brings it to size.

    - RandomResizedCrop: {size: [28, 28], scale: [0.5, 1]}
    """

    size: Size
    """Height and width that crops are brought to."""
    scale: Annotated[tuple[float, float], positive_interval()] = (0.08, 1.0)
    """Range of the part of the area that is cut out."""
    ratio: Annotated[tuple[float, float], positive_interval()] = (3 / 4, 4 / 3)
    """Range of the crop's ratio of width to height, before it is brought to size."""

    def shape(self, x: Shape) -> Shape:
        """Return the size that all crops are brought to."""
        return (x[0], *self.size)


class Resize(_Sized, Shaped):
    """Brings to a size; a number is that of one side, by default the shorter, and keeps the ratio.

    - Resize: {size: [32, 32]}
    """

    last = "resample align_corners antialias p keepdim"

    size: SideOrSize
    """Height and width, or one side: the other keeps the ratio."""
    side: Annotated[str, one_of("short", "long", "vert", "horz")] = "short"
    """Which side a single number is: the shorter, the longer, the height or the width."""
    antialias: Bool = False
    """Whether images are blurred before they shrink, so that fine patterns do not show falsely."""

    def shape(self, x: Shape) -> Shape:
        """Return the size."""
        if isinstance(self.size, tuple):
            return (x[0], *self.size)
        return _resized(x, self.size, self.side, "size")


class LongestMaxSize(_Sized):
    """Brings the longer side to a size, and keeps the ratio.

    - LongestMaxSize: {max_size: 32}
    """

    last = "resample align_corners p"

    max_size: PositiveInt
    """Length of the longer side, in pixels."""

    def shape(self, x: Shape) -> Shape:
        """Return the size, with the ratio of the image."""
        return _resized(x, self.max_size, "long", "max_size")


class SmallestMaxSize(_Sized):
    """Brings the shorter side to a size, and keeps the ratio.

    - SmallestMaxSize: {max_size: 32}
    """

    last = "resample align_corners p"

    max_size: PositiveInt
    """Length of the shorter side, in pixels."""

    def shape(self, x: Shape) -> Shape:
        """Return the size, with the ratio of the image."""
        return _resized(x, self.max_size, "short", "max_size")


def _resized(x: Shape, size: int, side: str, at: str) -> Shape:
    """Return a shape of which one side is brought to a size.

    https://kornia.readthedocs.io/en/latest/geometry.transform.html#kornia.geometry.transform.resize,
    which multiplies with the ratio as a floating-point number, and cuts off what is behind the dot.

    Raises:
        ShapeError: nothing would be left of the other side.
    """
    ratio = x[2] / x[1]
    if side == "vert" or (side != "horz" and (side == "short") != (ratio < 1)):
        y = size, int(size * ratio)
    else:
        y = int(size / ratio), size
    if min(y) == 0:
        message = f"nothing is left of an image of {times(x[1:])} at {times(y)}"
        raise ShapeError("NB501", message, at=at)
    return (x[0], *y)


class PadTo(Shaped):
    """Pads at the right and the bottom up to a size, and cuts off there what exceeds it.

    - PadTo: {size: [32, 32]}
    """

    last = "keepdim crop_if_exceeds"

    size: Size
    """Height and width that images get."""
    pad_mode: Annotated[str, one_of("constant", "reflect", "replicate", "circular")] = "constant"
    """What the padding shows: pad_value, the image mirrored, its edge, or its other side."""
    pad_value: Number = 0
    """What the padding holds, for pad_mode constant."""
    crop_if_exceeds: Bool = True
    """Whether larger images are cut off; false leaves them larger."""

    @field_validator("pad_value")
    @classmethod
    def _where_constant(cls, value: float, info: Any) -> float:
        if value != 0 and info.data.get("pad_mode") != "constant":
            raise unwanted("0 where pad_mode is not constant")
        return value

    def shape(self, x: Shape) -> Shape:
        """Return the size, or what exceeds it."""
        for n, size in zip(x[1:], self.size, strict=True):
            most = {"reflect": n - 1, "circular": n}.get(self.pad_mode, size)
            if size - n > most:
                message = f"{self.pad_mode} adds at most {most} to {n}, and {size} is wanted"
                raise ShapeError("NB501", message, at="size")
        if self.crop_if_exceeds:
            return (x[0], *self.size)
        return (x[0], max(x[1], self.size[0]), max(x[2], self.size[1]))
