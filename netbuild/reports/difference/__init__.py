"""The difference between two networks: layers, wires, and tensors of a checkpoint that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from netbuild.components.files import real
from netbuild.config.resolution import resolved_values
from netbuild.config.sections import SECTIONS
from netbuild.graph.value import state_key
from netbuild.reports.difference.alignment import align, chosen, file_arguments, flat, said_beside
from netbuild.reports.difference.formulas import nameless
from netbuild.reports.difference.wires import Wires
from netbuild.runs.weights import Comparison, compare

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.config.pretrained import Pretrained
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value
    from netbuild.reports.difference.settings import SettingChange

#: The sections that define the network itself: its layers, shapes and names.
_NETWORK = {"extends", "name", "vars", "blocks", "input", "inputs", "layers", "outputs"}

#: A layer is `reshaped` if only the shapes of its inputs and outputs changed, but no weight.
ChangeKind: TypeAlias = Literal["added", "removed", "changed", "moved", "reshaped"]


class LayerChange(NamedTuple):
    """A layer that changed: before and after, None where the layer is absent.

    `written` are the arguments that the files decide, `derived` those that follow from the input.
    Both hold the value before and after, by name, None where the argument is absent.
    """

    kind: ChangeKind
    before: Row | None
    after: Row | None
    written: Mapping[str, tuple[Any, Any]]
    derived: Mapping[str, tuple[Any, Any]]
    #: The values that it read before and reads now. None if they differ only by layers that
    #: were inserted in between or removed.
    inputs: tuple[tuple[Value, ...], tuple[Value, ...]] | None = None

    @property
    def row(self) -> Row:
        """The layer after the change, or before it if the layer was removed."""
        row = self.after or self.before
        assert row is not None
        return row

    @property
    def params(self) -> tuple[int, int]:
        """The number of parameters before and after."""
        return (self.before.params if self.before else 0, self.after.params if self.after else 0)

    @property
    def macs(self) -> tuple[int, int]:
        """The multiply-adds before and after."""
        return (self.before.macs if self.before else 0, self.after.macs if self.after else 0)


class NetworkChanges(NamedTuple):
    """All changes from the network `before` to the network `after`."""

    before: Graph
    after: Graph
    #: In the order of execution. A removed layer keeps its old place.
    layers: tuple[LayerChange, ...]
    same: int
    #: Whether an output comes from another layer than before.
    rewired: bool
    #: The tensors of `before`, as a checkpoint, compared with the tensors of `after`.
    checkpoint: Comparison
    #: The new names of the tensors that only changed their name, by their old names.
    renamed: Mapping[str, str]
    #: The sections that differ and do not define the network.
    sections: tuple[str, ...]
    #: The values that differ in these sections.
    settings: tuple[SettingChange, ...] = ()

    @property
    def is_same_network(self) -> bool:
        """Whether the two networks are equal."""
        a, b = self.before, self.after
        outside = (a.config.inputs, a.outputs) == (b.config.inputs, b.outputs)
        return outside and not self.layers and not self.rewired

    @property
    def is_empty(self) -> bool:
        """Whether the networks and all sections are equal."""
        return self.is_same_network and not self.sections


def diff(a: Graph, b: Graph) -> NetworkChanges:
    """Compare two networks. Both must be free of faults."""
    pairs = align(a.rows, b.rows)
    wires = Wires(a, b, pairs)
    changes = [
        _change(None if i is None else a.rows[i], None if j is None else b.rows[j], wires)
        for i, j in _in_order(pairs, len(a.rows), len(b.rows))
    ]
    found = [change for change in changes if change]
    sections, settings = _sections(a, b)
    renamed = [_renamed(a.rows[i], b.rows[j]) for i, j in pairs]
    return NetworkChanges(
        before=a,
        after=b,
        layers=tuple(found),
        same=len(changes) - len(found),
        rewired=wires.other_outputs(),
        checkpoint=compare(a.tensors, b.tensors, (), b.ties),
        renamed={old: new for names in renamed for old, new in names.items()},
        sections=sections,
        settings=settings,
    )


def _sections(a: Graph, b: Graph) -> tuple[tuple[str, ...], tuple[SettingChange, ...]]:
    """Return the sections outside the network that differ, and their values that do."""
    before, after = (resolved_values(graph.config) for graph in (a, b))
    for values, graph in ((before, a), (after, b)):
        if graph.files:  # also those beside stacks
            values["pretrained"] = _files(graph)
    names = [n for n in SECTIONS if n not in _NETWORK and before.get(n) != after.get(n)]
    if not names:
        return (), ()
    from netbuild.reports.difference.settings import changed

    found = [change for n in names for change in changed(n, before, after, a.config, b.config)]
    return tuple(names), tuple(found)


def _files(graph: Graph) -> list[tuple[str, Pretrained]]:
    """Return the files of weights, each with the path of what it fills."""
    return [
        (path, one.pretrained.model_copy(update={"file": real(one.pretrained.file)}))
        for path, group in graph.files.items()
        for one in group
    ]


def _in_order(
    pairs: Sequence[tuple[int, int]], n: int, m: int
) -> Iterator[tuple[int | None, int | None]]:
    """Yield the positions of `n` and `m` layers in pairs, with None for a missing partner."""
    partner = {j: i for i, j in pairs}
    paired = set(partner.values())
    position = 0
    for j in range(m):
        i = partner.get(j)
        # A removed layer keeps its old place, before layers that were added there.
        stop = next((k for k in range(position, n) if k in paired), n) if i is None else i
        yield from ((k, None) for k in range(position, stop) if k not in paired)
        yield i, j
        position = max(position, stop if i is None else i + 1)
    yield from ((k, None) for k in range(position, n) if k not in paired)


def _change(before: Row | None, after: Row | None, wires: Wires) -> LayerChange | None:
    """Return the change of a layer, or None if the layer and its place are the same."""
    if before is None or after is None:
        one = before or after
        assert one is not None
        found = {name: value for name, value in file_arguments(one).items() if name in chosen(one)}
        if before:
            return LayerChange(
                "removed", before, None, {n: (v, None) for n, v in found.items()}, {}
            )
        return LayerChange("added", None, after, {n: (None, v) for n, v in found.items()}, {})
    written, derived = _arguments(before, after, wires.called)
    inputs = wires.inputs(before, after)
    kind: ChangeKind
    if before.type != after.type or written or inputs or before.tensors != after.tensors:
        kind = "changed"
    elif before.path != after.path:
        kind = "moved"
    elif derived or (before.inputs, before.outputs) != (after.inputs, after.outputs):
        kind = "reshaped"
    else:
        return None
    return LayerChange(kind, before, after, written, derived, inputs)


def _arguments(
    before: Row, after: Row, called: Mapping[str, str]
) -> tuple[dict[str, tuple[Any, Any]], dict[str, tuple[Any, Any]]]:
    """Return the differing arguments from the files, and those that follow from the input.

    Layers of two types are compared by the arguments that both types have.
    """
    old, new = file_arguments(before), file_arguments(after)
    formula = nameless(after)[0]
    lettered = {"formula", "inputs"} if formula and formula == nameless(before)[0] else set()
    if before.reuses:
        old["reuses"] = called.get(before.reuses)
    names = [name for name in new if name in old or name in chosen(after)]
    names = [name for name in names if name not in lettered]
    written = {n: (old.get(n), new[n]) for n in names if old.get(n) != new[n]}
    if before.reuses and not after.reuses:
        written["reuses"] = (before.reuses, None)
    gone = said_beside(before) - said_beside(after)
    written |= {name: (old[name], None) for name in sorted(gone)}
    old, new = flat(before.arguments), flat(after.arguments)
    names = [name for name in new if name in old and name not in {*written, *lettered}]
    return written, {n: (old[n], new[n]) for n in names if old[n] != new[n]}


def _renamed(before: Row, after: Row) -> dict[str, str]:
    """Return the new names of the tensors that a moved layer keeps, by their old names."""
    if before.path == after.path:
        return {}
    now = after.tensors
    kept = [name for name, shape in before.tensors.items() if now.get(name) == shape]
    return {state_key(before.path, name): state_key(after.path, name) for name in kept}
