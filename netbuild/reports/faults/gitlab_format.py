"""The format for GitLab's Code Quality: a JSON list with an entry for each fault.

https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.escapes import of_json
from netbuild.reports.faults.fingerprint import fingerprints, relative

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report

#: GitLab's names of the two severities. `blocker` is for a file that cannot be read.
_SEVERITIES = {"error": "major", "warning": "minor"}


def render(report: Report, _width: int) -> str:
    """Return an entry for each diagnostic, and for each file that cannot be read."""
    unread = [checked.name for checked in report.checked if checked.diagnostics is None]
    found, level = report.diagnostics, report.level
    entries = [_unreadable(name) for name in unread]
    entries += [
        _entry(diagnostic, _SEVERITIES[level(diagnostic)], print_)
        for diagnostic, print_ in zip(found, fingerprints(found), strict=True)
    ]
    return of_json(json.dumps(entries, indent=2, ensure_ascii=False))


def _unreadable(name: str) -> dict[str, Any]:
    return {
        "description": "the file cannot be read",
        "check_name": "unreadable",
        "fingerprint": f"unreadable:{relative(name).as_posix()}",
        "severity": "blocker",
        "location": {"path": relative(name).as_posix(), "lines": {"begin": 1}},
    }


def _entry(diagnostic: Diagnostic, severity: str, fingerprint: str) -> dict[str, Any]:
    span = diagnostic.span
    help_ = f" (help: {diagnostic.help})" if diagnostic.help else ""
    return {
        "description": f"{diagnostic.message}{help_}",
        "check_name": diagnostic.code,
        "fingerprint": fingerprint,
        "severity": severity,
        "location": {
            "path": relative(span.document.name).as_posix(),
            "lines": {"begin": span.line, "end": max(span.line, span.end_line)},
        },
    }
