"""Edits of a text that change one item: set a field, or put a layer before the item."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.diagnostics.diagnostic import Edit
from netbuild.syntax import scalar
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.syntax.item import Item

#: The YAML text of a value, under this name for the edits of other rooms.
as_yaml = scalar.as_yaml


def set_field(item: Item, bare: str | None, field: str, value: Any) -> Edit | None:
    """Return the edit that sets a field of an item; None if an expression decides the field.

    `bare` is the field that a bare value of the item fills.
    """
    if item.arguments is None:
        return _first_argument(item, f"{{{field}: {as_yaml(value)}}}")
    return set_entry(item.arguments, bare, field, value)


def set_fields(item: Item, bare: str | None, values: Mapping[str, Any]) -> tuple[Edit, ...] | None:
    """Return the edits that set several fields of an item, or None as `set_field` does."""
    arguments = item.arguments
    there = arguments.entries if isinstance(arguments, Map) else {}
    new = ", ".join(f"{k}: {as_yaml(v)}" for k, v in values.items() if k not in there)
    changed = [replaced(there[k].value, as_yaml(v)) for k, v in values.items() if k in there]
    if new and arguments is None:
        changed.append(_first_argument(item, f"{{{new}}}"))
    elif new and isinstance(arguments, Map):
        flow = arguments.span.document.lines[arguments.span.line - 1]
        several = new if flow[arguments.span.column - 1 :].startswith("{") else None
        entries = [several] if several else new.split(", ")
        changed += [_insert(arguments, entry) for entry in entries]
    elif new and arguments is not None:
        changed.append(replaced(arguments, f"{{{bare}: {_source(arguments)}, {new}}}"))
    found = tuple(edit for edit in changed if edit is not None)
    return found if len(found) == len(changed) else None


def set_entry(node: Node, bare: str | None, key: str, value: Any) -> Edit | None:
    """Return the edit that sets a key of a mapping.

    A node that is not a mapping is the value of the key `bare`.
    """
    if not isinstance(node, Map):
        if key == bare:
            return replaced(node, as_yaml(value))
        return replaced(node, f"{{{bare}: {_source(node)}, {key}: {as_yaml(value)}}}")
    if key in node.entries:
        return replaced(node.entries[key].value, as_yaml(value))
    return _insert(node, f"{key}: {as_yaml(value)}")


def set_inputs(item: Item, names: str) -> Edit | None:
    """Return the edit that names the inputs of an item; None if the item has several lines."""
    span = item.type.span
    if "inputs" in item.modifiers:
        return replaced(item.modifiers["inputs"].value, names)
    if item.arguments is None:
        item_text = f"{item.type.text}, inputs: {names}"
        return None if item.modifiers else Edit(span, f"{{{item_text}}}")
    line = span.document.lines[span.line - 1]
    if not line[: span.column - 1].rstrip().endswith("{"):
        return None
    end = item.arguments.span
    return Edit(_at(end, end.end_line, end.end_column), f", inputs: {names}")


def put_before(item: Item, layer: str, name: str) -> Edit | None:
    """Return the edit that puts a layer before an item.

    The layer gets its own line if the item has its own line. The result is None if the item is
    neither in a list nor at the beginning of a line.
    """
    span = item.type.span
    line = span.document.lines[span.line - 1]
    before = line[: span.column - 1]
    if re.fullmatch(r" *- +\{? *", before):
        indent = " " * (len(before) - len(before.lstrip()))
        return Edit(_at(span, span.line, 1), f"{indent}- {layer}\n")
    named = re.fullmatch(r"( +)[a-z]\w*: +\{? *", before)
    if named:
        return Edit(_at(span, span.line, 1), f"{named[1]}{name}: {layer}\n")
    if re.search(r"[\[,] *$", before):
        return Edit(_at(span, span.line, span.column), f"{layer}, ")
    return None


def put_behind(item: Item, layer: str, name: str) -> Edit | None:
    """Return the edit that puts a layer behind an item, with a name in a named stack.

    The result is None if the item has other arguments than a value on its own line.
    """
    end = item.arguments.span if item.arguments is not None else item.type.span
    line = end.document.lines[end.end_line - 1]
    if end.end_line != item.type.span.line or item.modifiers:
        return None
    before = line[: item.type.span.column - 1]
    after_line = _at(end, end.end_line, len(line) + 1)
    if re.fullmatch(r" *- +\{? *", before):
        return Edit(after_line, f"\n{before[: before.index('-')]}- {layer}")
    named = re.fullmatch(r"( *)[A-Za-z_]\w*: +\{? *", before)
    if named:
        return Edit(after_line, f"\n{named[1]}{name}: {{{layer}}}")
    behind = re.match(r" *\}?", line[end.end_column - 1 :])
    if re.search(r"[\[,] *\{? *$", before) and behind:
        return Edit(_at(end, end.end_line, end.end_column + behind.end()), f", {{{layer}}}")
    return None


def replaced(node: Node, text: str) -> Edit | None:
    """Return the edit that replaces a value; None if an expression decides it."""
    return (
        None if _is_computed(node) or node.span.document.name == "--set" else Edit(node.span, text)
    )


def _is_computed(node: Node) -> bool:
    """Whether an expression decides a value. An edit there would change other items too."""
    if isinstance(node, Scalar):
        return "$" in node.text
    children = node.items if isinstance(node, List) else [e.value for e in node.entries.values()]
    return any(map(_is_computed, children))


def _source(node: Node) -> str:
    """Return the text of a value in its document."""
    span = node.span
    return span.document.lines[span.line - 1][span.column - 1 : span.end_column - 1]


def _insert(arguments: Map, entry: str) -> Edit:
    """Return the edit that adds an entry after the last one."""
    span = arguments.span
    if span.document.lines[span.line - 1][span.column - 1 :].startswith("{"):
        comma = ", " if arguments.entries else ""
        return Edit(_at(span, span.end_line, span.end_column - 1), f"{comma}{entry}")
    first = next(iter(arguments.entries.values())).key.span
    return Edit(_at(span, span.end_line, span.end_column), f"\n{' ' * (first.column - 1)}{entry}")


def _first_argument(item: Item, arguments: str) -> Edit:
    """Return the edit that gives an item its first arguments: `ReLU`, `ReLU:` or `{ReLU, …}`."""
    span = item.type.span
    behind = span.document.lines[span.line - 1][span.end_column - 1 :]
    if behind.startswith(":"):
        return Edit(_at(span, span.line, span.end_column + 1), f" {arguments}")
    if item.modifiers:
        return Edit(_at(span, span.line, span.end_column), f": {arguments}")
    return Edit(span, f"{{{item.type.text}: {arguments}}}")


def _at(span: Span, line: int, column: int) -> Span:
    return span._replace(line=line, column=column, end_line=line, end_column=column)
