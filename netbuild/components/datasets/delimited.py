"""Tables in text files."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.datasets.cells import MISSING, Format
from netbuild.components.datasets.column import Column
from netbuild.components.datasets.dataset import (
    Bounds,
    DataError,
    Dataset,
    Declared,
    Loaded,
    Past,
    Sample,
    Size,
)
from netbuild.components.datasets.fields import (
    ClassCounts,
    FilePath,
    InputColumns,
    TargetNames,
    Texts,
    by_name,
    count_of,
    expect_counts,
    flat,
)
from netbuild.components.datasets.grouping import expect_group
from netbuild.components.datasets.paths import has_file
from netbuild.components.datasets.table import LISTED
from netbuild.components.datasets.text_table import Dialect, TextTable, quoted, read_table
from netbuild.components.datasets.windowed import WindowedSource
from netbuild.components.datasets.windows import can_cut
from netbuild.components.fields import NaturalInt, Wants, many, optional, switch
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

#: The largest file, in bytes, that a check reads; of larger files it reads the column names.
_MAX_READ = 1 << 23
_ENCODINGS = (
    *("utf-8", "utf-16", "cp1252", "latin-1", "cp1250", "cp1251", "iso-8859-15", "mac-roman"),
    *("shift_jis", "euc_kr", "big5", "gb18030"),
)
_name = core_schema.str_schema(strict=True)
_character = core_schema.str_schema(strict=True, min_length=1, max_length=1)


class Csv(WindowedSource):
    """A .csv file: columns of numbers are features (n), and one column is the target.

    The first line names the columns. The network reads the columns in `inputs`; by default it reads
    all named columns except the targets. A mapping in `inputs` names the network's inputs, and in
    it a list of columns is one vector. A column of text, or of numbers that `categories` names, is
    read as an input of its own: its categories are numbered from 1, in alphabetical order, and 0 is
    a category that training has not seen. A column of dates gives its parts: `when.month`.
    `{tokens: review, level: word, length: 200}` reads a column of text as tokens: the number of
    each word, the most frequent one 2, 1 for an unknown one, and 0 behind the last; vocabulary: n
    keeps the most frequent. `review.length` is the number of tokens.

    A mapping in `target` names several targets. The values of a target of text are classes, in
    alphabetical order. If the loss compares with classes, whole numbers are classes too, in rising
    order; with `classes` they are class numbers themselves. Any other target is a value.

    No value may be missing unless `missing` says what stands for it; `na_values` are texts that
    mean a missing value. The file tells its separator; `encoding`, `decimal`, `thousands` and
    `dayfirst` say how it is written. `header` names the columns of a file without names, behind
    `skiprows` lines that are no part of the table.

    With `window`, the rows are moments of series, and a sample is a window: the network reads so
    many rows, and the target has the `horizon` rows behind them. A window begins every `stride`
    rows. `series` names the column that tells several series apart: no window reaches from one into
    another. `order` names a column that must rise within each series. By default the network reads
    all other columns, the past of the target among them. The last windows of each series validate.

    data: {Csv: {file: data/flowers.csv, target: species}}
    """

    paths = ("file",)

    file: FilePath
    """Path of the .csv file; its first line names the columns."""
    target: TargetNames
    """Name of the column that the network learns to predict; a mapping names several targets."""
    inputs: InputColumns = None
    """Names of the columns that the network reads; null takes all except the targets."""
    classes: ClassCounts = None
    """Number of classes, if the target holds class numbers; null reads classes from its values."""
    separator: Annotated[str | None, Wants("one character, or null", optional(_character))] = None
    """Character between two values; null finds out whether it is , or ; or a tab or |."""
    header: Annotated[
        tuple[str, ...] | None,
        Wants("a list of names of columns, or null", optional(many(_name, at_least=1))),
    ] = None
    """Names of the columns of a file whose first line is no header; null reads that line."""
    skiprows: NaturalInt = 0
    """Number of lines before the table that are no part of it."""
    encoding: Annotated[
        str | None,
        Wants(
            f"null, or one of {', '.join(_ENCODINGS)}",
            optional(core_schema.literal_schema([*_ENCODINGS])),
        ),
    ] = None
    """Encoding of the text, such as cp1252; null is UTF-8, or UTF-16 with its mark."""
    decimal: Annotated[str, Wants("one character", _character)] = "."
    """Character before the decimals of a number, such as a comma."""
    thousands: Annotated[str | None, Wants("one character, or null", optional(_character))] = None
    """Character between the thousands of a number; null for none."""
    dayfirst: Annotated[bool | None, switch("true, false or null")] = None
    """Whether 3/4/2025 is the third of April; null finds it out from days after the 12th."""
    na_values: Texts = ()
    """Texts that mean a missing value, besides those of pandas, such as NA or an empty cell."""

    @field_validator("classes")
    @classmethod
    def _of_targets(cls, classes: Any, info: Any) -> Any:
        return expect_counts(classes, info.data.get("target"))

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(by_name(self.target))

    def count(self) -> int | None:
        if not has_file(self.file):
            return None
        table = self._table(_MAX_READ)
        if table.columns is not None and self.windows:
            self._names(table)
            if not can_cut():
                return None
            self.check_series(table.columns)
            return len(self.cut(table.columns, self._rows_left(table.columns)).starts)
        if table.columns is None or self.missing is None:
            return None if self.windows else table.rows
        rows = self._rows_left(table.columns)
        return table.rows if rows is None else len(rows)

    def sample(self, wanted: Sample) -> Declared:
        unknown = Declared((None,) * len(wanted.inputs), dict.fromkeys(self.target_names))
        if not has_file(self.file):
            return unknown
        table = self._table(_MAX_READ)
        names = self._names(table)
        rows = self.of_rows(wanted)
        if table.columns is None:
            read = self.widths(names, rows)
            return self.of_windows(Declared(read, unknown.targets), wanted)
        self.check_series(table.columns)
        return self.of_windows(self.declared(self.plan(table.columns, rows), rows), wanted)

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        columns = self._table(_MAX_READ).columns if has_file(self.file) else None
        return self.bounds_of(columns, inputs)

    def counted(self, inputs: tuple[Tensor, ...]) -> tuple[tuple[str, int] | None, ...]:
        columns = self._table(_MAX_READ).columns if has_file(self.file) else None
        return self.counts_of(columns, inputs)

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        if not has_file(self.file):
            return None
        table = self._table(None)
        self._names(table)
        assert table.columns is not None
        column = table.columns[by_name(self.target)[target]]
        counted = count_of(self.classes, target) is not None
        if column.dtype == "float64" or (column.dtype != "string" and counted):
            return None
        return tuple(map(str, column.classes(ignored)))

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        if not has_file(self.file):
            raise DataError(f"there is no {self.file}", "file")
        table = self._table(None)
        self._names(table)
        assert table.columns is not None
        self.check_series(table.columns)
        rows = self.of_rows(wanted)
        plan = self.plan(table.columns, rows)
        return self.in_windows(self.rows_of(plan, rows), table.columns, plan, wanted)

    def unseen(self, wanted: Sample) -> Mapping[str, int]:
        columns = self._table(None).columns if has_file(self.file) else None
        return {} if columns is None else self.unseen_of(self.plan(columns, self.of_rows(wanted)))

    def of_its_file(self, wanted: Sample) -> Dataset:
        """Return the source with what all rows of its file tell.

        Raises:
            DataError: the file cannot be read.
        """
        if not has_file(self.file):
            raise DataError(f"there is no {self.file}", "file")
        columns = self._table(None).columns
        assert columns is not None
        return self.knowing(self.first_seen(self.plan(columns, wanted), wanted))

    def fitted(self, wanted: Sample, training: Loaded) -> Dataset:
        columns = self._table(None).columns
        assert columns is not None
        rows = self.of_rows(wanted)
        return self.knowing(self.learned(self.plan(columns, rows), rows, training))

    def numbers_of_series(self, split: str | None = None) -> "np.ndarray[Any, Any] | None":
        columns = self._table(None).columns
        if self.window is None or columns is None or not can_cut():
            return None
        return self.cut(columns, self._rows_left(columns)).series

    def past(self, inputs: int) -> Mapping[str, tuple[Past, ...]]:
        if self.inputs is None and self.known is None and not has_file(self.file):
            return {}
        names = () if self.inputs or self.known else self._table(_MAX_READ).names
        return self.past_of(names, inputs)

    def _rows_left(self, columns: Mapping[str, Column]) -> Sequence[int] | None:
        """Return the rows that lack no value that they must have; None for all."""
        names = flat(self.inputs) or self.others(columns)
        return self.rows_left(columns, (*names, *by_name(self.target).values()))

    def check_group(self, column: str) -> None:
        if has_file(self.file):
            table = self._table(_MAX_READ)
            told = quoted(self.file, f"its columns are {', '.join(table.names[:LISTED])}")
            expect_group(column, table.names, self._names(table), self.file, told or None)

    def groups(self, column: str, split: str | None = None) -> "np.ndarray[Any, Any]":
        self.check_group(column)
        import numpy as np

        columns = self._table(None).columns
        assert columns is not None
        texts = np.array([str(cell) for cell in columns[column].cells])
        return self.by_sample(texts, columns, self._rows_left(columns))

    @property
    def dialect(self) -> Dialect:
        """How the file is written."""
        missing = MISSING.union(self.na_values) if self.na_values else MISSING
        how = Format(self.decimal, self.thousands, self.dayfirst, missing)
        return Dialect(self.separator, self.encoding, how, self.skiprows, self.header)

    def _names(self, table: TextTable) -> tuple[str, ...]:
        """Return the names of what the network reads: of columns, or of parts of dates.

        Raises:
            DataError: a column does not exist, or there is no column except the target.
        """
        help_ = quoted(self.file, f"its columns are {', '.join(table.names[:LISTED])}") or None
        told = by_name(self.target).values()
        rules = () if self.missing is None or isinstance(self.missing, str) else self.missing
        named: dict[str, Iterable[str]]
        named = {"target": told, "inputs": flat(self.inputs), "categories": self.categories}
        named |= {n: [c] for n, c in (("series", self.series), ("order", self.order)) if c}
        for field, names in {**named, "missing": rules}.items():
            for name in names:
                if name not in table.names and not self.is_part(name, table.names):
                    raise DataError(f"{self.file} has no column {name}", field, help_)
        inputs = flat(self.inputs) or self.others(table.names)
        if not inputs:
            raise DataError(f"{self.file} has no column except {', '.join(told)}", "file")
        self.check_windows(table.names, inputs)
        seen = next((name for name in inputs if name in told and not self.windows), None)
        if seen is not None:
            message = f"{seen} is a target, and the network reads it"
            raise DataError(message, "inputs", f"leave {seen} out of inputs")
        return inputs

    def _table(self, limit: int | None) -> TextTable:
        """Read the file; of a file larger than `limit`, in bytes, read only the column names.

        Raises:
            DataError: the file is not a table.
        """
        return read_table(self.file, self.dialect, limit)
