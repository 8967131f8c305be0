"""A config as a table: one line for each section, and the whole text of it behind a fold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.reports.page import escaped
from netbuild.reports.showing.fragment import facts, folded, fragment, title
from netbuild.syntax.dump import dump_line
from netbuild.syntax.item import types_of
from netbuild.syntax.node import List, Map, Scalar, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config
    from netbuild.syntax.node import Node

#: The most characters of a section's line.
_LONGEST = 110
#: The most items of a list that the line names.
_MOST = 8


def table(config: Config) -> Any:
    """Return the sections as a table of rich."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, show_header=False, pad_edge=False, title=None)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, text in _sections(config):
        made.add_row(Text(name), Text(text))
    return made


def html(config: Config) -> str:
    """Return the sections as HTML."""
    whole = f"<pre>{escaped(config.dumps())}</pre>"
    parts = [title(config.name), facts(_sections(config)), folded("all of it as YAML", whole)]
    return fragment(parts)


def _sections(config: Config) -> Iterator[tuple[str, str]]:
    """Yield each section as the file has it, in short."""
    for name, entry in config.root.entries.items():
        yield name, _short(_line(name, entry.value))


def _line(section: str, node: Node) -> str:
    if section in {"layers", "blocks"}:
        return _members(node)
    return dump_line(plain(node)) if not isinstance(node, Scalar) else node.text


def _members(node: Node) -> str:
    """Return the names of layers: of items without a name, their types."""
    if isinstance(node, Map):
        names = [*node.entries]
    elif isinstance(node, List):
        names = [_called(item) for item in node.items]
    else:
        names = [node.text]
    more = f", … {len(names) - _MOST} more" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _called(item: Node) -> str:
    if isinstance(item, Map):
        name = item.get("name")
        return name.text if isinstance(name, Scalar) else next(iter(types_of(item)), "stack")
    return item.text if isinstance(item, Scalar) else "stack"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
