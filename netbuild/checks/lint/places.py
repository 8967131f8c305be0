"""Fixes that change a layer or a section in the file.

A value that the file does not contain, such as a value of `--set`, has no fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax.node import List, Map, Scalar

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.syntax.item import Item


def replace_type(item: Item, new: str | None) -> tuple[Fix, ...]:
    """Return the fix that gives an item another type and keeps its fields."""
    if new is None or not _literal(item.type):
        return ()
    return (Fix(f"replace {item.type.text} with {new}", (Edit(item.type.span, new),)),)


def set_field(item: Item | None, field: str, text: str, bare: str | None = None) -> tuple[Fix, ...]:
    """Return the fix that sets a field of an item.

    Args:
        item: the item, if the file has one.
        field: the name of the field.
        text: the new value, in YAML.
        bare: the field that a bare value fills.
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
    elif isinstance(arguments, Map) and arguments.entries:
        first = next(iter(arguments.entries.values())).key.span
        line = first.document.lines[first.line - 1] if first.line else ""
        flow = arguments.span[1:3] != first[1:3]  # a brace stands before the first key
        between = ", " if flow else "\n" + " " * (first.column - 1)
        if flow or not line[: first.column - 1].strip():
            here = first._replace(end_line=first.line, end_column=first.column)
            edit = Edit(here, f"{field}: {text}{between}")
    return (Fix(f"write {field}: {text}", (edit,)),) if edit else ()


def replace_list(item: Item, field: str, text: Callable[[list[str]], str]) -> tuple[Fix, ...]:
    """Return the fix that replaces a list of literal numbers of a field.

    Args:
        item: the item.
        field: the name of the field.
        text: returns the new value, in YAML, from the texts of the numbers.
    """
    entries = item.arguments.entries if isinstance(item.arguments, Map) else {}
    value = entries[field].value if field in entries else item.arguments
    if not isinstance(value, List) or value.span.line != value.span.end_line:
        return ()
    if not all(isinstance(number, Scalar) and _literal(number) for number in value.items):
        return ()
    new = text([_text(number) for number in value.items if isinstance(number, Scalar)])
    return (Fix(f"write {field}: {new}", (Edit(value.span, new),)),)


def is_choice(item: Item) -> bool:
    """Whether another item may take this place: the item has `when`, or its type is an expression.

    A parameter of a block, such as `$norm`, is an expression.
    """
    return "$" in _text(item.type) or "when" in item.modifiers


def _literal(node: Scalar) -> bool:
    """Whether the file contains the text of a scalar literally, and not an expression."""
    return _text(node) == node.text


def _text(node: Scalar) -> str:
    """Return the text of the file at the span of a scalar; empty if the span has several lines."""
    span = node.span
    lines = span.document.lines
    if span.line != span.end_line or span.line > len(lines):
        return ""
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]
