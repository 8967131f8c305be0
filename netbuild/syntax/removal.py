"""Edits of a text that remove one entry of a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Edit
from netbuild.syntax.node import Map

if TYPE_CHECKING:
    from netbuild.syntax.node import Node


def without_entry(node: Node | None, key: str) -> Edit | None:
    """Return the edit that removes a key of a mapping; None if it is the only key.

    In a block mapping the entry has its own lines, which are removed.
    """
    if not isinstance(node, Map) or key not in node.entries or len(node.entries) < 2:
        return None
    entries = [*node.entries.values()]
    at = [*node.entries].index(key)
    own = entries[at]
    start, document = own.key.span, own.key.span.document
    if start.document != node.span.document:
        return None
    if at + 1 < len(entries):  # up to the next key
        following = entries[at + 1].key.span
        if following.document != document:
            return None
        line, column = following.line, following.column
        return Edit(start._replace(end_line=line, end_column=column), "")
    before = entries[at - 1].value.span
    if before.document != document:
        return None
    end = own.value.span
    span = start._replace(
        line=before.end_line,
        column=before.end_column,
        end_line=end.end_line,
        end_column=end.end_column,
    )
    return Edit(span, "")
