"""A column of a table: its kind, its values, the rows without a value, and the wrong cells."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.cells import (
    BOOLEANS,
    PLAIN,
    Format,
    Kind,
    date_in,
    field_for,
    is_date,
    number_in,
    order_of,
    value_in,
)
from netbuild.components.datasets.dataset import Bounds, DataError

if TYPE_CHECKING:
    import numpy as np

#: What a date tells, each a number.
PARTS: dict[str, Callable[[datetime], float]] = {
    "year": lambda at: at.year,
    "month": lambda at: at.month,
    "day": lambda at: at.day,
    "weekday": lambda at: at.weekday(),
    "yearday": lambda at: at.timetuple().tm_yday,
    "hour": lambda at: at.hour,
    "minute": lambda at: at.minute,
    "days": lambda at: (at - datetime(1970, 1, 1)).total_seconds() / 86_400,  # noqa: DTZ001
}


#: How Python reads the plain numbers of a column, fast.
_PLAIN: dict[str, Callable[[Any], Any]] = {"int64": int, "float64": float}


def and_more(count: int) -> str:
    """Return how many more rows have the fault of the first, given the number of all."""
    rows = "row" if count == 2 else "rows"
    return f", and in {count - 1:,} more {rows}" if count > 1 else ""


class Column:
    """A column of a table of text.

    `cells` are the texts of the rows. `place` returns the name of a row in a message, such as
    `line 18`. A message names at most `named` rows, and counts the others.
    """

    #: The number of classes that the table itself names.
    class_count: int | None = None

    def __init__(
        self,
        name: str,
        kind: Kind,
        cells: Sequence[Any],
        how: Format = PLAIN,
        place: Callable[[int], str] = lambda row: f"row {row + 1}",
        *,
        shown: bool = True,
        named: int = 1,
    ) -> None:
        self.name, self.kind, self.cells, self.how, self.place = name, kind, cells, how, place
        self.shown, self.named = shown, named

    @property
    def dtype(self) -> str:
        """The dtype of the values; a date is a text."""
        return "string" if self.kind.name == "date" else self.kind.name

    def is_gap(self, cell: Any) -> bool:
        """Whether a cell holds no value."""
        return cell in self.how.missing

    @cached_property
    def gaps(self) -> tuple[int, ...]:
        """The rows without a value."""
        if len(self.filled) == len(self.texts):
            return ()
        return tuple(row for row, cell in enumerate(self.cells) if self.is_gap(cell))

    @cached_property
    def texts(self) -> frozenset[Any]:
        """The different cells."""
        return frozenset(self.cells)

    @cached_property
    def filled(self) -> frozenset[Any]:
        """The different cells that hold a value."""
        return self.texts - self.how.missing

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """The different values, in order."""
        if self.kind.name == "bool":
            return (False, True)
        return tuple(sorted({*map(self._reading, self.filled)}))

    @property
    def _reading(self) -> Callable[[Any], Any]:
        """The function from a cell to its value."""
        plain = not self.kind.unit and self.how.decimal == "." and not self.how.thousands
        return _PLAIN.get(self.kind.name, self.value) if plain else self.value

    def value(self, cell: Any) -> Any:
        """Return the value of a cell; None if it is not of the column's kind."""
        return value_in(cell, self.kind, self.how)

    def read(self) -> list[Any]:
        """Return the value of each row; None in a gap."""
        read = self._reading
        told = {cell: read(cell) for cell in self.filled}
        return [told.get(cell) for cell in self.cells]

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

    def number(self, cell: Any) -> float | None:
        """Return the number in a cell; None if it holds none."""
        return number_in(cell, self.how, self.kind.unit)

    @cached_property
    def wrong(self) -> tuple[int, ...]:
        """The rows whose cell is no number, if most rows of the column have one."""
        if self.kind.name != "string":
            return ()
        known = {cell for cell in self.filled if self.number(cell) is not None}
        there = [row for row, cell in enumerate(self.cells) if cell in self.filled]
        wrong = tuple(row for row in there if self.cells[row] not in known)
        return wrong if len(wrong) * 2 < len(there) else ()

    @property
    def an_example(self) -> Any:
        """A cell that is no number; None for a column of numbers."""
        texts = (cell for cell in sorted(self.filled) if self.number(cell) is None)
        return next(texts, None)

    @property
    def field(self) -> str | None:
        """The fields with which every cell is a number; None if there are none."""
        cells = sorted(self.filled) if self.kind.name == "string" else []
        told = [field_for(cell) for cell in cells if self.number(cell) is None]
        return min(filter(None, told), key=len) if told and all(told) else None

    def numbers(self) -> "np.ndarray[Any, Any]":
        """Return the number of each row, int64 or float64; NaN in a gap.

        Raises:
            DataError: a cell holds something else.
        """
        import numpy as np

        read = self._reading if self.kind.name in _PLAIN else self.number
        told = {cell: read(cell) for cell in self.filled}
        strange = {cell for cell, value in told.items() if value is None}
        if strange:
            rows = [row for row, cell in enumerate(self.cells) if cell in strange]
            raise self.not_numbers(rows)
        whole = not self.gaps and all(isinstance(value, int) for value in told.values())
        found = [told.get(cell, np.nan) for cell in self.cells]
        return np.array(found, "int64" if whole or self.kind.name == "bool" else "float64")

    def not_numbers(self, rows: Sequence[int], *, category: bool = False) -> DataError:
        """Return the fault of rows whose cells are no numbers, but might be a `category`."""
        cell = self.cells[rows[0]]
        known = f"write na_values: [{quoted_cell(cell)}] if no value is meant"
        help_ = f"correct it, or {known}"
        if category:
            help_ = f"correct it, {known}, or categories: [{self.name}]"
        fields = field_for(cell)
        if fields:
            help_ = f"write {fields}"
        return DataError(
            f"{self._cell(rows)}, and must be a number", "file", help_ if self.shown else None
        )

    def _cell(self, rows: Sequence[int]) -> str:
        """Return the words that name the first of some cells."""
        cells = [f"{brief(self.cells[r])!r}" if self.shown else "wrong" for r in rows[: self.named]]
        return f"{self.name} is {self.at(rows, [f'{cell} in ' for cell in cells])}"

    def at(self, rows: Sequence[int], before: Sequence[str] = ()) -> str:
        """Return the places of the first of some rows, each behind a text, and how many more."""
        texts = before or [""] * self.named
        told = [f"{text}{self.place(row)}" for text, row in zip(texts, rows, strict=False)]
        *others, last = told
        listed = f"{', '.join(others)} and {last}" if others else last
        return f"{listed}{and_more(len(rows) - len(others))}"

    def dates(self) -> list[datetime | None]:
        """Return the date of each row; None in a gap.

        Raises:
            DataError: a cell holds no date, or it may be of two days.
        """
        dayfirst = self.how.dayfirst
        if dayfirst is None:
            dayfirst = order_of(self.filled)
        if dayfirst is None:
            first = next(row for row, cell in enumerate(self.cells) if cell in self.filled)
            message = self._cell([first])
            help_ = "write dayfirst: true if the day comes first, or dayfirst: false for the month"
            raise DataError(f"{message}, and may be two dates", "inputs", help_)
        told = {cell: date_in(cell, dayfirst=dayfirst) for cell in self.filled}
        wrong = [row for row, cell in enumerate(self.cells) if cell in told and told[cell] is None]
        if wrong:
            raise DataError(f"{self._cell(wrong)}, and must be a date", "file")
        return [told.get(cell) for cell in self.cells]

    def not_dates(self, part: str) -> DataError:
        """Return the fault of a column that holds something else, of which a part is wanted."""
        wrong = [row for row, cell in enumerate(self.cells) if _is_no_date(cell, self)]
        if not wrong:
            return DataError(
                f"{self.name} holds no dates, and {part} is a part of a date", "inputs"
            )
        return DataError(f"{self._cell(wrong)}, and must be a date", "file")

    def part(self, part: str) -> "np.ndarray[Any, Any]":
        """Return a part of the date of each row, int64 or float64; NaN in a gap.

        Raises:
            DataError: as `dates`.
        """
        import numpy as np

        read = PARTS[part]
        whole = not self.gaps and part != "days"
        found = [np.nan if at is None else read(at) for at in self.dates()]
        return np.array(found, "int64" if whole else "float64")

    def codes(self, categories: Sequence[Any]) -> "np.ndarray[Any, Any]":
        """Return the number of each row's category, from 1; 0 in a gap and for an unknown one."""
        import numpy as np

        numbers = {value: n for n, value in enumerate(categories, 1) if value is not None}
        like = next((value for value in categories if value is not None), "")
        told = {}
        for cell in self.filled:
            value = cell
            if not isinstance(like, str):
                value = BOOLEANS.get(cell.lower()) if isinstance(like, bool) else self.number(cell)
            elif value not in numbers:
                value = cell.strip()
            told[cell] = numbers.get(value, 0)
        return np.array([told.get(cell, 0) for cell in self.cells], "int64")

    def chosen(self, rows: Sequence[int]) -> "Column":
        """Return the column of some rows."""
        place = self.place
        return type(self)(
            self.name,
            self.kind,
            [self.cells[row] for row in rows],
            self.how,
            lambda row: place(rows[row]),
            shown=self.shown,
        )


def _is_no_date(cell: str, column: Column) -> bool:
    return cell in column.filled and not is_date(cell)


def brief(text: str) -> str:
    """Return a text from a file, cut to a length that fits a message."""
    return text if len(text) <= 20 else f"{text[:20]}…"


def quoted_cell(text: str) -> str:
    """Return a text as a file writes it in quotes."""
    return "'" + text.replace("'", "''") + "'"
