"""A table in a file of text: its separator, its encoding, its header and its columns."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TextIO

from netbuild.components.datasets.cells import PLAIN, Format, kind_of
from netbuild.components.datasets.column import Column, brief
from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.lines import MAX_ROW, Rows
from netbuild.components.files import opened, opened_text

#: Names of files whose contents a message may show.
_SUFFIXES = frozenset({".csv", ".tsv", ".data"})
#: Characters that may separate columns; the first is taken if several do equally well.
SEPARATORS = (",", ";", "\t", "|")
#: The first bytes of a file in an encoding of two bytes.
_MARKS = (b"\xff\xfe", b"\xfe\xff")
#: The most characters at the beginning of a file that tell its separator.
_BEGIN = 1 << 16


class Dialect(NamedTuple):
    """How a table is written as text; None for what its file tells.

    `skipped` lines stand before the table. `header` names the columns of a table without names.
    """

    separator: str | None = None
    encoding: str | None = None
    format: Format = PLAIN
    skipped: int = 0
    header: tuple[str, ...] | None = None


class TextTable(NamedTuple):
    """A table: the names of its columns, and its columns if they were read."""

    names: tuple[str, ...]
    rows: int | None
    columns: Mapping[str, Column] | None


def read_table(file: str, dialect: Dialect, limit: int | None = None) -> TextTable:
    """Read a file; of a file larger than `limit`, in bytes, read only the column names.

    An unchanged file of the usual size is read once.

    Raises:
        DataError: the file is not a table.
    """
    with refusing(file, dialect):
        stat = Path(file).stat()
        small = stat.st_size <= _KEPT
        whole = limit is None or stat.st_size <= limit
        read = _read_once if small or not whole else _read
        return read(file, dialect, whole, stat.st_mtime_ns, stat.st_size)


#: The largest file, in bytes, whose cells stay in memory after they were read.
_KEPT = 1 << 23


class refusing:  # noqa: N801  a context manager
    """Turn the exceptions of reading a table into a sentence.

    Raises:
        DataError: the file is not a table.
    """

    def __init__(self, file: str, dialect: Dialect) -> None:
        self.file, self.dialect = file, dialect

    def __enter__(self) -> None:
        """Begin to read."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Raise the sentence."""
        if isinstance(error, UnicodeDecodeError):
            raise _not_text(self.file, self.dialect, error) from error
        if isinstance(error, OSError):
            message = f"{self.file} cannot be read: {error.strerror or error}"
            raise DataError(message, "file") from error
        if isinstance(error, csv.Error):
            raise DataError(f"{self.file} is not a table of text: {error}", "file") from error


def _not_text(file: str, dialect: Dialect, error: UnicodeDecodeError) -> DataError:
    """Return the fault of a file in another encoding, with the line and the column."""
    encoding = dialect.encoding or "utf-8"
    name = "UTF-8" if encoding == "utf-8" else encoding
    help_ = "write encoding: cp1252 if a program on Windows wrote it, or encoding: latin-1"
    with opened(file) as raw:
        for number, line in enumerate(raw, 1):
            at = _undecodable(line, encoding)
            if at is not None:
                message = f"line {number} has the byte 0x{line[at]:02X} as its character {at + 1}"
                return DataError(f"{file} is not {name} text: {message}", "file", help_)
    return DataError(f"{file} is not {name} text: {error.reason}", "file", help_)


def _undecodable(line: bytes, encoding: str) -> int | None:
    """Return the place of the first byte that is no text; None without one."""
    try:
        line.decode(encoding)
    except UnicodeDecodeError as error:
        return error.start
    return None


def _open(file: str, encoding: str | None) -> TextIO:
    """Open a file of text, in UTF-16 if it begins with the mark of that, else in UTF-8."""
    if encoding is None:
        with opened(file) as raw:
            encoding = "utf-16" if raw.read(2) in _MARKS else "utf-8"
    if encoding == "utf-8":
        return opened_text(file, newline="")
    return io.TextIOWrapper(opened(file), encoding=encoding, newline="")


def rows_of(file: str, dialect: Dialect) -> "tuple[TextIO, Rows]":
    """Open a file, and return it with its rows, the header among them if the file has one.

    Raises:
        OSError: the file cannot be read.
        UnicodeDecodeError: the file is in another encoding.
        csv.Error: a row is no row.
    """
    text = _open(file, dialect.encoding)
    try:
        begin = text.read(_BEGIN).split("\n", dialect.skipped)[-1]
        separator = dialect.separator or _separator(begin)
        text.seek(0)
        for _ in range(dialect.skipped):
            text.readline(MAX_ROW)
    except BaseException:
        text.close()
        raise
    quote = "'" if _has_single_quotes(begin, separator) else '"'
    return text, Rows(text, separator, quote, skipped=dialect.skipped)


