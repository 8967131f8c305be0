"""The memory that training keeps of one sample for the backward pass, layer by layer.

A tensor that two layers keep, or that has a view, counts once, for the first layer. Layers before
the first layer with trainable weights keep nothing, because the backward pass ends there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row


class Held(NamedTuple):
    """An input or a result of a layer that the backward pass of the layer needs."""

    value: Value
    #: The value whose memory holds it, and the tensor in this memory.
    place: Value
    tensor: Tensor
    #: An earlier layer that already keeps this memory.
    keeper: str | None
    #: Whether it is a parameter. Parameters count as weights.
    is_weight: bool

    @property
    def nbytes(self) -> int:
        """The bytes that only this layer keeps."""
        return 0 if self.keeper is not None or self.is_weight else self.tensor.nbytes


class Kept(NamedTuple):
    """The memory that a layer keeps; nothing if the backward pass does not reach the layer."""

    reached: bool
    tensors: tuple[Held, ...] = ()
    #: The bytes of other tensors that the layer keeps, such as indices and masks.
    workspace: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes of the tensors and of the workspace."""
        return self.workspace + sum(tensor.nbytes for tensor in self.tensors)


def kept(rows: Iterable[Row]) -> Iterator[Kept]:
    """Yield the memory of each layer, in the order of execution."""
    learning: set[Value] = set()
    places: dict[Value, Value] = {}
    held: dict[Value, Tensor] = {}
    keepers: dict[Value, str] = {}
    weights: set[Value] = set()
    for row in rows:
        for value, x in zip(row.sources, row.inputs, strict=True):
            held.setdefault(value, x)  # an input of the network
        first = places.get(row.sources[0], row.sources[0]) if row.sources else None
        shares = first is not None and row.inferred.memory != "new"
        for port, y in row.outputs.items():
            value = Value(row.path, port)
            places[value] = first if shares and first else value
            held[value] = y
            if not row.sources:
                weights.add(value)
        if not row.learns and learning.isdisjoint(row.sources):
            yield Kept(reached=False)
            continue
        learning |= {Value(row.path, port) for port, y in row.outputs.items() if y.floating}
        tensors = []
        for value in dict.fromkeys(value for value, _ in row.saved):
            place = places.get(value, value)
            keeper = keepers.get(place)
            tensors.append(Held(value, place, held[place], keeper, place in weights))
            keepers.setdefault(place, row.path)
        yield Kept(True, tuple(tensors), row.inferred.workspace)
