"""How to change a layer or a section where the file says what it is.

What stands elsewhere, such as a value given with `--set`, has no fix.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit, Fix
from netbuild.syntax.node import Map, Scalar

if TYPE_CHECKING:
    from netbuild.syntax.item import Item


def retyped(item: Item, new: str | None) -> tuple[Fix, ...]:
    """Return the fix that puts another type in an item's place, with the same fields."""
    if new is None or not _literal(item.type):
        return ()
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


def is_choice(item: Item) -> bool:
    """Whether an item stands where something else may: its type is an expression, or it has `when`.

    So is a block's parameter, such as `$norm`.
    """
    return "$" in _text(item.type) or "when" in item.modifiers


def _literal(node: Scalar) -> bool:
    """Whether the file has the text of a scalar where its span is, and no expression."""
    return _text(node) == node.text


def _text(node: Scalar) -> str:
    """Return what the file has where the span of a scalar is, in one line; else nothing."""
    span = node.span
    lines = span.document.lines
    if span.line != span.end_line or span.line > len(lines):
        return ""
    return lines[span.line - 1][span.column - 1 : span.end_column - 1]