def _has_single_quotes(begin: str, separator: str) -> bool:
    """Whether each name of the header stands in single quotes."""
    first = begin.split("\n", 1)[0].strip()
    names = first.split(separator)
    return all(len(name) > 1 and name[0] == name[-1] == "'" for name in names)


def _separator(begin: str) -> str:
    """Return the character that separates the columns, from the beginning of a file.

    It separates the header and the first row into as many cells, and into the most.
    """
    best, most = ",", 1
    for separator in SEPARATORS:
        try:
            read = filter(None, csv.reader(io.StringIO(begin, newline=""), delimiter=separator))
            counts = [len(row) for row in islice(read, 2)]
        except csv.Error:
            continue
        if counts and counts[0] > most and counts[-1] == counts[0]:
            best, most = separator, counts[0]
    return best


def line_of(file: str, dialect: Dialect, row: int) -> str:
    """Return the line of a row, such as `line 18`. The header has a line, too."""
    try:
        text, rows = rows_of(file, dialect)
        with text:
            if dialect.header is None:
                next(rows, None)
            line, number = rows.line, -1
            for cells in rows:
                number += bool(cells)
                if number == row:
                    return f"line {line + 1}"
                line = rows.line
    except (OSError, ValueError, csv.Error):  # the file has changed
        pass
    return f"row {row + 1}"


def _read(file: str, dialect: Dialect, whole: bool, *_stamp: int) -> TextTable:  # noqa: FBT001  part of a cache key
    """Return the contents of a file."""
    text, rows = rows_of(file, dialect)
    with text:
        names = dialect.header or tuple(next(rows, ()))
        _check_header(file, names)
        if not whole:
            return TextTable(names, None, None)
        cells = []
        for row in rows:
            if len(row) > len(names):
                message = f"line {rows.line} has {len(row)} values for {len(names)} columns"
                help_ = f"write a value with {_called(rows.separator)} in quotes"
                if dialect.header is not None:
                    help_ = "name each column in header"
                raise DataError(message, "file", help_)
            if row:
                cells.append([*row, *("",) * (len(names) - len(row))])
    if not cells:
        raise DataError(f"{file} has no rows", "file")
    columns = zip(names, zip(*cells, strict=True), strict=True)
    place = _places(file, dialect)
    shown = is_shown(file)
    found = {n: column(n, values, dialect, place, shown=shown) for n, values in columns}
    return TextTable(names, len(cells), found)


_read_once = lru_cache(maxsize=4)(_read)


def _called(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}.get(separator, separator)


def _places(file: str, dialect: Dialect) -> Callable[[int], str]:
    return lambda row: line_of(file, dialect, row)


def column(
    name: str,
    cells: tuple[str, ...],
    dialect: Dialect,
    place: Callable[[int], str],
    *,
    shown: bool,
) -> Column:
    """Return a column of texts; `shown` is whether messages may show them."""
    texts = frozenset(cells)
    kind = kind_of(texts - dialect.format.missing, dialect.format)
    made = Column(name, kind, cells, dialect.format, place, shown=shown)
    made.texts = texts  # known already
    return made


def _check_header(file: str, names: tuple[str, ...]) -> None:
    """Refuse a file without a header, or with two columns of one name.

    Raises:
        DataError: the sentence.
    """
    if not any(names):
        raise DataError(f"{file} is empty", "file")
    if any("\0" in name for name in names):
        message = f"{file} is not a table of text: it holds NUL characters"
        raise DataError(message, "file", "write encoding: utf-16 if each character has two bytes")
    twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
    if twice is not None:
        raise DataError(f"{file} has two columns{quoted(file, f' {brief(twice)}')}", "file")


def quoted(file: str, text: str) -> str:
    """Return a text that quotes a file, or nothing if the file is no table by its name.

    A config of a stranger may name a file with secrets, and a fault shows them to others.
    """
    return text if is_shown(file) else ""


def is_shown(file: str) -> bool:
    """Whether a message may show what a file holds."""
    return Path(file).suffix.lower() in _SUFFIXES
