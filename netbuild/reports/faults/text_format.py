"""The format for people: each fault with its underlined line, and the counts at the end."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

from netbuild.diagnostics.diagnostic import Note
from netbuild.diagnostics.escapes import one_line, visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic, Span
    from netbuild.reports.faults.report import Report

_COLOURS = {"error": "bold red", "warning": "bold yellow"}


def render(report: Report, width: int) -> Text:
    """Return the excerpts, an empty line, and the line with the counts."""
    found, last = report.diagnostics, last_line(report)
    return Text("\n\n").join([excerpts(found, width), last]) if found else last


def excerpts(diagnostics: Sequence[Diagnostic], width: int) -> Text:
    """Return the diagnostics with underlined excerpts, and an empty line between two of them."""
    return Text("\n\n").join([_one(diagnostic, max(width, 40)) for diagnostic in diagnostics])


def last_line(report: Report) -> Text:
    """Return the line with the numbers of files, of faults, and of faults that can be fixed."""
    found = report.diagnostics
    errors = sum(d.severity == "error" for d in found)
    warnings = len(found) - errors
    line = Text(f"{_number(report.files, 'file')} checked: ")
    if not found and not report.hidden:
        line.append("no faults", "green")
    else:
        line.append(_number(errors, "error"), _COLOURS["error"] if errors else "")
    if warnings:
        line.append(f", {_number(warnings, 'warning')}", _COLOURS["warning"])
    if report.hidden:
        line.append(f", {_number(report.hidden, 'error')} hidden", _COLOURS["error"])
    if report.known:
        line.append(f", {_number(report.known, 'warning')} in the baseline")
    if report.fixed:
        done = "would be fixed" if report.diff else "fixed"
        line.append(", ").append(f"{report.fixed:,} {done}", "green")
    return line.append(_fixable(found))


def _fixable(found: Sequence[Diagnostic]) -> str:
    """Return how many faults can be fixed, and with which options."""
    safe = sum(any(fix.safe for fix in d.fixes) for d in found)
    unsafe = sum(bool(d.fixes) for d in found) - safe
    if not safe and not unsafe:
        return ""
    said = [f"{safe:,} fixable with --fix"] if safe else []
    more = " more" if safe else " fixable"
    said += [f"{unsafe:,}{more} with --fix --unsafe-fixes"] if unsafe else []
    return f"; {', '.join(said)}"


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _place(span: Span) -> str:
    return f"{one_line(span.document.name)}:{span.line}:{span.column}"


def _one(diagnostic: Diagnostic, width: int) -> Text:
    span, colour = diagnostic.span, _COLOURS[diagnostic.severity]
    gutter = " " * len(str(span.line))
    room = width - len(gutter) - 3
    out = Text()
    out.append(f"{diagnostic.severity}[{diagnostic.code}]", colour)
    out.append(f": {one_line(diagnostic.title)}\n", "bold")
    out.append(f"{gutter}--> ", "blue").append(_place(span))
    notes = list(diagnostic.notes)
    line, start, length = _excerpt(span, room)
    if line.strip():
        out.append(f"\n{gutter} |\n{span.line} | ", "blue").append(line)
        for under in _underline(visible(diagnostic.label), start, length, room):
            out.append(f"\n{gutter} | ", "blue").append(under, colour)
    elif diagnostic.label:
        notes.insert(0, Note("reason", diagnostic.label))
    if diagnostic.help:
        notes.append(Note("help", diagnostic.help))
    if notes:
        out.append(f"\n{gutter} |", "blue")
    column = max((len(note.label) for note in notes), default=0)
    for note in notes:
        first, *rest = wrap(visible(note.text), room - column - 2) or [""]
        out.append(f"\n{gutter} = ", "blue").append(f"{note.label:{column}}  ", "bold").append(
            first
        )
        for more in rest:
            out.append(f"\n{gutter}   {'':{column}}  {more}")
    return out


def _underline(label: str, start: int, length: int, room: int) -> list[str]:
    """Return the carets with the label after them, or below them if the line is too short."""
    carets = " " * start + "^" * length
    if cell_len(carets) + 1 + cell_len(label) <= room:
        return [f"{carets} {label}".rstrip()]
    indent = min(start, max(room - cell_len(label), 0), room // 2)
    return [carets, *(" " * indent + part for part in wrap(label, room - indent))]


def _excerpt(span: Span, room: int) -> tuple[str, int, int]:
    """Return the line of a span, cut to fit; the cells before the span; the span's width."""
    lines = span.document.lines
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    ends = span.column - 1, (span.end_column - 1 if span.end_line == span.line else len(line))
    if len(line) > 20 * room:  # a megabyte on one line: only what is near the place is shown
        skipped = max(0, ends[0] - 2 * room)
        line, ends = line[skipped : skipped + 8 * room], (ends[0] - skipped, ends[1] - skipped)
    start, end = (len(_printable(line[:at])) for at in ends)
    line = _printable(line).rstrip()
    end = max(min(end, len(line)) if span.end_line > span.line else end, start + 1)
    if len(line) > room:
        first = max(0, min(start - 10, len(line) - room))
        cut = line[first : first + room]
        head, tail = "…" if first else "", "…" if first + room < len(line) else ""
        line = head + cut[len(head) : len(cut) - len(tail)] + tail
        start, end = start - first, min(end - first, room)
    return line, cell_len(line[:start]), max(1, cell_len(line[start:end]))


def _printable(text: str) -> str:
    """Return the part of a line with its control characters as escapes, and a tab as a blank."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in visible(text))
