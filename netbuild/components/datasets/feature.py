"""A feature: the number that a row of a table gives to an input, from a column of the table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from netbuild.components.datasets.cells import are_digits_of_dates
from netbuild.components.datasets.column import PARTS, Column, brief
from netbuild.components.datasets.conversion import input_values
from netbuild.components.datasets.dataset import Bounds, DataError
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

#: Rules of missing values that the training samples measure.
MEASURED = frozenset({"mean", "median"})


class Readable(Protocol):
    """What an input reads of a row: a feature, or the tokens of a text."""

    @property
    def name(self) -> str:
        """The name in the file."""

    @property
    def column(self) -> Column:
        """The column that holds it."""

    def values(self, rows: Sequence[int] | None) -> "np.ndarray[Any, Any]":
        """Return the number, or the numbers, of each row."""


class Feature(NamedTuple):
    """A column of numbers, the categories of a column, or a part of its dates.

    `name` is the name in the file, such as `age` or `when.month`. `rule` says what stands for a
    missing value; None if none may be missing. `categories` are in the order of their numbers; None
    for a column without. A category that the training samples lack is None among them.
    """

    name: str
    column: Column
    part: str | None = None
    categories: Sequence[Any] | None = None
    rule: str | float | None = None

    @property
    def dtype(self) -> str:
        """The dtype of the values: int64 or float64."""
        if self.categories is not None:
            return "int64"
        if self.part is not None:
            return "float64" if self.part == "days" or self.gaps else "int64"
        whole = self.column.dtype in {"int64", "bool"}
        fills = isinstance(self.rule, float) and not self.rule.is_integer()
        return (
            "int64" if whole and not (self.gaps and (fills or self.rule in MEASURED)) else "float64"
        )

    @property
    def gaps(self) -> tuple[int, ...]:
        """The rows that lack a value."""
        return self.column.gaps

    @property
    def bounds(self) -> Bounds | None:
        """The bounds of the numbers; None for fractions. A category may be unknown, which is 0."""
        if self.categories is not None:
            return 0, len(self.categories)
        if self.part is not None:
            return _BOUNDS.get(self.part)
        found = self.column.bounds
        if found is None or self.dtype != "int64":
            return None
        if self.gaps and isinstance(self.rule, float):
            found = min(found[0], int(self.rule)), max(found[1], int(self.rule))
        return found

    def check(self) -> None:
        """Refuse a missing value if nothing stands for it, and a rule that does not suit.

        Raises:
            DataError: names the first row, and how many more there are.
        """
        of_category = self.categories is not None
        words = ("unknown", "drop") if of_category else ("mean", "median", "drop")
        number = isinstance(self.rule, float) and not of_category
        if self.rule is not None and self.rule not in words and not number:
            takes = "unknown or drop" if of_category else "mean, median, drop or a number"
            holds = "categories" if of_category else "numbers"
            raise DataError(f"{self.name} holds {holds}, and takes {takes}", "missing")
        if self.part is not None:
            self.column.dates()
        if self.rule is None and self.gaps:
            rule = "unknown" if self.categories is not None else "mean"
            raise lacking(self.name, self.column, f"missing: {{{self.name}: {rule}}}")

    def values(self, rows: Sequence[int] | None) -> "np.ndarray[Any, Any]":
        """Return the number of each row; NaN where a measured number will stand.

        Raises:
            DataError: a cell cannot be read.
        """
        import numpy as np

        if self.categories is not None:
            found = self.column.codes(self.categories)
        elif self.part is not None:
            found = self.column.part(self.part)
        else:
            found = self.column.numbers()
        if isinstance(self.rule, float) and self.gaps:
            found = np.where(np.isnan(found), self.rule, found)
        found = found if rows is None else found[rows]
        if self.dtype == "int64" and found.dtype.kind == "f" and not np.isnan(found).any():
            found = found.astype("int64")
        return found


_BOUNDS = {
    "month": (1, 12),
    "day": (1, 31),
    "weekday": (0, 6),
    "yearday": (1, 366),
    "hour": (0, 23),
    "minute": (0, 59),
}


def lacking(name: str, column: Column, field: str) -> DataError:
    """Return the fault of a column that lacks values; `field` is what to write."""
    message = f"{name} has no value in {column.at(column.gaps)}"
    help_ = f"write {field}, or missing: drop to leave such rows out"
    return DataError(message, "file", help_)


def feature_of(
    name: str,
    columns: Mapping[str, Column],
    *,
    own: bool,
    wanted: Tensor,
    chosen: Sequence[str],
    known: Mapping[str, Sequence[Any]],
    rule: str | float | None,
) -> Feature:
    """Return the feature of a name in `inputs`.

    Args:
        name: the name of a column, or of a part of a column of dates.
        columns: the columns of the table.
        own: whether the column is an input of its own.
        wanted: the input of the network.
        chosen: the columns of numbers that are categories.
        known: the categories that a run has kept, by column.
        rule: what stands for missing values.

    Raises:
        DataError: the column cannot be the input.
    """
    base, part = (name, "") if name in columns else name.rpartition(".")[::2]
    if base not in columns:
        raise DataError(f"there is no column {name}", "inputs")
    column = columns[base]
    if part:
        return _part(name, column, part, rule)
    picked = base in chosen
    if picked or (own and base in known) or _is_category(column, wanted, own=own):
        if base not in known and not picked:
            _expect_words(column, category=own and not wanted.floating)
        if not own or wanted.floating:
            raise _no_number(column, picked=picked)
        return Feature(name, column, None, known.get(base, column.values), rule)
    return Feature(name, column, None, None, rule)


def _is_category(column: Column, wanted: Tensor, *, own: bool) -> bool:
    """Whether a column holds texts, or is an input of whole numbers that holds true and false."""
    return column.dtype == "string" or (column.dtype == "bool" and own and not wanted.floating)


def _expect_words(column: Column, *, category: bool) -> None:
    """Refuse texts that are dates, and a text among numbers.

    Raises:
        DataError: names the column, and the first such row.
    """
    if column.kind.name == "date":
        parts = ", ".join(f"{column.name}.{part}" for part in ("month", "weekday"))
        help_ = f"name parts of it, such as {parts}; there are {', '.join(PARTS)}"
        raise DataError(f"{column.name} holds dates, and an input holds numbers", "inputs", help_)
    if column.wrong:
        raise column.not_numbers(column.wrong, category=category)


def _part(name: str, column: Column, part: str, rule: str | float | None) -> Feature:
    """Return a part of a column of dates.

    Raises:
        DataError: the column holds something else.
    """
    digits = column.kind.name == "int64" and are_digits_of_dates(column.filled)
    if column.kind.name != "date" and column.filled and not digits:
        raise column.not_dates(part)
    return Feature(name, column, part, None, rule)


def _no_number(column: Column, *, picked: bool) -> DataError:
    """Return the fault of a category that shares its input with numbers, or is read as one."""
    name, count = column.name, len(column.values)
    some = column.an_example
    shown = f", such as {brief(str(some))}," if column.shown and some is not None else ""
    message = f"{name} is text{shown} and must be numbers"
    if picked:
        message = f"{name} is a category, and an input of several columns or of floats has none"
    number = column.field
    if number:
        return DataError(message, "inputs", f"write {number}")
    help_ = (
        f"give it an input of its own, {name}: {{shape: [], dtype: int64}}, which an "
        f"Embedding with num_embeddings: {count + 1} reads; or leave it out of inputs"
    )
    if sum(" " in str(cell) for cell in column.filled) * 2 > len(column.filled):
        help_ = f"read it as tokens, as in inputs: {{words: {{tokens: {name}, length: 64}}}}"
    return DataError(message, "inputs", help_)


def input_array(
    features: Sequence[Readable], wanted: Tensor, rows: Sequence[int] | None, *, own: bool
) -> "np.ndarray[Any, Any]":
    """Return an input of one feature, or of several side by side, (rows, *input).

    A float is NaN where a measured number will stand.

    Raises:
        DataError: a value cannot be read by the network.
    """
    import numpy as np

    to = wanted if own else Tensor((), wanted.dtype)
    found = []
    for feature in features:
        values = feature.values(rows)
        gaps = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        if gaps.any() and not wanted.floating:
            message = f"{feature.name} lacks values, and the network reads {wanted.dtype}"
            help_ = f"write a whole number, missing: {{{feature.name}: 0}}, or drop"
            raise DataError(message, "missing", help_)
        column = feature.column
        place = _placed(column, rows)
        there = np.where(gaps, 0, values) if gaps.any() else values
        given = input_values(there.astype(values.dtype, copy=False), to, feature.name, place)
        if gaps.any():
            given[gaps] = np.nan
        found.append(given)
    return found[0] if own else np.stack(found, axis=1)


def _placed(column: Column, rows: Sequence[int] | None) -> Any:
    return lambda row: f"in {column.place(row if rows is None else rows[row])}"


def bounds_of_all(found: "list[Bounds | None]") -> Bounds | None:
    """Return the bounds of several columns; None if one of them has fractions."""
    whole = [bounds for bounds in found if bounds is not None]
    if not whole or len(whole) < len(found):
        return None
    return min(least for least, _ in whole), max(most for _, most in whole)


def measured(name: str, rule: object, values: "np.ndarray[Any, Any]") -> float:
    """Return the number that stands for a missing value.

    Raises:
        DataError: no training sample has a value.
    """
    import numpy as np

    there = values[~np.isnan(values)].astype("float64")
    if not len(there):
        raise DataError(f"{name} has no value in any training sample", "missing")
    return float(np.mean(there) if rule == "mean" else np.median(there))
