"""Columns that group the samples of a source: all visits of a patient, all photos of a place."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.lines import Rows
from netbuild.components.files import opened_text

if TYPE_CHECKING:
    import numpy as np


def expect_group(
    column: str, names: Collection[str], read: Collection[str], what: str, help_: str | None = None
) -> None:
    """Refuse a column that is absent, or that the network reads: it would learn the groups.

    Raises:
        DataError: names the column.
    """
    if column not in names:
        raise DataError(f"{what} has no {column} to group by", help_=help_)
    if column in read:
        message = f"{column} groups the samples, and the network reads it too"
        raise DataError(message, help_=f"name the inputs without {column}")


def texts(file: str, separator: str, column: str) -> "np.ndarray[Any, Any]":
    """Return a column of a text file, one text for each row."""
    import numpy as np

    with opened_text(file, newline="") as text:
        rows = Rows(text, separator)
        place = next(rows).index(column)
        return np.array([row[place] if place < len(row) else "" for row in rows if row])
