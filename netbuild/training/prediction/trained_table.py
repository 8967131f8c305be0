"""A table of text as inputs of a network that a table has trained: names tell the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from netbuild.components.datasets.cells import Kind, kind_of
from netbuild.components.datasets.column import PARTS, Column
from netbuild.components.datasets.errors import DataError
from netbuild.components.datasets.feature import Feature, input_array
from netbuild.components.datasets.fields import Tokens, flat, is_vector
from netbuild.components.datasets.kept import filled_input
from netbuild.components.datasets.text_table import is_shown, rows_of
from netbuild.components.datasets.token_column import LENGTH, token_feature
from netbuild.diagnostics.exceptions import InputError
from netbuild.training.prediction.inputs import InputSample
from netbuild.training.prediction.table import dialect_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netbuild.components.datasets.fields import Group
    from netbuild.components.datasets.kept import Kept
    from netbuild.components.datasets.lines import Rows
    from netbuild.components.datasets.table import AnyFeature, TableSource
    from netbuild.components.tensor import Tensor
    from netbuild.training.prediction.inputs import Array, Records


#: What messages call a table that is no file.
RECORDS = "the table"
#: The most wrong cells of a column that a message names.
_NAMED = 10
#: How missing values of Python, numpy and pandas are written.
_GAPS = {"nan", "NaT", "<NA>"}


class TrainedTable:
    """The rows of a file as inputs of a network.

    `inputs` has an array for each input of the network. `rows` are the numbers of their rows in the
    file, and `lines` the line of every row. `left_out` has the reason why a row lacks a value that
    it must have, by its number. `unknown` counts values of categories that training has not seen,
    by column.
    """

    def __init__(
        self, path: Path | str, source: TableSource, kept: Kept, wanted: Sequence[Tensor]
    ) -> None:
        self.path, self.source, self.kept = path, source, kept
        self.dialect = source.dialect if isinstance(path, str) else dialect_of(path, source)
        self.lines: list[int] = []
        self.header, self.cells = self._read()
        columns = self._columns()
        features = [
            tuple(self._feature(name, columns, group) for name in flat((group,)))
            for group in kept.inputs
        ]
        every = [one for some in features for one in some]
        self.unknown: dict[str, int] = {}
        self.inputs: tuple[Array, ...] = ()
        try:
            self.left_out = self._left_out(every)
            self.rows = [row for row in range(len(self.lines)) if row not in self.left_out]
            chosen = self.rows if self.left_out else None
            for group, some, x in zip(kept.inputs, features, wanted, strict=True):
                self._add(group, some, x, chosen)
        except DataError as error:
            raise _together(every, error) from error

    def _add(
        self,
        group: Group,
        features: Sequence[AnyFeature],
        wanted: Tensor,
        chosen: Sequence[int] | None,
    ) -> None:
        """Add an input of the network."""
        own = not is_vector(group)
        array = input_array(features, wanted, chosen, own=own)
        if own and features[0].categories is not None:
            self._count(features[0], array, chosen)
        self.inputs += (filled_input(array, group, self.kept),)

    def samples(self, place: dict[str, Any]) -> Iterator[InputSample | InputError]:
        """Yield the sample of each row, or the reason why it has none."""
        numbers = {row: number for number, row in enumerate(self.rows)}
        for row in range(len(self.lines)):
            if row in numbers:
                sample = tuple(x[numbers[row]] for x in self.inputs)
                yield InputSample(place | {"index": row}, sample)
            else:
                yield InputError(f"{self.path}: {self.left_out[row]}")

    def _read(self) -> tuple[list[str], list[list[str]]]:
        """Return the names of the columns, and the cells of each row."""
        text, rows = rows_of(str(self.path), self.dialect)
        with text:
            header = self._header(rows)
            found = []
            line = rows.line
            for row in rows:
                if row and len(row) != len(header):
                    here = f"{len(row)} column{'s'[: len(row) != 1]} in line {rows.line}"
                    raise InputError(f"{self.path} has {here}, but its header has {len(header)}")
                if row:
                    found.append(row)
                    self.lines.append(line + 1)
                line = rows.line
        if not found:
            raise InputError(f"{self.path} has no rows below its header")
        return header, found

    def _header(self, rows: Rows) -> list[str]:
        """Return the names of the columns: those that the config names, or those of the file."""
        named = self.dialect.header
        return [*named] if named is not None else [cell.strip() for cell in _first(rows)]

    def _columns(self) -> dict[str, Column]:
        """Return the columns that the network reads."""
        return {name: self.column(name) for name in needed(self.kept, self.header)}

    def column(self, name: str) -> Column:
        """Return a column.

        Raises:
            InputError: there is no such column, or there are two.
        """
        if self.header.count(name) != 1:
            said = "two columns" if name in self.header else "no column"
            known = ", ".join(self.header)
            raise InputError(f"{self.path} has {said} {name}: its columns are {known}")
        number = self.header.index(name)
        cells = [row[number] for row in self.cells]
        how = self.dialect.format
        kind = kind_of(frozenset(cells) - how.missing, how) if cells else Kind("string")
        shown = self.path == RECORDS or is_shown(str(self.path))
        return Column(name, kind, cells, how, self._place, shown=shown, named=_NAMED)

    def _place(self, row: int) -> str:
        return f"line {self.lines[row]}"

    def _feature(self, name: str, columns: dict[str, Column], group: Group) -> AnyFeature:
        rule = self.source.rule(name)
        tokens = [one for one in self.kept.inputs if isinstance(one, Tokens)]
        if found := token_feature(name, columns, tokens, group, rule, self.kept.tokens):
            return found
        base, _, part = name.rpartition(".")
        if name in columns:
            base, part = name, ""
        known = self.kept.categories.get(name)
        return Feature(name, columns[base], part or None, known, rule)

    def _left_out(self, features: list[AnyFeature]) -> dict[int, str]:
        """Return why rows cannot be read.

        Raises:
            DataError: a value is missing, and nothing stands for it.
        """
        found: dict[int, str] = {}
        for one in features:
            one.check()
            if one.rule == "drop":
                said = f"{one.name} has no value in"
                found |= {row: f"{said} {self._place(row)}" for row in one.gaps if row not in found}
        return found

    def _count(self, feature: AnyFeature, codes: Array, chosen: Sequence[int] | None) -> None:
        """Count the values of a column that are unknown categories."""
        rows = range(len(self.lines)) if chosen is None else chosen
        gaps = {*feature.gaps}
        there = np.array([row not in gaps for row in rows], bool)
        count = int(((codes.ravel() == 0) & there).sum())
        if count:
            self.unknown[feature.name] = count


class RecordTable(TrainedTable):
    """The rows that a program gives, as texts in the form of the file that has trained."""

    def __init__(
        self, given: Records, source: TableSource, kept: Kept, wanted: Sequence[Tensor]
    ) -> None:
        self.given = given
        super().__init__(RECORDS, source, kept, wanted)

    def _read(self) -> tuple[list[str], list[list[str]]]:
        names = list(dict.fromkeys(str(name) for row in self.given.rows for name in row))
        self.lines = [*range(1, len(self.given.rows) + 1)]
        cells = [{str(name): value for name, value in row.items()} for row in self.given.rows]
        return names, [[self._cell(row.get(name)) for name in names] for row in cells]

    def _cell(self, value: Any) -> str:
        """Return the text of a value; an empty one for a missing value."""
        if value is None or str(value) in _GAPS:
            return ""
        if isinstance(value, bool | np.bool_):
            return str(bool(value)).lower()
        if isinstance(value, float | np.floating):
            whole = float(value).is_integer() and abs(value) < 1e15
            text = str(int(value)) if whole else str(float(value))
            return text.replace(".", self.dialect.format.decimal)
        return value if isinstance(value, str) else str(value)

    def _place(self, row: int) -> str:
        return f"record {self.lines[row]}"


def needed(kept: Kept, header: Sequence[str]) -> list[str]:
    """Return the columns that the network reads: a part of a date needs the column of the date."""
    found = []
    texts = {one.column for one in kept.inputs if isinstance(one, Tokens)}
    for name in flat(kept.inputs):
        base, _, part = name.rpartition(".")
        is_part = part in PARTS or (part == LENGTH and base in texts)
        found.append(base if is_part and name not in header else name)
    return list(dict.fromkeys(found))


def is_trained(path: Path, source: TableSource, kept: Kept) -> bool:
    """Whether the header of a file has the columns that the network was trained with.

    Raises:
        InputError: the file is empty.
    """
    dialect = dialect_of(path, source)
    if dialect.header is not None:
        return True
    text, rows = rows_of(str(path), dialect)
    with text:
        header = [cell.strip() for cell in _first(rows)]
    if not header:
        raise InputError(f"{path} is empty")
    named = {*needed(kept, header)} <= {*header}
    return named or bool(kept.categories or kept.tokens or getattr(source, "window", None))


def _together(features: Sequence[AnyFeature], first: DataError) -> DataError:
    """Return one error for the wrong cells of all columns, given the first error."""
    found = [message for message in map(_wrong, features) if message]
    return DataError("; ".join(dict.fromkeys([*found, *([] if found else [str(first)])])))


def _wrong(feature: AnyFeature) -> str:
    """Return what is wrong with the cells of a column; "" for nothing."""
    try:
        feature.check()
        feature.values(None)
    except DataError as error:
        return str(error)
    return ""


def _first(rows: Rows) -> list[str]:
    return next((row for row in rows if row), [])
