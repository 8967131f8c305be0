"""Pictures with targets that lie on them, read one by one."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from netbuild.components.datasets.dataset import DataError, Row, Sample, Size
from netbuild.components.datasets.decoding import decoded, pixels, size_of
from netbuild.components.target import Target
from netbuild.components.tensor import times

if TYPE_CHECKING:
    import numpy as np


class OnPicture(Protocol):
    """The targets of one kind, such as the masks of all images."""

    def declared(self, size: Size) -> Target | None:
        """Return the description of the target of an image of this height and width."""

    def of(self, index: int, image: str, size: Size) -> "np.ndarray[Any, Any]":
        """Return the target of an image; `size` is the size of the image as it is stored.

        Raises:
            DataError: the target cannot be read, or does not fit the image.
        """


class Pictures:
    """Images and their targets as samples.

    Args:
        files: the files of the images.
        targets: the targets by their names, in the order of the source.
        wanted: the sample that the network and its losses need.
        size: the height and width to which the images are resized; None keeps their sizes.
    """

    def __init__(
        self,
        files: tuple[str, ...],
        targets: Mapping[str, OnPicture],
        wanted: Sample,
        size: Size | None,
    ) -> None:
        self.files, self.on_picture, self.wanted, self.size = files, targets, wanted, size
        #: The name and the size of the first image that can be read. All have this size.
        self.first: tuple[str, Size] | None = None
        if size is None:
            self.first = next(filter(None, map(_size, files)), None)

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Row:
        file = self.files[index]
        picture = decoded(file)
        came = (picture.height, picture.width)
        if self.first is not None and came != self.first[1]:
            self._refuse(file, came)
        image = pixels(picture, self.wanted.inputs[0], self.size)
        return (image,), self._targets(index, came)

    def targets(self) -> "tuple[np.ndarray[Any, Any], ...]":
        """Return each target of all samples."""
        return self.block_targets(range(len(self)))

    def block_targets(self, indices: Iterable[int]) -> "tuple[np.ndarray[Any, Any], ...]":
        """Return the targets of some samples. Of the images, only the headers are read.

        Raises:
            DataError: a target cannot be read, or does not fit its image.
        """
        import numpy as np

        rows = []
        for index in indices:
            file = self.files[index]
            size = size_of(Path(file))
            if size is None:
                picture = decoded(file)
                size = (picture.height, picture.width)
            rows.append(self._targets(index, size))
        return tuple(map(np.stack, zip(*rows, strict=True)))

    def _targets(self, index: int, size: Size) -> "tuple[np.ndarray[Any, Any], ...]":
        file = self.files[index]
        return tuple(target.of(index, file, size) for target in self.on_picture.values())

    def _refuse(self, file: str, came: Size) -> None:
        """Refuse an image that differs in size from the first one.

        Raises:
            DataError: always.
        """
        assert self.first is not None
        first, other = (f"{name} has {times(size)}" for name, size in (self.first, (file, came)))
        shape = self.wanted.inputs[0].shape
        height, width = shape[1:] if len(shape) == 3 else came
        help_ = f"bring them to one size: resize: [{height}, {width}]"
        raise DataError(f"its pictures differ in size: {first}, and {other}", None, help_)


def _size(file: str) -> tuple[str, Size] | None:
    """Return a file with the size of its picture; None if it cannot be read."""
    try:
        picture = decoded(file)
    except DataError:  # it is reported when all samples are read
        return None
    return file, (picture.height, picture.width)
