"""What the search for fixes starts from: a layer that does not take its inputs, and its place.

The walk over a network notes these beside a fault; `graph.fixes` looks for fixes behind the walk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import ShapeError, Tensor
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.value import Value
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Node


class Misfit(NamedTuple):
    """A layer, what it reads, and why it does not take that."""

    #: None where only the number of inputs is wrong.
    error: ShapeError | None
    layer: Layer
    item: Item
    path: str
    sources: tuple[Value, ...]
    inputs: tuple[Tensor, ...]
    #: How many layers stand before it.
    position: int


class Repetition(NamedTuple):
    """A `repeat` of which the first `fitting` do fit, and what the last of them gives."""

    written: Node
    fitting: int
    gives: Tensor


class Circumstances(NamedTuple):
    """Where a fault arose, as far as it decides which fixes there are."""

    misfit: Misfit | None = None
    repetition: Repetition | None = None
    #: Blocks around it that are used several times, the innermost first.
    blocks: tuple[str, ...] = ()
    #: Whether a `Reuse` is to blame: a fix of the layer itself is only told, not offered.
    reused: bool = False


def circumstances(fault: Diagnostic) -> Circumstances | None:
    """Return the circumstances of a fault that has fixes, or may have some; None of any other."""
    if isinstance(fault.origin, Circumstances):
        return fault.origin
    return Circumstances() if fault.fixes else None
