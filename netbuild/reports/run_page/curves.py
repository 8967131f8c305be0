"""The curves of runs for a page: data for uPlot, and the same as SVG for print.

uPlot (MIT, `uPlot.LICENSE`) draws the lines, and lets a reader zoom and point at values.
https://github.com/leeoniya/uPlot
"""

from __future__ import annotations

from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.reports.page import as_script_data, escaped
from netbuild.reports.page.lines import Line, lines, suits_log
from netbuild.runs.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.runs.records import Record

#: The most charts of a page, and the most points of a line on the screen and in print.
_CHARTS, _POINTS, _PRINTED = 12, 400, 120
#: The most points of all lines together, so that the page stays small.
_ALL, _ALL_PRINTED = 15_000, 4_000
#: The significant digits of a point.
_DIGITS = 5
_COLOURS = 7


class Chart(NamedTuple):
    """A chart: its title, the epochs, and for each line its name, colour, and values."""

    title: str
    x: list[float]
    series: list[dict[str, Any]]
    percent: bool
    log: bool
    #: The most points of a line, if the lines are thinned out; else 0.
    thinned: int


def charts(records: Sequence[Record], names: Sequence[str]) -> list[Chart]:
    """Return a chart for each metric of some runs: losses first, then the monitored metric."""
    keys = dict.fromkeys(key for r in records for epoch in r.metrics for key in epoch)
    monitored = [record.monitor.partition("_")[2] for record in records]
    first = ["loss", *dict.fromkeys(monitored)]
    found = dict.fromkeys(k.partition("_")[2] for k in keys if k.startswith(("train_", "val_")))
    order = sorted(found, key=lambda n: first.index(n) if n in first else len(first))
    asked: list[tuple[str, Sequence[str]]] = []
    asked += [(n.replace("_", " "), (f"train_{n}", f"val_{n}")) for n in order[: _CHARTS - 1]]
    if any(len({epoch.get("lr") for epoch in r.metrics}) > 1 for r in records):
        asked.append(("learning rate", ("lr",)))
    most = min(_POINTS, _ALL // max(2 * len(asked) * len(records), 1))
    made = (_chart(title, keys, records, names, most) for title, keys in asked)
    return [chart for chart in made if chart is not None]


def _chart(
    title: str,
    keys: Sequence[str],
    records: Sequence[Record],
    names: Sequence[str],
    most: int,
) -> Chart | None:
    """Return the chart of some keys of each run; None without a finite value."""
    found: list[tuple[dict[str, Any], dict[float, float | None]]] = []
    for number, (record, name) in enumerate(zip(records, names, strict=True)):
        for key in keys:
            points = {e["epoch"]: _known(e[key]) for e in record.metrics if key in e}
            if not any(y is not None for y in points.values()):
                continue
            kind = {"train": "training", "val": "validation"}.get(key.partition("_")[0], "")
            line = {"run": name, "kind": kind, "colour": number, "dashed": kind == "training"}
            if len(records) == 1:
                line["run"] = title
            found.append((line, points))
    if not found:
        return None
    every = sorted({x for _, points in found for x in points})
    groups = _groups(every, most)
    x = [place for group in groups for place in sorted({group[0], group[-1]})]
    series = [
        {**line, "y": [y for group in groups for y in _of_group(group, points)]}
        for line, points in found
    ]
    values = [y for line in series for y in line["y"] if y is not None]
    percent = title.endswith("accuracy")
    log = not percent and suits_log(values)
    return Chart(title, x, series, percent, log, most if len(x) < len(every) else 0)


def _groups(x: Sequence[float], most: int) -> list[Sequence[float]]:
    """Return epochs in groups of neighbours, each of which becomes two points at most."""
    size = 1 if len(x) <= most else -(-2 * len(x) // most)
    return [x[start : start + size] for start in range(0, len(x), size)]


def _of_group(group: Sequence[float], points: dict[float, float | None]) -> list[float | None]:
    """Return the least and the greatest value of a group, in their order."""
    if len(group) == 1:
        return [_rounded(points.get(group[0]))]
    known = [(y, x) for x in group if (y := points.get(x)) is not None]
    if not known:
        return [None, None]
    ends = sorted((min(known), max(known)), key=lambda end: end[1])
    return [_rounded(y) for y, _ in ends]


def _known(value: Any) -> float | None:
    return value if is_number(value) and isfinite(value) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def html(made: Sequence[Chart]) -> list[str]:
    """Return the pieces of HTML of the charts, with their data."""
    printed = min(_PRINTED, _ALL_PRINTED // max(sum(len(chart.series) for chart in made), 1))
    parts = ['<div class="charts">']
    for number, chart in enumerate(made):
        values = [y for line in chart.series for y in line["y"] if y is not None]
        log = '<button data-log type="button">log</button>' if min(values) > 0 else ""
        zoom = '<button data-zoom type="button" hidden>whole</button>'
        static = _printed(chart, printed)
        parts.append(
            f'<section class="chart" id="chart-{number}"><header><h3>{escaped(chart.title)}</h3>'
            f'<span class="tools screen-only">{zoom}{log}</span></header>'
            f'<div class="live"></div><div class="static">{static}</div></section>'
        )
    data = as_script_data([chart._asdict() for chart in made])
    parts.append("</div>")
    if most := max((chart.thinned for chart in made), default=0):
        parts.append(
            f'<p class="note">Lines of more than {most} epochs are thinned out: of each group '
            "of neighbours, the least and the greatest value are drawn.</p>"
        )
    return [*parts, f'<script type="application/json" id="chart-data">{data}</script>']


def _printed(chart: Chart, most: int) -> str:
    given = [
        Line(
            " ".join(filter(None, (line["kind"], line["run"]))),
            chart.x,
            line["y"],
            line["dashed"],
            line["colour"],
        )
        for line in chart.series
    ]
    return lines(given, width=440, height=200, log=chart.log, most=most, legend=False)


def scripts() -> list[str]:
    """Return the library, and what draws the charts with it."""
    return [text("uPlot.iife.min.js"), text("charts.js")]


def styles() -> str:
    """Return the style of the library, and of the page."""
    return text("uPlot.min.css") + text("style.css")


def text(name: str) -> str:
    """Return the text of a file beside this module."""
    return files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


def swatch(number: int) -> str:
    """Return the mark with the colour of a run."""
    colour = f"var(--series-{number % _COLOURS + 1})"
    return f'<span class="swatch" style="background:{colour}"></span>'
