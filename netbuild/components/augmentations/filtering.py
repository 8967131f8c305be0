"""Filtering: images blurred, sharpened and compressed."""

from typing import Annotated

from netbuild.components.augmentations.augmentation import Drawn, OfColour
from netbuild.components.augmentations.ranges import (
    BorderType,
    Degrees,
    Kernel,
    Lengths,
    Resample,
    SideOrKernel,
    Size,
    around,
    positive_interval,
)
from netbuild.components.fields import Bool, Probability
from netbuild.components.tensor import Shape


class _Filter(Drawn):
    """Weighs a window of `kernel_size` around each place; the border is padded as `border_type`."""

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which is no smaller than what is laid around it."""
        size = getattr(self, "kernel_size", 1)
        window = size if isinstance(size, tuple) else (size, size)
        border = getattr(self, "border_type", "reflect").lower()
        if border in {"reflect", "circular"}:
            least = [n // 2 + (border == "reflect") for n in window]
            self.expect_at_least(x, least[0], least[1], "kernel_size")
        return x


class _Bordered(_Filter):
    """A window that reaches beyond the border."""

    last = f"border_type normalized separable resample {_Filter.last}"

    border_type: BorderType = "reflect"
    """What lies outside of the border: 0, the image mirrored, its edge, or its other side."""


class RandomBoxBlur(_Bordered):
    """Takes the mean of a window.

    - RandomBoxBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Size = (3, 3)
    """Height and width of the window; larger ones blur more."""
    normalized: Bool = True
    """Whether it goes along each axis by itself, which is faster; the result is the same."""


class RandomGaussianBlur(_Bordered):
    """Takes the mean of a window, weighed by a normal distribution of deviation sigma.

    - RandomGaussianBlur: {kernel_size: [3, 3], sigma: [0.1, 2]}
    """

    kernel_size: SideOrKernel
    """Height and width of the window, odd; it should hold about six sigmas."""
    sigma: Annotated[tuple[float, float], positive_interval()]
    """Range of the deviation, in pixels; more blurs more."""
    separable: Bool = True
    """Whether it goes along each axis by itself, which is faster; the result is the same."""


class RandomMedianBlur(_Filter):
    """Takes the median of a window.

    - RandomMedianBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Kernel = (3, 3)
    """Height and width of the window, odd; larger ones remove more detail."""


class RandomMotionBlur(_Bordered):
    """Takes the mean along a line, as of a camera that moves; `direction` weighs its ends.

    - RandomMotionBlur: {kernel_size: 5, angle: 35, direction: 0.5}
    """

    kernel_size: Lengths
    """Length of the motion in pixels, odd, or its range; longer ones blur more."""
    angle: Degrees
    """Direction of the motion in degrees, counterclockwise: a range, or how far around 0."""
    direction: Annotated[float | tuple[float, float], around(1, -1, 1)]
    """Which end of the line weighs more, −1 to 1, 0 being even: a range, or how far around 0."""
    border_type: BorderType = "CONSTANT"
    resample: Resample = "NEAREST"
    """How values between pixels are found when the line is turned."""

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which is no smaller than what is laid around it."""
        longest = self.kernel_size[1] if isinstance(self.kernel_size, tuple) else self.kernel_size
        return super(RandomMotionBlur, self.model_copy(update={"kernel_size": longest})).shape(x)


class RandomSharpness(Drawn):
    """Sharpens, by from 0 to this factor or within a range; 1 changes nothing, 0 blurs.

    - RandomSharpness: {sharpness: [0.5, 1.5]}
    """

    sharpness: Annotated[float | tuple[float, float], around(None, 0)] = 0.5
    """Factor of the sharpness: a range, or from 0 up to this; 1 changes nothing, 0 blurs."""

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, in which a window of 3×3 has its place."""
        self.expect_at_least(x, 3, 3)
        return x


class RandomJPEG(OfColour, Drawn):
    """Compresses as JPEG does, with a quality within a range, or so far around 50.

    - RandomJPEG: {jpeg_quality: [30, 95]}
    """

    jpeg_quality: Annotated[float | tuple[float, float], around(50, 1, 100)] = 50.0
    """Quality from 1 to 100: a range, or how far around 50; less shows more blocks."""
    p: Probability = 1.0
