"""Predictions as a table for a terminal, and the confusion matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, chop_cells

from netbuild.components.tensor import times
from netbuild.diagnostics.escapes import one_line
from netbuild.reports.runs import number, value
from netbuild.reports.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.text import Text

#: The most numbers of an output that a table shows.
_NUMBERS = 6
#: What names a sample.
_PLACE = ("input", "index", "series", "step")
#: An input is not cut shorter than this.
_LEAST = 12


def table(title: str, told: Iterable[dict[str, Any]], width: int) -> Text:
    """Return predictions as a table: a row for a sample, or for each of its likeliest classes.

    If the table is too wide, the paths of the inputs lose their beginnings.
    """
    rows: list[dict[str, str]] = []
    samples = 0
    for one in told:
        samples += one.get("step", 1) == 1
        place = {name: one_line(str(one[name])) for name in _PLACE if name in one}
        for rank, row in enumerate(_rows(one)):
            rows.append((place if not rank else {}) | row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    names.sort(key=lambda name: _PLACE.index(name) if name in _PLACE else len(_PLACE))
    footer = f"{samples:,} sample{'s' if samples > 1 else ''}"
    over = _table(title, names, rows, footer).width - width
    if over > 0:
        rows = [row | {"input": _end(row.get("input", ""), rows, over)} for row in rows]
    return _table(title, names, rows, footer).text()


def _table(title: str, names: list[str], rows: list[dict[str, str]], footer: str) -> TextTable:
    lines = [tuple(row.get(name, "") for name in names) for row in rows]
    return TextTable(title, tuple(names), lines, (footer,), words=1)


def _end(path: str, rows: list[dict[str, str]], over: int) -> str:
    """Return the end of a path, so that the longest one is as much shorter as wanted."""
    longest = max(cell_len(row.get("input", "")) for row in rows)
    room = max(longest - over, _LEAST)
    if cell_len(path) <= room:
        return path
    return "…" + chop_cells(path[::-1], room - 1)[0][::-1]


def _rows(one: dict[str, Any]) -> list[dict[str, str]]:
    """Return the cells of a prediction beside its place."""
    outputs = one.get("outputs", {"output": one["output"]} if "output" in one else {})
    cells = {one_line(name): _numbers(output) for name, output in outputs.items()}
    if "class" not in one:
        return [cells]
    first, *others = (_class(part) for part in one.get("top") or [one])
    return [first | cells, *others]


def _class(part: dict[str, Any]) -> dict[str, str]:
    if hasattr(part["class"], "ndim"):  # a class at each place
        return {"class": _numbers(part["class"]), "probability": _numbers(part["probability"])}
    share = value("accuracy", part["probability"])
    return {"class": one_line(str(part.get("name", part["class"]))), "probability": share}


def _numbers(output: Any) -> str:
    """Return a few numbers, or the shape of many."""
    if output.size > _NUMBERS:
        return f"{times(output.shape)} numbers"
    whole = output.dtype.kind in "iu"
    return " ".join(str(n) if whole else number(n, narrow=True) for n in output.ravel().tolist())


def confusion(
    counts: Sequence[Sequence[float]], names: Sequence[str] | None, width: int | None
) -> str | None:
    """Return a confusion matrix with its classes; None if it is wider than a width.

    A column has the name of its class, or its number if there is no room for names.
    """
    numbers = [str(number) for number in range(len(counts))]
    known = [one_line(name) for name in names] if names and len(names) == len(counts) else None
    cells = [[f"{n:.4f}" if isinstance(n, float) else f"{n:,}" for n in row] for row in counts]
    both = [f"{n} {name}" for n, name in zip(numbers, known, strict=True)] if known else numbers
    for heads, labels in ((known or numbers, known or numbers), (numbers, both)):
        widths = [max(map(cell_len, column)) + 2 for column in zip(heads, *cells, strict=True)]
        side = max(map(cell_len, labels)) + 1
        if width is None or side + sum(widths) <= width:
            lines = [
                ["", *heads],
                *([label, *row] for label, row in zip(labels, cells, strict=True)),
            ]
            return "\n".join(_line(line, side, widths) for line in lines)
    return None


def _line(cells: Sequence[str], side: int, widths: Sequence[int]) -> str:
    label, *rest = cells
    start = f" {label}" + " " * (side - 1 - cell_len(label))
    return start + "".join(
        " " * (width - cell_len(cell)) + cell for cell, width in zip(rest, widths, strict=True)
    )
