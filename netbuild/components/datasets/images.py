"""Images in folders: with a folder for each class, or with masks and other targets beside them."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import PrivateAttr, field_validator

from netbuild.components.datasets.array_files import readable
from netbuild.components.datasets.broken import broken, expect_broken
from netbuild.components.datasets.conversion import target_of
from netbuild.components.datasets.coordinates import Coordinates, coordinates
from netbuild.components.datasets.dataset import (
    ONE_TARGET,
    DataError,
    Dataset,
    Declared,
    Geometry,
    Sample,
    Samples,
    Size,
)
from netbuild.components.datasets.decoding import MAX_PIXELS, SUFFIXES, channels, listed, size_of
from netbuild.components.datasets.fields import FolderPath, OptionalFile, OptionalFolder
from netbuild.components.datasets.masks import Masks
from netbuild.components.datasets.pairs import Files, paired, pictures_by_name
from netbuild.components.datasets.paths import has_file, has_folder
from netbuild.components.datasets.pictures import OnPicture, Pictures
from netbuild.components.datasets.target_pictures import TargetPictures
from netbuild.components.fields import Bool, OptionalCount, unwanted
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor, product, times

#: The fields that name targets, and how these lie on the picture.
_KINDS: Mapping[str, Geometry] = MappingProxyType(
    {"masks": "mask", "targets": "picture", "boxes": "boxes", "points": "points"}
)
#: The fields that name folders of pictures.
_FOLDERS = ("masks", "targets")
#: The most pixels and the most files that a check reads to find wrong masks.
_MOST_READ, _MOST_FILES = 1 << 22, 16


class ImageFolder(Dataset):
    """Images with classes, masks, pictures, boxes or points. Images are C×H×W, from 0 to 1.

    By default, the folder contains a folder of images for each class. Classes are numbered in the
    order of their names. With `masks`, `targets`, `boxes` or `points`, it contains the images
    themselves, in subfolders too. Several of these fields are several targets with their names.

    An image and its mask or target have the same path in their folders, without the ending of the
    name: images/a.jpg and masks/a.png. A mask has the size of its image. Its grey values, or the
    indices into its palette, are the class numbers, below `classes`. With two classes, a mask of 0
    and 255 is read as 0 and 1. A target is a picture from 0 to 1, and may have another size than
    its image.

    The table of boxes has the columns file, x1, y1, x2, y2, and that of points file, x, y, in
    pixels from the left and the top edge. More boxes of a picture follow in more columns, or in
    more rows. Each picture has the same number of them.

    Images become grey, RGB or RGBA if the network reads 1, 3 or 4 channels. If they differ in size,
    `resize` brings them to one size, with masks, boxes and points. Targets get the size of the
    network's output. If there is a folder train, it holds the training samples. The folders next to
    train, such as test, are splits with the same classes. `skip_broken` leaves out what cannot be
    read.

    data: {ImageFolder: data/photos}
    """

    paths = ("folder", *_KINDS)
    resizes = True

    folder: FolderPath
    """Path of the folder that holds the folders of the classes, or the images."""
    masks: OptionalFolder = None
    """Path of the folder of the masks, which have a class at each pixel."""
    classes: OptionalCount = None
    """Number of classes in the masks."""
    targets: OptionalFolder = None
    """Path of the folder of the pictures that the network learns to make of the images."""
    boxes: OptionalFile = None
    """Path of the CSV file of the boxes in each image."""
    points: OptionalFile = None
    """Path of the CSV file of the points in each image."""
    skip_broken: Bool = False
    """Whether images that cannot be read are left out; the run lists them in broken.txt."""

    #: The broken images that `open` has left out, and those that a run has kept: for each split,
    #: the reasons by the names of the images.
    _broken: dict[str, dict[str, str]] = PrivateAttr(default_factory=dict)
    _decided: dict[str, dict[str, str]] = PrivateAttr(default_factory=dict)

    @field_validator("classes")
    @classmethod
    def _with_masks(cls, classes: Any, info: Any) -> Any:
        if classes is not None and info.data.get("masks") is None:
            raise unwanted("null without masks, because the folders are the classes")
        return classes

    @property
    def _fields(self) -> tuple[str, ...]:
        """The fields that name targets on the pictures."""
        return tuple(name for name in _KINDS if getattr(self, name) is not None)

    @property
    def target_names(self) -> tuple[str, ...]:
        return self._fields if len(self._fields) > 1 else ONE_TARGET

    @property
    def geometry(self) -> Mapping[str, Geometry]:
        kinds = [_KINDS[field] for field in self._fields]
        return dict(zip(self.target_names, kinds, strict=False))

    def count(self) -> int | None:
        if self.skip_broken or not self._is_there():
            return None
        return len(self._paired(None).images if self._fields else self._listed(None)[1])

    def sample(self, wanted: Sample) -> Declared:
        if self.masks is not None and self.classes is None:
            message = "masks need classes, the number of classes"
            reads = next(iter(wanted.targets.values()))
            count = reads.classes if isinstance(reads, Classes) else 2  # as the network has
            raise DataError(message, "masks", f"add classes: {count}")
        if not self._is_there():
            return Declared((None,), dict.fromkeys(self.target_names))
        if self._fields:
            return self._sample_on_picture(wanted)
        classes, files = self._listed(None)
        target = target_of(Tensor((), "int64"), wanted.target, len(classes))
        return Declared((self._image(files[0][0], wanted),), {"target": target})

    def _image(self, file: str, wanted: Sample) -> Tensor | None:
        """Return the description of an image; the others have its size, or must be resized.

        Raises:
            DataError: it has too many pixels.
        """
        size = size_of(Path(file))
        if size and product(size) > MAX_PIXELS:
            message = f"{file} has {times(size)} pixels; at most {MAX_PIXELS:,} are read"
            raise DataError(message, "folder")
        return Tensor((channels(wanted.inputs[0]), *size)) if size else None

    def _sample_on_picture(self, wanted: Sample) -> Declared:
        """Return the description of an image and its targets, and look at the first masks."""
        files = self._paired(None)
        image = self._image(files.images[0], wanted)
        on_picture = self._on_picture(files, wanted, wanted.size)
        self._look(files, on_picture)
        size = wanted.size or (image and image.shape[1:])
        targets = {
            name: one.declared((size[0], size[1])) if size else None
            for name, one in on_picture.items()
        }
        return Declared((image,), targets)

    def _look(self, files: Files, on_picture: Mapping[str, OnPicture]) -> None:
        """Refuse wrong targets among the first ones. Without pillow and numpy, none is read.

        Raises:
            DataError: names the first wrong target.
        """
        if not (find_spec("PIL") and find_spec("numpy")):
            return
        read = 0
        for index, file in enumerate(files.images[:_MOST_FILES]):
            size = size_of(Path(file))
            if size is None or (read := read + product(size)) > _MOST_READ:
                return
            try:
                for target in on_picture.values():
                    target.of(index, file, size)
            except DataError as error:
                if not (error.unreadable and self.skip_broken):
                    raise

    def check_split(self, split: str) -> None:
        if self._is_there():
            self._paired(split) if self._fields else self._root(split)

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        return None if self._fields or not self._is_there() else self._listed(None)[0]

    def open(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Samples:
        if self._fields:
            found = self._paired(split)
            if self.skip_broken:
                found = found.chosen(self._whole(split, found.each()))
            targets = self._on_picture(found, wanted, size, split)
            return Pictures(found.images, targets, wanted, size)
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
        if self.skip_broken:
            files = tuple(files[n] for n in self._whole(split, [(path,) for path, _ in files]))
        paths = [path for path, _ in files]
        labels = [names.index(classes[number]) for _, number in files]
        table = datasets.Dataset.from_dict({"image": paths, "label": labels}, features)
        columns = Columns(features, ("image",), {"target": "label"})
        one = wanted._replace(inputs=wanted.inputs[:1])
        counts = {"target": len(names)}
        return Rows(table, RowReader(columns, one, size, classes=counts, files=paths))

    def kept(self) -> Mapping[str, Any] | None:
        return {"broken": self._broken} if self.skip_broken else None

    def with_kept(self, kept: Mapping[str, Any]) -> "ImageFolder":
        found = self.model_copy()
        found._broken = {}  # noqa: SLF001  its own
        found._decided = expect_broken(kept) if self.skip_broken else {}  # noqa: SLF001
        return found

    def _whole(self, split: str | None, files: list[tuple[str, ...]]) -> list[int]:
        """Return the numbers of the samples without broken pictures.

        These are decided once: a run that continues leaves out the same ones.

        Raises:
            DataError: all are broken.
        """
        names = [Path(image).relative_to(self.folder).as_posix() for image, *_ in files]
        left_out = self._decided.get(split or "")
        if left_out is None:
            left_out = {names[n]: reason for n, reason in broken(files).items()}
        self._broken[split or ""] = left_out
        whole = [n for n, name in enumerate(names) if name not in left_out]
        if not whole:
            message = f"all {len(files):,} images are broken: {left_out[names[0]]}"
            raise DataError(message, "folder")
        return whole

    def _is_there(self) -> bool:
        """Whether all folders and files exist."""
        there = [
            has_folder(getattr(self, field), field)
            if field in ("folder", *_FOLDERS)
            else has_file(getattr(self, field), field)
            for field in ("folder", *self._fields)
        ]
        return all(there)

    def _on_picture(
        self, files: Files, wanted: Sample, size: Size | None, split: str | None = None
    ) -> dict[str, OnPicture]:
        """Return the targets of the images by their names.

        Raises:
            DataError: a table of boxes or points cannot be read, or lacks an image.
        """
        found: dict[str, OnPicture] = {}
        for field, name in zip(self._fields, self.target_names, strict=True):
            target = wanted.targets[name]
            if field == "masks":
                assert self.classes is not None
                found[name] = Masks(files.targets[field], self.classes, target, size)
            elif field == "targets":
                found[name] = TargetPictures(files.targets[field], target, resized=size is not None)
            else:
                folders = (self._root(split), Path(self.folder))
                numbers = coordinates(getattr(self, field), field, files.images, folders)
                found[name] = Coordinates(numbers, target, size)
        return found

    def _paired(self, split: str | None) -> Files:
        """Return the images of a split with the files of their targets.

        Raises:
            DataError: a folder does not exist, or an image or its target is alone.
        """
        if not self._is_there():
            fields = ("folder", *self._fields)
            field = next(name for name in fields if not Path(getattr(self, name)).exists())
            kind = "file" if field in {"boxes", "points"} else "folder"
            raise DataError(f"there is no {kind} {getattr(self, field)}", field)
        root = self._root(split)
        with readable(Path(self.folder)):
            images = pictures_by_name(root, "folder")
        found = {}
        for field in self._fields:
            if field not in _FOLDERS:
                continue
            folder = Path(getattr(self, field)) / root.relative_to(self.folder)
            if not has_folder(str(folder), field):
                raise DataError(f"there is no folder {folder}, and there is {root}", field)
            with readable(folder):
                found[field] = paired(images, pictures_by_name(folder, field), folder, field)
        return Files(tuple(images.values()), found)

    def _root(self, split: str | None = None) -> Path:
        """Return the folder that holds the images of a split.

        Raises:
            DataError: there is no such split.
        """
        folder = Path(self.folder)
        train = folder / "train"
        if not (train.is_dir() and any(path.is_dir() or self._fields for path in train.iterdir())):
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
