"""Geometric: images turned, moved and bent.

What comes from outside the image is 0, unless `padding_mode` says otherwise.
"""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Drawn, Sampled
from netbuild.components.augmentations.ranges import (
    SHEAR,
    SHEAR_PHRASE,
    Degrees,
    Kernel,
    SamplePadding,
    Shear,
    between,
    interval,
    number,
    optional_interval,
    positive,
    whole_interval,
)
from netbuild.components.fields import Bool, Probability, Wants, either, one_of, optional


class _Flip(Drawn):
    """Mirrors an image."""

    last = "p p_batch same_on_batch keepdim"

    p_batch: Probability = 1.0
    """Probability with which a batch is changed at all, before p decides for its images."""


class _Warp(Sampled, Drawn):
    """Reads each pixel of the result at a place of the image that is moved."""

    last = "resample same_on_batch align_corners padding_mode fill_value p keepdim"


class _PaddedWarp(_Warp):
    """May read places outside of the image."""

    padding_mode: SamplePadding = "ZEROS"
    """What lies outside of the image: 0, its edge, or the image mirrored."""


class RandomHorizontalFlip(_Flip):
    """Mirrors left and right.

    - RandomHorizontalFlip
    """


class RandomVerticalFlip(_Flip):
    """Mirrors top and bottom.

    - RandomVerticalFlip
    """


class RandomRotation(_Warp):
    """Turns around the middle, by an angle from −degrees to degrees, or within the two.

    - RandomRotation: {degrees: 10}
    """

    degrees: Degrees
    """Angle in degrees: a range, or how far to both sides of 0."""
    align_corners: Bool = True


class RandomRotation90(_Warp):
    """Turns around the middle by so many quarters of a turn; the size stays.

    - RandomRotation90: {times: [0, 3]}
    """

    times: Annotated[tuple[int, int], whole_interval(-3, 3)]
    """Range of the number of quarter turns; negative ones turn the other way."""
    align_corners: Bool = True


class RandomAffine(_PaddedWarp):
    """Turns, moves by up to a part of width and height, scales and shears, all at once.

    - RandomAffine: {degrees: 10, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5}
    """

    degrees: Degrees
    """Angle in degrees: a range, or how far to both sides of 0; 0 does not turn."""
    translate: Annotated[
        tuple[float, float] | None,
        Wants(
            "a list of two numbers from 0 to 1, or null",
            optional(core_schema.tuple_schema([number(0, 1)] * 2)),
        ),
    ] = None
    """Largest moves, as parts of the width and of the height; null does not move."""
    scale: Annotated[
        tuple[float, float] | tuple[float, float, float, float] | None,
        Wants(
            "a list of two numbers above 0, or of four, for x and for y; or null",
            optional(
                either(
                    core_schema.tuple_schema([positive()] * 2),
                    core_schema.tuple_schema([positive()] * 4),
                )
            ),
        ),
    ] = None
    """Range of the factor of the size, or a range for x and one for y; null keeps the size."""
    shear: Annotated[Shear | None, Wants(f"{SHEAR_PHRASE}; or null", optional(SHEAR))] = None
    """Angle in degrees along x: how far around 0, or a range; four are also for y. null: none."""
    fill_value: Annotated[float | None, Wants("a number or null", optional(number()))] = None
    """It changes nothing: kornia takes it with a padding mode that is not offered here."""


class RandomShear(_PaddedWarp):
    """Shears along x, and with four numbers along y as well, by angles in degrees.

    - RandomShear: {shear: 10}
    """

    shear: Annotated[Shear, Wants(SHEAR_PHRASE, SHEAR)]
    """Angle in degrees along x: how far around 0, or a range; four numbers also for y."""


class RandomTranslate(_PaddedWarp):
    """Moves by a part of the width, translate_x, and of the height, translate_y.

    - RandomTranslate: {translate_x: [-0.1, 0.1], translate_y: [-0.1, 0.1]}
    """

    translate_x: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    """Range of the move, as a part of the width; null does not move along x."""
    translate_y: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    """Range of the move, as a part of the height; null does not move along y."""


class RandomPerspective(_Warp):
    """Moves the four corners, each by up to this part of half the size.

    - RandomPerspective: {distortion_scale: 0.3}
    """

    last = f"{_Warp.last} sampling_method"

    distortion_scale: Annotated[float, between(0, 1)] = 0.5
    """How far corners move, as a part of half the size; 0 moves none."""
    sampling_method: Annotated[str, one_of("basic", "area_preserving")] = "basic"
    """Where corners move: inwards (basic), or any way, which keeps the area on average."""


class RandomThinPlateSpline(Drawn):
    """Bends, as a thin plate whose corners and middle are moved by up to `scale` of half the size.

    - RandomThinPlateSpline: {scale: 0.1}
    """

    scale: Annotated[float, between(0, 1)] = 0.2
    """How far the corners and the middle move, as a part of half the size; 0 moves none."""
    align_corners: Bool = False
    """Whether −1 and 1 are the middles of the outermost pixels, or the outer borders of these."""
    padding_mode: SamplePadding = "ZEROS"
    """What lies outside of the image: 0, its edge, or the image mirrored."""


class RandomElasticTransform(_PaddedWarp):
    """Simard et al. 2003: moves each place by noise that is blurred, `alpha` times as far.

    - RandomElasticTransform: {kernel_size: [9, 9], sigma: [4, 4]}
    """

    last = "align_corners resample padding_mode same_on_batch p keepdim"

    kernel_size: Kernel = (63, 63)
    """Height and width of the window that blurs the moves, odd."""
    sigma: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers above 0, along y and x",
            core_schema.tuple_schema([number(1e-3)] * 2),
        ),
    ] = (32.0, 32.0)
    """Deviation of the blur along y and x, in pixels; more moves less, and more smoothly."""
    alpha: Annotated[
        tuple[float, float],
        Wants("a list of two numbers, along x and y", core_schema.tuple_schema([number()] * 2)),
    ] = (1.0, 1.0)
    """How far places move along x and y; 1 is at most half the size, and far less when blurred."""
    padding_mode: Annotated[str, one_of("zeros", "border", "reflection")] = "zeros"
    """What lies outside of the image: 0, its edge, or the image mirrored."""


class RandomFisheye(Drawn):
    """Bends as a wide lens does, around a middle within ranges, from −1 to 1, by a power `gamma`.

    - RandomFisheye: {center_x: [-0.3, 0.3], center_y: [-0.3, 0.3], gamma: [0.9, 1.1]}
    """

    tensors = ("center_x", "center_y", "gamma")

    center_x: Annotated[tuple[float, float], interval()]
    """Range of the middle along x: −1 is the left border, 1 the right one."""
    center_y: Annotated[tuple[float, float], interval()]
    """Range of the middle along y: −1 is the top border, 1 the bottom one."""
    gamma: Annotated[tuple[float, float], interval()]
    """Range of the power of the distance by which places move; larger bends the outside more."""
