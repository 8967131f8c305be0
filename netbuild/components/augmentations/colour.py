"""Colour: brightness, contrast, hue and what else a pixel has by itself.

Values are taken, and most are given back, from 0 to 1.
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
    """Adds up to ±1: the range is 1 more than what is added.

    - RandomBrightness: {brightness: [0.8, 1.2]}
    """

    brightness: Annotated[tuple[float, float], interval(0, 2)] = (1.0, 1.0)
    """Range of what is added, plus 1: [0.8, 1.2] adds −0.2 to 0.2."""
    clip_output: Bool = True
    """Whether results are cut off at 0 and 1."""
    p: Probability = 1.0


class RandomContrast(Drawn):
    """Multiplies all values.

    - RandomContrast: {contrast: [0.8, 1.2]}
    """

    contrast: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the factor of all values; 1 changes nothing."""
    clip_output: Bool = True
    """Whether results are cut off at 0 and 1."""
    p: Probability = 1.0


class RandomGamma(Drawn):
    """Takes all values to a power, gain · x^gamma.

    - RandomGamma: {gamma: [0.8, 1.2]}
    """

    gamma: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the power; above 1 darkens, below 1 lightens."""
    gain: Annotated[tuple[float, float], interval(0)] = (1.0, 1.0)
    """Range of the factor behind the power."""
    p: Probability = 1.0


class RandomHue(OfColour, Drawn):
    """Turns the hue by a part of the circle of colours.

    - RandomHue: {hue: [-0.1, 0.1]}
    """

    hue: Annotated[tuple[float, float], interval(-0.5, 0.5)] = (0.0, 0.0)
    """Range of the part of the colour circle that hues turn by; 0.5 is half a turn."""
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
        "a list of numbers from 0 to 3, none of them twice, or null",
        optional(many(core_schema.int_schema(strict=True, ge=0, le=3))),
    ),
]


class _Jitter(Drawn):
    """Changes brightness, contrast, saturation and hue in any order, or in one that is given."""

    last = f"{Drawn.last} order"

    brightness: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of all values; 1 changes nothing. A number reaches as far to both sides of 1."""
    contrast: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of the distance from grey; a number reaches as far to both sides of 1."""
    saturation: Annotated[_Range, around(None, 0)] = 0.0
    """Factor of the saturation; a number reaches as far to both sides of 1."""
    hue: Annotated[_Range, around(0.5, -0.5, 0.5)] = 0.0
    """Part of the colour circle that hues turn by; a number reaches as far to both sides of 0."""
    p: Probability = 1.0
    order: _Order = None
    """Order of the changes: 0 brightness, 1 contrast, 2 saturation, 3 hue; null draws it."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Those of saturation and hue, where one of them is changed."""
        return (3,) if self.changes("saturation", 2) or self.changes("hue", 3) else ()

    def changes(self, name: str, number: int) -> bool:
        """Whether one of the four, by its number in an order, changes anything."""
        return getattr(self, name) != 0 and (self.order is None or number in self.order)

    @field_validator("order")
    @classmethod
    def _once(cls, order: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if order is not None and len(set(order)) < len(order):
            raise unwanted("a list of numbers from 0 to 3, none of them twice, or null")
        return order


class ColorJiggle(_Jitter):
    """Changes brightness, by adding, contrast, saturation and hue, in an order drawn for a batch.

    An order may be given: 0 is brightness, 1 contrast, 2 saturation and 3 hue.

    - ColorJiggle: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05}
    """

    brightness: Annotated[_Range, around(1, 0, 2)] = 0.0
    """What is added, plus 1: 1 changes nothing. A number reaches as far to both sides of 1."""


class ColorJitter(_Jitter):
    """Changes brightness, contrast, saturation and hue as torchvision does, in an order drawn.

    An order may be given: 0 is brightness, 1 contrast, 2 saturation and 3 hue.

    - ColorJitter: {brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05}
    """

    @property
    def channels(self) -> tuple[int, ...]:
        """Those of a contrast with the mean, which is that of the image in grey."""
        return super().channels or ((1, 3) if self.changes("contrast", 1) else ())


class RandomGrayscale(Drawn):
    """Takes the colours away: all channels hold their weighted mean.

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
    """Share of each channel in the grey; null takes the usual ones of red, green and blue."""
    p: Probability = 0.1

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which has as many channels as there are weights."""
        if self.rgb_weights is not None and len(self.rgb_weights) != x[0]:
            message = f"it has {len(self.rgb_weights)} numbers, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="rgb_weights")
        return x


class RandomInvert(Drawn):
    """Takes all values from the largest, max_val − x.

    - RandomInvert: {p: 0.2}
    """

    max_val: Number = 1.0
    """Largest value that an image can have, from which all are taken."""


class RandomRGBShift(OfColour, Drawn):
    """Adds a number of its own to red, to green and to blue.

    - RandomRGBShift: {r_shift_limit: 0.1, g_shift_limit: 0.1, b_shift_limit: 0.1}
    """

    r_shift_limit: Annotated[_Range, around(None)] = 0.5
    """What is added to red: a range, or how far to both sides of 0."""
    g_shift_limit: Annotated[_Range, around(None)] = 0.5
    """What is added to green: a range, or how far to both sides of 0."""
    b_shift_limit: Annotated[_Range, around(None)] = 0.5
    """What is added to blue: a range, or how far to both sides of 0."""


#: How many illuminants each table of Zini et al. has.
_ILLUMINANTS = {"blackbody": 25, "CIED": 23}


class RandomPlanckianJitter(OfColour, Drawn):
    """Zini et al. 2022: another light, from 3,000 to 15,000 K, of a black body or by the CIE.

    `select_from` names some of its table: 25 lights of black bodies, or 23 of daylight.

    - RandomPlanckianJitter
    """

    mode: Annotated[str, one_of("blackbody", "CIED")] = "blackbody"
    """Lights to choose from: of black bodies, or of daylight by the CIE."""
    select_from: Annotated[
        int | tuple[int, ...] | None,
        Wants(
            "a whole number of at least 0, a list of such, or null",
            optional(either(whole(0), many(whole(0), at_least=1))),
        ),
    ] = None
    """Numbers of the lights in the table that are drawn from; null is all."""

    @field_validator("select_from")
    @classmethod
    def _in_table(cls, selected: int | tuple[int, ...] | None, info: object) -> object:
        mode = getattr(info, "data", {}).get("mode", "blackbody")
        several = (selected,) if isinstance(selected, int) else selected or ()
        if any(number >= _ILLUMINANTS[mode] for number in several):
            raise unwanted(f"numbers from 0 to {_ILLUMINANTS[mode] - 1}, of the table {mode}")
        return selected

    def arguments(self) -> dict[str, Any]:
        """Return what kornia's constructor is given, which takes a list for more than one axis."""
        selected = self.select_from
        several = list(selected) if isinstance(selected, tuple) else selected
        return super().arguments() | {"select_from": several}


class RandomPosterize(Drawn):
    """Keeps so many bits of 8, from this number or range; a number is the fewest.

    - RandomPosterize: {bits: [4, 8]}
    """

    bits: Annotated[_Range, single(0, 8)] = 3
    """Bits that are kept of 8: a range, or the fewest; 8 changes nothing, 0 is black."""


class RandomSolarize(Drawn):
    """Adds a number, and inverts what is above a threshold, which is 0.5 in the middle.

    - RandomSolarize: {thresholds: 0.1, additions: 0.1}
    """

    thresholds: Annotated[_Range, around(0.5, 0, 1)] = 0.1
    """Value above which all are inverted: a range, or how far to both sides of 0.5."""
    additions: Annotated[_Range, around(0.5, -0.5, 0.5)] = 0.1
    """What is added before: a range, or how far to both sides of 0."""


class RandomEqualize(Drawn):
    """Makes all values of a channel equally frequent.

    - RandomEqualize
    """


class RandomAutoContrast(Drawn):
    """Stretches the values of each channel from 0 to 1.

    - RandomAutoContrast: {p: 0.2}
    """

    clip_output: Bool = True
    """It changes nothing: the results are from 0 to 1 anyway."""
    p: Probability = 1.0


class RandomClahe(Drawn):
    """Zuiderveld 1994: equalizes tiles of a grid, each within a limit of contrast.

    - RandomClahe: {clip_limit: [2, 4], grid_size: [4, 4]}
    """

    clip_limit: Annotated[tuple[float, float], interval(0)] = (40.0, 40.0)
    """Range of the limit of contrast in a tile; more allows more, 0 has no limit."""
    grid_size: Annotated[
        tuple[int, int],
        Wants(
            "a list of two whole numbers of at least 1, tiles along y and x",
            core_schema.tuple_schema([whole(1)] * 2),
        ),
    ] = (8, 8)
    """Numbers of tiles along the height and the width."""
    slow_and_differentiable: Bool = False
    """Whether gradients go through it, more slowly; training does without."""

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which has more rows and columns than there are tiles."""
        self.expect_at_least(x, self.grid_size[0] + 1, self.grid_size[1] + 1, "grid_size")
        return x


class RandomChannelDropout(Drawn):
    """Fills so many channels.

    - RandomChannelDropout: {num_drop_channels: 1}
    """

    num_drop_channels: PositiveInt = 1
    """Number of channels that are filled."""
    fill_value: Annotated[float, between(0, 1)] = 0.0
    """What a channel is filled with, from 0 to 1."""

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which has as many channels."""
        if self.num_drop_channels > x[0]:
            message = f"it is {self.num_drop_channels}, and the images have {x[0]} channels"
            raise ShapeError("NB501", message, at="num_drop_channels")
        return x


class RandomChannelShuffle(Drawn):
    """Puts the channels in another order.

    - RandomChannelShuffle
    """
