"""Codes as a list by group, and the pages of codes as text, Markdown and JSON."""

from __future__ import annotations

import json
from textwrap import fill, indent
from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from netbuild.diagnostics.codes import CODES
from netbuild.diagnostics.rules import GROUPS, Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from netbuild.diagnostics.rules import Page

_STYLES = {"error": "bold red", "warning": "bold yellow"}  # the same as in the text of faults
_WIDEST = 100
_INTRODUCTION = (
    "Each code that `netbuild validate` gives: what it means, why it is bad, a file that has the\n"
    "fault, the same file without it, and the functions that find it. NB3xx are warnings: torch\n"
    "accepts such a network. All other codes are errors. `netbuild rule NB204` prints one page.\n"
    "`netbuild rule --format markdown > docs/rules.md` writes all of them to this file."
)


def listing(codes: Iterable[str], width: int = _WIDEST) -> Group:
    """Return codes with their titles, by group."""
    parts: list[RenderableType] = []
    for group, members in grouped(codes).items():
        lines = "\n".join(
            fill(f"  {code}  {CODES[code]}", width, subsequent_indent=" " * 9) for code in members
        )
        parts += [""] if parts else []
        parts += [Text(GROUPS[group], "bold"), Text(lines)]
    return Group(*parts)


def text(page: Page, width: int) -> Group:
    """Return a page for a terminal. Its paragraphs are at most 100 columns wide."""
    head = Text.assemble((f"{page.code}", _STYLES[page.severity]), (f"  {page.title}", "bold"))
    width = min(width, _WIDEST)
    parts: list[RenderableType] = [head]
    for part in page.parts:
        if isinstance(part, Example):
            shown = indent(part.text.rstrip(), "  ")  # `rich.padding` would add trailing blanks
            parts += ["", Text(part.name, "bold"), Text(shown)]
        else:
            shown = fill(part, width, break_on_hyphens=False)
            parts += ["", Text(shown)]
    places = (
        fill(place, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for place in _places(page)
    )
    return Group(*parts, "", Text("checked in", "bold"), *map(Text, places))


def markdown(pages: Sequence[Page]) -> str:
    """Return pages as one document. A document of several pages has a table of contents."""
    if len(pages) == 1:
        return _section(pages[0], "#")
    by_code = {page.code: page for page in pages}
    groups = grouped(by_code)
    parts = ["# Rules\n", f"{_INTRODUCTION}\n", _contents(groups)]
    for group, members in groups.items():
        parts.append(f"## {GROUPS[group]}\n")
        parts += [_section(by_code[code], "###") for code in members]
    return "\n".join(parts)


def as_json(pages: Sequence[Page]) -> str:
    """Return pages as a list of objects."""
    listed = [
        {
            "code": page.code,
            "severity": page.severity,
            "group": GROUPS[page.code[:3]],
            "title": page.title,
            "text": page.text,
            "files": page.files,
            "checks": page.checks,
        }
        for page in pages
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def grouped(codes: Iterable[str]) -> dict[str, list[str]]:
    """Return codes by their group."""
    groups: dict[str, list[str]] = {}
    for code in codes:
        groups.setdefault(code[:3], []).append(code)
    return groups


def _contents(groups: dict[str, list[str]]) -> str:
    rows = ["| code | means |", "|---|---|"]
    for members in groups.values():
        rows += [f"| [{code}](#{code.lower()}) | {CODES[code]} |" for code in members]
    return "\n".join(rows) + "\n"


def _section(page: Page, mark: str) -> str:
    """Return a page under a heading. The heading is the code alone, so the anchor is short."""
    parts = [f"{mark} {page.code}", f"**{page.title[0].upper()}{page.title[1:]}.**"]
    for part in page.parts:
        if isinstance(part, Example):
            name = part.name.capitalize() if part.name in {"bad", "good"} else f"`{part.name}`"
            parts.append(f"{name}:\n\n```yaml\n{part.text}```")
        else:
            parts.append(part)
    checks = "\n".join(f"- {place}" for place in _places(page, "`"))
    return "\n\n".join([*parts, "Checked in:", checks]) + "\n"


def _places(page: Page, quote: str = "") -> list[str]:
    """Return a line for each module that gives the code of a page, with its functions."""
    lines = []
    for module, functions in page.checks.items():
        names = ", ".join(f"{quote}{name}{quote}" for name in functions)
        lines.append(f"{quote}{module}{quote}" + (f": {names}" if names else ""))
    return lines
