"""The contract of an augmentation: which images it takes, and what becomes of their shape."""

from typing import Any, ClassVar

from netbuild.components.augmentations.ranges import Resample
from netbuild.components.component import Component
from netbuild.components.fields import Bool, Probability
from netbuild.components.tensor import Shape, ShapeError, times


class Augmentation(Component):
    """An augmentation of `kornia.augmentation`: by default of any images, which keep their size.

    A rule is given the shape of an image, (C, H, W), and gives that of the changed one.
    """

    #: The module of kornia that has it.
    home: ClassVar[str] = "kornia.augmentation"
    #: The fields that kornia takes as tensors.
    tensors: ClassVar[tuple[str, ...]] = ()
    last = "same_on_batch p keepdim"

    @property
    def channels(self) -> tuple[int, ...]:
        """The numbers of channels that it takes; none where it takes any."""
        return ()

    def apply(self, x: Shape) -> Shape:
        """Return what becomes of the shape of an image that is checked.

        Raises:
            ShapeError: it takes no such image.
        """
        if len(x) != 3:
            message = f"it changes images, C×H×W, and the samples are {times(x)}"
            raise ShapeError("NB501", message)
        if self.channels and x[0] not in self.channels:
            wanted = " or ".join(map(str, self.channels))
            plural = "s" * (self.channels != (1,))
            message = f"it takes images of {wanted} channel{plural}, and these have {x[0]}"
            raise ShapeError("NB501", message)
        y = self.shape(x)
        if y != x and getattr(self, "p", 1) != 1:
            message = f"it must be 1: what is left as it is stays {times(x)} beside {times(y)}"
            raise ShapeError("NB501", message, at="p")
        return y

    def shape(self, x: Shape) -> Shape:
        """Return what becomes of the shape of an image.

        Raises:
            ShapeError: the image is too small, or of no size that it takes.
        """
        return x

    def arguments(self) -> dict[str, Any]:
        """Return what kornia's constructor is given, but for what it wants as tensors."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def expect_at_least(self, x: Shape, height: int, width: int, at: str | None = None) -> None:
        """Refuse an image that is too small.

        Raises:
            ShapeError: says how large it has to be.
        """
        if x[1] < height or x[2] < width:
            message = f"it takes images of at least {height}×{width}, and these are {x[1]}×{x[2]}"
            raise ShapeError("NB501", message, at=at)


class OfColour(Augmentation):
    """An augmentation of images in red, green and blue."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Red, green and blue."""
        return (3,)


class Shaped(Augmentation):
    """An augmentation that kornia may give without the axis of the batch."""

    keepdim: Bool = False
    """Whether a single image stays without a batch axis; it does nothing to batches."""


class Drawn(Shaped):
    """An augmentation that draws how it changes an image."""

    same_on_batch: Bool = False
    """Whether all images of a batch are changed alike; false draws for each image anew."""
    p: Probability = 0.5
    """Probability with which an image is changed: 0 is never, 1 is always."""


class Sampled(Augmentation):
    """An augmentation that reads the image between its pixels."""

    resample: Resample = "BILINEAR"
    """How values between pixels are found: bicubic is smoothest, nearest takes a pixel's own."""
    align_corners: Bool = False
    """Whether −1 and 1 are the middles of the outermost pixels, or the outer borders of these."""
