"""Codes as people read them: all of them by group, or one on a page; and the pages as Markdown."""

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

_STYLES = {"error": "bold red", "warning": "bold yellow"}  # as faults have them
_WIDEST = 100
_INTRODUCTION = (
    "What `netbuild validate` finds, by its codes: what each means, why it is bad, a file that\n"
    "has it, and the file without it. NB3xx are warnings, of what torch would accept; all others\n"
    "are errors. `netbuild rule NB204` prints one of these pages, and\n"
    "`netbuild rule --format markdown > docs/rules.md` wrote them all."
)


def listing(codes: Iterable[str]) -> Group:
    """Return codes with their titles, by group."""
    parts: list[RenderableType] = []
    for group, members in grouped(codes).items():
        lines = "\n".join(f"{code}  {CODES[code]}" for code in members)
        parts += [""] if parts else []
        parts += [Text(GROUPS[group], "bold"), Text(indent(lines, "  "))]
    return Group(*parts)


def text(page: Page, width: int) -> Group:
    """Return a page for a terminal, its paragraphs no wider than one reads with ease."""
    head = Text.assemble((f"{page.code}", _STYLES[page.severity]), (f"  {page.title}", "bold"))
    parts: list[RenderableType] = [head]
    for part in page.parts:
        if isinstance(part, Example):
            shown = indent(part.text.rstrip(), "  ")  # with no blanks behind, as Padding has them
            parts += ["", Text(part.name, "bold"), Text(shown)]
        else:
            shown = fill(part, min(width, _WIDEST), break_on_hyphens=False)
            parts += ["", Text(shown)]
    return Group(*parts)


def markdown(pages: Sequence[Page]) -> str:
    """Return pages as one document; that of all codes has a table of contents."""
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
        }
        for page in pages
    ]
    return json.dumps(listed, indent=2, ensure_ascii=False)


def grouped(codes: Iterable[str]) -> dict[str, list[str]]:
    """Return codes by the group that they are of."""
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
    """Return a page under a heading; its anchor is the code, which its title is not part of."""
    parts = [f"{mark} {page.code}", f"**{page.title[0].upper()}{page.title[1:]}.**"]
    for part in page.parts:
        if isinstance(part, Example):
            name = part.name.capitalize() if part.name in {"bad", "good"} else f"`{part.name}`"
            parts.append(f"{name}:\n\n```yaml\n{part.text}```")
        else:
            parts.append(part)
    return "\n\n".join(parts) + "\n"
