"""Read a member of a stack: an item or an inner stack, with its modifiers."""

from __future__ import annotations

from collections import ChainMap
from typing import TYPE_CHECKING

from netbuild.components.component import bare_field
from netbuild.components.layers import LAYERS
from netbuild.config.modifiers import (
    NONE,
    BlockModifiers,
    LayerModifiers,
    Modifiers,
    StackModifiers,
    read_modifiers,
    with_misplaced_arguments,
    with_misplaced_modifiers,
)
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import suggest
from netbuild.syntax.item import REUSE, Item, Stack, is_stack, read_item, read_stack
from netbuild.syntax.node import Map, Node, Scalar, is_unknown
from netbuild.syntax.substitution import substitute

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from netbuild.components.layers.layer import Layer
    from netbuild.config.blocks import Definition
    from netbuild.diagnostics.diagnostic import Faults, Found
    from netbuild.syntax.expression import Names


class MemberReader:
    """Reads the members of stacks. The `blocks` of the file are types like the layers."""

    def __init__(self, blocks: Mapping[str, Definition | None]) -> None:
        self.blocks = blocks
        #: Parts by the identity of their nodes, because each use of a block reads the same nodes.
        #: The nodes are kept too, so that no other node can get the same identity.
        self._read: dict[int, tuple[Node, Item | Stack]] = {}
        self._types = ChainMap[str, object]({REUSE: None}, dict(blocks), LAYERS)  # type: ignore[arg-type]

    def read(self, node: Node, names: Names) -> Found[Item | Stack | None]:
        """Read a node as an item or a stack; None after a fault."""
        faults: Faults = ()
        if isinstance(node, Scalar):
            node, faults = substitute(node, names)  # an item of `vars` is one node for all its uses
            if is_unknown(node):
                return None, faults
        if id(node) in self._read:
            return self._read[id(node)][1], faults
        part, wrong = self._part(node, names)
        if part is not None and not wrong:
            self._read[id(node)] = node, part
        return part, (*faults, *wrong)

    def _part(self, node: Node, names: Names) -> Found[Item | Stack | None]:
        if is_stack(node) and not _is_lower_case_layer(node):
            stack = read_stack(node)
            return (None, (stack,)) if isinstance(stack, Diagnostic) else (stack, ())
        item = read_item(node, "layer", self._types)
        if isinstance(item, Diagnostic):  # again, with the shape of the input
            item = read_item(node, "layer", self._types, _shape(names))
        elif item.type.text not in self._types:
            from netbuild.syntax.unknown_type import unknown_type

            shape = _shape(names)
            item = unknown_type(item.type, "layer", self._types, item.arguments, shape)
        return (None, (item,)) if isinstance(item, Diagnostic) else self._in_place(item)

    def is_block(self, part: Item | Stack) -> bool:
        """Whether a part is an item of one of the file's blocks."""
        return isinstance(part, Item) and part.type.text in self.blocks

    def block(self, part: Item | Stack) -> Definition | None:
        """Return the definition of a block; None for another part, or if it has a fault."""
        return self.blocks.get(part.type.text) if isinstance(part, Item) else None

    def layer(self, part: Item | Stack) -> type[Layer] | None:
        """Return the layer class of an item; None for a stack, a block or a Reuse."""
        if isinstance(part, Stack) or part.type.text == REUSE or self.is_block(part):
            return None
        return LAYERS.get(part.type.text)

    def modifiers(self, part: Item | Stack, names: Names) -> Found[Modifiers | None]:
        """Validate the modifiers of a part; None after a fault, or if one is unknown."""
        if not part.modifiers:
            return NONE, ()
        kind: type[Modifiers] = StackModifiers
        if isinstance(part, Item):
            kind = LayerModifiers if self.layer(part) else BlockModifiers
            kind = Modifiers if part.type.text == REUSE else kind
        return read_modifiers(part, kind, names)

    def _in_place(self, item: Item) -> Found[Item]:
        """Return an item with misplaced arguments and modifiers moved to their places."""
        layer = self.layer(item)
        if layer is None:
            block = self.blocks.get(item.type.text)
            params = block.params if block else {}
            return with_misplaced_arguments(item, params, next(iter(params), None))
        fields: Collection[str] = layer.model_fields
        item, faults = with_misplaced_modifiers(item, fields, LayerModifiers)
        item, wrong = with_misplaced_arguments(item, fields, bare_field(layer))
        return item, (*faults, *wrong)


def _shape(names: Names) -> tuple[int, ...] | None:
    """Return the shape of the layer's input; None if it is not known."""
    shape = names.get("in_shape")
    return shape if isinstance(shape, tuple) else None


def _is_lower_case_layer(node: Node) -> bool:
    """Whether a mapping is a misspelt layer and not a stack: `conv2d: {out_channels: 6}`."""
    if not isinstance(node, Map) or len(node.entries) != 1:
        return False
    (name, (_, value)), *_ = node.entries.items()
    fields = set(value.entries) if isinstance(value, Map) else set()
    if is_unknown(value):
        return False
    is_number = isinstance(value, Scalar) and not isinstance(value.value, str)
    if not is_number and (not fields or any(field[:1].isupper() for field in fields)):
        return False  # this test comes first, because the next one imports all layers
    from netbuild.syntax.unknown_type import without_module

    bare = without_module(name)
    if bare != name and bare in LAYERS:
        return True
    if is_number:
        from netbuild.syntax.other_names import type_for

        if type_for(name, "layer"):
            return True
    similar = LAYERS.get(suggest(name, tuple(LAYERS)) or "")
    return similar is not None and fields <= set(similar.model_fields)
