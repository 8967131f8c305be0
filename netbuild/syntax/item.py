"""The grammar of a file: items and stacks.

An item is one Capitalised key with its arguments. Lower-case keys next to it are its modifiers. A
stack is a list of items, or a mapping from names to items. In a list the index is the name. Layers,
losses, optimizers and data sources are all items.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix
from netbuild.diagnostics.wording import article, brief
from netbuild.syntax.names import MODIFIERS
from netbuild.syntax.node import Entry, List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from netbuild.diagnostics.diagnostic import Span

#: The type of an item that calls a module of the same stack again.
REUSE = "Reuse"


class Item(NamedTuple):
    """`{Conv2d: {…}, name: stem}`: a type, its unread arguments, and its modifiers."""

    type: Scalar
    arguments: Node | None
    modifiers: Mapping[str, Entry] = MappingProxyType({})


class Child(NamedTuple):
    """A member of a stack: its key (None in a list), its place in the text, and its node."""

    name: str | None
    span: Span
    node: Node


class Stack(NamedTuple):
    """`[item, …]`, `{name: item, …}` or `{layers: …, modifiers}`, with unread members."""

    children: tuple[Child, ...]
    span: Span
    modifiers: Mapping[str, Entry] = MappingProxyType({})


def read_item(
    node: Node, what: str, known: Collection[str] = (), shape: Sequence[int] | None = None
) -> Item | Diagnostic:
    """Read a node as an item, or return its fault.

    `what` is the kind of the item in messages, such as `layer` or `loss`. `known` are the types of
    this kind, and `shape` is the shape of the layer's input, for suggestions.
    """
    if isinstance(node, Scalar) and isinstance(node.value, str) and node.value[:1].isupper():
        # The text of an expression differs from its value.
        return Item(node._replace(text=node.value), None)
    entries = node.entries if isinstance(node, Map) else {}
    types = [entry for name, entry in entries.items() if name[:1].isupper()]
    if len(types) != 1:
        return _no_item(node, types, what, known, shape)
    modifiers = {name: entry for name, entry in entries.items() if not name[:1].isupper()}
    arguments = types[0].value
    if what == "layer" and entries.keys() - {types[0].key.text, *MODIFIERS}:
        fault = _named_like_its_type(types[0])
        if fault is not None:
            return fault
    empty = isinstance(arguments, Scalar) and arguments.value is None
    return Item(types[0].key, None if empty else arguments, modifiers)


def _named_like_its_type(entry: Entry) -> Diagnostic | None:
    """Return the fault of `{dense: …, LayerNorm: LayerNorm}`; None for any other value."""
    name, value = entry.key.text, entry.value
    if not isinstance(value, Scalar) or value.value != name:
        return None
    written = f"{{{name}: }}"
    fix = Fix(f"write {written}", (Edit(value.span, written),), safe=True)
    label = f"{name} is read as a type here, and not as a name"
    title, help_ = "an item in the wrong form", f"write {name}: {written}"
    return Diagnostic("NB108", title, entry.key.span, label, help=help_, fixes=(fix,))


def _no_item(
    node: Node,
    types: Sequence[Entry],
    what: str,
    known: Collection[str],
    shape: Sequence[int] | None,
) -> Diagnostic:
    """Return the fault of a node that is no item; `types` are its capitalised keys."""
    from netbuild.syntax.unknown_type import example, unknown_type

    if isinstance(node, Scalar) and isinstance(node.value, str):
        fault = unknown_type(node._replace(text=node.value), what, known, None, shape)
        return fault if node.text == node.value else fault._replace(fixes=())
    if not isinstance(node, Map):
        label = f"{article(what)} {what} is a type with its arguments, not {kind(node)}"
        return _malformed(node.span, label, f"write {example(what, known)}")
    modifier = next(
        (e.key for e in types if what == "layer" and e.key.text.lower() in MODIFIERS), None
    )
    if modifier is not None:
        return unknown_type(modifier, what, known)
    if types:
        names = " and ".join(brief(entry.key.text) for entry in types[:3])
        help_ = "begin each layer with its own '- '" if what == "layer" else "keep one of them"
        label = f"{article(what)} {what} has one type, and this one has {names}"
        return _malformed(types[1].key.span, label, help_)
    first = next(iter(node.entries.values()), None)
    if first is not None:
        return unknown_type(first.key, what, known, first.value, shape)
    return _malformed(node.span, "this mapping is empty", f"write {example(what, known)}")


def is_stack(node: Node) -> bool:
    """Whether a node is a stack: a list, or a mapping whose Capitalised keys are names."""
    return not types_of(node) if isinstance(node, Map) else isinstance(node, List)


def types_of(node: Map) -> list[str]:
    """Return the Capitalised keys of a mapping that are types; none if they are names.

    They are names in a mapping of two or more members, `{dense: …, LayerNorm: {LayerNorm: }}`. No
    key there is a modifier, and the value of each Capitalised key is an item. Such a mapping cannot
    be an item, because an item has one type, and modifiers next to it.
    """
    entries = node.entries
    types = [name for name in entries if name[:1].isupper()]
    if not types or len(entries) < 2 or any(name in entries for name in MODIFIERS):
        return types
    members = all(_is_item(entries[name].value) for name in types)
    return [] if members and all(_can_be_member(e.value) for e in entries.values()) else types


def _is_item(node: Node) -> bool:
    """Whether a node is a mapping with one type, and only modifiers next to it."""
    if not isinstance(node, Map):
        return False
    others = [name for name in node.entries if not name[:1].isupper()]
    return len(node.entries) - len(others) == 1 and all(name in MODIFIERS for name in others)


def _can_be_member(node: Node) -> bool:
    """Whether a node is a collection or a text."""
    return not isinstance(node, Scalar) or isinstance(node.value, str)


def read_stack(node: Node) -> Stack | Diagnostic:
    """Read a node for which `is_stack` is true, as a stack; or return its fault."""
    modifiers: dict[str, Entry] = {}
    if isinstance(node, Map) and "layers" in node.entries:
        modifiers = {name: e for name, e in node.entries.items() if name != "layers"}
        node = node.entries["layers"].value
        if not is_stack(node):
            label = f"layers wants a list or a mapping of layers, not {kind(node)}"
            return _malformed(node.span, label, "begin each layer with '- '")
    if isinstance(node, List):
        children = tuple(Child(None, item.span, item) for item in node.items)
    else:
        assert isinstance(node, Map)
        children = tuple(
            Child(name, entry.key.span, entry.value) for name, entry in node.entries.items()
        )
    if not children:
        return _malformed(node.span, "this stack has no layers", "write at least one layer")
    return Stack(children, node.span, modifiers)


def place(item: Item, field: str | None) -> Span:
    """Return the place of an item's field with its value; the place of the type without a field.

    The field is an argument of the item or a modifier, such as `resize`.
    """
    arguments = item.arguments
    inside = arguments.entries if isinstance(arguments, Map) else {}
    if field is not None and (field in inside or field in item.modifiers):
        key, value = inside.get(field) or item.modifiers[field]
        if value.span.document is key.span.document:
            end = value.span
            return key.span._replace(end_line=end.end_line, end_column=end.end_column)
        return value.span
    if isinstance(arguments, Map):
        return item.type.span
    return arguments.span if arguments is not None and field is not None else item.type.span


def place_of(part: Item | Stack) -> Span:
    """Return the place of an item, which is its type, or of a stack, which is its layers."""
    return part.type.span if isinstance(part, Item) else part.span


def inner(item: Item, field: str, number: int) -> Item | None:
    """Return an item of a field's list by its number; None if the field is not a list."""
    node = item.arguments
    if field in item.modifiers:
        node = item.modifiers[field].value
    elif isinstance(node, Map):
        node = node.get(field)
    part = read_item(node.items[number], field) if isinstance(node, List) else None
    return part if isinstance(part, Item) else None


