"""The format for editors and `grep`: a line for each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report


def render(report: Report, _width: int) -> str:
    """Return a line for each diagnostic. A report without diagnostics is an empty text."""
    return lines(report.diagnostics)


def lines(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the lines `file:line:column: severity[CODE] message`."""
    return "\n".join(f"{_place(d)}: {d.severity}[{d.code}] {_flat(d.message)}" for d in diagnostics)


def _place(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    return f"{_flat(span.document.name)}:{span.line}:{span.column}"


def _flat(text: str) -> str:
    """Return a text on one line. A name in a file can contain a line break."""
    return "".join(c if c.isprintable() else " " for c in text)
