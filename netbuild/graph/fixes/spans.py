"""Places in a text: their characters, and whether they meet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.syntax.node import Node


def characters(span: Span) -> tuple[str, ...]:
    """Return the characters of a span, without the rest of its lines."""
    lines = span.document.lines[span.line - 1 : span.end_line]
    if len(lines) == 1:
        return (lines[0][span.column - 1 : span.end_column - 1],)
    return (lines[0][span.column - 1 :], *lines[1:-1], lines[-1][: span.end_column - 1])


def contains(span: Span, inner: Span) -> bool:
    """Whether a span has all characters of another."""
    return span[1:3] <= inner[1:3] and inner[3:5] <= span[3:5]


def overlaps(span: Span, other: Span) -> bool:
    """Whether two spans share a character, or one is an insertion inside of the other."""
    return span[1:3] < other[3:5] and other[1:3] < span[3:5]


def touches(span: Span, other: Span) -> bool:
    """Whether two spans share a character or an end."""
    return span[1:3] <= other[3:5] and other[1:3] <= span[3:5]


def keys(node: Node, span: Span) -> list[str]:
    """Return the keys that lead to a value; none if a list lies on the way."""
    for key, entry in node.entries.items() if isinstance(node, Map) else ():
        if entry.value.span == span:
            return [key]
        inner = keys(entry.value, span)
        if inner:
            return [key, *inner]
    return []
