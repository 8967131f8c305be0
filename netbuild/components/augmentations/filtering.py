"""Filtering: images blurred, sharpened and compressed."""

from typing import Annotated

from netbuild.components.augmentations.augmentation import Augmentation, OfColour
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


class _Filter(Augmentation):
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


class RandomBoxBlur(_Filter):
    """Takes the mean of a window.

    - RandomBoxBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Size = (3, 3)
    border_type: BorderType = "reflect"
    normalized: Bool = True
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomGaussianBlur(_Filter):
    """Takes the mean of a window, weighed by a normal distribution of deviation sigma.

    - RandomGaussianBlur: {kernel_size: [3, 3], sigma: [0.1, 2]}
    """

    kernel_size: SideOrKernel
    sigma: Annotated[tuple[float, float], positive_interval()]
    border_type: BorderType = "reflect"
    separable: Bool = True
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomMedianBlur(_Filter):
    """Takes the median of a window.

    - RandomMedianBlur: {kernel_size: [3, 3]}
    """

    kernel_size: Kernel = (3, 3)
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False


class RandomMotionBlur(_Filter):
    """Takes the mean along a line, as of a camera that moves; `direction` weighs its ends.

    - RandomMotionBlur: {kernel_size: 5, angle: 35, direction: 0.5}
    """

    kernel_size: Lengths
    angle: Degrees
    direction: Annotated[float | tuple[float, float], around(1, -1, 1)]
    border_type: BorderType = "CONSTANT"
    resample: Resample = "NEAREST"
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, which is no smaller than what is laid around it."""
        longest = self.kernel_size[1] if isinstance(self.kernel_size, tuple) else self.kernel_size
        return super(RandomMotionBlur, self.model_copy(update={"kernel_size": longest})).shape(x)


class RandomSharpness(Augmentation):
    """Sharpens, by from 0 to this factor or within a range; 1 changes nothing, 0 blurs.

    - RandomSharpness: {sharpness: [0.5, 1.5]}
    """

    sharpness: Annotated[float | tuple[float, float], around(None, 0)] = 0.5
    same_on_batch: Bool = False
    p: Probability = 0.5
    keepdim: Bool = False

    def shape(self, x: Shape) -> Shape:
        """Return that of the image, in which a window of 3×3 has its place."""
        self.expect_at_least(x, 3, 3)
        return x


class RandomJPEG(OfColour):
    """Compresses as JPEG does, with a quality within a range, or so far around 50.

    - RandomJPEG: {jpeg_quality: [30, 95]}
    """

    jpeg_quality: Annotated[float | tuple[float, float], around(50, 1, 100)] = 50.0
    same_on_batch: Bool = False
    p: Probability = 1.0
    keepdim: Bool = False
