"""The epochs of a run as a table, JSON, CSV and Markdown, and numbers in a readable form."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json
from netbuild.reports.text_table import TextTable
from netbuild.runs.numbers import finite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.text import Text

    from netbuild.runs.folds import Folds
    from netbuild.runs.records import Record


#: The columns of words; all others are numbers.
_WORDS = ("name", "run", "state")
#: The columns of an epoch that are neither losses nor metrics. The last is left out first.
_MEASURED = ("lr", "seconds", "samples_per_second")
#: Smaller numbers of a table have four decimals, larger ones four digits, to keep columns narrow.
_NARROW = 10


def epochs_table(record: Record, width: int) -> Text:
    """Return the epochs of a run as the fullest table that fits into a width."""
    return fitting(_epoch_tables(record), width)


def epochs_formatted(format_: str, record: Record) -> str:
    """Return the epochs of a run as `csv` or `markdown`, or the run with its epochs as `json`."""
    if format_ == "json":
        values = described(record) | {"metrics": [*map(plain, record.metrics)]}
        return of_json(json.dumps(values, indent=2, ensure_ascii=False))
    names = _names(record)
    rows = [{_header(n): _cell(n, epoch.get(n)) for n in names} for epoch in record.metrics]
    return rows_formatted(format_, rows, record.metrics)


def title(record: Record) -> str:
    """Return the title of the table of a run's epochs."""
    of = "?" if record.of is None else record.of
    said = f"{record.name}/{record.folder.resolve().name}: {record.state}, {record.epochs}/{of}"
    return f"{said} epochs in {duration(record.seconds)}"


def fitting(tables: Iterable[TextTable], width: int) -> Text:
    """Return the first table that fits into the width, or else the last."""
    for made in tables:
        if made.width <= width:
            break
    return made.text()


def mean(folds: Folds, name: str) -> str:
    """Return the mean of a number over folds, with its deviation."""
    deviation = folds.deviation[name]
    more = "" if math.isnan(deviation) else f" ± {narrow(name, deviation)}"
    return f"{narrow(name, folds.mean[name])}{more}"


def _names(record: Record) -> list[str]:
    """Return the names of all numbers that the epochs of a run have."""
    return list(dict.fromkeys(name for epoch in record.metrics for name in epoch))


def _epoch_tables(record: Record) -> Iterator[TextTable]:
    """Yield the epochs of a run as a table, then narrower tables. The footer is the best epoch."""
    best, names = record.best, _names(record)
    assert best is not None
    losses = ["epoch", "train_loss", "val_loss"]
    more = [n for n in names if n.startswith(("train_", "val_")) and n not in losses]
    columns = [n for n in (*losses, *more, *_MEASURED) if n in names]
    least = sorted(more, key=lambda name: name.startswith("train_"))  # in the order of importance
    for dropped in (None, *_MEASURED[::-1], *least[::-1]):
        columns = [name for name in columns if name != dropped]
        lines = [tuple(_cell(n, epoch.get(n)) for n in columns) for epoch in record.metrics]
        cells = [_cell(name, best.get(name)) for name in columns[1:]]
        heads = tuple(map(_header, columns))
        yield TextTable(title(record), heads, lines, (f"best {best['epoch']}", *cells), words=0)


def rows_formatted(
    format_: str, cells: Sequence[dict[str, str]], values: Sequence[dict[str, Any]]
) -> str:
    """Return rows as JSON, as CSV of plain values, or as a Markdown table."""
    if format_ == "json":
        return of_json(json.dumps([*map(plain, values)], indent=2, ensure_ascii=False))
    if format_ == "csv":
        out = io.StringIO()
        flat = [_flat(row) for row in values]
        names = [*dict.fromkeys(name for row in flat for name in row)]
        writer = csv.DictWriter(out, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(flat)
        return out.getvalue().rstrip("\n")
    names = [*dict.fromkeys(name for row in cells for name in row)]
    rule = ["---" if name in _WORDS else "---:" for name in names]
    rows = [names, rule, *([row.get(name, "") for name in names] for row in cells)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def described(record: Record) -> dict[str, Any]:
    """Return a run, or the mean of its folds, as an object of JSON."""
    folds = record.folds
    more = {"folds": folds.of, "deviation": plain(folds.deviation)} if folds else {}
    return {
        "name": record.name,
        "run": str(record.folder),
        "state": record.state,
        "problem": record.problem,
        "started": record.environment.get("started"),
        "device": record.environment.get("device"),
        "epochs": record.epochs,
        "of": record.of,
        "seconds": round(record.seconds, 4),
        "best": plain(record.best) if record.best else None,
        **more,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a run, or an epoch, as the cells of a line. Cells of the best epoch have a prefix."""
    best = row.get("best") or {}
    named = {"best_epoch" if name == "epoch" else f"best_{name}": v for name, v in best.items()}
    named |= {f"deviation_{name}": v for name, v in (row.get("deviation") or {}).items()}
    rest = {name: value for name, value in row.items() if name not in {"best", "deviation"}}
    return rest | named


def plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return values for JSON, with null for numbers that are not finite."""
    return {name: finite(measured) for name, measured in values.items()}


def _header(name: str) -> str:
    return {"samples_per_second": "samples/s"}.get(name, name.replace("_", " ", 1))


def _cell(name: str, measured: Any) -> str:
    """Return a number of an epoch in a readable form."""
    if measured is None:
        return ""
    match name:
        case "epoch":
            return str(measured)
        case "lr":
            return f"{measured:.3g}"
        case "seconds":
            return duration(measured)
        case "samples_per_second":
            return f"{measured:,.0f}"
    return narrow(name, measured)


def narrow(name: str, measured: float) -> str:
    """Return a metric in a form for a narrow column."""
    return value(name, measured, narrow=True)


# Numbers.


def value(name: str, measured: float, *, narrow: bool = False) -> str:
    """Return a metric in a readable form: an accuracy in percent."""
    if not math.isfinite(measured):
        return number(measured)
    return f"{measured:.2%}" if name.endswith("accuracy") else number(measured, narrow=narrow)


def shown_value(name: str, measured: float) -> str:
    """Return a metric or a learning rate in a readable form."""
    return _cell(name, measured)


def number(measured: float, *, narrow: bool = False) -> str:
    """Return a number with four decimals. A large number has four digits instead.

    A number that does not exist, such as the mean of no samples, is a dash.
    """
    if math.isnan(measured):
        return "–"
    return f"{measured:.4f}" if abs(measured) < (_NARROW if narrow else 1e5) else f"{measured:.4g}"


def duration(seconds: float) -> str:
    """Return a time with its two largest units."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 100 else f"{hours // 24}d{hours % 24:02}h"
