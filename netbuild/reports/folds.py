"""The folds of a training: a line for each, and the mean with its deviation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json, one_line
from netbuild.reports.runs import fitting, mean, plain, rows_formatted, value
from netbuild.reports.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from netbuild.runs.folds import Folds


def table(folds: Folds, width: int) -> Text:
    """Return the folds as the fullest table that fits into a width."""
    return fitting(_tables(folds), width)


def formatted(format_: str, folds: Folds) -> str:
    """Return the folds as `json`, `csv` or `markdown`."""
    rows = [{"fold": n} | plain(result) for n, result in folds.results.items()]
    if format_ == "json":
        values = {
            "folds": folds.of,
            "results": rows,
            "mean": plain(folds.mean),
            "deviation": plain(folds.deviation),
        }
        return of_json(json.dumps(values, indent=2, ensure_ascii=False))
    header, lines = _header(folds.measured), _lines(folds, folds.measured)
    cells = [
        dict(zip(header, line, strict=True)) for line in (*lines, _footer(folds, folds.measured))
    ]
    return rows_formatted(format_, cells, rows)


def _tables(folds: Folds) -> Iterator[TextTable]:
    """Yield the folds as a table, then as tables without the last metrics."""
    resolved = folds.folder.resolve()
    ended = f"{len(folds.results)} of {folds.of} folds have ended"
    title = one_line(f"{resolved.parent.name}/{resolved.name}: {ended}")
    names = folds.measured
    for count in range(len(names), 0, -1) or [0]:
        shown = names[:count]
        yield TextTable(title, _header(shown), _lines(folds, shown), _footer(folds, shown), words=0)


def _header(names: list[str]) -> tuple[str, ...]:
    shown = (name.removeprefix("val_").replace("_", " ") for name in names)
    return ("fold", "epoch", *("val loss" if name == "loss" else name for name in shown))


def _lines(folds: Folds, names: list[str]) -> list[tuple[str, ...]]:
    return [_line(number, result, names) for number, result in folds.results.items()]


def _line(number: int, result: dict[str, Any], names: list[str]) -> tuple[str, ...]:
    cells = (value(name, result[name], narrow=True) for name in names)
    return (str(number), str(result.get("epoch", "")), *cells)


def _footer(folds: Folds, names: list[str]) -> tuple[str, ...]:
    return ("mean", "", *(mean(folds, name) for name in names))
