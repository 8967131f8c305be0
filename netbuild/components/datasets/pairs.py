"""Pictures and what belongs to them: pairs by the names of their files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.decoding import SUFFIXES, pictures_in


class Files(NamedTuple):
    """The images of a split, and the pictures that are their targets, by the source's field."""

    images: tuple[str, ...]
    targets: dict[str, tuple[str, ...]]

    def each(self) -> list[tuple[str, ...]]:
        """Return all pictures of each sample."""
        return list(zip(self.images, *self.targets.values(), strict=True))

    def chosen(self, indices: Sequence[int]) -> "Files":
        """Return some of the samples."""
        targets = {field: tuple(files[n] for n in indices) for field, files in self.targets.items()}
        return Files(tuple(self.images[n] for n in indices), targets)


def pictures_by_name(folder: Path, field: str) -> dict[str, str]:
    """Return the pictures in a folder by their paths in it, without the endings of their names.

    Raises:
        DataError: there are no pictures, or two have the same name.
    """
    found: dict[str, str] = {}
    start = len(str(folder / "x")) - 1  # text is cut, because there may be a million of files
    for file in pictures_in(folder):
        name = file[start : file.rindex(".")].replace(os.sep, "/")
        if name in found:
            message = f"{found[name]} and {file} have the same name"
            raise DataError(message, field, "pairs are found by the name without its ending")
        found[name] = file
    if not found:
        help_ = f"their names end in {', '.join(sorted(SUFFIXES))}"
        raise DataError(f"{folder} has no images", field, help_)
    return found


def paired(
    images: Mapping[str, str], others: Mapping[str, str], folder: Path, field: str
) -> tuple[str, ...]:
    """Return the other picture of each image, in the order of the images.

    Args:
        images: the images by their names.
        others: the other pictures, such as masks, by their names.
        folder: the folder of the others.
        field: the field of the source that names this folder.

    Raises:
        DataError: an image or another picture is alone.
    """
    noun = {"masks": "mask", "targets": "target"}[field]
    alone = [file for name, file in images.items() if name not in others]
    if alone:
        example = next(iter(images))
        help_ = f"the {noun} of {images[example]} is {folder / example}.png: it has the same name"
        have = "have" if len(alone) > 1 else "has"
        message = f"{alone[0]}{more(alone, 'image')} {have} no {noun} in {folder}"
        raise DataError(message, field, help_)
    alone = [file for name, file in others.items() if name not in images]
    if alone:
        message = f"there is no image for {alone[0]}{more(alone, noun)}"
        raise DataError(message, field, f"remove the {noun}, or add an image with the same name")
    return tuple(others[name] for name in images)


def more(found: Sequence[object], noun: str) -> str:
    """Return how many there are besides the first one, which a message names.

    >>> more(["a", "b", "c"], "image")
    ' and 2 more images'
    """
    count = len(found) - 1
    return f" and {count:,} more {noun}{'s' * (count > 1)}" if count else ""
