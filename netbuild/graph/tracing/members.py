"""A member of a stack as it is written: an item or a stack, with what stands beside it."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.config.modifiers import (
    BlockModifiers,
    LayerModifiers,
    Modifiers,
    StackModifiers,
    read_modifiers,
    with_misplaced_arguments,
    with_misplaced_modifiers,
)
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic
from netbuild.diagnostics.exceptions import TooManyError
from netbuild.diagnostics.wording import suggest
from netbuild.syntax.expression import Names, substitute
from netbuild.syntax.item import REUSE, Item, Stack, is_stack, read_item, read_stack, unknown_type
from netbuild.syntax.node import Map, Node, Scalar, is_unknown

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netbuild.components.layers.layer import Layer
    from netbuild.config.blocks import Definition


class Parts:
    """Reads the members of the stacks of a file, whose `blocks` are types beside the layers."""

    def __init__(self, blocks: Mapping[str, Definition | None], faults: list[Diagnostic]) -> None:
        self.blocks, self.faults = blocks, faults
        #: What was read before, by its node: a block's layers are met for each place that it has.
        self.known: dict[int, Item | Stack] = {}
        self.kept: list[Node] = []  # whose numbers no other node can have therefore
        self.types = ChainMap[str, object]({REUSE: None}, dict(blocks), LAYERS)  # type: ignore[arg-type]

    def read(self, node: Node, names: Names) -> Item | Stack | None:
        """Read a node as the item or the stack that it is; None after a fault."""
        if len(self.faults) > MAX_FAULTS:
            raise TooManyError
        if isinstance(node, Scalar):
            node = substitute(node, names, self.faults)
            if is_unknown(node):
                return None
        elif id(node) in self.known:
            return self.known[id(node)]
        before = len(self.faults)
        part = self._read(node)
        if part is not None and len(self.faults) == before:
            self.known[id(node)] = part
            self.kept.append(node)
        return part

    def _read(self, node: Node) -> Item | Stack | None:
        if is_stack(node) and not _is_lower_case_layer(node):
            part: Item | Stack | Diagnostic = read_stack(node)
        else:
            part = read_item(node, "layer", self.types)
        if isinstance(part, Item) and not self._is_type(part.type.text):
            part = unknown_type(part.type, "layer", self.types)
        if isinstance(part, Diagnostic):
            self.faults.append(part)
            return None
        return self._in_place(part) if isinstance(part, Item) else part

    def _is_type(self, name: str) -> bool:
        return name in self.blocks or name == REUSE or name in LAYERS

    def layer(self, item: Item) -> type[Layer] | None:
        """Return the layer that an item is; None for a block and for a Reuse."""
        kind = item.type.text
        return None if kind == REUSE or kind in self.blocks else LAYERS.get(kind)

    def modifiers(self, part: Item | Stack, names: Names) -> Modifiers | None:
        """Validate what stands beside a part; None after a fault, or where it is not known."""
        kind: type[Modifiers] = StackModifiers
        if isinstance(part, Item):
            kind = LayerModifiers if self.layer(part) else BlockModifiers
            kind = Modifiers if part.type.text == REUSE else kind
        return read_modifiers(part, kind, names, self.faults)

    def _in_place(self, item: Item) -> Item:
        """Return an item with its arguments inside and its modifiers beside it."""
        layer = self.layer(item)
        if layer is not None:
            fields: Collection[str] = layer.model_fields
            bare = bare_field(layer)
            item = with_misplaced_modifiers(item, fields, LayerModifiers, self.faults)
        else:
            block = self.blocks.get(item.type.text)
            fields = block.params if block else {}
            bare = next(iter(fields), None)
        return with_misplaced_arguments(item, fields, bare, self.faults)


def _is_lower_case_layer(node: Node) -> bool:
    """Tell `conv2d: {out_channels: 6}`, a misspelt layer, from `conv2d: {…}`, a stack of one."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    (name, (_, value)), *_ = node.entries.items()
    fields = set(value.entries) if isinstance(value, Map) else set()
    a_number = isinstance(value, Scalar) and not isinstance(value.value, str)
    if not a_number and (not fields or any(field[:1].isupper() for field in fields)):
        return False  # nor are all layers imported to tell
    meant = LAYERS.get(suggest(name, tuple(LAYERS)) or "")
    return meant is not None and fields <= set(meant.model_fields)
