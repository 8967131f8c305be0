"""The format for GitHub Actions: workflow commands. GitHub shows them in the pull request.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from netbuild.diagnostics.escapes import one_line, visible

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report


def render(report: Report, _width: int) -> str:
    """Return a command for each diagnostic, and for each file that cannot be read."""
    unread = [checked.name for checked in report.checked if checked.diagnostics is None]
    return "\n".join(
        [
            *(f"::error file={_property(_path(name))}::the file cannot be read" for name in unread),
            *(_command(d, report.level(d)) for d in report.diagnostics),
        ]
    )


def _command(diagnostic: Diagnostic, level: str) -> str:
    span = diagnostic.span
    place = {"file": _path(span.document.name), "line": span.line, "endLine": span.end_line}
    if span.line == span.end_line:  # GitHub refuses columns for a range of several lines
        place |= {"col": span.column, "endColumn": span.end_column}
    properties = ",".join(f"{key}={_property(str(value))}" for key, value in place.items())
    title = _property(f"netbuild {diagnostic.code}")
    more = [f"{note.label}: {note.text}" for note in diagnostic.notes]
    if diagnostic.help:
        more.append(f"help: {diagnostic.help}")
    message = _data("\n".join([diagnostic.message, *more]))
    return f"::{level} {properties},title={title}::{message}"


def _path(name: str) -> str:
    """Return a path as the pull request has it: normalised, without `configs/..`."""
    return os.path.normpath(name)


def _data(text: str) -> str:
    return visible(text).replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(one_line(text)).replace(":", "%3A").replace(",", "%2C")
