"""A piece of HTML for a notebook: its style holds for itself alone, and fits light and dark pages.

All colours are those of the page around it, or fit both. Nothing is a script: a notebook may not
run one. If a viewer leaves the style out, too, the texts still stand one below the other.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from netbuild.reports.page import escaped

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def fragment(pieces: Iterable[str]) -> str:
    """Return pieces of HTML, one below the other, with the common style."""
    return f'<div class="netbuild-shown"><style>{_style()}</style>{"".join(pieces)}</div>'


def title(text: str) -> str:
    """Return a title."""
    return f'<div class="title">{escaped(text)}</div>'


def muted(text: str) -> str:
    """Return a paragraph of less weight; its lines stay lines."""
    return "".join(f'<div class="muted">{escaped(line)}</div>' for line in text.splitlines())


def folded(label: str, inside: str, *, opened: bool = False) -> str:
    """Return HTML that a click on the label shows."""
    state = " open" if opened else ""
    return f"<details{state}><summary>{escaped(label)}</summary>{inside}</details>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a table of names and texts."""
    rows = (f"<tr><th>{escaped(n)}</th><td>{escaped(text)}</td></tr>" for n, text in pairs)
    return f'<table class="words">{"".join(rows)}</table>'


def table(header: Sequence[str], rows: Iterable[Sequence[str]], best: int | None = None) -> str:
    """Return a table of numbers; `best` is the number of a row that is set off."""
    head = "".join(f"<th>{escaped(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr{' class=best' if number == best else ''}>"
        f"{''.join(f'<td>{escaped(cell)}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


@cache
def _style() -> str:
    return files(__package__).joinpath("fragment.css").read_text(encoding="utf-8")