def kind(node: Node) -> str:
    """Return the kind of a node in the words of a message; a scalar with its value."""
    if isinstance(node, Map):
        return "a mapping" if node.entries else "an empty mapping"
    if isinstance(node, List):
        return "a list" if node.items else "an empty list"
    return shown(node)


def shown(node: Node) -> str:
    """Return a value in the words of a message."""
    if isinstance(node, Map):
        values = {name: entry.value for name, entry in node.entries.items()}
        if len(values) > 3 or not all(isinstance(value, Scalar) for value in values.values()):
            return "a mapping"
        return brief(f"{{{', '.join(f'{name}: {_as_yaml(v)}' for name, v in values.items())}}}")
    if isinstance(node, List):
        return brief(f"[{', '.join(_as_yaml(item) for item in node.items)}]")
    if isinstance(node.value, str):
        return f"the text '{brief(node.value)}'"
    return "nothing" if node.value is None else _as_yaml(node)


def _as_yaml(node: Node) -> str:
    """Return a value as YAML text."""
    if not isinstance(node, Scalar):
        return shown(node)
    value = node.value
    if isinstance(value, str):
        return f"'{value}'"
    return "null" if value is None else str(value).lower()


def _malformed(span: Span, label: str, help_: str) -> Diagnostic:
    return Diagnostic("NB108", "an item in the wrong form", span, label, help=help_)
