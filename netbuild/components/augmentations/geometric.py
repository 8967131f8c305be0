"""Geometric: images turned, moved and bent.

What comes from outside the image is 0, unless `padding_mode` says otherwise.
"""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.augmentations.ranges import (
    SHEAR,
    SHEAR_PHRASE,
    Degrees,
    Kernel,
    Resample,
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


class RandomHorizontalFlip(Augmentation):
    """Mirrors left and right.

    - RandomHorizontalFlip
    """

    p: Probability = 0.5
    p_batch: Probability = 1.0
    same_on_batch: Bool = False
    keepdim: Bool = False


class RandomVerticalFlip(Augmentation):
    """Mirrors top and bottom.

    - RandomVerticalFlip
    """

    p: Probability = 0.5
    p_batch: Probability = 1.0
    same_on_batch: Bool = False
    keepdim: Bool = False


class RandomRotation(Augmentation):
    """Turns around the middle, by an angle from −degrees to degrees, or within the two.

    - RandomRotation: {degrees: 10}
    """

    degrees: Degrees
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = True
    p: Probability = 0.5
    keepdim: Bool = False


class RandomRotation90(Augmentation):
    """Turns around the middle by so many quarters of a turn; the size stays.

    - RandomRotation90: {times: [0, 3]}
    """

    times: Annotated[tuple[int, int], whole_interval(-3, 3)]
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = True
    p: Probability = 0.5
    keepdim: Bool = False


class RandomAffine(Augmentation):
    """Turns, moves by up to a part of width and height, scales and shears, all at once.

    - RandomAffine: {degrees: 10, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5}
    """

    degrees: Degrees
    translate: Annotated[
        tuple[float, float] | None,
        Wants(
            "a list of two numbers from 0 to 1, or null",
            optional(core_schema.tuple_schema([number(0, 1)] * 2)),
        ),
    ] = None
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
    shear: Annotated[Shear | None, Wants(f"{SHEAR_PHRASE}; or null", optional(SHEAR))] = None
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = False
    padding_mode: SamplePadding = "ZEROS"
    fill_value: Annotated[float | None, Wants("a number or null", optional(number()))] = None
    p: Probability = 0.5
    keepdim: Bool = False


class RandomShear(Augmentation):
    """Shears along x, and with four numbers along y as well, by angles in degrees.

    - RandomShear: {shear: 10}
    """

    shear: Annotated[Shear, Wants(SHEAR_PHRASE, SHEAR)]
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = False
    padding_mode: SamplePadding = "ZEROS"
    p: Probability = 0.5
    keepdim: Bool = False


class RandomTranslate(Augmentation):
    """Moves by a part of the width, translate_x, and of the height, translate_y.

    - RandomTranslate: {translate_x: [-0.1, 0.1], translate_y: [-0.1, 0.1]}
    """

    translate_x: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    translate_y: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = False
    padding_mode: SamplePadding = "ZEROS"
    p: Probability = 0.5
    keepdim: Bool = False


class RandomPerspective(Augmentation):
    """Moves the four corners, each by up to this part of half the size.

    - RandomPerspective: {distortion_scale: 0.3}
    """

    distortion_scale: Annotated[float, between(0, 1)] = 0.5
    resample: Resample = "BILINEAR"
    same_on_batch: Bool = False
    align_corners: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False
    sampling_method: Annotated[str, one_of("basic", "area_preserving")] = "basic"


class RandomThinPlateSpline(Augmentation):
    """Bends, as a thin plate whose corners and middle are moved by up to `scale` of half the size.

    - RandomThinPlateSpline: {scale: 0.1}
    """

    scale: Annotated[float, between(0, 1)] = 0.2
    align_corners: Bool = False
    padding_mode: SamplePadding = "ZEROS"
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomElasticTransform(Augmentation):
    """Simard et al. 2003: moves each place by noise that is blurred, `alpha` times as far.

    - RandomElasticTransform: {kernel_size: [9, 9], sigma: [4, 4]}
    """

    kernel_size: Kernel = (63, 63)
    sigma: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers above 0, along y and x",
            core_schema.tuple_schema([number(1e-3)] * 2),
        ),
    ] = (32.0, 32.0)
    alpha: Annotated[
        tuple[float, float],
        Wants("a list of two numbers, along y and x", core_schema.tuple_schema([number()] * 2)),
    ] = (1.0, 1.0)
    align_corners: Bool = False
    resample: Resample = "BILINEAR"
    padding_mode: Annotated[str, one_of("zeros", "border", "reflection")] = "zeros"
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomFisheye(Augmentation):
    """Bends as a wide lens does, around a middle within ranges, from −1 to 1, by a power `gamma`.

    - RandomFisheye: {center_x: [-0.3, 0.3], center_y: [-0.3, 0.3], gamma: [0.9, 1.1]}
    """

    tensors = ("center_x", "center_y", "gamma")

    center_x: Annotated[tuple[float, float], interval()]
    center_y: Annotated[tuple[float, float], interval()]
    gamma: Annotated[tuple[float, float], interval()]
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False
