"""The rows of a table in a text file, read one by one and within bounds."""

import csv
from collections.abc import Iterator
from typing import TextIO

#: The most characters of a row. A row of 10,000 numbers has a tenth.
MAX_ROW = 1 << 20


class Rows:
    """Yields the cells of each row. Empty lines are empty rows.

    A file without line breaks is one row, which would fill the memory.

    Raises:
        csv.Error: a row is too long, or has a quote in a wrong place.
        UnicodeDecodeError: the file is not UTF-8 text.
    """

    def __init__(self, file: TextIO, separator: str, quote: str = '"', *, skipped: int = 0) -> None:
        self._file, self._left, self.separator = file, MAX_ROW, separator
        self._skipped = skipped
        self._reader = csv.reader(self._lines(), delimiter=separator, quotechar=quote, strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        self._left = MAX_ROW
        begun = self.line + 1
        try:
            return next(self._reader)
        except csv.Error as error:
            raise csv.Error(_plainly(str(error), begun, self.line)) from error

    @property
    def line(self) -> int:
        """The number of the last line of the current row."""
        return self._reader.line_num + self._skipped

    def _lines(self) -> Iterator[str]:
        """Yield the lines. A row with quotes may have several."""
        while line := self._file.readline(self._left + 1):
            self._left -= len(line)
            if self._left < 0:
                number = self.line + 1
                raise csv.Error(f"the row in line {number} has more than {MAX_ROW:,} characters")
            yield line


def _plainly(said: str, begun: int, line: int) -> str:
    """Return what Python says of a row, in plain words.

    Args:
        said: the words of Python.
        begun: the first line of the row.
        line: its last line.
    """
    if said == "unexpected end of data":
        return f"the row in line {begun} opens a quote that is never closed"
    if "expected after" in said:
        return f"line {line} has text behind a closing quote"
    return "it holds NUL characters" if said == "line contains NUL" else said
