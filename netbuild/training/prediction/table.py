"""Tables of text as inputs of a prediction: rows of numbers, perhaps below a header."""

from __future__ import annotations

import csv
import re
from array import array
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from netbuild.components.datasets.cells import number_in
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.fields import by_name, flat
from netbuild.components.datasets.text_table import Dialect, rows_of
from netbuild.diagnostics.exceptions import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.components.datasets.hub import Hub
    from netbuild.components.datasets.table import TableSource


#: The separator of the columns, by the suffix of the file.
SEPARATORS = {".csv": ",", ".tsv": "\t"}
#: A number, as `data: Csv` reads it.
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?|nan)", flags=re.IGNORECASE)
_BOOLEANS = {"true": 1.0, "false": 0.0}


class Table:
    """The numbers in each row of a file, (rows, columns), and the line of each row."""

    def __init__(self, path: Path, source: Csv | Hub | None, wanted: int) -> None:
        self.path, self.lines = path, array("Q")
        numbers = array("d")
        dialect = dialect_of(path, source)
        self.how = dialect.format
        file, rows = rows_of(str(path), dialect)
        with file:
            first = [cell.strip() for cell in next((row for row in rows if row), [])]
            if not first:
                raise InputError(f"{path} is empty")
            read = self._header(first, source)
            if read is not None and len(read) != wanted:
                raise InputError(f"{path} has {_columns(len(read))}, but {_wants(wanted)}")
            width = wanted if read is None else len(first)
            said = _wants(wanted) if read is None else f"its header has {width}"
            begun = [first] if read is None else []
            read = [*range(wanted)] if read is None else read
            for row in chain(begun, rows):
                if row:
                    if len(row) != width:
                        here = f"{_columns(len(row))} in line {rows.line}"
                        raise InputError(f"{path} has {here}, but {said}")
                    numbers.extend(self._number(row[n].strip(), rows.line) for n in read)
                    self.lines.append(rows.line)
        if not self.lines:
            raise InputError(f"{path} has no rows of numbers")
        self.numbers = np.frombuffer(numbers)

    def _header(self, first: list[str], source: Csv | Hub | None) -> list[int] | None:
        """Return the columns to read, in the order of training; None if there is no header.

        Raises:
            InputError: a column of the training is missing, or occurs twice.
        """
        trained = _trained_columns(source)
        if not (trained and {*trained} <= {*first}) and any(map(_is_number, first)):
            return None
        if trained is None:
            told = by_name(source.target).values() if source else ()
            return [n for n, name in enumerate(first) if name and name not in told]
        for name in trained:
            if first.count(name) != 1:
                said = "two columns" if name in first else "no column"
                known = ", ".join(first)
                raise InputError(f"{self.path} has {said} {name}: its columns are {known}")
        return [first.index(name) for name in trained]

    def _number(self, cell: str, line: int) -> float:
        if cell.lower() in _BOOLEANS:
            return _BOOLEANS[cell.lower()]
        found = number_in(cell, self.how)
        if found is None and _is_number(cell):  # NaN
            found = float(cell)
        if found is None:
            said = f"{cell[:20]!r} is not a number" if cell else "a value is missing"
            raise InputError(f"{self.path}: {said} in line {line}")
        return float(found)


def dialect_of(path: Path, source: TableSource | None) -> Dialect:
    """Return how a file is written: as the file that trained, but for the separator of a .tsv."""
    separator = SEPARATORS[path.suffix.lower()]
    if source is None:
        return Dialect(separator)
    return source.dialect if separator == "," else source.dialect._replace(separator=separator)


def _trained_columns(source: Csv | Hub | None) -> tuple[str, ...] | None:
    """Return the names of the columns that the network was trained with; None if unknown."""
    if source is None:
        return None
    if source.inputs is not None:
        return flat(source.inputs)
    if not isinstance(source, Csv):
        return None
    try:
        file, rows = rows_of(source.file, source.dialect)
        with file:
            header = next(rows, [])
    except (OSError, ValueError, csv.Error):
        return None
    told = by_name(source.target).values()
    return tuple(name for name in header if name and name not in told) or None


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _columns(count: int) -> str:
    return f"{count} column" + ("" if count == 1 else "s")


def _wants(count: int) -> str:
    return f"the network reads {count}"
