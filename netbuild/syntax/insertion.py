"""Edits of a text that put a layer before or behind another one in its stack.

The new layer gets a free name in a stack with names, and reads what its neighbour read.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import Diagnostic, Edit
from netbuild.syntax.edits import Edits, is_flow, replaced, source
from netbuild.syntax.item import Child, Item, Stack, is_stack, read_stack, types_of
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Span


class Place(NamedTuple):
    """A member of a stack in the text: the stack's list or mapping, and the member's position."""

    members: List | Map
    children: tuple[Child, ...]
    position: int
    #: The scalars of the stack that name what its members read, or what its results are.
    readers: tuple[Scalar, ...]

    @property
    def child(self) -> Child:
        """The member itself."""
        return self.children[self.position]

    def name(self, type_: str) -> str:
        """Return the name of a new layer before the member.

        In a stack with several branches, more layers may need a new layer at the same time.
        """
        own = self.child.name or _scalar(self.child.node, "name") or str(self.position)
        return self.free(f"{type_}_{own}" if self.readers and "$" not in own else type_)

    def free(self, name: str) -> str:
        """Return a name that no member of the stack has and no member reads."""
        taken = {child.name or _scalar(child.node, "name") for child in self.children}
        taken |= {reader.text.partition(".")[0] for reader in self.readers}
        number, other = 1, name
        while other in taken:
            number += 1
            other = f"{name}{number}"
        return other

    def renumbers(self, first: int) -> bool:
        """Whether a member reads a number that a new member at `first` would change."""
        numbers = [reader.text.partition(".")[0] for reader in self.readers]
        unnamed = isinstance(self.members, List)
        return unnamed and any(n.isdecimal() and int(n) >= first for n in numbers)


def put_before(root: Map, item: Item, layer: str) -> Edits | None:
    """Return the edits that put a layer before an item of the network in the file `root`.

    `layer` is a type, or a type with its arguments: `Transpose: {dim0: 1, dim1: 2}`. The result is
    None if the item is not written as a member of a stack, or if names in the stack would change.
    """
    place = find(root, item)
    if place is None or place.renumbers(place.position):
        return None
    type_, colon, _ = layer.partition(":")
    name, inputs = place.name(type_.lower()), _entry(place.child.node, "inputs")
    wired = layer
    more: Edits = ()
    if inputs is not None:
        read = inputs.items[0] if isinstance(inputs, List) and len(inputs.items) == 1 else inputs
        edit = replaced(inputs, name)
        if not isinstance(read, Scalar) or "$" in read.text or edit is None:
            return None
        unnamed = "" if isinstance(place.members, Map) else f", name: {name}"
        wired, more = f"{{{layer}, inputs: {source(read)}{unnamed}}}", (edit,)
    elif isinstance(place.members, Map) and colon:
        wired = f"{{{layer}}}"
    edit = _before(place, f"{name}: {wired}" if isinstance(place.members, Map) else wired)
    return None if edit is None else (edit, *more)


def _before(place: Place, member: str) -> Edit | None:
    """Return the edit that writes a new member before the one at a place."""
    span = place.child.span
    before = span.document.lines[span.line - 1][: span.column - 1]
    if is_flow(place.members):
        return Edit(_at(span, span.line, span.column), f"{member}, ")
    column = span.column - 1
    if isinstance(place.members, Map):
        return Edit(_at(span, span.line, span.column), f"{member}\n{' ' * column}")
    if not before.rstrip().endswith("-"):
        return None
    dash = before.rindex("-")
    return Edit(_at(span, span.line, dash + 1), f"- {member}\n{' ' * dash}")


def put_behind(root: Map, item: Item, layer: str) -> Edits | None:
    """Return the edit that puts a layer behind an item of the network, as `put_before` does.

    The result is also None if the item has modifiers or several lines.
    """
    place = find(root, item)
    if place is None or item.modifiers or place.renumbers(place.position + 1):
        return None
    end = item.arguments.span if item.arguments is not None else item.type.span
    line = end.document.lines[end.end_line - 1]
    if end.end_line != item.type.span.line or end.document is not item.type.span.document:
        return None
    before = line[: item.type.span.column - 1]
    after_line = _at(end, end.end_line, len(line) + 1)
    name = place.free(layer.partition(":")[0].lower())
    named = re.fullmatch(r"( *)[A-Za-z_]\w*: +\{? *", before)
    behind = re.match(r" *\}?", line[end.end_column - 1 :])
    if re.fullmatch(r" *- +\{? *", before):
        return (Edit(after_line, f"\n{before[: before.index('-')]}- {layer}"),)
    if named and isinstance(place.members, Map):
        return (Edit(after_line, f"\n{named[1]}{name}: {{{layer}}}"),)
    if re.search(r"[\[,] *\{? *$", before) and behind and isinstance(place.members, List):
        return (Edit(_at(end, end.end_line, end.end_column + behind.end()), f", {{{layer}}}"),)
    return None


def find(root: Map, item: Item) -> Place | None:
    """Return the place of an item in the stacks of a file; None if it is not written in one.

    An item that a variable or the use of a block gives is not written in a stack.
    """
    blocks = root.get("blocks")
    definitions = [e.value for e in blocks.entries.values()] if isinstance(blocks, Map) else []
    own = ("layers", "outputs")
    whole = {name: entry for name, entry in root.entries.items() if name in own}
    for node in (Map(whole, root.span), *definitions):
        if isinstance(node, Map) and "layers" in node.entries:
            for place in _places(node):
                if _type_span(place.child.node) == item.type.span:
                    return place
    return None


def _places(node: Node) -> Iterator[Place]:
    """Yield the places of all members of a stack and of the stacks inside it."""
    stack = read_stack(node)
    if isinstance(stack, Diagnostic):
        return
    named = isinstance(node, Map) and "layers" in node.entries
    members = node.entries["layers"].value if named and isinstance(node, Map) else node
    if isinstance(members, Scalar):
        return
    readers = tuple(_readers(stack))
    for position, child in enumerate(stack.children):
        yield Place(members, stack.children, position, readers)
        if is_stack(child.node):
            yield from _places(child.node)


def _readers(stack: Stack) -> Iterator[Scalar]:
    """Yield the scalars that name what the members of a stack read, or what its results are."""
    nodes = [_entry(child.node, key) for child in stack.children for key in ("inputs", "Reuse")]
    outputs = stack.modifiers.get("outputs")
    for node in [*nodes, outputs.value if outputs else None]:
        parts: list[Node | None] = [node]
        if isinstance(node, List):
            parts = [*node.items]
        elif isinstance(node, Map):
            parts = [entry.value for entry in node.entries.values()]
        yield from (part for part in parts if isinstance(part, Scalar))


def _entry(node: Node, key: str) -> Node | None:
    return node.get(key) if isinstance(node, Map) else None


def _scalar(node: Node, key: str) -> str | None:
    value = _entry(node, key)
    return value.text if isinstance(value, Scalar) else None


def _type_span(node: Node) -> Span | None:
    """Return the place of an item's type; None for a stack."""
    if isinstance(node, Map):
        return next((node.entries[name].key.span for name in types_of(node)), None)
    return node.span if isinstance(node, Scalar) else None


def _at(span: Span, line: int, column: int) -> Span:
    return span._replace(line=line, column=column, end_line=line, end_column=column)
