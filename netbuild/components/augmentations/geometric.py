"""Geometric: rotates, moves and bends images.

Pixels from outside the image are 0, unless `padding_mode` says otherwise.
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
from netbuild.components.tensor import Shape


class _Moving(Drawn):
    """Changes where pixels are."""

    geometric = True


class _Flip(_Moving):
    """Mirrors an image."""

    last = "p p_batch same_on_batch keepdim"

    p_batch: Probability = 1.0
    """Probability that a batch is changed at all; then p decides for each image."""

    def scales(self, x: Shape, target: Shape) -> bool:  # noqa: ARG002
        """Whether it moves a target of other height and width alike: a mirror has no size."""
        return True


class _Warp(Sampled, _Moving):
    """Reads each pixel of the result at a moved place in the image."""

    last = "resample same_on_batch align_corners padding_mode fill_value p keepdim"

    def fills(self, x: Shape) -> bool:
        """Whether it reads places outside of the image, where kornia has 0."""
        return self.moves(x) and getattr(self, "padding_mode", "zeros").lower() == "zeros"


class _PaddedWarp(_Warp):
    """Can read places outside of the image."""

    padding_mode: SamplePadding = "ZEROS"
    """Values outside of the image: 0, its edge, or the mirrored image."""


class _Turn(_Warp):
    """Rotates around the centre."""

    def scales(self, x: Shape, target: Shape) -> bool:
        """Whether it moves a target of other height and width alike: with the same ratio."""
        return x[-2] * target[-1] == x[-1] * target[-2]


class _Bend(_Moving):
    """Bends an image, and nothing else: kornia reads each pixel between its neighbours."""

    carries = ()
    holds = "kornia bends images only"


class RandomHorizontalFlip(_Flip):
    """Mirrors left and right.

    - RandomHorizontalFlip
    """


class RandomVerticalFlip(_Flip):
    """Mirrors top and bottom.

    - RandomVerticalFlip
    """


class RandomRotation(_Turn):
    """Rotates around the centre, by an angle from −degrees to degrees or within a range.

    - RandomRotation: {degrees: 10}
    """

    degrees: Degrees
    """Angle in degrees: a range, or the reach to both sides of 0."""
    align_corners: Bool = True


class RandomRotation90(_Turn):
    """Rotates around the centre by a number of quarter turns; the size stays.

    - RandomRotation90: {times: [0, 3]}
    """

    times: Annotated[tuple[int, int], whole_interval(-3, 3)]
    """Range of the number of quarter turns; negative ones turn the other way."""
    align_corners: Bool = True

    def fills(self, x: Shape) -> bool:
        """Whether a turned image leaves corners empty: where it is no square."""
        return x[1] != x[2] and super().fills(x)


class RandomAffine(_PaddedWarp):
    """Rotates, moves, scales and shears in one step.

    - RandomAffine: {degrees: 10, translate: [0.1, 0.1], scale: [0.9, 1.1], shear: 5}
    """

    degrees: Degrees
    """Angle in degrees: a range, or the reach to both sides of 0; 0 does not rotate."""
    translate: Annotated[
        tuple[float, float] | None,
        Wants(
            "a list of two numbers from 0 to 1, or null",
            optional(core_schema.tuple_schema([number(0, 1)] * 2)),
        ),
    ] = None
    """Largest moves, as shares of the width and of the height; null does not move."""
    scale: Annotated[
        tuple[float, float] | tuple[float, float, float, float] | None,
        Wants(
            "a list of two numbers above 0, or of four for x and y; or null",
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
    """Angle in degrees along x: the reach around 0 or a range; four numbers add y; null: none."""
    fill_value: Annotated[float | None, Wants("a number or null", optional(number()))] = None
    """No effect: kornia uses it in a padding mode that netbuild lacks."""


class RandomShear(_PaddedWarp):
    """Shears along x, with four numbers also along y, by angles in degrees.

    - RandomShear: {shear: 10}
    """

    shear: Annotated[Shear, Wants(SHEAR_PHRASE, SHEAR)]
    """Angle in degrees along x: the reach around 0 or a range; four numbers also set y."""


class RandomTranslate(_PaddedWarp):
    """Moves by a share of the width (translate_x) and of the height (translate_y).

    - RandomTranslate: {translate_x: [-0.1, 0.1], translate_y: [-0.1, 0.1]}
    """

    translate_x: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    """Range of the move, as a share of the width; null does not move along x."""
    translate_y: Annotated[tuple[float, float] | None, optional_interval(-1, 1)] = None
    """Range of the move, as a share of the height; null does not move along y."""


class RandomPerspective(_Warp):
    """Moves each of the four corners by up to distortion_scale of half the size.

    - RandomPerspective: {distortion_scale: 0.3}
    """

    last = f"{_Warp.last} sampling_method"

    distortion_scale: Annotated[float, between(0, 1)] = 0.5
    """Largest move of a corner, as a share of half the size; 0 moves none."""
    sampling_method: Annotated[str, one_of("basic", "area_preserving")] = "basic"
    """Direction of the moves: inwards (basic), or any, which keeps the area on average."""


class RandomThinPlateSpline(_Bend):
    """Bends like a thin plate; its corners and centre move by up to `scale` of half the size.

    - RandomThinPlateSpline: {scale: 0.1}
    """

    scale: Annotated[float, between(0, 1)] = 0.2
    """Largest move of the corners and the centre, as a share of half the size; 0 moves none."""
    align_corners: Bool = False
    """Whether −1 and 1 are the centres of the outermost pixels; false means their outer borders."""
    padding_mode: SamplePadding = "ZEROS"
    """Values outside of the image: 0, its edge, or the mirrored image."""


class RandomElasticTransform(_PaddedWarp):
    """Moves each place by blurred noise times `alpha`. Simard et al. 2003.

    - RandomElasticTransform: {kernel_size: [9, 9], sigma: [4, 4]}
    """

    last = "align_corners resample padding_mode same_on_batch p keepdim"
    carries = ("mask", "picture")
    holds = "its noise tells where each pixel comes from, and not where a point goes"

    kernel_size: Kernel = (63, 63)
    """Height and width of the window that blurs the moves, odd."""
    sigma: Annotated[
        tuple[float, float],
        Wants(
            "a list of two numbers above 0, along y and x",
            core_schema.tuple_schema([number(1e-3)] * 2),
        ),
    ] = (32.0, 32.0)
    """Deviation of the blur along y and x, in pixels; larger ones give smaller, smoother moves."""
    alpha: Annotated[
        tuple[float, float],
        Wants("a list of two numbers, along x and y", core_schema.tuple_schema([number()] * 2)),
    ] = (1.0, 1.0)
    """Factor of the moves along x and y; 1 is at most half the size, far less after the blur."""
    padding_mode: Annotated[str, one_of("zeros", "border", "reflection")] = "zeros"
    """Values outside of the image: 0, its edge, or the mirrored image."""


class RandomFisheye(_Bend):
    """Bends like a fisheye lens, around a random centre, by a power `gamma`.

    - RandomFisheye: {center_x: [-0.3, 0.3], center_y: [-0.3, 0.3], gamma: [0.9, 1.1]}
    """

    tensors = ("center_x", "center_y", "gamma")

    center_x: Annotated[tuple[float, float], interval()]
    """Range of the centre along x: −1 is the left border, 1 the right border."""
    center_y: Annotated[tuple[float, float], interval()]
    """Range of the centre along y: −1 is the top border, 1 the bottom border."""
    gamma: Annotated[tuple[float, float], interval()]
    """Range of the power of a place's distance; a larger power bends the outside more."""
