"""Filtering: blurs, sharpens and compresses images."""

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
    """Combines a window of `kernel_size` around each place; `border_type` pads the border."""

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must be at least as large as its padding."""
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
    """Values outside of the image: 0, the mirrored image, its edge, or its other side."""


class RandomBoxBlur(_Bordered):
    """Blurs with the mean of a window.

    - RandomBoxBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Size = (3, 3)
    """Height and width of the window; larger ones blur more."""
    normalized: Bool = True
    """Whether each axis is filtered separately, which is faster; the result is the same."""


class RandomGaussianBlur(_Bordered):
    """Blurs with a mean weighted by a normal distribution of deviation sigma.

    - RandomGaussianBlur: {kernel_size: [3, 3], sigma: [0.1, 2]}
    """

    kernel_size: SideOrKernel
    """Height and width of the window, odd; about six sigmas are enough."""
    sigma: Annotated[tuple[float, float], positive_interval()]
    """Range of the deviation, in pixels; a larger deviation blurs more."""
    separable: Bool = True
    """Whether each axis is filtered separately, which is faster; the result is the same."""


class RandomMedianBlur(_Filter):
    """Blurs with the median of a window.

    - RandomMedianBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Kernel = (3, 3)
    """Height and width of the window, odd; larger ones remove more detail."""


class RandomMotionBlur(_Bordered):
    """Blurs along a line, like a moving camera; `direction` weights the ends of the line.

    - RandomMotionBlur: {kernel_size: 5, angle: 35, direction: 0.5}
    """

    kernel_size: Lengths
    """Length of the motion in pixels, odd, or its range; a longer motion blurs more."""
    angle: Degrees
    """Direction of the motion in degrees, counterclockwise: a range, or the reach around 0."""
    direction: Annotated[float | tuple[float, float], around(1, -1, 1)]
    """Weight of the line's ends, −1 to 1, even at 0: a range, or the reach around 0."""
    border_type: BorderType = "CONSTANT"
    resample: Resample = "NEAREST"
    """Interpolation between pixels when the line is rotated."""

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must be at least as large as its padding."""
        longest = self.kernel_size[1] if isinstance(self.kernel_size, tuple) else self.kernel_size
        return super(RandomMotionBlur, self.model_copy(update={"kernel_size": longest})).shape(x)


class RandomSharpness(Drawn):
    """Sharpens by a factor, from 0 to `sharpness` or within a range; 1 changes nothing, 0 blurs.

    - RandomSharpness: {sharpness: [0.5, 1.5]}
    """

    sharpness: Annotated[float | tuple[float, float], around(None, 0)] = 0.5
    """Factor of the sharpness: a range, or the upper bound from 0; 1 changes nothing, 0 blurs."""

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image, which must be at least 3×3."""
        self.expect_at_least(x, 3, 3)
        return x


class RandomJPEG(OfColour, Drawn):
    """Compresses like JPEG, with a quality within a range, or around 50.

    - RandomJPEG: {jpeg_quality: [30, 95]}
    """

    jpeg_quality: Annotated[float | tuple[float, float], around(50, 1, 100)] = 50.0
    """Quality from 1 to 100: a range, or the reach around 50; a lower quality shows more blocks."""
    p: Probability = 1.0
