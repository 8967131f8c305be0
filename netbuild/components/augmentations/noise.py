"""Disturbances: noise, weather, light and shadow, and parts that are missing or misplaced."""

from typing import Annotated

from pydantic import field_validator

from netbuild.components.augmentations.augmentation import Augmentation, OfColour
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


class RandomGaussianNoise(Augmentation):
    """Adds normal noise.

    - RandomGaussianNoise: {std: 0.1}
    """

    mean: Number = 0.0
    std: Annotated[float, between(0)] = 1.0
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomSaltAndPepperNoise(Augmentation):
    """Sets a part of the pixels to 1 or to 0, of which salt_vs_pepper are 1.

    - RandomSaltAndPepperNoise: {amount: [0.01, 0.05]}
    """

    amount: Annotated[_Range, single(0, 1)] = (0.01, 0.06)
    salt_vs_pepper: Annotated[_Range, single(0, 1)] = (0.4, 0.6)
    p: Probability = 0.5
    same_on_batch: Bool = False
    keepdim: Bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Grey, or of colour."""
        return (1, 3)


class RandomErasing(Augmentation):
    """Zhong et al. 2017: fills a rectangle, of a part of the area and a ratio of its sides.

    - RandomErasing: {scale: [0.02, 0.2]}
    """

    scale: Annotated[tuple[float, float], interval(0)] = (0.02, 0.33)
    ratio: Annotated[tuple[float, float], positive_interval()] = (0.3, 3.3)
    value: Annotated[float, between(0, 1)] = 0.0
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomJigsaw(Augmentation):
    """Cuts the image into a grid of pieces and mixes them.

    - RandomJigsaw: {grid: [2, 2]}
    """

    grid: Size = (4, 4)
    p: Probability = 0.5
    same_on_batch: Bool = False
    keepdim: Bool = False
    ensure_perm: Bool = True

    @field_validator("grid")
    @classmethod
    def _of_several(cls, grid: tuple[int, int]) -> tuple[int, int]:
        if grid == (1, 1):
            raise unwanted("a grid of at least two pieces")
        return grid

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which the grid divides."""
        if x[1] % self.grid[0] or x[2] % self.grid[1]:
            message = f"images of {times(x[1:])} do not divide into {times(self.grid)} pieces"
            raise ShapeError("NB501", message, at="grid")
        return x


class RandomRain(Augmentation):
    """Draws so many drops, lines of a height and, to the left or the right, a width.

    - RandomRain: {number_of_drops: [5, 10], drop_height: [3, 5], drop_width: [-2, 2]}
    """

    number_of_drops: Annotated[tuple[int, int], whole_interval(0)] = (1000, 2000)
    drop_height: Annotated[tuple[int, int], whole_interval(1)] = (5, 20)
    drop_width: Annotated[tuple[int, int], whole_interval()] = (-5, 5)
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False

    @property
    def channels(self) -> tuple[int, ...]:
        """Grey, or of colour."""
        return (1, 3)

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which is larger than a drop."""
        if self.drop_height[1] >= x[1]:
            message = f"a drop of {self.drop_height[1]} is not lower than an image of {x[1]} rows"
            raise ShapeError("NB501", message, at="drop_height")
        widest = max(map(abs, self.drop_width))
        if widest >= x[2]:
            message = f"a drop of {widest} is not narrower than an image of {x[2]} columns"
            raise ShapeError("NB501", message, at="drop_width")
        return x


class RandomSnow(OfColour):
    """Makes what is darker than snow_coefficient brighter, by this factor.

    - RandomSnow: {snow_coefficient: [0.2, 0.5], brightness: [1, 2]}
    """

    snow_coefficient: Annotated[tuple[float, float], interval(0, 1)] = (0.5, 0.5)
    brightness: Annotated[tuple[float, float], interval(1)] = (2, 2)
    same_on_batch: Bool = False
    p: Probability = 1.0
    keepdim: Bool = False


class RandomPlasmaBrightness(Augmentation):
    """Adds a cloudy pattern, a plasma fractal, as strong as `intensity`.

    - RandomPlasmaBrightness: {intensity: [0, 0.5]}
    """

    roughness: Annotated[tuple[float, float], interval(0, 1)] = (0.1, 0.7)
    intensity: Annotated[tuple[float, float], interval()] = (0.0, 1.0)
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomPlasmaContrast(Augmentation):
    """Changes the contrast by a cloudy pattern, a plasma fractal.

    - RandomPlasmaContrast
    """

    roughness: Annotated[tuple[float, float], interval(0, 1)] = (0.1, 0.7)
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomPlasmaShadow(Augmentation):
    """Darkens a part, shade_quantity, in a cloudy pattern, a plasma fractal.

    - RandomPlasmaShadow: {shade_intensity: [-0.5, 0]}
    """

    roughness: Annotated[tuple[float, float], interval(0, 1)] = (0.1, 0.7)
    shade_intensity: Annotated[tuple[float, float], interval(-1, 0)] = (-1.0, 0.0)
    shade_quantity: Annotated[tuple[float, float], interval(0, 1)] = (0.0, 1.0)
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomGaussianIllumination(Augmentation):
    """Adds light, or with a negative sign shadow, around a place, as wide as sigma.

    - RandomGaussianIllumination: {gain: [0.01, 0.2]}
    """

    gain: Annotated[_Range, single(0, 1)] = (0.01, 0.15)
    center: Annotated[_Range, single(0, 1)] = (0.1, 0.9)
    sigma: Annotated[_Range, single(0, 1)] = (0.2, 1.0)
    sign: Annotated[_Range, single(-1, 1)] = (-1.0, 1.0)
    p: Probability = 0.5
    same_on_batch: Bool = False
    keepdim: Bool = False


class RandomLinearIllumination(Augmentation):
    """Adds light, or with a negative sign shadow, that grows towards one side.

    - RandomLinearIllumination: {gain: [0.01, 0.2]}
    """

    gain: Annotated[_Range, single(0, 1)] = (0.01, 0.2)
    sign: Annotated[_Range, single(-1, 1)] = (-1.0, 1.0)
    p: Probability = 0.5
    same_on_batch: Bool = False
    keepdim: Bool = False


class RandomLinearCornerIllumination(Augmentation):
    """Adds light, or with a negative sign shadow, that grows towards one corner.

    - RandomLinearCornerIllumination: {gain: [0.01, 0.2]}
    """

    gain: Annotated[_Range, single(0, 1)] = (0.01, 0.2)
    sign: Annotated[_Range, single(-1, 1)] = (-1.0, 1.0)
    p: Probability = 0.5
    same_on_batch: Bool = False
    keepdim: Bool = False
