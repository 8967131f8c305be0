"""A member of a stack as it is written: an item or a stack, with what stands beside it."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from netbuild.component import bare_field
from netbuild.diagnostic import MAX_FAULTS, Diagnostic, suggest
from netbuild.expression import substitute
from netbuild.item import Item, Stack, is_stack, read_item, read_stack, unknown_type
from netbuild.layers import LAYERS
from netbuild.leaf import Names, TooManyError
from netbuild.modifiers import (
    LayerModifiers,
    Modifiers,
    StackModifiers,
    read_modifiers,
    with_misplaced_arguments,
    with_misplaced_modifiers,
)
from netbuild.node import UNKNOWN, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.block import Definition

#: The type of an item that calls a module of its stack again.
REUSE = "Reuse"


class Parts:
    """Reads the members of the stacks of a file, whose `blocks` are types beside the layers."""

    def __init__(self, blocks: Mapping[str, Definition | None], faults: list[Diagnostic]) -> None:
        self.blocks, self.faults = blocks, faults
        self.types = ChainMap[str, object]({REUSE: None}, dict(blocks), LAYERS)  # type: ignore[arg-type]

    def read(self, node: Node, names: Names) -> Item | Stack | None:
        """Read a node as the item or the stack that it is; None after a fault."""
        if len(self.faults) > MAX_FAULTS:
            raise TooManyError
        if isinstance(node, Scalar):
            node = substitute(node, names, self.faults)
            if isinstance(node, Scalar) and node.value is UNKNOWN:
                return None
        if is_stack(node) and not _is_lower_case_layer(node):
            part: Item | Stack | Diagnostic = read_stack(node)
        else:
            part = read_item(node, "layer", self.types)
        if isinstance(part, Item) and part.type.text not in self.types:
            part = unknown_type(part.type, "layer", self.types)
        if isinstance(part, Diagnostic):
            self.faults.append(part)
            return None
        return self._in_place(part) if isinstance(part, Item) else part

    def modifiers(self, part: Item | Stack, names: Names) -> Modifiers | None:
        """Validate what stands beside a part; None after a fault, or where it is not known."""
        kind: type[Modifiers] = StackModifiers
        if isinstance(part, Item):
            kind = LayerModifiers if part.type.text in LAYERS else Modifiers
        return read_modifiers(part, kind, names, self.faults)

    def _in_place(self, item: Item) -> Item:
        """Return an item with its arguments inside and its modifiers beside it."""
        kind = item.type.text
        if kind in LAYERS:
            fields, bare = tuple(LAYERS[kind].model_fields), bare_field(LAYERS[kind])
            item = with_misplaced_modifiers(item, fields, LayerModifiers, self.faults)
        else:
            block = self.blocks.get(kind)
            fields = tuple(block.params) if block else ()
            bare = next(iter(fields), None)
        return with_misplaced_arguments(item, fields, bare, self.faults)


def _is_lower_case_layer(node: Node) -> bool:
    """Tell `conv2d: {out_channels: 6}`, a misspelt layer, from `conv2d: {…}`, a stack of one."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    (name, (_, value)), *_ = node.entries.items()
    meant = LAYERS.get(suggest(name, tuple(LAYERS)) or "")
    if meant is None:
        return False
    if isinstance(value, Map):
        return bool(value.entries) and set(value.entries) <= set(meant.model_fields)
    return isinstance(value, Scalar) and not isinstance(value.value, str)
