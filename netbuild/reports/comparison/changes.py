"""What two runs have measured, side by side: for `netbuild diff RUN RUN`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from netbuild.diagnostics.escapes import one_line
from netbuild.reports.comparison.outcome import command, measured, surroundings
from netbuild.reports.runs import duration, plain
from netbuild.reports.text_table import TextTable
from netbuild.runs.numbers import finite, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.reports.comparison.outcome import Outcome
    from netbuild.runs.records import Record


def text(records: Sequence[Record], width: int) -> str:
    """Return what two runs have measured, and what differs around them, as tables."""
    parts = [f"{letter} is {called(record)}" for letter, record in zip("AB", records, strict=True)]
    rows = [_row(outcome) for outcome in measured(records)]
    made = _table("", rows)
    if max(map(cell_len, made.split("\n"))) > width:
        made = _table("", [row[:3] for row in rows])
    parts += ["", made]
    around = surroundings(records)
    if around:
        parts.append(_table("environment", [(one.name, *one.texts) for one in around]))
    else:
        parts.append("The environments and the training samples are the same.\n")
    return "\n".join(parts)


def called(record: Record) -> str:
    """Return the name of a run, as the table of runs has it, with its state if that matters."""
    folder = record.folder.resolve()
    more = "" if record.state == "finished" else f" ({record.state})"
    return one_line(f"{folder.parent.name}/{folder.name}{more}")


def _row(outcome: Outcome) -> tuple[str, ...]:
    a, b = outcome.values
    number = is_number(a) and is_number(b) and isinstance(a, float)
    return (outcome.name, *outcome.texts, _difference(outcome, a, b) if number else "")


def _difference(outcome: Outcome, a: float, b: float) -> str:
    """Return the difference of two values: of accuracies in points of percent."""
    if a == b:
        return "none"
    percent = all(text.endswith("%") for text in outcome.texts)
    said = f"{100 * abs(b - a):.2f} points" if percent else f"{abs(b - a):.4g}"
    if outcome.name == "time":
        said = duration(abs(b - a))
    return ("+" if b > a else "−") + said


def _table(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows as a table with a header."""
    header = (title, "A", "B", *(["difference"] if any(len(row) > 3 for row in rows) else []))
    made = TextTable("", header, rows, ("",), words=1).text().plain
    return made.strip("\n") + "\n"


def markdown(records: Sequence[Record]) -> str:
    """Return the same as tables of Markdown."""
    heads = [f"- {x}: `{called(record)}`" for x, record in zip("AB", records, strict=True)]
    lines = ["| | A | B | difference |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {' | '.join(_row(outcome))} |" for outcome in measured(records)]
    lines += [f"| {' | '.join((one.name, *one.texts, ''))} |" for one in surroundings(records)]
    return "\n".join([*heads, "", *lines])


def as_json(records: Sequence[Record]) -> dict[str, Any]:
    """Return the same as an object of JSON."""
    return {
        "a": _described(records[0]),
        "b": _described(records[1]),
        "environment": [
            {"name": one.name, "a": one.values[0], "b": one.values[1]}
            for one in surroundings(records)
        ],
    }


def _described(record: Record) -> dict[str, Any]:
    return {
        "run": str(record.folder),
        "state": record.state,
        "epochs": record.epochs,
        "of": record.of,
        "seconds": finite(round(record.seconds, 4)),
        "best": plain(record.best) if record.best else None,
        "last": plain(record.metrics[-1]) if record.metrics else None,
        "command": command(record),
    }
