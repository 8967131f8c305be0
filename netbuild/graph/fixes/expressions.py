"""The expressions of a text in order, and its values behind aliases."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Span


class Text(NamedTuple):
    """The expressions of a document with the blocks that contain them, and its aliased values."""

    #: In the order of their places. No two have a character in common.
    expressions: tuple[tuple[Scalar, str], ...]
    aliased: tuple[Span, ...]

    def within(self, span: Span) -> tuple[tuple[Scalar, str], ...]:
        """Return the expressions that may touch a span."""
        start = bisect_right(self.expressions, span[1:3], key=_start)
        end = bisect_right(self.expressions, span[3:5], key=_start)
        return self.expressions[max(start - 1, 0) : end]


def text_of_tree(root: Node | None) -> Text:
    """Return the expressions and the aliased values of a tree."""
    if root is None:
        return Text((), ())
    owners: dict[int, str] = {}
    blocks = root.get("blocks") if isinstance(root, Map) else None
    for name, entry in blocks.entries.items() if isinstance(blocks, Map) else ():
        owners |= {id(node): name for node, _ in walk(entry.value)}
    seen: dict[int, Node] = {}
    aliased: list[Span] = []
    for node, again in walk(root):
        seen[id(node)] = node
        if again:
            aliased.append(node.span)
    found = [(n, owners.get(id(n), "")) for n in seen.values() if is_expression(n)]
    return Text(tuple(sorted(found, key=_start)), tuple(aliased))


def _start(expression: tuple[Scalar, str]) -> tuple[int, int]:
    return expression[0].span[1:3]


def walk(root: Node) -> Iterator[tuple[Node, bool]]:
    """Yield the nodes of a tree, keys included, and whether a node was yielded before.

    What an aliased node contains is yielded once.
    """
    seen: set[int] = set()
    pending: list[Node] = [root]
    while pending:
        node = pending.pop()
        yield node, id(node) in seen
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, List):
            pending += node.items
        elif isinstance(node, Map):
            for key, value in node.entries.values():
                pending += (value, key) if "$" in key.text else (value,)


def is_expression(node: Node) -> TypeGuard[Scalar]:
    """Whether a node is a text with an expression."""
    return isinstance(node, Scalar) and isinstance(node.value, str) and "$" in node.value
