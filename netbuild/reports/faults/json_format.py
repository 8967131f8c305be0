"""The format for programs: one JSON object with fixed keys."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic, Span
    from netbuild.reports.faults.report import Report


def render(report: Report, _width: int) -> str:
    """Return the report as a JSON object."""
    found = [_as_dict(diagnostic) for diagnostic in report.diagnostics]
    return written({**counts(report), "diagnostics": found})


def counts(report: Report) -> dict[str, int]:
    """Return the numbers of files, errors and warnings."""
    errors = sum(d.severity == "error" for d in report.diagnostics)
    return {
        "files": report.files,
        "errors": errors,
        "warnings": len(report.diagnostics) - errors,
    }


def written(document: dict[str, Any]) -> str:
    """Return a document as JSON."""
    return of_json(json.dumps(document, indent=2, ensure_ascii=False))


def _as_dict(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "file": diagnostic.span.document.name,
        **_range(diagnostic.span),
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "notes": [note._asdict() for note in diagnostic.notes],
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
