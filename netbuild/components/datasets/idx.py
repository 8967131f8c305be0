"""Images in the format of MNIST."""

import re
from pathlib import Path

from netbuild.components.datasets.array_files import StoredArray, read_idx, readable
from netbuild.components.datasets.conversion import (
    arrays_of,
    expect_classes,
    ignored,
    input_of,
    target_of,
)
from netbuild.components.datasets.dataset import DataError, Dataset, Declared, Loaded, Sample, Size
from netbuild.components.datasets.fields import FolderPath
from netbuild.components.datasets.paths import has_folder
from netbuild.components.fields import OptionalCount

#: The prefix of the file names of each split.
_PARTS = {None: "train", "train": "train", "test": "t10k"}


class Idx(Dataset):
    """A folder of IDX files, the format of MNIST: images 1×H×W, from 0 to 1, and classes.

    The files are train-images-idx3-ubyte and train-labels-idx1-ubyte. In the names of the split
    test, t10k replaces train. A file may be compressed, with .gz at the end of its name. By default
    `classes` are counted. Bytes become float32 from 0 to 1; other numbers become float32 unchanged.

    data: {Idx: data/mnist}
    """

    paths = ("folder",)

    folder: FolderPath
    """Path of the folder that holds the files."""
    classes: OptionalCount = None
    """Number of classes; null counts them."""

    def count(self) -> int | None:
        return self._stored(None)[0].shape[0] if any(self._files(None)) else None

    def sample(self, wanted: Sample) -> Declared:
        if not any(self._files(None)):
            return Declared((None,), {"target": None})
        images, labels = self._stored(None)
        classes = self._classes(labels, wanted)
        expect_classes(labels, wanted.target, classes, labels.path.name)
        target = target_of(labels.tensor, wanted.target, classes)
        return Declared((input_of(images.tensor, wanted.inputs[0]),), {"target": target})

    def check_split(self, split: str) -> None:
        if split not in _PARTS:
            self.without_splits(split)
        if any(self._files(split)):
            self._stored(split)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        images, labels = self._stored(split)
        classes = self._classes(self._stored(None)[1], wanted)
        names = (images.path.name, labels.path.name)
        read = wanted._replace(inputs=wanted.inputs[:1])
        arrays = (images.values(), labels.values())
        return arrays_of(arrays, names, read, {"target": classes})

    def _classes(self, labels: StoredArray, wanted: Sample) -> int | None:
        """Return the number of classes; count them if the file does not say it."""
        return self.classes or labels.classes(ignored(wanted.target))

    def _files(self, split: str | None) -> tuple[Path | None, Path | None]:
        """Return the files of images and labels; uncompressed files are preferred."""
        part = _PARTS.get(split)
        folder = Path(self.folder)
        with readable(folder):
            there = [*folder.iterdir()] if has_folder(self.folder) else []
        there.sort(key=lambda path: (path.suffix == ".gz", path.name))
        images, labels = (
            next(
                (p for p in there if re.fullmatch(rf"{part}-{what}[-.]idx\d-\w+(\.gz)?", p.name)),
                None,
            )
            for what in ("images", "labels")
        )
        return images, labels

    def _stored(self, split: str | None) -> tuple[StoredArray, StoredArray]:
        """Return the images and the labels of a split.

        Raises:
            DataError: a file is missing or damaged, or the files differ in length.
        """
        if split not in _PARTS:
            self.without_splits(split)
        found = []
        for what, rank, path in zip(("images", "labels"), (3, 1), self._files(split), strict=True):
            if path is None:
                if not has_folder(self.folder):
                    raise DataError(f"there is no folder {self.folder}", "folder")
                name = f"{_PARTS[split]}-{what}-idx{rank}-ubyte"
                raise DataError(f"{self.folder} has no file {name}, nor {name}.gz", "folder")
            found.append(read_idx(path))
        images, labels = found
        if images.shape[0] != labels.shape[0]:
            message = (
                f"{images.path.name} has {images.shape[0]:,} samples, and "
                f"{labels.path.name} has {labels.shape[0]:,}"
            )
            raise DataError(message, "folder")
        return images, labels
