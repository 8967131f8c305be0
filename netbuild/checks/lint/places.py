"""Where the file says what a layer or a section is, and how to change it there.

Rows know where their type is written; the fields around it are found in the file's own nodes. What
stands elsewhere, such as a value given with `--set`, has no fix.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax.item import Item, place, read_item
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.syntax.node import Node


class Places:
    """Where the layers of a graph are written, looked up when the first one is asked for."""

    def __init__(self, graph: Graph) -> None:
        self.root = graph.config.root

    @cached_property
    def _items(self) -> dict[Span, Item]:
        """All that the file has with a Capitalised type, by where that stands."""
        found: dict[Span, Item] = {}
        pending: list[Node] = [self.root]
        while pending:
            node = pending.pop()
            if isinstance(node, Map):
                item = read_item(node, "layer")
                if isinstance(item, Item):
                    found[item.type.span] = item
                pending += [entry.value for entry in node.entries.values()]
            elif isinstance(node, List):
                pending += node.items
            else:
                found[node.span] = Item(node, None)
        return found

    def item(self, row: Row) -> Item | None:
        """Return the item that a layer is written as; None where it is not found."""
        return self._items.get(row.span)

    def field(self, row: Row, field: str) -> Span:
        """Return where a field of a layer is written with its value; else where its type is."""
        item = self.item(row)
        return place(item, field) if item else row.span


def section(graph: Graph, name: str) -> Item | None:
    """Return the item that a section holds, such as the loss."""
    node = graph.config.root.get(name)
    item = read_item(node, name) if node else None
    return item if isinstance(item, Item) else None


def train(graph: Graph) -> Item | None:
    """Return the section `train`, as if it were an item; None where there is none."""
    entry = graph.config.root.entries.get("train")
    return Item(entry.key, entry.value) if entry else None


def named(graph: Graph, name: str, field: str | None = None) -> Span:
    """Return where the type of a section's item is written, or one of its fields."""
    item = section(graph, name)
    return place(item, field) if item else graph.config.span(name)


def retyped(item: Item | None, types: dict[str, str]) -> tuple[Fix, ...]:
    """Return the fix that puts another type in an item's place, with the same fields."""
    if item is None or item.type.text not in types or not _literal(item.type):
        return ()
    new = types[item.type.text]
    return (Fix(f"replace {item.type.text} by {new}", (Edit(item.type.span, new),)),)


def refilled(item: Item | None, field: str, text: str, bare: str | None = None) -> tuple[Fix, ...]:
    """Return the fix that gives a field of an item this value.

    `bare` is the field that a bare value fills.
    """
    if item is None or item.arguments is None:
        return ()
    arguments, edit = item.arguments, None
    if isinstance(arguments, Scalar) and bare and _literal(arguments):
        new = text if bare == field else f"{{{bare}: {arguments.text}, {field}: {text}}}"
        edit = Edit(arguments.span, new)
    elif isinstance(arguments, Map) and field in arguments.entries:
        value = arguments.entries[field].value
        edit = Edit(value.span, text) if isinstance(value, Scalar) and _literal(value) else None
    elif isinstance(arguments, Map):
        first = next(iter(arguments.entries.values())).key.span
        line = first.document.lines[first.line - 1] if first.line else ""
        flow = arguments.span[1:3] != first[1:3]  # its brace stands before the first key
        between = ", " if flow else "\n" + " " * (first.column - 1)
        if flow or not line[: first.column - 1].strip():
            here = first._replace(end_line=first.line, end_column=first.column)
            edit = Edit(here, f"{field}: {text}{between}")
    return (Fix(f"write {field}: {text}", (edit,)),) if edit else ()


def _literal(node: Scalar) -> bool:
    """Whether the file has the text of a scalar where its span is, and no expression."""
    span = node.span
    lines = span.document.lines
    if span.line != span.end_line or span.line > len(lines):
        return False
    return lines[span.line - 1][span.column - 1 : span.end_column - 1] == node.text
