"""Crops and sizes: cuts or resizes images to the size that the network reads.

A random crop is drawn again for each image.
"""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Augmentation, Drawn, Sampled, Shaped
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
        ShapeError: names both sizes.
    """
    if size[0] > x[1] or size[1] > x[2]:
        message = f"a crop of {times(size)} does not fit into an image of {times(x[1:])}"
        raise ShapeError("NB501", message, at="size", help=help_)


class _OfSize(Augmentation):
    """Gives images a size. It leaves an image of this size unchanged."""

    geometric = True

    def moves(self, x: Shape) -> bool:
        """Whether pixels of an image of this shape may come to other places."""
        return super().moves(x) and self.shape(x) != x


class _Sized(_OfSize, Sampled):
    """Brings all images of a batch to one size."""

    align_corners: Bool = True
    p: Probability = 1.0
    """Probability that a batch is changed; below 1 only if the size stays the same."""


class _Crop(_Sized, Shaped):
    """Cuts out a part of the image."""

    last = "resample same_on_batch align_corners p keepdim cropping_mode"

    cropping_mode: CroppingMode = "slice"
    """Whether pixels are cut out (slice, faster) or read again (resample, differentiable)."""


class CenterCrop(_Crop):
    """Cuts out the centre; a single number is the side of a square.

    - CenterCrop: {size: [28, 28]}
    """

    last = "align_corners resample p keepdim cropping_mode"

    size: SideOrSize
    """Height and width of the crop; a single number is the side of a square."""

    def shape(self, x: Shape) -> Shape:
        """Return the size of the crop."""
        size = _both(self.size)
        _expect_inside(x, size, None)
        return (x[0], *size)


class RandomCrop(_Crop, Drawn):
    """Cuts out a part of the image; the image may be padded first.

    - RandomCrop: {size: [28, 28], padding: 2}
    """

    size: Size
    """Height and width of the crop."""
    padding: _Padding = None
    """Pixels added first: on all sides, along x and y, or on each side; null adds none."""
    pad_if_needed: Bool = False
    """Whether images smaller than the crop are padded to the size of the crop."""
    fill: Annotated[
        float | tuple[float, ...],
        Wants(
            "a number, or a list with one for each channel",
            either(number(), many(number(), at_least=1)),
        ),
    ] = 0
    """Value of the padding in padding_mode constant: one number, or one for each channel."""
    padding_mode: Annotated[str, one_of("constant", "reflect", "replicate")] = "constant"
    """Contents of the padding: fill, the mirrored image, or its edge."""

    def moves(self, x: Shape) -> bool:
        """Whether it cuts an image of this shape, or pads it first."""
        return self.p > 0 and (self.shape(x) != x or any(self._paddings(x)))

    def fills(self, x: Shape) -> bool:
        """Whether it pads images with a number."""
        return self.p > 0 and self.padding_mode == "constant" and any(self._paddings(x))

    def shape(self, x: Shape) -> Shape:
        """Return the size of the crop."""
        if isinstance(self.fill, tuple) and len(self.fill) != x[0]:
            message = f"it has {len(self.fill)} numbers, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="fill")
        left, top, right, bottom = self._paddings(x)
        if self.padding_mode == "reflect" and (
            max(top, bottom) >= x[1] or max(left, right) >= x[2]
        ):
            message = f"it must be smaller than the image, {times(x[1:])}, to reflect it"
            raise ShapeError("NB501", message, at="padding")
        padded = (x[0], x[1] + top + bottom, x[2] + left + right)
        _expect_inside(padded, self.size, "pad_if_needed: true")
        return (x[0], *self.size)

    def _paddings(self, x: Shape) -> tuple[int, int, int, int]:
        """Return the padding at the left, top, right and bottom."""
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
    """Cuts out a random share of the area, and resizes it. Szegedy et al. 2015.

    - RandomResizedCrop: {size: [28, 28], scale: [0.5, 1]}
    """

    size: Size
    """Height and width of the resized crops."""
    scale: Annotated[tuple[float, float], positive_interval()] = (0.08, 1.0)
    """Range of the crop's share of the area."""
    ratio: Annotated[tuple[float, float], positive_interval()] = (3 / 4, 4 / 3)
    """Range of the crop's ratio of width to height, before it is resized."""

    def moves(self, x: Shape) -> bool:  # noqa: ARG002  others ask for the shape
        """Whether it changes an image: it resizes a part to the size."""
        return self.p > 0

    def shape(self, x: Shape) -> Shape:
        """Return the size of the resized crops."""
        return (x[0], *self.size)


