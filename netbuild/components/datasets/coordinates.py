"""Boxes and points on pictures: a table with a row of coordinates for each picture."""

import csv
import math
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.array_files import readable
from netbuild.components.datasets.dataset import DataError, Size
from netbuild.components.datasets.lines import MAX_ROW, Rows
from netbuild.components.datasets.pairs import more
from netbuild.components.files import opened_text
from netbuild.components.target import Target, Values
from netbuild.components.tensor import product

if TYPE_CHECKING:
    import numpy as np

#: How many numbers describe one box, and one point.
NUMBERS = {"boxes": 4, "points": 2}
_HEADERS = {"boxes": "file,x1,y1,x2,y2", "points": "file,x,y"}


class Coordinates:
    """The boxes or the points of pictures, in pixels from the left and from the top.

    Args:
        numbers: the coordinates of each picture: x, y, x, y and so on.
        wanted: what the loss compares with.
        size: the height and width to which the pictures are resized; None keeps their sizes.
    """

    def __init__(
        self, numbers: tuple[tuple[float, ...], ...], wanted: Target, size: Size | None
    ) -> None:
        self.numbers, self.size = numbers, size
        shape, count = wanted.tensor.shape, len(numbers[0])
        self.shape = shape if product(shape) == count else (count,)

    def declared(self, size: Size) -> Target | None:
        """Return what the target is: all coordinates in the shape that the loss compares."""
        return Values(self.shape)

    def of(self, index: int, image: str, size: Size) -> "np.ndarray[Any, Any]":
        """Return the coordinates on an image that is stored in this size."""
        import numpy as np

        found = np.array(self.numbers[index])
        if self.size is not None:
            found[0::2] *= self.size[1] / size[1]
            found[1::2] *= self.size[0] / size[0]
        return found.astype("float32").reshape(self.shape)


def coordinates(
    path: str, field: str, images: Sequence[str], folders: Sequence[Path]
) -> tuple[tuple[float, ...], ...]:
    """Return the coordinates of each image from a table.

    Args:
        path: the table.
        field: the field that names it: boxes or points.
        images: the files of the images.
        folders: the folders that the names in the table may be relative to.

    Raises:
        DataError: the table cannot be read, has wrong cells, or lacks an image.
    """
    table = _table(path, field)
    starts = [len(str(folder / "x")) - 1 for folder in folders]
    named: list[str | None] = []
    for image in images:
        names = (image[start:].replace(os.sep, "/") for start in starts)
        named.append(next((name for name in names if name in table), None))
    alone = [image for image, name in zip(images, named, strict=True) if name is None]
    if alone:
        name = Path(alone[0]).relative_to(folders[0]).as_posix()
        have = "have" if len(alone) > 1 else "has"
        message = f"{alone[0]}{more(alone, 'image')} {have} no row in {path}"
        raise DataError(message, field, f"add a row that begins with {name}")
    others = table.keys() - {*named}  # such as those of other splits
    strange = [
        name
        for name in table
        if name in others and not any((folder / name).is_file() for folder in folders)
    ]
    if strange:
        files = f"{strange[0]}{more(strange, 'file')}"
        raise DataError(f"{path} names {files} that {folders[0]} does not have", field)
    return tuple(table[name] for name in named if name is not None)


def _table(path: str, field: str) -> dict[str, tuple[float, ...]]:
    """Return the numbers of each file in a table; several rows of a file follow one another."""
    with readable(Path(path)):
        status = Path(path).stat()
        found = _read(path, field, (status.st_mtime_ns, status.st_size))
    if isinstance(found, DataError):
        raise found
    return found


@lru_cache(maxsize=4)
def _read(
    path: str, field: str, _stamp: tuple[int, int]
) -> dict[str, tuple[float, ...]] | DataError:
    """Read a table, or say why it is not possible; an unchanged table is read once."""
    with readable(Path(path)), opened_text(path, newline="") as file:
        try:
            first = file.readline(MAX_ROW)
            file.seek(0)
            separator = max(",;\t", key=first.count)
            return _numbers(path, field, Rows(file, separator))
        except csv.Error as error:
            return DataError(f"{path} cannot be read: {error}", field)
        except DataError as error:
            return error


def _numbers(path: str, field: str, rows: Rows) -> dict[str, tuple[float, ...]]:
    header = next(rows, [])
    each, help_ = NUMBERS[field], f"its first line names the columns: {_HEADERS[field]}"
    if len(header) < 2 or _number(header[1]) is not None:
        raise DataError(f"{path} has no line of names above its numbers", field, help_)
    if (len(header) - 1) % each:
        what = "four numbers for each box" if field == "boxes" else "two numbers for each point"
        message = f"{path} has {len(header) - 1} columns of numbers, and needs {what}"
        raise DataError(message, field, help_)
    found: dict[str, tuple[float, ...]] = {}
    wrong: list[tuple[str, str | None]] = []
    for row in rows:
        if not row:
            continue
        values = [_number(cell) for cell in row[1:]]
        fault = _fault(field, header, row, values)
        if fault is not None:
            wrong.append((f"line {rows.line} of {path}: {fault[0]}", fault[1]))
        else:
            name = row[0].strip().replace("\\", "/")
            found[name] = found.get(name, ()) + tuple(v for v in values if v is not None)
    if wrong:
        message, advice = wrong[0]
        also = f"; there is a fault in{more(wrong, 'row').removeprefix(' and')}"
        raise DataError(message + also * (len(wrong) > 1), field, advice)
    _expect_equal(path, field, found)
    return found


def _fault(
    field: str, header: Sequence[str], row: Sequence[str], values: Sequence[float | None]
) -> tuple[str, str | None] | None:
    """Return what is wrong with a row, and what helps; None if nothing is."""
    if len(row) != len(header):
        return f"it has {len(row)} cells, and line 1 names {len(header)} columns", None
    for name, cell, value in zip(header[1:], row[1:], values, strict=True):
        if value is None:
            return f"{name.strip()} is {cell.strip() or 'empty'}, and must be a number", None
    if field == "boxes":
        for first in range(len(values) - 2):
            low, high = values[first], values[first + 2]
            if first % 4 < 2 and low is not None and high is not None and low > high:
                names = header[first + 1].strip(), header[first + 3].strip()
                message = f"{names[0]} is {low:g}, and {names[1]} is only {high:g}"
                return message, "a box is its left, top, right and bottom edge, in this order"
    return None


def _expect_equal(path: str, field: str, found: dict[str, tuple[float, ...]]) -> None:
    """Refuse pictures with different numbers of boxes or points.

    Raises:
        DataError: there are no rows, or two pictures differ.
    """
    if not found:
        raise DataError(f"{path} has no rows", field)
    first = next(iter(found))
    count = len(found[first])
    others = [name for name, numbers in found.items() if len(numbers) != count]
    if others:
        each = NUMBERS[field]
        counts = [len(found[name]) // each for name in (first, others[0])]
        message = f"{path} has {counts[0]} {field} for {first}, and {counts[1]} for {others[0]}"
        raise DataError(message, field, f"all pictures have the same number of {field}")


def _number(cell: str) -> float | None:
    """Return the finite number of a cell; None without one."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
