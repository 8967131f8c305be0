"""The curves of runs for a page: data for uPlot, and the same as SVG for print.

uPlot (MIT, `uPlot.LICENSE`) draws the lines, and lets a reader zoom and point at values.
https://github.com/leeoniya/uPlot
"""

from __future__ import annotations

from importlib.resources import files
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.reports.page import as_script_data, escaped
from netbuild.reports.page.lines import Line, lines, suits_log, thinned
from netbuild.runs.numbers import is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.runs.records import Record

#: The most charts of a page, and the most points of a line on the screen and in print.
_CHARTS, _POINTS, _PRINTED = 12, 400, 120
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


def charts(records: Sequence[Record], names: Sequence[str]) -> list[Chart]:
    """Return a chart for each metric of some runs: losses first, then the monitored metric."""
    keys = dict.fromkeys(key for r in records for epoch in r.metrics for key in epoch)
    monitored = [record.monitor.partition("_")[2] for record in records]
    first = ["loss", *dict.fromkeys(monitored)]
    found = dict.fromkeys(k.partition("_")[2] for k in keys if k.startswith(("train_", "val_")))
    order = sorted(found, key=lambda n: first.index(n) if n in first else len(first))
    made = [_chart(n.replace("_", " "), (f"train_{n}", f"val_{n}"), records, names) for n in order]
    shown = [chart for chart in made if chart is not None][: _CHARTS - 1]
    rate = _chart("learning rate", ("lr",), records, names)
    varies = any(len({epoch.get("lr") for epoch in r.metrics}) > 1 for r in records)
    return [*shown, rate] if rate is not None and varies else shown


def _chart(
    title: str, keys: Sequence[str], records: Sequence[Record], names: Sequence[str]
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
    kept = {x for _, points in found for x, _ in thinned([*points], [*points.values()], _POINTS)}
    x = sorted(kept)
    series = [{**line, "y": [_rounded(points.get(e)) for e in x]} for line, points in found]
    values = [y for line in series for y in line["y"] if y is not None]
    percent = title.endswith("accuracy")
    return Chart(title, x, series, percent, not percent and suits_log(values))


def _known(value: Any) -> float | None:
    return value if is_number(value) and isfinite(value) else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def thinned_out(records: Sequence[Record]) -> bool:
    """Whether a run has more epochs than the lines of a page have points."""
    return any(len(record.metrics) > _POINTS for record in records)


def html(made: Sequence[Chart], records: Sequence[Record]) -> list[str]:
    """Return the pieces of HTML of the charts, with their data."""
    parts = ['<div class="charts">']
    for number, chart in enumerate(made):
        values = [y for line in chart.series for y in line["y"] if y is not None]
        log = '<button data-log type="button">log</button>' if min(values) > 0 else ""
        zoom = '<button data-zoom type="button" hidden>whole</button>'
        parts.append(
            f'<section class="chart" id="chart-{number}"><header><h3>{escaped(chart.title)}</h3>'
            f'<span class="tools screen-only">{zoom}{log}</span></header>'
            f'<div class="live"></div><div class="static">{_printed(chart)}</div></section>'
        )
    data = as_script_data([chart._asdict() for chart in made])
    parts.append("</div>")
    if thinned_out(records):
        parts.append(
            f'<p class="note">Lines of more than {_POINTS} epochs are thinned out: of each group '
            "of neighbours, the least and the greatest value are drawn.</p>"
        )
    return [*parts, f'<script type="application/json" id="chart-data">{data}</script>']


def _printed(chart: Chart) -> str:
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
    return lines(given, width=440, height=200, log=chart.log, most=_PRINTED)


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
