"""Colour: brightness, contrast, hue and other properties of single pixels.

Inputs have values from 0 to 1; most augmentations also return values from 0 to 1.
"""

from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Drawn, OfColour
from netbuild.components.augmentations.ranges import (
    Number,
    around,
    between,
    interval,
    number,
    single,
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
from netbuild.components.tensor import Shape, ShapeError

_Range = float | tuple[float, float]


class RandomBrightness(Drawn):
    """Adds a number from −1 to 1; the range holds that number plus 1.

    - RandomBrightness: {brightness: [0.8, 1.2]}
    """

    brightness: Annotated[tuple[float, float], interval(0, 2)] = (1.0, 1.0)
    """Range of the added number, plus 1: [0.8, 1.2] adds −0.2 to 0.2."""
    clip_output: Bool = True
    """Whether results are clipped to 0 and 1."""
    p: Probability = 1.0


class RandomContrast(Drawn):
    """Multiplies all values by a factor.

    - RandomContrast: {contrast: [0.8, 1.2]}
    """

    contrast: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the factor of all values; 1 changes nothing."""
    clip_output: Bool = True
    """Whether results are clipped to 0 and 1."""
    p: Probability = 1.0


class RandomGamma(Drawn):
    """Raises all values to a power: gain · x^gamma.

    - RandomGamma: {gamma: [0.8, 1.2]}
    """

    gamma: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the power; above 1 darkens, below 1 brightens."""
    gain: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the factor of the power."""
    p: Probability = 1.0


class RandomHue(OfColour, Drawn):
    """Rotates the hue by a share of the colour circle.

    - RandomHue: {hue: [-0.1, 0.1]}
    """

    hue: Annotated[tuple[float, float], interval(-0.5, 0.5)] = (0.0, 0.0)
    """Range of the rotation, as a share of the colour circle; 0.5 is half a turn."""
    p: Probability = 1.0


class RandomSaturation(OfColour, Drawn):
    """Multiplies the saturation of colours.

    - RandomSaturation: {saturation: [0.5, 1.5]}
    """

    saturation: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the factor of the saturation; 0 is grey, 1 changes nothing."""
    p: Probability = 1.0


_Order = Annotated[
    tuple[int, ...] | None,
    Wants(
        "a list of different whole numbers from 0 to 3, or null",
        optional(many(core_schema.int_schema(strict=True, ge=0, le=3))),
    ),
]


class _Jitter(Drawn):
    """Changes brightness, contrast, saturation and hue in a random or given order."""

    last = f"{Drawn.last} order"

    brightness: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of all values; 1 changes nothing. A single number is the reach around 1."""
    contrast: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of the distance from grey; a single number is the reach around 1."""
    saturation: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of the saturation; a single number is the reach around 1."""
    hue: Annotated[_Range, around(0.5, -0.5, 0.5)] = 0.0
    """Rotation of hues, as a share of the colour circle; a single number is the reach around 0."""
    p: Probability = 1.0
    order: _Order = None
    """Order of the changes: 0 brightness, 1 contrast, 2 saturation, 3 hue; null draws it."""

    @property
    def channels(self) -> tuple[int, ...]:
        """3 if saturation or hue is changed, else any number."""
        return (3,) if self.changes("saturation", 2) or self.changes("hue", 3) else ()

    def changes(self, name: str, number: int) -> bool:
        """Whether one of the four changes has an effect; `number` is its number in `order`."""
        return getattr(self, name) != 0 and (self.order is None or number in self.order)

    @field_validator("order")
    @classmethod
    def _once(cls, order: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if order is not None and len(set(order)) < len(order):
            raise unwanted("a list of different whole numbers from 0 to 3, or null")
        return order


class ColorJiggle(_Jitter):
    """Changes brightness (by adding), contrast, saturation and hue, in a random order per batch.

    `order` fixes the order: 0 is brightness, 1 contrast, 2 saturation and 3 hue.

    - ColorJiggle: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05}
    """

    brightness: Annotated[_Range, around(1, 0, 2)] = 0.0
    """Added number, plus 1: 1 changes nothing. A single number is the reach around 1."""


class ColorJitter(_Jitter):
    """Changes brightness, contrast, saturation and hue like torchvision, in a random order.

    `order` fixes the order: 0 is brightness, 1 contrast, 2 saturation and 3 hue.

    - ColorJitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05}
    """

    @property
    def channels(self) -> tuple[int, ...]:
        """3, or 1 and 3 for contrast: it needs the mean of the image in grey."""
        return super().channels or ((1, 3) if self.changes("contrast", 1) else ())


class RandomGrayscale(Drawn):
    """Removes the colours: all channels get their weighted mean.

    - RandomGrayscale: {p: 0.2}
    """

    tensors = ("rgb_weights",)

    rgb_weights: Annotated[
        tuple[float, ...] | None,
        Wants(
            "a list of numbers, one for each channel, or null",
            optional(many(number(), at_least=1)),
        ),
    ] = None
    """Share of each channel in the grey value; null takes the usual shares of red, green, blue."""
    p: Probability = 0.1

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must have a channel for each weight."""
        if self.rgb_weights is not None and len(self.rgb_weights) != x[0]:
            message = f"it has {len(self.rgb_weights)} numbers, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="rgb_weights")
        return x


