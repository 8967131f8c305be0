"""Tables whose rows are moments of series: their samples are windows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic_core import core_schema

from netbuild.components.datasets.column import Column, and_more
from netbuild.components.datasets.dataset import DataError, Declared, Loaded, Past, Sample
from netbuild.components.datasets.fields import by_name, flat
from netbuild.components.datasets.table import Plan, TableSource
from netbuild.components.datasets.windows import (
    Cut,
    Windows,
    can_cut,
    cut,
    numbered,
    of_rows,
    of_windows,
    over_rows,
    shape_of,
)
from netbuild.components.fields import OptionalCount, PositiveInt, Wants, optional
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

_Column = Annotated[
    str | None,
    Wants(
        "the name of a column, or null",
        optional(core_schema.str_schema(strict=True, min_length=1)),
    ),
]


class WindowedSource(TableSource):
    """A source whose samples are the rows of a table, or windows over its rows."""

    last: ClassVar[str] = "missing categories window horizon stride series order"

    window: OptionalCount = None
    """How many rows an input has; null makes each row a sample."""
    horizon: PositiveInt = 1
    """How many rows behind the window the target has."""
    stride: PositiveInt = 1
    """How many rows lie between the beginnings of two windows."""
    series: _Column = None
    """Column that names the series of each row; null is one series."""
    order: _Column = None
    """Column of dates or numbers that must rise within each series; null does not check it."""

    @property
    def windows(self) -> Windows | None:
        """How the rows are cut; None if each row is a sample."""
        return None if self.window is None else Windows(self.window, self.horizon, self.stride)

    @property
    def over_time(self) -> bool:
        return self.window is not None

    @property
    def overlaps(self) -> bool:
        return self.window is not None

    @property
    def gap(self) -> int:
        return self.windows.gap if self.windows else 0

    def others(self, names: Iterable[str]) -> tuple[str, ...]:
        if self.window is None:
            return super().others(names)
        return tuple(name for name in names if name and name not in {self.series, self.order})

    def past_of(self, names: Iterable[str], inputs: int) -> Mapping[str, tuple[Past, ...]]:
        """Return where the columns of targets are among the inputs of a network."""
        if self.window is None:
            return {}
        groups = [flat((group,)) for group in self.groups_of(names, inputs)]
        return {
            target: tuple(
                Past(0, number, group.index(column))
                for number, group in enumerate(groups)
                if column in group
            )
            for target, column in by_name(getattr(self, "target", None)).items()
        }

    def check_windows(self, names: Sequence[str], read: Iterable[str]) -> None:
        """Refuse fields of windows without windows, and columns that do not exist.

        Raises:
            DataError: names the field.
        """
        if self.window is None:
            for field in ("horizon", "stride", "series", "order"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    message = f"{field} is for windows, and each row is a sample"
                    raise DataError(message, field, "write window, such as window: 24")
            return
        if self.series is not None and self.series in read:
            message = f"{self.series} names the series, and the network reads it too"
            raise DataError(message, "series", f"name the inputs without {self.series}")

    def check_series(self, columns: Mapping[str, Column]) -> None:
        """Refuse series that are too short for a window, and rows that are not in order.

        Raises:
            DataError: names the series, or the row.
        """
        how = self.windows
        if how is None or not can_cut():
            return
        of_rows = self._series_of(columns)
        numbers, names = numbered(of_rows)
        if self.order is not None:
            self.check_order(columns[self.order], numbers.tolist(), names)
        lengths = [0] * len(names)
        for number in numbers.tolist():
            lengths[number] += 1
        short = [n for n, length in enumerate(lengths) if length < how.length]
        if short:
            first = min(short, key=lambda n: lengths[n])
            named = "the series" if self.series is None else f"the series {names[first]}"
            needs = f"a window of {how.window} and a horizon of {how.horizon} need {how.length}"
            rows = f"{lengths[first]} row{'s'[: lengths[first] != 1]}"
            more = f"; {len(short) - 1:,} more too" if len(short) > 1 else ""
            raise DataError(f"{named} has {rows}, and {needs}{more}", "window")

    def check_order(self, column: Column, numbers: list[int], names: list[str]) -> None:
        """Refuse rows whose date or number does not rise within their series.

        Raises:
            DataError: names the first row, and how many more there are.
        """
        values: Sequence[Any]
        values = column.dates() if column.kind.name == "date" else column.numbers().tolist()
        last: dict[int, tuple[Any, int]] = {}
        wrong: list[tuple[int, int]] = []
        for row, (number, value) in enumerate(zip(numbers, values, strict=True)):
            if row in column.gaps:
                raise DataError(f"{column.name} has no value in {column.place(row)}", "order")
            if number in last and not value > last[number][0]:
                wrong.append((row, last[number][1]))
            last[number] = value, row
        if wrong:
            row, before = wrong[0]
            shown = [f" {column.cells[n]}" if column.shown else "" for n in (row, before)]
            of = "" if self.series is None else f" of {names[numbers[row]]}"
            message = (
                f"{column.name}{shown[0]} in {column.place(row)} does not come after"
                f"{shown[1] or ' that'} in {column.place(before)}{of}{and_more(len(wrong))}"
            )
            raise DataError(message, "order", f"sort the rows of each series by {column.name}")

    def _series_of(self, columns: Mapping[str, Column]) -> Sequence[str]:
        """Return the name of the series of each row."""
        if self.series is None:
            return [""] * len(next(iter(columns.values())).cells)
        return [str(cell) for cell in columns[self.series].cells]

    def cut(self, columns: Mapping[str, Column], rows: Sequence[int] | None) -> Cut:
        """Return the windows of a table, without those that lack a row.

        Raises:
            DataError: no window is left.
        """
        assert self.windows is not None
        found = cut(self._series_of(columns), rows, self.windows)
        if not len(found.starts):
            message = f"each window of {self.windows.length} rows lacks a value"
            raise DataError(message, "window")
        return found

    def of_rows(self, wanted: Sample) -> Sample:
        """Return what each row must give, for windows that a network wants."""
        if self.window is None:
            return wanted
        targets = {name: of_rows(target) for name, target in wanted.targets.items()}
        return Sample(tuple(map(over_rows, wanted.inputs)), targets)

    def of_windows(self, given: Declared, wanted: Sample) -> Declared:
        """Return the description of the samples, given that of the rows."""
        if self.window is None:
            return given
        inputs = tuple(x and Tensor((self.window, *x.shape), x.dtype) for x in given.inputs)
        targets = {
            name: target and of_windows(target, wanted.targets[name], self.horizon)
            for name, target in given.targets.items()
        }
        return Declared(inputs, targets)

    def in_windows(
        self, loaded: Loaded, columns: Mapping[str, Column], plan: Plan, wanted: Sample
    ) -> Loaded:
        """Return the windows of rows."""
        import numpy as np

        if self.window is None:
            return loaded
        found = self.cut(columns, plan.rows)
        place = np.zeros(len(found.order), "int64")  # of each row among those that are read
        place[slice(None) if plan.rows is None else plan.rows] = np.arange(len(loaded[1][0]))
        inputs = place[found.rows(0, self.window)]
        targets = place[found.rows(self.window, self.horizon)]
        shapes = [shape_of(target.tensor.shape, self.horizon) for target in wanted.targets.values()]
        return (
            tuple(np.ascontiguousarray(x[inputs]) for x in loaded[0]),
            tuple(
                np.ascontiguousarray(y[targets].reshape(len(targets), *shape))
                for y, shape in zip(loaded[1], shapes, strict=True)
            ),
        )

    def by_sample(
        self, values: "np.ndarray[Any, Any]", columns: Mapping[str, Column], plan_rows: Any
    ) -> "np.ndarray[Any, Any]":
        """Return the value of each sample: of its row, or of the first row of its target."""
        if self.windows is None:
            return values if plan_rows is None else values[plan_rows]
        found = self.cut(columns, plan_rows)
        return values[found.rows(self.windows.window, 1)[:, 0]]
