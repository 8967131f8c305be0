"""Columns of a table of `datasets`, such as a parquet file: their values have types already."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.cells import Kind, is_date
from netbuild.components.datasets.column import Column

if TYPE_CHECKING:
    import numpy as np


class StoredColumn(Column):
    """A column whose cells are numbers, texts, dates, or None in a gap."""

    #: The numbers of a column of numbers, with NaN in a gap; None for other columns.
    array: "np.ndarray[Any, Any] | None" = None

    def is_gap(self, cell: Any) -> bool:
        return cell is None or (isinstance(cell, float) and math.isnan(cell))

    @cached_property
    def gaps(self) -> tuple[int, ...]:
        """The rows without a value."""
        import numpy as np

        if self.array is not None:
            wrong = np.isnan(self.array) if self.array.dtype.kind == "f" else ()
            return tuple(np.flatnonzero(wrong).tolist())
        return tuple(row for row, cell in enumerate(self.cells) if self.is_gap(cell))

    @cached_property
    def filled(self) -> frozenset[Any]:
        """The different cells that hold a value."""
        return frozenset(cell for cell in self.texts if not self.is_gap(cell))

    def value(self, cell: Any) -> Any:
        return cell

    @property
    def _reading(self) -> Callable[[Any], Any]:
        return self.value

    def number(self, cell: Any) -> float | None:
        return None if isinstance(cell, str | datetime) else cell

    def numbers(self) -> "np.ndarray[Any, Any]":
        if self.array is None:
            raise self.not_numbers([row for row, c in enumerate(self.cells) if not self.is_gap(c)])
        return self.array

    def dates(self) -> list[datetime | None]:
        return [_as_datetime(cell) for cell in self.cells]

    def codes(self, categories: Sequence[Any]) -> "np.ndarray[Any, Any]":
        import numpy as np

        numbers = {value: n for n, value in enumerate(categories, 1) if value is not None}
        return np.array([numbers.get(cell, 0) for cell in self.cells], "int64")

    def chosen(self, rows: Sequence[int]) -> "StoredColumn":
        made = super().chosen(rows)
        assert isinstance(made, StoredColumn)
        made.array = None if self.array is None else self.array[[*rows]]
        return made


def _as_datetime(cell: Any) -> datetime | None:
    """Return a date as a date with a time, without its time zone."""
    if isinstance(cell, datetime):
        return cell.replace(tzinfo=None)
    return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None  # noqa: DTZ001  as stored


def kind_of(feature: Any) -> str | None:
    """Return the kind of a column by its feature in `datasets`; None if it is no single value."""
    dtype = str(getattr(feature, "dtype", ""))
    if type(feature).__name__ == "ClassLabel":
        return "int64"
    if type(feature).__name__ != "Value":
        return None
    if dtype.startswith(("int", "uint")):
        return "int64"
    if dtype.startswith("float"):
        return "float64"
    if dtype.startswith(("timestamp", "date")):
        return "date"
    return {"bool": "bool", "string": "string", "large_string": "string"}.get(dtype)


def stored_columns(table: Any, features: Mapping[str, Any]) -> dict[str, Column]:
    """Return the columns of a table with these features, all of them of single values."""
    found: dict[str, Column] = {}
    numeric = table.with_format("numpy")
    for name, feature in features.items():
        kind = kind_of(feature)
        assert kind is not None
        if kind in {"int64", "float64", "bool"}:
            array = _numbers(numeric[name][:])
            column: Column = StoredColumn(name, Kind(kind), _Cells(array))
            assert isinstance(column, StoredColumn)
            column.array = array
        else:
            column = _of_objects(name, kind, table[name][:])
        column.class_count = len(getattr(feature, "names", ())) or None
        found[name] = column
    return found


def _of_objects(name: str, kind: str, cells: Sequence[Any]) -> Column:
    """Return a column of texts or dates. Texts may be dates."""
    if kind == "string":
        texts = {cell for cell in cells if cell is not None}
        if texts and all(map(is_date, texts)):
            return Column(name, Kind("date"), ["" if cell is None else cell for cell in cells])
    return StoredColumn(name, Kind(kind), cells)


def _numbers(values: Any) -> "np.ndarray[Any, Any]":
    """Return numbers as an array: NaN in a gap, and whole numbers for booleans."""
    import numpy as np

    array = np.asarray(values)
    if array.dtype.kind == "O":
        array = np.array([np.nan if value is None else float(value) for value in array], "float64")
    return array.astype("int64") if array.dtype.kind == "b" else array


class _Cells(Sequence[Any]):
    """The numbers of an array as numbers of Python, made when they are used."""

    def __init__(self, array: "np.ndarray[Any, Any]") -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, row: Any) -> Any:
        return self.array[row].item()
