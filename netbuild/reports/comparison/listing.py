"""The list of runs: a table with the settings that differ as columns, JSON, CSV and Markdown."""

from __future__ import annotations

import json
import math
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.diagnostics.escapes import of_json, one_line
from netbuild.reports.comparison.choosing import monitored, rises
from netbuild.reports.comparison.curves import sparkline
from netbuild.reports.comparison.settings import differing
from netbuild.reports.runs import (
    described,
    duration,
    mean,
    narrow,
    rows_formatted,
    shown_value,
)
from netbuild.reports.text_table import TextTable
from netbuild.runs.numbers import finite, is_number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from rich.text import Text

    from netbuild.reports.comparison.settings import Setting
    from netbuild.runs.records import Record

#: The columns before and behind the settings.
_BEFORE, _BEHIND = ("name", "run", "state", "epochs"), ("best", "loss", "metric", "curve", "time")
#: The widths of a curve.
_CURVE, _SHORT = 12, 8


class _Shape(NamedTuple):
    """Which columns a table has, and how wide some are."""

    without: frozenset[str] = frozenset()
    settings: int = 1000
    #: Whether the header of a setting is its whole path.
    whole: bool = True
    curve: int = _CURVE


def table(folder: Path, records: Sequence[Record], width: int) -> Text:
    """Return the runs in a folder as the fullest table that fits into a width, and the best run."""
    from rich.text import Text

    # The column `epochs` has the number of all epochs already.
    settings = [setting for setting in differing(records) if setting.path != "train.epochs"]
    best = best_of(records)
    made, left = None, 0
    for shape in _shapes(records, settings):
        made, left = _table(folder, records, settings, shape, best), len(settings) - shape.settings
        if made.width <= width:
            break
    assert made is not None
    text = made.text()
    if left > 0:
        rest = ", ".join(setting.path for setting in settings[-left:])
        said = f"{left} more {'settings differ' if left > 1 else 'setting differs'}: {rest}"
        text.append_text(Text(_filled(said, width)))
    if best is not None:
        text.append_text(Text(_filled(sentence(records[best], settings, best), width)))
    return text


def formatted(format_: str, records: Sequence[Record]) -> str:
    """Return runs as `json`, `csv` or `markdown`, with the settings that differ."""
    settings = differing(records)
    if format_ == "markdown":
        rows = [_row(record) for record in records]
        names = [n for n in (*_BEFORE, *_BEHIND) if n != "curve"]
        cells = [
            {n: row.get(n, "") for n in names[: len(_BEFORE)]}
            | {s.path: s.texts[number] for s in settings}
            | {n: row.get(n, "") for n in names[len(_BEFORE) :]}
            for number, row in enumerate(rows)
        ]
        return rows_formatted(format_, cells, []) if cells else ""
    values = [
        described(record)
        | {
            "monitor": record.monitor,
            "monitored": finite(monitored(record)),
            "settings": {s.path: finite(s.values[number]) for s in settings if s.texts[number]},
        }
        for number, record in enumerate(records)
    ]
    if format_ == "json":
        return of_json(json.dumps(values, indent=2, ensure_ascii=False))
    # A column for each setting, behind the columns of the run.
    rows = [
        {n: v for n, v in told.items() if n != "settings"} | told["settings"] for told in values
    ]
    return rows_formatted(format_, [], rows)


def _filled(said: str, width: int) -> str:
    lines = fill(one_line(said), max(width - 1, 20), break_long_words=False, break_on_hyphens=False)
    return "".join(f" {line}\n" for line in lines.split("\n"))


def best_of(records: Sequence[Record]) -> int | None:
    """Return the position of the best of several runs of one network that share a monitor."""
    known = [n for n, record in enumerate(records) if is_number(monitored(record))]
    same = {(record.name, record.monitor) for record in records}
    if len(known) < 2 or len(same) > 1:
        return None
    up = rises(records[known[0]])

    def goodness(number: int) -> float:
        found = monitored(records[number])
        assert found is not None
        return -math.inf if math.isnan(found) else found if up else -found

    return max(known, key=goodness)


def sentence(record: Record, settings: Sequence[Setting], number: int) -> str:
    """Return the sentence on the best run: its settings that differ, and what it has reached."""
    told = [f"{s.path} {s.texts[number]}" for s in settings[:3] if s.texts[number]]
    best = record.best or {}
    names = dict.fromkeys((record.monitor, "val_loss", f"val_{record.metric}"))
    told += [f"{n.replace('_', ' ')} {shown_value(n, best[n])}" for n in names if n in best]
    return f"best: {record.name}/{record.folder.resolve().name}, {', '.join(told)}"


# The table.