class RandomInvert(Drawn):
    """Inverts all values: max_val − x.

    - RandomInvert: {p: 0.2}
    """

    max_val: Number = 1.0
    """Largest possible value of an image; all values are subtracted from it."""


class RandomRGBShift(OfColour, Drawn):
    """Adds a different number to red, to green and to blue.

    - RandomRGBShift: {r_shift_limit: 0.1, g_shift_limit: 0.1, b_shift_limit: 0.1}
    """

    r_shift_limit: Annotated[_Range, around(None)] = 0.5
    """Number added to red: a range, or the reach to both sides of 0."""
    g_shift_limit: Annotated[_Range, around(None)] = 0.5
    """Number added to green: a range, or the reach to both sides of 0."""
    b_shift_limit: Annotated[_Range, around(None)] = 0.5
    """Number added to blue: a range, or the reach to both sides of 0."""


#: The number of illuminants in each table of Zini et al.
_ILLUMINANTS = {"blackbody": 25, "CIED": 23}


class RandomPlanckianJitter(OfColour, Drawn):
    """Changes the light to 3,000 to 15,000 K, of a black body or CIE daylight. Zini et al. 2022.

    `select_from` chooses lights from a table: 25 lights of black bodies, or 23 lights of daylight.

    - RandomPlanckianJitter
    """

    mode: Annotated[str, one_of("blackbody", "CIED")] = "blackbody"
    """Table of lights: of black bodies, or of CIE daylight."""
    select_from: Annotated[
        int | tuple[int, ...] | None,
        Wants(
            "a whole number of at least 0, a list of such numbers, or null",
            optional(either(whole(0), many(whole(0), at_least=1))),
        ),
    ] = None
    """Numbers of the lights to draw from; null takes all lights of the table."""

    @field_validator("select_from")
    @classmethod
    def _in_table(cls, selected: int | tuple[int, ...] | None, info: object) -> object:
        mode = getattr(info, "data", {}).get("mode", "blackbody")
        several = (selected,) if isinstance(selected, int) else selected or ()
        if any(number >= _ILLUMINANTS[mode] for number in several):
            raise unwanted(f"numbers from 0 to {_ILLUMINANTS[mode] - 1}, in the table {mode}")
        return selected

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of kornia's constructor, which takes a list instead of a tuple."""
        selected = self.select_from
        several = list(selected) if isinstance(selected, tuple) else selected
        return super().arguments() | {"select_from": several}


class RandomPosterize(Drawn):
    """Keeps only some of the 8 bits of each value.

    - RandomPosterize: {bits: [4, 8]}
    """

    bits: Annotated[_Range, single(0, 8)] = 3
    """Number of bits to keep: a range, or the smallest number; 8 changes nothing, 0 is black."""


class RandomSolarize(Drawn):
    """Adds a number, and inverts values above a threshold around 0.5.

    - RandomSolarize: {thresholds: 0.1, additions: 0.1}
    """

    thresholds: Annotated[_Range, around(0.5, 0, 1)] = 0.1
    """Threshold above which values are inverted: a range, or the reach around 0.5."""
    additions: Annotated[_Range, around(0.5, -0.5, 0.5)] = 0.1
    """Number added before that: a range, or the reach around 0."""


class RandomEqualize(Drawn):
    """Makes all values of a channel equally frequent.

    - RandomEqualize
    """


class RandomAutoContrast(Drawn):
    """Stretches the values of each channel to the range from 0 to 1.

    - RandomAutoContrast: {p: 0.2}
    """

    clip_output: Bool = True
    """No effect: the results are from 0 to 1 in any case."""
    p: Probability = 1.0


class RandomClahe(Drawn):
    """Equalizes the tiles of a grid, with a limit of contrast. Zuiderveld 1994.

    - RandomClahe: {clip_limit: [2, 4], grid_size: [4, 4]}
    """

    clip_limit: Annotated[tuple[float, float], interval(0)] = (40.0, 40.0)
    """Range of the limit of contrast in a tile; a larger limit allows more, 0 means no limit."""
    grid_size: Annotated[
        tuple[int, int],
        Wants(
            "a list of two whole numbers of at least 1, tiles along y and x",
            core_schema.tuple_schema([whole(1)] * 2),
        ),
    ] = (8, 8)
    """Numbers of tiles along the height and the width."""
    slow_and_differentiable: Bool = False
    """Whether gradients pass through the augmentation; slower, and not needed for training."""

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must have more rows and columns than tiles."""
        self.expect_at_least(x, self.grid_size[0] + 1, self.grid_size[1] + 1, "grid_size")
        return x


class RandomChannelDropout(Drawn):
    """Fills random channels with one value.

    - RandomChannelDropout: {num_drop_channels: 1}
    """

    num_drop_channels: PositiveInt = 1
    """Number of channels to fill."""
    fill_value: Annotated[float, between(0, 1)] = 0.0
    """Value of a filled channel, from 0 to 1."""

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must have at least as many channels."""
        if self.num_drop_channels > x[0]:
            message = f"it is {self.num_drop_channels}, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="num_drop_channels")
        return x


class RandomChannelShuffle(Drawn):
    """Puts the channels in a random order.

    - RandomChannelShuffle
    """
