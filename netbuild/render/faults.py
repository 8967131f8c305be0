"""Diagnostics as text with excerpts, as one line each, and as JSON."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from netbuild.diagnostic import Note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostic import Diagnostic, Span

#: The widest excerpt of a line; what is further from the fault is cut.
WIDTH = 100

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def text(diagnostics: Sequence[Diagnostic], width: int = WIDTH) -> Text:
    """Return the diagnostics with excerpts, underlined, an empty line between them."""
    return Text("\n\n").join([_one(diagnostic, max(width, 40)) for diagnostic in diagnostics])


def concise(diagnostics: Sequence[Diagnostic]) -> Text:
    """Return a line for each diagnostic: `file:line:column: CODE message`."""
    return Text("\n").join(
        [Text(f"{_place(d.span)}: {d.severity}[{d.code}] {d.message}") for d in diagnostics]
    )


def as_json(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """Return the diagnostics as the JSON object that other programs read."""
    count = sum(d.severity == "error" for d in diagnostics)
    document = {
        "files": files,
        "errors": count,
        "warnings": len(diagnostics) - count,
        "diagnostics": [_as_dict(diagnostic) for diagnostic in diagnostics],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def counts(diagnostics: Sequence[Diagnostic], files: int) -> Text:
    """Return the last line of a report: how many files, errors and warnings."""
    errors = sum(d.severity == "error" for d in diagnostics)
    warnings = len(diagnostics) - errors
    checked = Text(f"{_number(files, 'file')} checked: ")
    if not diagnostics:
        return checked.append("no faults", "green")
    checked.append(_number(errors, "error"), _COLOURS["error"] if errors else "")
    if warnings:
        checked.append(f", {_number(warnings, 'warning')}", _COLOURS["warning"])
    return checked


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _place(span: Span) -> str:
    return f"{span.document.name}:{span.line}:{span.column}"


def _one(diagnostic: Diagnostic, width: int) -> Text:
    span, colour = diagnostic.span, _COLOURS[diagnostic.severity]
    gutter = " " * len(str(span.line))
    room = width - len(gutter) - 3
    out = Text()
    out.append(f"{diagnostic.severity}[{diagnostic.code}]", colour)
    out.append(f": {diagnostic.title}\n", "bold")
    out.append(f"{gutter}--> ", "blue").append(_place(span))
    notes = list(diagnostic.notes)
    line, start, length = _excerpt(span, room)
    if line.strip():
        out.append(f"\n{gutter} |\n{span.line} | ", "blue").append(line)
        for under in _underline(diagnostic.label, start, length, room):
            out.append(f"\n{gutter} | ", "blue").append(under, colour)
    elif diagnostic.label:
        notes.insert(0, Note("reason", diagnostic.label))
    if diagnostic.help:
        notes.append(Note("help", diagnostic.help))
    if notes:
        out.append(f"\n{gutter} |", "blue")
    column = max((len(note.label) for note in notes), default=0)
    for note in notes:
        first, *rest = wrap(note.text, room - column - 2) or [""]
        out.append(f"\n{gutter} = ", "blue").append(f"{note.label:{column}}  ", "bold").append(
            first
        )
        for more in rest:
            out.append(f"\n{gutter}   {'':{column}}  {more}")
    return out


def _underline(label: str, start: int, length: int, room: int) -> list[str]:
    """Return the carets with the label beside them, or below where it does not fit beside."""
    carets = " " * start + "^" * length
    if cell_len(carets) + 1 + cell_len(label) <= room:
        return [f"{carets} {label}".rstrip()]
    indent = min(start, max(room - cell_len(label), 0), room // 2)
    return [carets, *(" " * indent + part for part in wrap(label, room - indent))]


def _excerpt(span: Span, room: int) -> tuple[str, int, int]:
    """Return the line of a span, cut around it, and the cells before and under the span."""
    lines = span.document.lines
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    line = "".join(c if c.isprintable() else " " for c in line).rstrip()
    start = span.column - 1
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    end = max(end, start + 1)
    if len(line) > room:
        first = max(0, min(start - 10, len(line) - room))
        cut = line[first : first + room]
        head, tail = "…" if first else "", "…" if first + room < len(line) else ""
        line = head + cut[len(head) : len(cut) - len(tail)] + tail
        start, end = start - first, min(end - first, room)
    return line, cell_len(line[:start]), max(1, cell_len(line[start:end]))


def _as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "file": diagnostic.span.document.name,
        **_range(diagnostic.span),
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "layer": diagnostic.layer,
        "fixes": [
            {
                "title": fix.title,
                "safe": fix.safe,
                "edits": [{**_range(edit.span), "text": edit.text} for edit in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
    }


def _range(span: Span) -> dict[str, int]:
    return {
        "line": span.line,
        "column": span.column,
        "end_line": span.end_line,
        "end_column": span.end_column,
    }
