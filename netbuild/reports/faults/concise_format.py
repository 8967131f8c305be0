"""The format for editors and `grep`: a line for each fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.escapes import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report


def render(report: Report, _width: int) -> str:
    """Return a line for each diagnostic. A report without diagnostics is an empty text."""
    return lines(report.diagnostics)


def lines(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the lines `file:line:column: severity[CODE] message`."""
    return "\n".join(
        f"{_place(d)}: {d.severity}[{d.code}] {one_line(d.message)}" for d in diagnostics
    )


def _place(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    return f"{one_line(span.document.name)}:{span.line}:{span.column}"