def _shapes(records: Sequence[Record], settings: Sequence[Setting]) -> Iterator[_Shape]:
    """Yield the shapes of tables, the fullest first."""
    same = len({record.name for record in records}) == 1
    finished = {record.state for record in records} == {"finished"}
    by_loss = all(record.monitor == "val_loss" for record in records)
    shape = _Shape(settings=len(settings))
    yield shape
    steps: list[dict[str, Any]] = [
        {"whole": False},
        {"settings": 5},
        {"without": "best"},
        {"curve": _SHORT},
        {"settings": 3},
        {"without": "time"},
        {"without": "state" if finished else ""},
        {"without": "name" if same else ""},
        {"settings": 2},
        {"without": "curve"},
        {"settings": 1},
        {"without": "epochs"},
        {"without": "metric" if by_loss else "loss"},
        {"without": "state"},
        {"without": "name"},
        {"settings": 0},
    ]
    for step in steps:
        if "settings" in step:
            shape = shape._replace(settings=min(shape.settings, step["settings"]))
        elif "without" in step:
            shape = shape._replace(without=shape.without | {step["without"]})
        else:
            shape = shape._replace(**step)
        yield shape


def _table(
    folder: Path,
    records: Sequence[Record],
    settings: Sequence[Setting],
    shape: _Shape,
    best: int | None,
) -> TextTable:
    """Return the runs as a table of a shape."""
    rows = [_row(record) for record in records]
    chosen = settings[: shape.settings]
    for number, curve in enumerate(_curves(records, shape.curve)):
        rows[number]["curve"] = curve
        rows[number] |= {setting.path: setting.texts[number] for setting in chosen}
    header = {name: name for name in (*_BEFORE, *_BEHIND)} | _headers(chosen, whole=shape.whole)
    metrics = {record.metric for record in records if record.metric}
    if len(metrics) == 1:  # the header then has its name
        (header["metric"],) = metrics
        start = f"{header['metric']} "
        rows = [r | {"metric": r.get("metric", "").removeprefix(start)} for r in rows]
    every = (*_BEFORE, *(setting.path for setting in chosen), *_BEHIND)
    empty = {name for name in ("metric", "curve") if not any(row.get(name) for row in rows)}
    columns = [n for n in every if n not in shape.without and (n not in empty or n == "metric")]
    count = f"{len(records)} run{'s' if len(records) > 1 else ''}"
    footer = {columns[0]: count, "time": duration(sum(record.seconds for record in records))}
    title = str(folder)
    if "name" in shape.without and len({record.name for record in records}) == 1:
        title += f": {records[0].name}" if folder.name != records[0].name else ""
    lines = [tuple(one_line(row.get(name, "")) for name in columns) for row in rows]
    heads, feet = (tuple(of.get(name, "") for name in columns) for of in (header, footer))
    words = sum(name in _BEFORE[:3] for name in columns)
    return TextTable(title, heads, lines, feet, words, strong=best)


def _headers(settings: Sequence[Setting], *, whole: bool) -> dict[str, str]:
    """Return the header of each setting: its path, or the last part of it that is its own."""
    names = [setting.name for setting in settings]
    return {s.path: s.path if whole or names.count(s.name) > 1 else s.name for s in settings}


def _curves(records: Sequence[Record], width: int) -> list[str]:
    """Return the monitored values of each run as blocks. Runs of a network share a scale."""
    scales: dict[tuple[str, str], tuple[float, float]] = {}
    each: list[list[float | None]] = []
    for record in records:
        key = record.monitor if record.monitor != "None" else "val_loss"
        values = [finite(epoch.get(key)) for epoch in record.metrics]
        each.append(values)
        known = [y for y in values if is_number(y)]
        if known:
            place = record.name, record.monitor
            low, high = scales.get(place, (known[0], known[0]))
            scales[place] = min(low, *known), max(high, *known)
    return [
        sparkline(values, scales.get((record.name, record.monitor), (0, 0)), width)
        for record, values in zip(records, each, strict=True)
    ]


def _row(record: Record) -> dict[str, str]:
    """Return a run as a row of a table."""
    name, folder = one_line(record.name), one_line(record.folder.resolve().name)
    row = {"name": name, "run": folder, "state": record.state}
    if record.of is None:
        return row
    row["epochs"] = f"{record.epochs}/{record.of}"
    best, metric = record.best, record.metric
    if record.folds is not None:
        row["epochs"] += " folds"
        names = ["loss", *([metric] if metric else [])] if best else []
        loss, *others = [mean(record.folds, f"val_{name}") for name in names] or [""]
        shown = " ".join(f"{metric} {other}" for other in others)
        return row | {"loss": loss, "metric": shown, "time": duration(record.seconds)}
    if best is not None:
        shown = f"{metric} {narrow(metric, best[f'val_{metric}'])}" if metric else ""
        loss = narrow("loss", best["val_loss"])
        row |= {"best": str(best["epoch"]), "loss": loss, "metric": shown}
    return row | {"time": duration(record.seconds)}
