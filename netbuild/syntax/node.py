"""The values of a parsed text, each with its span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Span

#: The greatest number of lists and mappings within each other.
MAX_DEPTH = 100


class Unknown:
    """The value of a scalar that already has a fault. A value that depends on it gets no fault."""

    def __repr__(self) -> str:
        return "?"


UNKNOWN = Unknown()


class Scalar(NamedTuple):
    """A single value: str, int, float, bool or None; `text` is its source text."""

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
    """Whether a node is a scalar that already has a fault."""
    return isinstance(node, Scalar) and node.value is UNKNOWN


def is_null(node: Node) -> bool:
    """Whether a node is null, such as the value of a key with nothing after its colon."""
    return isinstance(node, Scalar) and node.value is None


def holds_unknown(node: Node) -> bool:
    """Whether a node contains a scalar that already has a fault."""
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
    """Return the value of a name: a plain value, or the node itself if it contains a mapping."""
    return node if _has_mapping(node) else plain(node)


def _has_mapping(node: Node) -> bool:
    return isinstance(node, Map) or (isinstance(node, List) and any(map(_has_mapping, node.items)))
