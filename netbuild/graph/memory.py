"""What training keeps of one sample for the backward pass, layer by layer.

A tensor that two layers keep counts once, with the first of them, and so does a view of it. Up to
the first layer whose weights learn there is nothing to go back for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row


class Held(NamedTuple):
    """A tensor that a layer needs for the backward pass: an input of its, or a result."""

    value: Value
    #: The value in whose memory it lies, and what that memory holds.
    place: Value
    tensor: Tensor
    #: The layer that keeps that memory already.
    keeper: str | None
    #: Whether it is a parameter, which is counted as a weight.
    is_weight: bool

    @property
    def nbytes(self) -> int:
        """The bytes that are kept for this layer's sake."""
        return 0 if self.keeper is not None or self.is_weight else self.tensor.nbytes


class Kept(NamedTuple):
    """What a layer keeps; nothing where backward does not come."""

    reached: bool
    tensors: tuple[Held, ...] = ()
    #: The bytes that it keeps beside tensors of others: indices, masks.
    workspace: int = 0

    @property
    def nbytes(self) -> int:
        """The bytes of all of it."""
        return self.workspace + sum(tensor.nbytes for tensor in self.tensors)


def kept(rows: Iterable[Row]) -> Iterator[Kept]:
    """Yield for each layer, in the order of execution, what training keeps for it."""
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
