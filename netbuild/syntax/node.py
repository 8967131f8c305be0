"""What a text holds: values, each with the span where it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span


class Unknown:
    """The value of a scalar that has its own fault already: nothing that needs it is blamed."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


class Scalar(NamedTuple):
    """A single value: str, int, float, bool or None; `text` is how it was written."""

    value: Any
    span: Span
    text: str


class List(NamedTuple):
    """A YAML sequence."""

    items: tuple[Node, ...]
    span: Span


class Entry(NamedTuple):
    """A key of a mapping and its value."""

    key: Scalar
    value: Node


class Map(NamedTuple):
    """A YAML mapping; the keys by their text, in the order of the file."""

    entries: dict[str, Entry]
    span: Span

    def get(self, key: str) -> Node | None:
        """Return the value of a key, or None."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node: TypeAlias = "Scalar | List | Map"


def is_unknown(node: Node) -> bool:
    """Whether a node is a scalar that has its own fault already."""
    return isinstance(node, Scalar) and node.value is UNKNOWN


def holds_unknown(node: Node) -> bool:
    """Whether a scalar that has its own fault already stands anywhere in a node."""
    if isinstance(node, Scalar):
        return node.value is UNKNOWN
    children = node.items if isinstance(node, List) else [e.value for e in node.entries.values()]
    return any(holds_unknown(child) for child in children)


def plain(node: Node) -> Any:
    """Return a node as plain Python values: dict, list and scalars."""
    if isinstance(node, Map):
        return {key: plain(entry.value) for key, entry in node.entries.items()}
    if isinstance(node, List):
        return [plain(item) for item in node.items]
    return node.value


def value_of(node: Node) -> Any:
    """Return what a name stands for: a plain value, or what holds an item as it is written."""
    return node if _holds_item(node) else plain(node)


def _holds_item(node: Node) -> bool:
    return isinstance(node, Map) or (isinstance(node, List) and any(map(_holds_item, node.items)))
