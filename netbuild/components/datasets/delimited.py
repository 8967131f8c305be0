"""Tables in text files."""

import csv
import glob
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.datasets.conversion import ignored, input_of, target_of
from netbuild.components.datasets.dataset import (
    Bounds,
    DataError,
    Dataset,
    Declared,
    Loaded,
    Sample,
    Size,
)
from netbuild.components.datasets.fields import (
    ClassCounts,
    FilePath,
    Group,
    InputColumns,
    TargetNames,
    by_name,
    count_of,
    expect_counts,
    flat,
    grouped,
)
from netbuild.components.datasets.grouping import expect_group, texts
from netbuild.components.datasets.lines import Rows
from netbuild.components.datasets.paths import has_file
from netbuild.components.fields import Wants
from netbuild.components.files import opened_text
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

#: The largest file, in bytes, that a check reads; of larger files it reads the column names.
_MAX_READ = 1 << 23
#: Names of files whose contents a message may show.
_SUFFIXES = frozenset({".csv", ".tsv", ".data"})
#: The most columns in a message.
_LISTED = 100
#: Texts that pandas, and therefore `datasets`, reads as a missing value.
#: https://pandas.pydata.org/docs/reference/api/pandas.read_csv.html, na_values
_MISSING = frozenset(
    {
        *("", "None", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "NA", "N/A", "n/a", "<NA>"),
        *("#NA", "#N/A", "#N/A N/A", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
    }
)
_WHOLE = re.compile(r"\s*[+-]?\d{1,18}\s*")
_NUMBER = re.compile(r"\s*[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf(inity)?)\s*", flags=re.IGNORECASE)
_BOOLEANS = {"true": True, "false": False}


class Csv(Dataset):
    """A .csv file: columns of numbers are features (n), and one column is the target.

    The first line names the columns. The network reads the columns in `inputs`; by default it reads
    all named columns except the targets. A mapping in `inputs` names the network's inputs, and in
    it a list of columns is one vector. A mapping in `target` names several targets. The values of a
    target of text are classes, in alphabetical order. If the loss compares with classes, whole
    numbers are classes too, in rising order; with `classes` they are class numbers themselves. Any
    other target is a value. Inputs must be numbers, and no value may be missing.

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
    separator: Annotated[
        str, Wants("one character", core_schema.str_schema(strict=True, min_length=1, max_length=1))
    ] = ","
    """Character between two values, such as ; or a tab."""

    @field_validator("classes")
    @classmethod
    def _of_targets(cls, classes: Any, info: Any) -> Any:
        return expect_counts(classes, info.data.get("target"))

    @property
    def target_names(self) -> tuple[str, ...]:
        return tuple(by_name(self.target))

    def count(self) -> int | None:
        return self._scan(_MAX_READ).rows if has_file(self.file) else None

    def sample(self, wanted: Sample) -> Declared:
        if not has_file(self.file):
            return Declared((None,) * len(wanted.inputs), dict.fromkeys(self.target_names))
        scan = self._scan(_MAX_READ)
        inputs = self._inputs(scan)
        told: dict[str, Target | None] = dict.fromkeys(self.target_names)
        if scan.columns is not None:
            self._check(scan, inputs)
            columns = by_name(self.target).items()
            told = {n: self._told(n, scan.columns[c], wanted.targets[n]) for n, c in columns}
        groups = grouped(self.inputs, inputs, len(wanted.inputs))
        pairs = zip(groups, wanted.inputs, strict=False)
        return Declared(tuple(_described(scan, group, x) for group, x in pairs), told)

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        columns = self._scan(_MAX_READ).columns if has_file(self.file) else None
        if columns is None:
            return (None,) * len(inputs)
        names = flat(self.inputs) or self._others(columns)
        groups = grouped(self.inputs, names, len(inputs))
        there = [[columns[n] for n in flat((group,)) if n in columns] for group in groups]
        return tuple(map(_bounds, there))

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        if not has_file(self.file):
            return None
        scan = self._scan(None)
        self._inputs(scan)
        assert scan.columns is not None
        column = scan.columns[by_name(self.target)[target]]
        counted = count_of(self.classes, target) is not None
        if column.dtype == "float64" or (column.dtype != "string" and counted):
            return None
        return tuple(map(str, column.classes(ignored)))

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        import datasets  # type: ignore[import-untyped]

        from netbuild.components.datasets.columns import Columns
        from netbuild.components.datasets.tables import (
            RowReader,
            quiet,
            reading,
            whole_table,
        )

        if not has_file(self.file):
            raise DataError(f"there is no {self.file}", "file")
        scan = self._scan(None)
        inputs = self._inputs(scan)
        self._check(scan, inputs)
        assert scan.columns is not None
        told = by_name(self.target)
        kinds = {name: scan.columns[name].dtype for name in (*inputs, *told.values())}
        features = datasets.Features({n: datasets.Value(kind) for n, kind in kinds.items()})
        with quiet(), reading(self.file, "file"):
            table = datasets.load_dataset(
                "csv",
                data_files=glob.escape(self.file),
                split="train",
                features=features,
                sep=self.separator,
                usecols=[*features],
            )
        columns = Columns(features, grouped(self.inputs, inputs, len(wanted.inputs)), told)
        labels = {n: self._labels(n, scan.columns[c], wanted.targets[n]) for n, c in told.items()}
        classes = {name: count_of(self.classes, name) for name in told}
        reader = RowReader(columns, wanted, None, classes=classes, labels=labels)
        return whole_table(table, reader)

    def check_group(self, column: str) -> None:
        if has_file(self.file):
            scan = self._scan(_MAX_READ)
            told = quoted(self.file, f"its columns are {', '.join(scan.names[:_LISTED])}")
            expect_group(column, scan.names, self._inputs(scan), self.file, told or None)

    def groups(self, column: str, split: str | None = None) -> "np.ndarray[Any, Any]":
        self.check_group(column)
        return texts(self.file, self.separator, column)

    def _told(self, name: str, column: "_Column", wanted: Target) -> Target | None:
        """Return the description of a target."""
        labels = self._labels(name, column, wanted)
        classes = count_of(self.classes, name) if labels is None else len(labels)
        return target_of(Tensor((), column.dtype if labels is None else "int64"), wanted, classes)

    def _labels(self, name: str, column: "_Column", wanted: Target) -> tuple[Any, ...] | None:
        """Return the names of the classes; None if the target's numbers are used directly."""
        numbers = target_of(Tensor((), column.dtype), wanted, None) is not None
        if column.dtype != "string" and (numbers or count_of(self.classes, name) is not None):
            return None
        return column.classes(ignored(wanted))

    def _others(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the named columns that are no target."""
        told = by_name(self.target).values()
        return tuple(name for name in names if name and name not in told)

    def _inputs(self, scan: "_Scan") -> tuple[str, ...]:
        """Return the columns that the network reads.

        Raises:
            DataError: a column does not exist, or there is no column except the target.
        """
        help_ = quoted(self.file, f"its columns are {', '.join(scan.names[:_LISTED])}") or None
        told = by_name(self.target).values()
        for field, names in (("target", told), ("inputs", flat(self.inputs))):
            for name in names:
                if name not in scan.names:
                    raise DataError(f"{self.file} has no column {name}", field, help_)
        inputs = flat(self.inputs) or self._others(scan.names)
        if not inputs:
            raise DataError(f"{self.file} has no column except {', '.join(told)}", "file")
        return inputs

    def _check(self, scan: "_Scan", inputs: tuple[str, ...]) -> None:
        """Refuse missing values, and inputs of text.

        Raises:
            DataError: names the column, and the row or the text.
        """
        assert scan.columns is not None
        for name in (*inputs, *by_name(self.target).values()):
            missing = scan.columns[name].missing
            if missing is not None:
                raise DataError(f"{name} has no value in row {missing + 1}", "file")
        for name in inputs:
            text = scan.columns[name].text
            if text is not None:
                shown = quoted(self.file, f", such as {brief(text)},")
                help_ = "remove it from inputs, or turn it into numbers"
                raise DataError(f"{name} is text{shown} and must be numbers", "inputs", help_)

    def _scan(self, limit: int | None) -> "_Scan":
        """Read the file; of a file larger than `limit`, in bytes, read only the column names.

        Raises:
            DataError: the file is not a table.
        """
        try:
            stat = Path(self.file).stat()
            whole = limit is None or stat.st_size <= limit
            return _scan(self.file, self.separator, whole, stat.st_mtime_ns, stat.st_size)
        except OSError as error:
            message = f"{self.file} cannot be read: {error.strerror or error}"
            raise DataError(message, "file") from error
        except UnicodeDecodeError as error:
            message = f"{self.file} is not UTF-8 text: byte {error.start:,} is invalid"
            raise DataError(message, "file") from error
        except csv.Error as error:
            raise DataError(f"{self.file} is not a table of text: {error}", "file") from error


def _described(scan: "_Scan", group: Group, wanted: Tensor) -> Tensor:
    """Return an input of one column, or of several columns side by side."""
    names = flat((group,))
    dtypes = {scan.columns[name].dtype for name in names} if scan.columns else {"float64"}
    read = input_of(Tensor((), "float64" if "float64" in dtypes else "int64"), wanted)
    return read if isinstance(group, str) else Tensor((len(names),), read.dtype)


def _bounds(columns: "list[_Column]") -> Bounds | None:
    """Return the smallest and the largest number of some columns; None if one has fractions."""
    found = [column.bounds for column in columns]
    whole = [bounds for bounds in found if bounds is not None]
    if not whole or len(whole) < len(found):
        return None
    return min(least for least, _ in whole), max(most for _, most in whole)


def quoted(file: str, text: str) -> str:
    """Return a text that quotes a file, or nothing if the file is no table by its name.

    A config of a stranger may name a file with secrets, and a fault shows them to others.
    """
    return text if Path(file).suffix.lower() in _SUFFIXES else ""


def brief(text: str) -> str:
    """Return a text from a file, cut to a length that fits a message."""
    return text if len(text) <= 20 else f"{text[:20]}…"


class _Column(NamedTuple):
    """A column: its dtype, its distinct values in order, and the first row without a value."""

    dtype: str
    values: tuple[Any, ...]
    missing: int | None

    def classes(self, ignored: int | None) -> tuple[Any, ...]:
        """Return the values that are classes, in order.

        A number that the loss ignores is none of them, unless it is the number of a class.
        """
        if ignored is None or 0 <= ignored < len(self.values):
            return self.values
        return tuple(value for value in self.values if value != ignored)

    @property
    def bounds(self) -> Bounds | None:
        """The smallest and the largest value of a column of whole numbers; None for others."""
        return (self.values[0], self.values[-1]) if self.dtype == "int64" and self.values else None

    @property
    def text(self) -> str | None:
        """A value that is not a number; None for a column of numbers."""
        texts = (value for value in self.values if not _NUMBER.fullmatch(value))
        return next(texts) if self.dtype == "string" else None


class _Scan(NamedTuple):
    """A file: the names of its columns, and its contents if they were read."""

    names: tuple[str, ...]
    rows: int | None
    columns: dict[str, _Column] | None


@lru_cache(maxsize=4)
def _scan(file: str, separator: str, whole: bool, *_stamp: int) -> _Scan:  # noqa: FBT001  part of a cache key
    """Return the contents of a file; an unchanged file is read once."""
    with opened_text(file, newline="") as text:
        reader = Rows(text, separator)
        names = tuple(next(reader, ()))
        if not names:
            raise DataError(f"{file} is empty", "file")
        twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
        if twice is not None:
            raise DataError(f"{file} has two columns{quoted(file, f' {brief(twice)}')}", "file")
        if not whole:
            return _Scan(names, None, None)
        rows = []
        for row in reader:
            if len(row) > len(names):
                message = f"line {reader.line} has {len(row)} values for {len(names)} columns"
                raise DataError(message, "file", "write a value with a comma in quotes")
            if row:
                rows.append([*row, *("",) * (len(names) - len(row))])
    if not rows:
        raise DataError(f"{file} has no rows", "file")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    return _Scan(names, len(rows), {name: _column(values) for name, values in columns})


def _column(values: tuple[str, ...]) -> _Column:
    """Return the description of a column's values."""
    distinct = set(values)
    missing = None
    if distinct & _MISSING:
        missing = next(row for row, value in enumerate(values) if value in _MISSING)
        distinct -= _MISSING
    if all(map(_WHOLE.fullmatch, distinct)):
        return _Column("int64", tuple(sorted(set(map(int, distinct)))), missing)
    if all(map(_NUMBER.fullmatch, distinct)):
        return _Column("float64", (), missing)
    if all(value.lower() in _BOOLEANS for value in distinct):
        return _Column("bool", (False, True), missing)
    return _Column("string", tuple(sorted(distinct)), missing)