class Resize(_Sized, Shaped):
    """Resizes images. A single number sets one side, by default the shorter, and keeps the ratio.

    - Resize: {size: [32, 32]}
    """

    last = "resample align_corners antialias p keepdim"

    size: SideOrSize
    """Height and width, or the length of one side; the other side keeps the ratio."""
    side: Annotated[str, one_of("short", "long", "vert", "horz")] = "short"
    """Side of a single number: the shorter one, the longer one, the height or the width."""
    antialias: Bool = False
    """Whether images are blurred before they shrink, to avoid false patterns (aliasing)."""

    def shape(self, x: Shape) -> Shape:
        """Return the size."""
        if isinstance(self.size, tuple):
            return (x[0], *self.size)
        return _resized(x, self.size, self.side, "size")


class LongestMaxSize(_Sized):
    """Resizes the longer side to `max_size`, and keeps the ratio.

    - LongestMaxSize: {max_size: 32}
    """

    last = "resample align_corners p"

    max_size: PositiveInt
    """Length of the longer side, in pixels."""

    def shape(self, x: Shape) -> Shape:
        """Return the size, with the ratio of the image."""
        return _resized(x, self.max_size, "long", "max_size")


class SmallestMaxSize(_Sized):
    """Resizes the shorter side to `max_size`, and keeps the ratio.

    - SmallestMaxSize: {max_size: 32}
    """

    last = "resample align_corners p"

    max_size: PositiveInt
    """Length of the shorter side, in pixels."""

    def shape(self, x: Shape) -> Shape:
        """Return the size, with the ratio of the image."""
        return _resized(x, self.max_size, "short", "max_size")


def _resized(x: Shape, size: int, side: str, at: str) -> Shape:
    """Return the shape of an image after one side gets the length `size`.

    https://kornia.readthedocs.io/en/latest/geometry.transform.html#kornia.geometry.transform.resize
    multiplies by the ratio as a floating-point number, and rounds down.

    Raises:
        ShapeError: the other side would get length 0.
    """
    ratio = x[2] / x[1]
    if side == "vert" or (side != "horz" and (side == "short") != (ratio < 1)):
        y = size, int(size * ratio)
    else:
        y = int(size / ratio), size
    if min(y) == 0:
        message = f"an image of {times(x[1:])} would shrink to {times(y)}"
        raise ShapeError("NB501", message, at=at)
    return (x[0], *y)


class PadTo(_OfSize, Shaped):
    """Pads or cuts images at the right and the bottom to reach a size.

    - PadTo: {size: [32, 32]}
    """

    last = "keepdim crop_if_exceeds"

    size: Size
    """Height and width of the resulting images."""
    pad_mode: Annotated[str, one_of("constant", "reflect", "replicate", "circular")] = "constant"
    """Contents of the padding: pad_value, the mirrored image, its edge, or its other side."""
    pad_value: Number = 0
    """Value of the padding in pad_mode constant."""
    crop_if_exceeds: Bool = True
    """Whether larger images are cut; false leaves them larger."""

    @field_validator("pad_value")
    @classmethod
    def _where_constant(cls, value: float, info: Any) -> float:
        if value != 0 and info.data.get("pad_mode") != "constant":
            raise unwanted("0 unless pad_mode is constant")
        return value

    def fills(self, x: Shape) -> bool:
        """Whether it pads images with a number."""
        grows = any(size > n for n, size in zip(x[1:], self.size, strict=True))
        return grows and self.pad_mode == "constant"

    def shape(self, x: Shape) -> Shape:
        """Return the size; larger images may keep theirs."""
        for n, size in zip(x[1:], self.size, strict=True):
            most = {"reflect": n - 1, "circular": n}.get(self.pad_mode, size)
            if size - n > most:
                message = f"{self.pad_mode} adds at most {most} to {n}, too few for {size}"
                raise ShapeError("NB501", message, at="size")
        if self.crop_if_exceeds:
            return (x[0], *self.size)
        return (x[0], max(x[1], self.size[0]), max(x[2], self.size[1]))
