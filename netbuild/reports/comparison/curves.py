"""Curves of a run in the terminal, with the dots of braille, and a line of blocks for a table.

Lines differ in colour on a terminal. Without colours, the first line is dotted. The value that a
line ends with stands beside its end.
"""

from __future__ import annotations

import math
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from rich.cells import cell_len
from rich.text import Text

from netbuild.reports.page.lines import suits_log, tick_text, ticks
from netbuild.reports.runs import value

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.runs.records import Record

#: A chart is at least so wide, and at most; its height in lines of text.
_LEAST, _MOST, _TALL = 58, 96, 8
#: The bit of each dot of a cell: two columns of four. https://www.unicode.org/charts/PDF/U2800.pdf
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
_BLOCKS = "▁▂▃▄▅▆▇█"
_COLOURS = ("cyan", "yellow", "green", "magenta", "blue", "red")
#: The most charts of a run. The names of the other metrics stand below.
_CHARTS = 4


class Curve(NamedTuple):
    """A line of a chart: its name, the epochs, and a value for each; NaN leaves a gap."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


class Chart(NamedTuple):
    """Curves that share an axis. `measured` is the name of the metric that they show."""

    title: str
    measured: str
    curves: tuple[Curve, ...]


def sparkline(values: Sequence[float | None], scale: tuple[float, float], width: int = 12) -> str:
    """Return values as a line of blocks, given the least and the greatest of the scale.

    A value that is missing or not finite is a blank.
    """
    if not values:
        return ""
    low, high = scale
    marks, columns = "", min(width, len(values))
    for column in range(columns):
        part = values[column * len(values) // columns : (column + 1) * len(values) // columns]
        known = [y for y in part if y is not None and isfinite(y)]
        if not known:
            marks += " "
            continue
        share = _share(known[-1], low, high, log=suits_log((low, high)))
        marks += _BLOCKS[min(len(_BLOCKS) - 1, int(share * len(_BLOCKS)))]
    return marks.ljust(width)


def _share(y: float, low: float, high: float, *, log: bool) -> float:
    """Return the place of a value on a scale, from 0 to 1."""
    if not high > low:
        return 0.5
    share = (
        math.log(y / low) / math.log(high / low) if log else y / (high - low) - low / (high - low)
    )
    return min(max(share, 0.0), 1.0)


# The charts of a run.


def charts(record: Record) -> tuple[list[Chart], list[str]]:
    """Return the charts of a run, its monitor among the first, and the metrics without a chart."""
    names = dict.fromkeys(name for epoch in record.metrics for name in epoch)
    measured = dict.fromkeys(
        name.partition("_")[2] for name in names if name.startswith(("train_", "val_"))
    )
    first = ["loss", record.monitor.partition("_")[2]]
    order = sorted(measured, key=lambda name: first.index(name) if name in first else len(first))
    found = []
    for name in order:
        parts = (f"train_{name}", f"val_{name}")
        curves = (_curve(record, part, part.partition("_")[0]) for part in parts if part in names)
        lines = tuple(c for c in curves if any(map(isfinite, c.y)))
        found += [Chart(name.replace("_", " "), name, lines)] if lines else []
    shown, rest = found[:_CHARTS], [chart.title for chart in found[_CHARTS:]]
    rate = _curve(record, "lr", "")
    if len({y for y in rate.y if isfinite(y)}) > 1:
        shown.append(Chart("learning rate", "lr", (rate,)))
    return shown, rest


def _curve(record: Record, key: str, name: str) -> Curve:
    known = [epoch for epoch in record.metrics if key in epoch]
    return Curve(
        name,
        tuple(float(epoch["epoch"]) for epoch in known),
        tuple(float(epoch[key]) for epoch in known),
    )


def drawn(record: Record, width: int, *, coloured: bool) -> Text:
    """Return the curves of a run for a terminal; an empty text for fewer than two epochs."""
    if len(record.metrics) < 2:
        return Text()
    found, rest = charts(record)
    lines = side_by_side(found, width, coloured=coloured)
    if rest:
        lines += [Text(f" also measured: {', '.join(rest)}")]
    return Text("\n").join(lines)


def drawn_together(records: Sequence[Record], width: int, *, coloured: bool) -> Text:
    """Return the monitored value of several runs, such as folds, as curves of one chart."""
    keys = {record.monitor for record in records}
    if len(keys) != 1:
        return Text()
    (key,) = keys
    curves = [_curve(record, key, record.folder.name) for record in records]
    known = tuple(c for c in curves if len(c.x) > 1 and any(map(isfinite, c.y)))
    if not known:
        return Text()
    made = Chart(key.replace("_", " "), key.partition("_")[2], known)
    return Text("\n").join(side_by_side([made], width, coloured=coloured))


def side_by_side(found: Sequence[Chart], width: int, *, coloured: bool) -> list[Text]:
    """Return charts as lines of text, as many in a row as have room."""
    columns = max(1, min(len(found), width // _LEAST))
    each = min(width // columns - 2 * (columns > 1), _MOST)
    made = [_chart(chart, each, coloured=coloured) for chart in found]
    lines = []
    for start in range(0, len(made), columns):
        row = made[start : start + columns]
        for parts in zip(*row, strict=True):
            line = Text()
            for part in parts[:-1]:
                line.append_text(part).append(" " * (each + 2 - part.cell_len))
            line.append_text(parts[-1]).rstrip()
            lines.append(line)
    return lines


def _chart(chart: Chart, width: int, *, coloured: bool) -> list[Text]:
    """Return a chart: a title, lines with the axis on the left, and the epochs below."""
    known = [(x, y) for c in chart.curves for x, y in zip(c.x, c.y, strict=True) if isfinite(y)]
    low, high = _ends([y for _, y in known])
    log = suits_log((low, high))
    first, last = min(x for x, _ in known), max(x for x, _ in known)
    marks = {_place(y, low, high, log=log): tick_text(y) for y in ticks(low, high, log=log, most=4)}
    labels = _labels(chart, low, high, log=log)
    left = max(map(len, marks.values()), default=0) + 1
    right = max((cell_len(label) for label, _ in labels.values()), default=0) + 1
    cells = _Cells(max(width - left - right - 1, 4))
    for number, curve in enumerate(chart.curves):
        points = [
            (
                _share(x, first, last, log=False),
                _share(y, low, high, log=log) if isfinite(y) else math.nan,
            )
            for x, y in zip(curve.x, curve.y, strict=True)
        ]
        cells.draw(points, number, dotted=not coloured and len(chart.curves) == 2 and number == 0)
    lines = [_title(chart, log=log, coloured=coloured)]
    for row in range(_TALL):
        line = Text(f"{marks.get(row, ''):>{left}}" + ("┤" if row in marks else "│"))
        line.append_text(cells.line(row, coloured=coloured))
        if row in labels:
            label, number = labels[row]
            line.append(f" {label}", _COLOURS[number % len(_COLOURS)] if coloured else "")
        lines.append(line)
    begin, end = tick_text(first), tick_text(last)
    rule = "─" * (cells.width - len(begin) - len(end))
    return [*lines, Text(f"{'└':>{left + 1}}{begin}{rule}{end}"), Text()]


def _title(chart: Chart, *, log: bool, coloured: bool) -> Text:
    told = f" {chart.title}" + (", logarithmic" if log else "")
    if len(chart.curves) == 2 and not coloured:
        told += f": {chart.curves[0].name} dotted, {chart.curves[1].name} whole"
    return Text(told, "bold")


def _ends(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high > low:
        return low, high
    return low - (abs(low) / 10 or 1), high + (abs(high) / 10 or 1)


def _place(y: float, low: float, high: float, *, log: bool) -> int:
    """Return the line of text that a value lies in, from 0 at the top."""
    return min(_TALL - 1, int((1 - _share(y, low, high, log=log)) * _TALL))


def _labels(chart: Chart, low: float, high: float, *, log: bool) -> dict[int, tuple[str, int]]:
    """Return the name and the last value of each curve, by the line of text beside its end."""
    found: dict[int, tuple[str, int]] = {}
    for number, curve in enumerate(chart.curves):
        last = next((y for y in reversed(curve.y) if isfinite(y)), None)
        if last is None:
            continue
        said = f"{last:.3g}" if chart.measured == "lr" else value(chart.measured, last, narrow=True)
        place = _place(last, low, high, log=log)
        free = sorted(
            (row for row in range(_TALL) if row not in found), key=lambda r: abs(r - place)
        )
        if free:
            found[free[0]] = f"{curve.name} {said}".strip(), number
    return found


class _Cells:
    """The cells of a chart, each with the dots that are set and the curve that has set the last."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.dots = [[0] * width for _ in range(_TALL)]
        self.owner = [[0] * width for _ in range(_TALL)]

    def draw(self, points: Sequence[tuple[float, float]], number: int, *, dotted: bool) -> None:
        """Draw a line through points, each from 0 to 1; NaN interrupts it."""
        before: tuple[int, int] | None = None
        count = 0
        for x, y in points:
            if math.isnan(y):
                before = None
                continue
            now = round(x * (2 * self.width - 1)), round((1 - y) * (4 * _TALL - 1))
            for column, row in _between(before or now, now):
                count += 1
                if not dotted or count % 4 == 1:
                    self.dots[row // 4][column // 2] |= _DOTS[column % 2][row % 4]
                    self.owner[row // 4][column // 2] = number
            before = now

    def line(self, row: int, *, coloured: bool) -> Text:
        """Return a line of cells."""
        made = Text()
        for dots, number in zip(self.dots[row], self.owner[row], strict=True):
            style = _COLOURS[number % len(_COLOURS)] if coloured and dots else ""
            made.append(chr(0x2800 + dots) if dots else " ", style)
        return made


def _between(a: tuple[int, int], b: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the dots of the line between two dots."""
    steps = max(abs(b[0] - a[0]), abs(b[1] - a[1])) or 1
    for step in range(steps + 1):
        yield (
            a[0] + round((b[0] - a[0]) * step / steps),
            a[1] + round((b[1] - a[1]) * step / steps),
        )
