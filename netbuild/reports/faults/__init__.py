"""Diagnostics for people and for programs, with one module per format.

A format is a function `render(report, width)` in `<name>_format.py`, and a name in `Format`. The
command line needs nothing else. The module of a format is loaded only when the format is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report

Format: TypeAlias = Literal["text", "concise", "json", "github", "gitlab", "sarif", "junit"]

#: The widest excerpt of a line. Longer lines are cut around the fault.
WIDTH = 100


def render(name: Format, report: Report, width: int = WIDTH) -> Text | str:
    """Return a report in a format: styled text for people, plain text for programs."""
    rendered: Text | str = import_module(f"{__name__}.{name}_format").render(report, width)
    return rendered


def text(diagnostics: Sequence[Diagnostic], width: int = WIDTH) -> Text:
    """Return the diagnostics with underlined excerpts, and an empty line between two of them."""
    from netbuild.reports.faults.text_format import excerpts

    return excerpts(diagnostics, width)
