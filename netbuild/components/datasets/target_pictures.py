"""Pictures as targets, such as a sharp picture for a blurred one."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError, Size
from netbuild.components.datasets.decoding import channels, decoded, pixels, size_of
from netbuild.components.target import Target, Values
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    import numpy as np


class TargetPictures:
    """The target pictures of images, (C, H, W) from 0 to 1.

    A target may have another size than its image: a network may enlarge what it reads. If the
    images are resized, the targets get the size of the network's output.

    Args:
        files: the target of each image.
        wanted: what the loss compares with.
        resized: whether `resize` brings the images to one size.
    """

    def __init__(self, files: tuple[str, ...], wanted: Target, *, resized: bool) -> None:
        self.files = files
        self.tensor = Tensor(wanted.tensor.shape)
        self.size: Size | None = None
        if resized and len(self.tensor.shape) == 3:
            self.size = self.tensor.shape[1], self.tensor.shape[2]
        #: The name and the size of the first target; if its header does not tell the size, of the
        #: first one that was read. All have this size.
        self.first: tuple[str, Size] | None = None
        if self.size is None and (told := size_of(Path(files[0]))):
            self.first = files[0], told

    def declared(self, size: Size) -> Target | None:
        """Return what a target is; None if its size is unknown before it is read."""
        found = self.size or (self.first and self.first[1])
        return Values((channels(self.tensor), *found)) if found else None

    def of(self, index: int, image: str, size: Size) -> "np.ndarray[Any, Any]":
        """Return the target of an image.

        Raises:
            DataError: the target cannot be read, or differs in size from the others.
        """
        file = self.files[index]
        picture = decoded(file)
        came = (picture.height, picture.width)
        self.first = self.first or (file, came)
        if self.size is None and came != self.first[1]:
            first, other = (f"{name} has {times(x)}" for name, x in (self.first, (file, came)))
            message = f"the targets differ in size: {first}, and {other}"
            raise DataError(message, "targets", "resize brings images and targets to one size each")
        return pixels(picture, self.tensor, self.size)
