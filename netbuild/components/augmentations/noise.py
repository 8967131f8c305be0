"""Disturbances: noise, weather, light and shadow, and missing or misplaced parts."""

from typing import Annotated

from pydantic import field_validator

from netbuild.components.augmentations.augmentation import Drawn, OfColour
from netbuild.components.augmentations.ranges import (
    Number,
    Size,
    between,
    interval,
    positive_interval,
    single,
    whole_interval,
)
from netbuild.components.fields import Bool, Probability, unwanted
from netbuild.components.tensor import Shape, ShapeError, times

_Range = float | tuple[float, float]


class RandomGaussianNoise(Drawn):
    """Adds normally distributed noise.

    - RandomGaussianNoise: {std: 0.1}
    """

    mean: Number = 0.0
    """Mean of the noise; a mean other than 0 changes the brightness."""
    std: Annotated[float, between(0)] = 1.0
    """Standard deviation of the noise; images are from 0 to 1, so 0.1 is clearly visible."""


class RandomSaltAndPepperNoise(Drawn):
    """Sets some pixels to 1 or 0; a share salt_vs_pepper of them becomes 1.

    - RandomSaltAndPepperNoise: {amount: [0.01, 0.05]}
    """

    last = "p same_on_batch keepdim"

    amount: Annotated[_Range, single(0, 1)] = (0.01, 0.06)
    """Share of changed pixels, from 0 to 1, or its range."""
    salt_vs_pepper: Annotated[_Range, single(0, 1)] = (0.4, 0.6)
    """Share of changed pixels that become 1, or its range; the others become 0."""

    @property
    def channels(self) -> tuple[int, ...]:
        """1 for grey images, 3 for colour."""
        return (1, 3)


class RandomErasing(Drawn):
    """Fills a random rectangle. Zhong et al. 2017.

    - RandomErasing: {scale: [0.02, 0.2]}
    """

    scale: Annotated[tuple[float, float], interval(0)] = (0.02, 0.33)
    """Range of the rectangle's share of the area."""
    ratio: Annotated[tuple[float, float], positive_interval()] = (0.3, 3.3)
    """Range of the rectangle's ratio of sides; 1 is a square."""
    value: Annotated[float, between(0, 1)] = 0.0
    """Value of the filled rectangle, from 0 to 1."""


class RandomJigsaw(Drawn):
    """Cuts the image into a grid of pieces and shuffles them.

    - RandomJigsaw: {grid: [2, 2]}
    """

    last = "p same_on_batch keepdim ensure_perm"
    geometric = True
    carries = ("mask", "picture")
    holds = "a box or a figure of points may lie on several pieces"

    grid: Size = (4, 4)
    """Numbers of pieces along height and width; they must divide height and width."""
    ensure_perm: Bool = True
    """Whether pieces always change places; false may leave an image unchanged."""

    @field_validator("grid")
    @classmethod
    def _of_several(cls, grid: tuple[int, int]) -> tuple[int, int]:
        if grid == (1, 1):
            raise unwanted("a grid of at least two pieces")
        return grid

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image; the grid must divide its height and width."""
        if x[1] % self.grid[0] or x[2] % self.grid[1]:
            message = f"images of {times(x[1:])} do not divide into {times(self.grid)} pieces"
            raise ShapeError("NB501", message, at="grid")
        return x


class RandomRain(Drawn):
    """Draws rain: drops are lines with a height, and a slant to the left or the right.

    - RandomRain: {number_of_drops: [5, 10], drop_height: [3, 5], drop_width: [-2, 2]}
    """

    number_of_drops: Annotated[tuple[int, int], whole_interval(0)] = (1000, 2000)
    """Range of the number of drops."""
    drop_height: Annotated[tuple[int, int], whole_interval(1)] = (5, 20)
    """Range of the height of drops, in pixels."""
    drop_width: Annotated[tuple[int, int], whole_interval()] = (-5, 5)
    """Range of the slant of drops, in pixels; negative numbers slant the other way."""

    @property
    def channels(self) -> tuple[int, ...]:
        """1 for grey images, 3 for colour."""
        return (1, 3)

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must be larger than a drop."""
        if self.drop_height[1] >= x[1]:
            message = f"a drop of {self.drop_height[1]} must be lower than an image of {x[1]} rows"
            raise ShapeError("NB501", message, at="drop_height")
        widest = max(map(abs, self.drop_width))
        if widest >= x[2]:
            message = f"a drop of {widest} must be narrower than an image of {x[2]} columns"
            raise ShapeError("NB501", message, at="drop_width")
        return x


