"""The start of a search for fixes: a layer that does not fit its inputs, and its place.

The walk over a network adds these to a fault. After the walk, `graph.fixes` searches for fixes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import ShapeError, Tensor
    from netbuild.diagnostics.diagnostic import Diagnostic, Faults
    from netbuild.graph.value import Value
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Node


class Misfit(NamedTuple):
    """A layer, its inputs, and the reason why it does not fit them."""

    #: None if only the number of inputs is wrong.
    error: ShapeError | None
    layer: Layer
    item: Item
    path: str
    sources: tuple[Value, ...]
    inputs: tuple[Tensor, ...]
    #: The number of layers before it.
    position: int


class Repetition(NamedTuple):
    """A `repeat` whose first `fitting` repetitions fit, and the result of the last of these."""

    node: Node
    fitting: int
    result: Tensor
    #: Where the result comes from.
    last: Value


class Circumstances(NamedTuple):
    """The facts about the place of a fault that decide its fixes."""

    misfit: Misfit | None = None
    repetition: Repetition | None = None
    #: The blocks around the fault that are used several times, the innermost first.
    blocks: tuple[str, ...] = ()


def circumstances(fault: Diagnostic) -> Circumstances | None:
    """Return the circumstances of a fault that has fixes or may get some; None for any other."""
    if isinstance(fault.origin, Circumstances):
        return fault.origin
    return Circumstances() if fault.fixes else None


def of_layer(path: str, faults: Faults) -> Faults:
    """Return faults with the path of their layer."""
    return tuple([fault._replace(layer=path) for fault in faults])


def around(
    faults: Iterable[Diagnostic], *, repetition: Repetition | None = None, block: str | None = None
) -> Faults:
    """Return faults with the repetition or the block around them, for the search for fixes."""
    changed = []
    for fault in faults:
        origin = circumstances(fault)
        if origin and repetition:
            origin = origin._replace(repetition=repetition, blocks=())
        elif origin and block:
            origin = origin._replace(blocks=(*origin.blocks, block))
        changed.append(fault._replace(origin=origin))
    return tuple(changed)
