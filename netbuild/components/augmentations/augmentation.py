"""The contract of an augmentation: the images that it takes, and the shape of its results."""

from typing import Any, ClassVar

from netbuild.components.augmentations.ranges import Resample
from netbuild.components.component import Component
from netbuild.components.fields import Bool, Probability
from netbuild.components.tensor import Shape, ShapeError, times


class Augmentation(Component):
    """An augmentation of `kornia.augmentation`. By default it keeps the size of any image.

    A rule takes the shape of an image, (C, H, W), and returns the shape of the changed image.
    """

    #: The module of kornia with this class.
    home: ClassVar[str] = "kornia.augmentation"
    #: The fields that kornia takes as tensors.
    tensors: ClassVar[tuple[str, ...]] = ()
    last = "same_on_batch p keepdim"
    #: Whether it changes where the pixels of an image are, and not only their values.
    geometric: ClassVar[bool] = False
    #: Whether it mixes the samples of a batch, and their targets.
    mixes: ClassVar[bool] = False
    #: What of a target it moves with the image, as `Dataset.geometry` calls it.
    carries: ClassVar[tuple[str, ...]] = ("mask", "picture", "boxes", "points")
    #: Why it cannot move the rest.
    holds: ClassVar[str] = ""

    def moves(self, x: Shape) -> bool:  # noqa: ARG002  others ask for the shape
        """Whether pixels of an image of this shape may come to other places."""
        return self.geometric and getattr(self, "p", 1) > 0

    def fills(self, x: Shape) -> bool:  # noqa: ARG002  others ask for the shape
        """Whether a changed image of this shape may have places from outside of the image.

        Their values are a number, and not the image's edge or its mirror image.
        """
        return False

    def scales(self, x: Shape, target: Shape) -> bool:
        """Whether it moves a target of other height and width alike: by default of the same."""
        return x[-2:] == target[-2:]

    @property
    def channels(self) -> tuple[int, ...]:
        """The numbers of channels that it takes; an empty tuple for any number."""
        return ()

    def apply(self, x: Shape) -> Shape:
        """Check an image's shape, and return the shape of the changed image.

        Raises:
            ShapeError: the augmentation does not take such an image.
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
            message = f"it must be 1: unchanged images are {times(x)}, and changed ones {times(y)}"
            raise ShapeError("NB501", message, at="p")
        return y

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the changed image.

        Raises:
            ShapeError: the image is too small, or has a size that the augmentation refuses.
        """
        return x

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of kornia's constructor, before `tensors` become tensors."""
        return {name: getattr(self, name) for name in type(self).model_fields}

    def expect_at_least(self, x: Shape, height: int, width: int, at: str | None = None) -> None:
        """Refuse an image that is too small.

        Raises:
            ShapeError: says the smallest size.
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
    """An augmentation whose result may lack the batch axis in kornia."""

    keepdim: Bool = False
    """Whether a single image stays without a batch axis; no effect on batches."""


class Drawn(Shaped):
    """An augmentation with random parameters."""

    same_on_batch: Bool = False
    """Whether all images of a batch are changed in the same way; false draws for each image."""
    p: Probability = 0.5
    """Probability that an image is changed: 0 is never, 1 is always."""


class Sampled(Augmentation):
    """An augmentation that interpolates between pixels."""

    resample: Resample = "BILINEAR"
    """Interpolation between pixels: bicubic is smoothest, nearest takes the nearest pixel."""
    align_corners: Bool = False
    """Whether −1 and 1 are the centres of the outermost pixels; false means their outer borders."""
