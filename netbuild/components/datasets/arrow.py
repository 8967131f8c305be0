"""Columns of numbers in tables of Arrow, as arrays."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datasets  # type: ignore[import-untyped]
    import numpy as np
    import pyarrow as pa  # type: ignore[import-untyped]


#: The most rows here and there that are read at once: `datasets` needs some kilobytes for each.
_MOST = 1024


class ArrowColumns:
    """The columns of a table of `datasets`, read for many rows at once.

    `datasets` itself goes through every value of a column, which takes a hundred times as long.
    """

    def __init__(self, table: "datasets.Dataset") -> None:
        self.table = table
        self._arrow = table.with_format("arrow")

    def rows(self, rows: "slice | np.ndarray[Any, Any]") -> Mapping[str, Any]:
        """Return each column of some rows.

        Whole numbers are int64, and fractions float32, as in the format numpy of `datasets`. A
        column with anything else is what this format gives.
        """
        found = self._numbers(rows)
        others = [name for name, values in found.items() if values is None]
        if others:
            found |= self.table.select_columns(others).with_format("numpy")[rows]
        return found

    def _numbers(self, rows: "slice | np.ndarray[Any, Any]") -> dict[str, Any]:
        """Return each column of some rows; None for a column with anything but numbers."""
        if isinstance(rows, slice) or not len(rows):
            return self._read(rows)
        first, last = int(rows.min()), int(rows.max())
        if last - first < 2 * len(rows):  # neighbours are read together
            found = self._read(slice(first, last + 1))
            return {n: None if x is None else x[rows - first] for n, x in found.items()}
        parts = [self._read(rows[start : start + _MOST]) for start in range(0, len(rows), _MOST)]
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}

    def _read(self, rows: "slice | np.ndarray[Any, Any]") -> dict[str, Any]:
        read = self._arrow[rows]
        return {name: numbers(read[name]) for name in read.column_names}


def _joined(parts: "list[np.ndarray[Any, Any] | None]") -> "np.ndarray[Any, Any] | None":
    import numpy as np

    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else np.concatenate(known)


def numbers(column: "pa.ChunkedArray | pa.Array") -> "np.ndarray[Any, Any] | None":
    """Return a column of numbers, or of lists of numbers that are equally long.

    None for a column that holds anything else, or lacks a value.
    """
    import numpy as np
    from pyarrow import ChunkedArray, compute, types

    kind = column.type
    if column.null_count:
        return None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        column = column.combine_chunks() if isinstance(column, ChunkedArray) else column
        lengths = compute.min_max(compute.list_value_length(column)).as_py()
        inner = numbers(compute.list_flatten(column))
        if inner is None or lengths["min"] is None or lengths["min"] != lengths["max"]:
            return None
        return inner.reshape(len(column), lengths["min"], *inner.shape[1:])
    dtype = "int64" if types.is_integer(kind) else "float32" if types.is_floating(kind) else None
    if types.is_boolean(kind):
        dtype = "bool"
    if dtype is None:
        return None
    with np.errstate(over="ignore"):  # an infinite input is a fault that names its row
        return _array(column).astype(dtype)


def _array(column: "pa.ChunkedArray | pa.Array") -> "np.ndarray[Any, Any]":
    from pyarrow import ChunkedArray

    found: np.ndarray[Any, Any] = (
        column.to_numpy()
        if isinstance(column, ChunkedArray)
        else column.to_numpy(zero_copy_only=False)
    )
    return found
