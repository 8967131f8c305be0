"""Images in folders; each folder has the name of a class."""

from pathlib import Path

from netbuild.components.datasets.array_files import readable
from netbuild.components.datasets.conversion import target_of
from netbuild.components.datasets.dataset import DataError, Dataset, Declared, Sample, Samples, Size
from netbuild.components.datasets.decoding import MAX_PIXELS, SUFFIXES, channels, listed, size_of
from netbuild.components.datasets.fields import FolderPath
from netbuild.components.datasets.paths import has_folder
from netbuild.components.tensor import Tensor, product, times


class ImageFolder(Dataset):
    """A folder that contains a folder of images for each class; images are C×H×W, from 0 to 1.

    Classes are numbered in the order of their names. Images become grey, RGB or RGBA if the network
    reads 1, 3 or 4 channels. If they differ in size, `resize` brings them to one size. If there is
    a folder train that contains the folders of the classes, it holds the training samples. The
    folders next to train, such as test, are splits with the same classes.

    data: {ImageFolder: data/photos}
    """

    paths = ("folder",)
    resizes = True

    folder: FolderPath
    """Path of the folder that holds the folders of the classes."""

    def count(self) -> int | None:
        return len(self._listed(None)[1]) if has_folder(self.folder) else None

    def sample(self, wanted: Sample) -> Declared:
        if not has_folder(self.folder):
            return Declared((None,), {"target": None})
        classes, files = self._listed(None)
        target = target_of(Tensor((), "int64"), wanted.target, len(classes))
        size = size_of(Path(files[0][0]))  # the other images have this size too, or must be resized
        if size and product(size) > MAX_PIXELS:
            message = f"{files[0][0]} has {times(size)} pixels; at most {MAX_PIXELS:,} are read"
            raise DataError(message, "folder")
        image = Tensor((channels(wanted.inputs[0]), *size)) if size else None
        return Declared((image,), {"target": target})

    def check_split(self, split: str) -> None:
        if has_folder(self.folder):
            self._root(split)

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        return self._listed(None)[0] if has_folder(self.folder) else None

    def open(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Samples:
        import datasets  # type: ignore[import-untyped]

        from netbuild.components.datasets.columns import Columns
        from netbuild.components.datasets.tables import RowReader, Rows

        classes, files = self._listed(split)
        names = self._listed(None)[0]
        unknown = [name for name in classes if name not in names]
        if unknown:
            message = f"{self._root(split)} has a class {unknown[0]}, and {self._root()} does not"
            raise DataError(message, "folder")
        features = datasets.Features(
            image=datasets.Image(), label=datasets.ClassLabel(names=[*names])
        )
        paths = [path for path, _ in files]
        labels = [names.index(classes[number]) for _, number in files]
        table = datasets.Dataset.from_dict({"image": paths, "label": labels}, features)
        columns = Columns(features, ("image",), {"target": "label"})
        one = wanted._replace(inputs=wanted.inputs[:1])
        counts = {"target": len(names)}
        return Rows(table, RowReader(columns, one, size, classes=counts, files=paths))

    def _root(self, split: str | None = None) -> Path:
        """Return the folder that holds the classes of a split.

        Raises:
            DataError: there is no such split.
        """
        folder = Path(self.folder)
        train = folder / "train"
        if not (train.is_dir() and any(path.is_dir() for path in train.iterdir())):
            self.without_splits(split)
            return folder
        found = folder / (split or "train")
        if not found.is_dir():
            splits = sorted(path.name for path in folder.iterdir() if path.is_dir())
            message = f"{folder} has no split {split}"
            raise DataError(message, "folder", f"its splits are {', '.join(splits)}")
        return found

    def _listed(self, split: str | None) -> tuple[tuple[str, ...], tuple[tuple[str, int], ...]]:
        """Return the classes of a split, and its files with the numbers of their classes.

        Raises:
            DataError: the folder does not exist, or lacks classes or images.
        """
        if not has_folder(self.folder):
            raise DataError(f"there is no folder {self.folder}", "folder")
        with readable(Path(self.folder)):
            root = self._root(split)
            classes, files = listed(root)
        if not classes:
            help_ = f"put the images of each class into a folder: {root}/cat/1.png"
            raise DataError(f"{root} has no folders of classes", "folder", help_)
        filled = {number for _, number in files}
        empty = next((name for n, name in enumerate(classes) if n not in filled), None)
        if empty is not None:
            help_ = f"their names end in {', '.join(sorted(SUFFIXES))}"
            raise DataError(f"{root / empty} has no images", "folder", help_)
        return classes, files
