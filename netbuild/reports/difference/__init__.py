"""What changed from one network to another: layers, wiring, and what of a checkpoint still fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from netbuild.config.resolved import resolved_values
from netbuild.config.sections import SECTIONS
from netbuild.graph.value import state_key
from netbuild.reports.difference.alignment import align, chosen, flat, written_arguments
from netbuild.reports.difference.rewiring import Wires
from netbuild.runs.weights import Comparison, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: The sections that layers, shapes and names come from.
_NETWORK = {"extends", "name", "vars", "blocks", "input", "inputs", "layers", "outputs"}

#: A layer is `reshaped` where its shapes alone changed, and no weight of it.
Kind: TypeAlias = Literal["added", "removed", "changed", "moved", "reshaped"]


class Change(NamedTuple):
    """A layer that is not what it was: what it was and what it is, None where absent.

    `written` are the arguments that the files give it, `derived` those that follow from its input:
    before and after, by name, None where there is none.
    """

    kind: Kind
    before: Row | None
    after: Row | None
    written: Mapping[str, tuple[Any, Any]]
    derived: Mapping[str, tuple[Any, Any]]
    #: What it read and what it reads, where that is more than what was put between or taken out.
    inputs: tuple[tuple[Value, ...], tuple[Value, ...]] | None = None

    @property
    def row(self) -> Row:
        """What the layer is, or what it was where it is gone."""
        row = self.after or self.before
        assert row is not None
        return row

    @property
    def params(self) -> tuple[int, int]:
        """The learned values before and after."""
        return (self.before.params if self.before else 0, self.after.params if self.after else 0)

    @property
    def macs(self) -> tuple[int, int]:
        """The multiplications before and after."""
        return (self.before.macs if self.before else 0, self.after.macs if self.after else 0)


class Changes(NamedTuple):
    """All that changed from the network `before` to the network `after`."""

    before: Graph
    after: Graph
    #: In the order of execution, what was removed where it stood.
    layers: tuple[Change, ...]
    same: int
    #: Whether outputs of one name come from other layers.
    rewired: bool
    #: The tensors of a checkpoint of `before` against those of `after`.
    checkpoint: Comparison
    #: The tensors that are the same under another name, by their names before.
    renamed: Mapping[str, str]
    #: The sections that differ beside those of the network.
    sections: tuple[str, ...]

    @property
    def is_same_network(self) -> bool:
        """Whether the networks are the same."""
        a, b = self.before, self.after
        outside = (a.config.inputs, a.outputs) == (b.config.inputs, b.outputs)
        return outside and not self.layers and not self.rewired

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all differs."""
        return self.is_same_network and not self.sections


def diff(a: Graph, b: Graph) -> Changes:
    """Compare two networks without faults."""
    pairs = align(a.rows, b.rows)
    wires = Wires(a, b, pairs)
    changes = [
        _change(None if i is None else a.rows[i], None if j is None else b.rows[j], wires)
        for i, j in _in_order(pairs, len(a.rows), len(b.rows))
    ]
    found = [change for change in changes if change]
    renamed = [_renamed(a.rows[i], b.rows[j]) for i, j in pairs]
    return Changes(
        before=a,
        after=b,
        layers=tuple(found),
        same=len(changes) - len(found),
        rewired=wires.other_outputs(),
        checkpoint=compare(a.tensors, b.tensors),
        renamed={old: new for names in renamed for old, new in names.items()},
        sections=tuple(_sections(a, b)),
    )


def _sections(a: Graph, b: Graph) -> Iterator[str]:
    """Yield the sections of a training that differ, as they are written out."""
    before, after = (resolved_values(graph.config) for graph in (a, b))
    for name in SECTIONS:
        if name not in _NETWORK and before.get(name) != after.get(name):
            yield name


def _in_order(
    pairs: Sequence[tuple[int, int]], n: int, m: int
) -> Iterator[tuple[int | None, int | None]]:
    """Give the positions of `n` and `m` layers, None beside one that is alone."""
    partner = {j: i for i, j in pairs}
    paired = set(partner.values())
    position = 0
    for j in range(m):
        i = partner.get(j)
        # What is gone stands where it stood, and before what is added there.
        stop = next((k for k in range(position, n) if k in paired), n) if i is None else i
        yield from ((k, None) for k in range(position, stop) if k not in paired)
        yield i, j
        position = max(position, stop if i is None else i + 1)
    yield from ((k, None) for k in range(position, n) if k not in paired)


def _change(before: Row | None, after: Row | None, wires: Wires) -> Change | None:
    """Return how a layer changed; None where it is what it was, at its place."""
    if before is None or after is None:
        one = before or after
        assert one is not None
        found = {
            name: value for name, value in written_arguments(one).items() if name in chosen(one)
        }
        if before:
            return Change("removed", before, None, {n: (v, None) for n, v in found.items()}, {})
        return Change("added", None, after, {n: (None, v) for n, v in found.items()}, {})
    written, derived = _arguments(before, after, wires.called)
    inputs = wires.inputs(before, after)
    kind: Kind
    if before.type != after.type or written or inputs or before.tensors != after.tensors:
        kind = "changed"
    elif before.path != after.path:
        kind = "moved"
    elif derived or (before.inputs, before.outputs) != (after.inputs, after.outputs):
        kind = "reshaped"
    else:
        return None
    return Change(kind, before, after, written, derived, inputs)


def _arguments(
    before: Row, after: Row, called: Mapping[str, str]
) -> tuple[dict[str, tuple[Any, Any]], dict[str, tuple[Any, Any]]]:
    """Return which arguments differ, and which follow from the input; of other types the common."""
    old, new = written_arguments(before), written_arguments(after)
    if before.reuses:
        old["reuses"] = called.get(before.reuses)
    names = [name for name in new if name in old or name in chosen(after)]
    written = {n: (old.get(n), new[n]) for n in names if old.get(n) != new[n]}
    if before.reuses and not after.reuses:
        written["reuses"] = (before.reuses, None)
    was, is_ = flat(before.arguments), flat(after.arguments)
    names = [name for name in is_ if name in was and name not in written]
    return written, {n: (was[n], is_[n]) for n in names if was[n] != is_[n]}


def _renamed(before: Row, after: Row) -> dict[str, str]:
    """Return the tensors that a layer has kept, where it has another path."""
    if before.path == after.path:
        return {}
    now = after.tensors
    kept = [name for name, shape in before.tensors.items() if now.get(name) == shape]
    return {state_key(before.path, name): state_key(after.path, name) for name in kept}
