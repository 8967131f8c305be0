"""The inputs of a prediction: files, folders of images, and arrays."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from netbuild.components.datasets.decoding import SUFFIXES
from netbuild.components.files import below, kind, opened
from netbuild.diagnostics.exceptions import InputError, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator

Array: TypeAlias = "np.ndarray[Any, Any]"


class NamedArrays(NamedTuple):
    """An array for each input of a network, by the inputs' names."""

    arrays: dict[str, Array]


class Records(NamedTuple):
    """Rows of a table: a mapping for each, from the names of columns to values."""

    rows: list[dict[Any, Any]]


Input: TypeAlias = "str | Path | Array | NamedArrays | Records"


class InputSample(NamedTuple):
    """A sample of an input: its place, and an array for each input of the network.

    The place has `input`, the path of a file, and `index` where the input holds several samples.
    """

    place: dict[str, Any]
    inputs: tuple[Array, ...]

    def __str__(self) -> str:
        where = str(self.place.get("input", "the array"))
        return f"{where}, index {self.place['index']}" if "index" in self.place else where


def spread(given: Input) -> Iterator[Input | InputError]:
    """Yield an input itself, or the images in a folder and in its subfolders, or an error."""
    if isinstance(given, np.ndarray | NamedArrays | Records):
        yield given
        return
    path = Path(given)
    try:
        if kind(path) != "folder":
            opened(path).close()
            yield given
            return
        images = below(path, SUFFIXES)
    except OSError as error:
        yield UnreadableError(f"{given} cannot be read: {reason(error)}")
        return
    images = [f for f in images if not any(n[0] == "." for n in f.relative_to(path).parts)]
    yield from images
    if not images:
        yield UnreadableError(f"{path} is a folder without images")


def reason(error: Exception) -> str:
    """Return a short reason why a file cannot be read."""
    said = getattr(error, "strerror", None) or " ".join(str(error).split())[:200]
    return str(said or type(error).__name__)