class RandomSnow(OfColour, Drawn):
    """Brightens pixels darker than snow_coefficient, by the factor brightness.

    - RandomSnow: {snow_coefficient: [0.2, 0.5], brightness: [1, 2]}
    """

    snow_coefficient: Annotated[tuple[float, float], interval(0, 1)] = (0.5, 0.5)
    """Range of the lightness below which pixels become brighter; higher gives more snow."""
    brightness: Annotated[tuple[float, float], interval(1)] = (2, 2)
    """Range of the factor of the lightness of these pixels; 1 changes nothing."""
    p: Probability = 1.0


class _Plasma(Drawn):
    """Uses a cloudy pattern: a plasma fractal."""

    roughness: Annotated[tuple[float, float], interval(0, 1)] = (0.1, 0.7)
    """Range of the pattern's roughness: 0 is a smooth cloud, 1 is like noise."""


class RandomPlasmaBrightness(_Plasma):
    """Adds a cloudy pattern, a plasma fractal, times `intensity`.

    - RandomPlasmaBrightness: {intensity: [0, 0.5]}
    """

    intensity: Annotated[tuple[float, float], interval()] = (0.0, 1.0)
    """Range of the factor of the pattern; negative factors darken."""


class RandomPlasmaContrast(_Plasma):
    """Changes the contrast by a cloudy pattern, a plasma fractal.

    - RandomPlasmaContrast
    """


class RandomPlasmaShadow(_Plasma):
    """Darkens parts of the image in a cloudy pattern, a plasma fractal.

    - RandomPlasmaShadow: {shade_intensity: [-0.5, 0]}
    """

    shade_intensity: Annotated[tuple[float, float], interval(-1, 0)] = (-1.0, 0.0)
    """Range of the number added in the shadow: −1 is black, 0 changes nothing."""
    shade_quantity: Annotated[tuple[float, float], interval(0, 1)] = (0.0, 1.0)
    """Range of the level below which the pattern is shadow; higher gives more shadow."""


class _Light(Drawn):
    """Adds light, or shadow with a negative sign."""

    last = "sign p same_on_batch keepdim"

    gain: Annotated[_Range, single(0, 1)] = (0.01, 0.2)
    """Strength of the light, from 0 to 1, or its range; below 0.2 looks natural."""
    sign: Annotated[_Range, single(-1, 1)] = (-1.0, 1.0)
    """Range of the sign: above 0 is light, below 0 is shadow."""


class RandomGaussianIllumination(_Light):
    """Adds light, or shadow with a negative sign, around a place, with the width sigma.

    - RandomGaussianIllumination: {gain: [0.01, 0.2]}
    """

    gain: Annotated[_Range, single(0, 1)] = (0.01, 0.15)
    center: Annotated[_Range, single(0, 1)] = (0.1, 0.9)
    """Place of the centre, as a share of height and width, or its range."""
    sigma: Annotated[_Range, single(0, 1)] = (0.2, 1.0)
    """Width of the light, as a share of height and width, or its range."""


class RandomLinearIllumination(_Light):
    """Adds light, or shadow with a negative sign, that grows towards one side.

    - RandomLinearIllumination: {gain: [0.01, 0.2]}
    """


class RandomLinearCornerIllumination(_Light):
    """Adds light, or shadow with a negative sign, that grows towards one corner.

    - RandomLinearCornerIllumination: {gain: [0.01, 0.2]}
    """
