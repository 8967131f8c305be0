"""The format for programs: one JSON object with fixed keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic, Span
    from netbuild.reports.faults.report import Report


def render(report: Report, _width: int) -> str:
    """Return the report as a JSON object."""
    return document(report.diagnostics, report.files)


def document(diagnostics: Sequence[Diagnostic], files: int) -> str:
    """Return the diagnostics as a JSON object."""
    count = sum(d.severity == "error" for d in diagnostics)
    value = {
        "files": files,
        "errors": count,
        "warnings": len(diagnostics) - count,
        "diagnostics": [_as_dict(diagnostic) for diagnostic in diagnostics],
    }
    return of_json(json.dumps(value, indent=2, ensure_ascii=False))


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
