"""Edits of a text that change one item: set its fields or its inputs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.diagnostics.diagnostic import Edit
from netbuild.syntax import scalar
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.syntax.item import Item

#: The edits of one fix. They do not overlap.
Edits: TypeAlias = tuple[Edit, ...]

#: The YAML text of a value, under this name for the edits of other rooms.
as_yaml = scalar.as_yaml


def set_fields(item: Item, bare: str | None, values: Mapping[str, Any]) -> Edits | None:
    """Return the edits that set fields of an item; None if the text has no place for them.

    `bare` is the field that a bare value of the item fills. An edit of a `$expression` stands for
    an edit of the literal behind it: `graph.fixes.literals` moves it there.
    """
    if item.arguments is None:
        return _first_arguments(item, _entries(values))
    if item.arguments.span == item.type.span:  # --set has added them
        return None
    return set_entries(item.arguments, bare, values)


def set_entries(node: Node, bare: str | None, values: Mapping[str, Any]) -> Edits | None:
    """Return the edits that set keys of a mapping, or None as `set_fields` does.

    A node that is not a mapping is the value of the key `bare`.
    """
    there: dict[str | None, Node] = {bare: node}
    if isinstance(node, Map):
        there = {key: entry.value for key, entry in node.entries.items()}
    changed = [replaced(there[key], as_yaml(v)) for key, v in values.items() if key in there]
    new = {key: value for key, value in values.items() if key not in there}
    if new and isinstance(node, Map):
        changed.append(inserted(node, new))
    elif new and changed:  # the edits of a value and of its surroundings would overlap
        changed = [None if is_computed(node) else replaced(node, _entries(values))]
    elif new:
        return _wrapped(node, f"{bare}: ", new)
    found = tuple(edit for edit in changed if edit is not None)
    return found if len(found) == len(changed) else None


def set_inputs(item: Item, names: str) -> Edit | None:
    """Return the edit that names the inputs of an item; None if the item has several lines."""
    span, arguments = item.type.span, item.arguments
    if "inputs" in item.modifiers:
        return replaced(item.modifiers["inputs"].value, names)
    line = span.document.lines[span.line - 1]
    if arguments is None:
        bare = not item.modifiers and not line[span.end_column - 1 :].startswith(":")
        return Edit(span, f"{{{item.type.text}, inputs: {names}}}") if bare else None
    end = arguments.span
    if not line[: span.column - 1].rstrip().endswith("{") or end.document is not span.document:
        return None
    return Edit(_at(end, end.end_line, end.end_column), f", inputs: {names}")


def replaced(node: Node, text: str) -> Edit | None:
    """Return the edit that replaces a value; None if the value is more than one expression."""
    if is_computed(node) and not _is_one_expression(node):
        return None
    return Edit(node.span, text)


def _is_one_expression(node: Node) -> bool:
    """Whether a value is one `$name` or `$(expression)`, before or after it is evaluated."""
    if isinstance(node, Scalar):
        return node.text.count("$") == 1 and node.text.startswith("$")
    parts = node.items if isinstance(node, List) else ()
    return bool(parts) and all(part.span == node.span for part in parts)


def is_computed(node: Node) -> bool:
    """Whether expressions decide a value or a part of it, also after they are evaluated."""
    if isinstance(node, Scalar):
        return "$" in node.text
    children = node.items if isinstance(node, List) else [e.value for e in node.entries.values()]
    return any(map(is_computed, children))


def source(node: Node) -> str:
    """Return the text of a value in its document; an empty text for several lines."""
    span = node.span
    if span.line != span.end_line:
        return ""
    return span.document.lines[span.line - 1][span.column - 1 : span.end_column - 1]


def _entries(values: Mapping[str, Any]) -> str:
    """Return the text of a mapping with these values."""
    return f"{{{', '.join(f'{key}: {as_yaml(value)}' for key, value in values.items())}}}"


def is_flow(node: Map | List) -> bool:
    """Whether a collection has braces or brackets in its document."""
    return _start(node) in {*"{["}


def _start(node: Node) -> str:
    """Return the first character of a value in its document, without an anchor before it."""
    line = node.span.document.lines[node.span.line - 1][node.span.column - 1 :]
    return re.sub(r"^&\S+ *", "", line)[:1]


def _wrapped(node: Node, before: str, new: Mapping[str, Any]) -> Edits | None:
    """Return the edits that make a bare value the first entry of a mapping, and keep its text."""
    span = node.span
    quote, start = "", _start(node)
    if isinstance(node, List) and start != "[":
        return None  # a list with dashes cannot stand in braces
    if isinstance(node, Scalar) and (start in {*"|>"} or span.line != span.end_line):
        return None
    if isinstance(node, Scalar) and start not in {*"\"'"} and re.search(r"[,\[\]{}]", node.text):
        quote = "'" if "'" not in node.text else '"'  # in braces these signs have a meaning
    first, last = _at(span, span.line, span.column), _at(span, span.end_line, span.end_column)
    entries = _entries(new)[1:]
    return Edit(first, f"{{{before}{quote}"), Edit(last, f"{quote}, {entries}")


def inserted(node: Map, new: Mapping[str, Any]) -> Edit | None:
    """Return the edit that adds entries to a mapping, behind the last one.

    A mapping may have entries of a base file and of --set too. The result is None if it has no
    other ones, and no braces: then nothing says how far they are indented.
    """
    span, entries = node.span, _entries(new)[1:-1]
    own = [e.key.span for e in node.entries.values() if e.key.span.document is span.document]
    if is_flow(node):
        comma = ", " if own else ""
        return Edit(_at(span, span.end_line, span.end_column - 1), f"{comma}{entries}")
    if not own:
        return None
    end_of_line = _at(span, span.end_line, len(span.document.lines[span.end_line - 1]) + 1)
    lines = [f"\n{' ' * (own[0].column - 1)}{key}: {as_yaml(v)}" for key, v in new.items()]
    return Edit(end_of_line, "".join(lines))


def _first_arguments(item: Item, arguments: str) -> Edits | None:
    """Return the edit that gives an item its first arguments: `ReLU`, `ReLU:` or `{ReLU, …}`."""
    span = item.type.span
    behind = span.document.lines[span.line - 1][span.end_column - 1 :]
    if behind.startswith(":"):
        return (Edit(_at(span, span.line, span.end_column + 1), f" {arguments}"),)
    if item.modifiers:
        return (Edit(_at(span, span.line, span.end_column), f": {arguments}"),)
    return (Edit(span, f"{{{item.type.text}: {arguments}}}"),)


def _at(span: Span, line: int, column: int) -> Span:
    return span._replace(line=line, column=column, end_line=line, end_column=column)
