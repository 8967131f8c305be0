"""The format for code scanning: SARIF 2.1.0, with netbuild's codes as its rules.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/sarif-v2.1.0-errata01-os-complete.html,
with the chapters that the comments below name.
"""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.codes import CODES, severity
from netbuild.diagnostics.escapes import of_json
from netbuild.reports.faults.fingerprint import fingerprints, uri

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic, Document, Fix, Span
    from netbuild.reports.faults.report import Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(report: Report, _width: int) -> str:
    """Return the report as a SARIF log of one run."""
    run = {
        "tool": {"driver": {"name": "netbuild", "version": version("netbuild"), "rules": _rules()}},
        "invocations": [_invocation(report)],
        # Chapter 3.14.17. These are the line breaks of YAML, the same as in `Document.lines`.
        "newlineSequences": ["\r\n", "\n", "\r", "\x85", "\u2028", "\u2029"],
        "columnKind": "utf16CodeUnits",
        "results": _results(report),
    }
    return of_json(json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2))


def _rules() -> list[dict[str, Any]]:
    return [
        {
            "id": code,
            "shortDescription": {"text": _braced(meaning)},
            "defaultConfiguration": {"level": severity(code)},
        }
        for code, meaning in CODES.items()
    ]


def _invocation(report: Report) -> dict[str, Any]:
    """Return the invocation. It names the files that could not be read and so have no results."""
    unread = [checked.name for checked in report.checked if checked.diagnostics is None]
    said: dict[str, Any] = {"executionSuccessful": not unread}
    if unread:
        said["toolExecutionNotifications"] = [
            {
                "level": "error",
                "message": {"text": "the file cannot be read"},
                "locations": [{"physicalLocation": {"artifactLocation": _artifact(name)}}],
            }
            for name in unread
        ]
    return said


def _results(report: Report) -> list[dict[str, Any]]:
    index = {code: number for number, code in enumerate(CODES)}
    results = []
    for diagnostic, print_ in zip(
        report.diagnostics, fingerprints(report.diagnostics), strict=True
    ):
        result = {
            "ruleId": diagnostic.code,
            "ruleIndex": index[diagnostic.code],
            "level": report.level(diagnostic),
            "message": {"text": _braced(_text(diagnostic))},
            "locations": [_location(diagnostic)],
            "partialFingerprints": {"fault/v1": print_},
        }
        if diagnostic.fixes:
            result["fixes"] = [_fix(fix) for fix in diagnostic.fixes]
        results.append(result)
    return results


def _text(diagnostic: Diagnostic) -> str:
    more = [f"{note.label}: {note.text}" for note in diagnostic.notes]
    if diagnostic.help:
        more.append(f"help: {diagnostic.help}")
    return "\n".join([diagnostic.message, *more])


def _braced(text: str) -> str:
    """Double the braces (chapter 3.11.5): a single brace would begin a placeholder."""
    return text.replace("{", "{{").replace("}", "}}")


def _location(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    place = {"artifactLocation": _artifact(span.document.name), "region": _region(span)}
    location: dict[str, Any] = {"physicalLocation": place}
    if diagnostic.layer:
        location["logicalLocations"] = [{"fullyQualifiedName": diagnostic.layer}]
    return location


def _fix(fix: Fix) -> dict[str, Any]:
    documents = list(dict.fromkeys(edit.span.document for edit in fix.edits))
    changes = [
        {
            "artifactLocation": _artifact(document.name),
            "replacements": [
                {"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}}
                for edit in fix.edits
                if edit.span.document is document
            ],
        }
        for document in documents
    ]
    return {"description": {"text": _braced(fix.title)}, "artifactChanges": changes}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": _column(span.document, span.line, span.column),
        "endLine": span.end_line,
        "endColumn": _column(span.document, span.end_line, span.end_column),
    }


def _column(document: Document, line: int, column: int) -> int:
    """Return a column in units of UTF-16, the default of SARIF."""
    before = document.lines[line - 1][: column - 1] if line <= len(document.lines) else ""
    return column + sum(character > "\uffff" for character in before)


def _artifact(name: str) -> dict[str, str]:
    return {"uri": uri(name)}
