"""A graph as parts: each layer and each stack is a part, with the values that it reads and gives.

Parts are made of the rows of a graph alone, so a network with a fault has them too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.graph import results
from netbuild.graph.value import Value
from netbuild.reports.drawing.faults import Stop, stop_of
from netbuild.reports.drawing.kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row

#: The paths of the boxes for the inputs and outputs of the network begin with these characters,
#: with which no path of a layer begins.
INPUT, OUTPUT = "<", ">"


class Part(NamedTuple):
    """A layer, a stack, an input or an output of the network, or the fault at which it ends.

    Several equal parts in a row are one part with a number of `repeats`.
    """

    path: str
    kind: str
    #: The values that it reads and that it gives to others.
    reads: tuple[Value, ...]
    gives: tuple[Value, ...]
    #: The sums over its layers, and over its repeats.
    params: int = 0
    macs: int = 0
    #: The layer; None for another part.
    row: Row | None = None
    #: The parts of a stack.
    members: tuple[Part, ...] = ()
    #: The type of a block, and what a `Reuse` calls.
    type: str = ""
    reuses: str | None = None
    frozen: bool = False
    #: The number of layers in it.
    layers: int = 1
    repeats: int = 1
    stop: Stop | None = None
    #: What the first of several equal parts gives, if it stands for all; `gives` is of the last.
    first_gives: tuple[Value, ...] | None = None

    @property
    def name(self) -> str:
        """Its name in its stack."""
        return self.path.rpartition(".")[2].lstrip(INPUT + OUTPUT)

    @property
    def results(self) -> tuple[Value, ...]:
        """The values inside that it gives to the outside, in the order of `gives`."""
        return self.gives if self.first_gives is None else self.first_gives


class Drawn(NamedTuple):
    """The parts of a network, the tensors of all values, and who reads each value."""

    graph: Graph
    root: Part
    tensors: Mapping[Value, Tensor]
    readers: Mapping[Value, tuple[str, ...]]


class _Wires(NamedTuple):
    """The values that go into each part and come out of it, by path, in their order."""

    reads: dict[str, dict[Value, None]]
    gives: dict[str, dict[Value, None]]
    readers: dict[Value, list[str]]

    def add(self, value: Value, source: str, reader: str) -> None:
        """Add a wire from the path of a source to the path of a reader."""
        above = _shared(source, reader)
        self.readers.setdefault(value, []).append(reader)
        for path in _from(reader, above):
            self.reads.setdefault(path, {})[value] = None
        for path in _from(source, above):
            self.gives.setdefault(path, {})[value] = None


def drawn(graph: Graph) -> Drawn:
    """Return the parts of a network; after a fault, those up to it."""
    tensors: dict[Value, Tensor] = {
        Value("", name): tensor for name, tensor in graph.config.inputs.items() if tensor
    }
    for row in graph.rows:
        tensors |= {Value(row.path, port): tensor for port, tensor in row.outputs.items()}
    stop = stop_of(graph)
    wires = _wires(graph, stop)
    leaves = [_leaf(row, wires) for row in graph.rows]
    if stop and stop.path not in {row.path for row in graph.rows}:
        reads = tuple(wires.reads.get(stop.path, ()))
        leaves.append(Part(stop.path, "fault", reads, (), stop=stop))
    inner = _stack("", leaves, wires, _Known.of(graph))
    read = [name for name in graph.config.inputs if Value("", name) in tensors]
    inputs = [Part(f"{INPUT}{x}", "input", (), (Value("", x),)) for x in read]
    outputs = [
        Part(f"{OUTPUT}{name}", "output", (value,), ())
        for name, value in (results(graph) if graph.block else {}).items()
    ]
    root = inner._replace(members=(*inputs, *inner.members, *outputs))
    readers = {value: tuple(paths) for value, paths in wires.readers.items()}
    return Drawn(graph, root, tensors, readers)


def _wires(graph: Graph, stop: Stop | None) -> _Wires:
    wires = _Wires({}, {}, {})
    for row in graph.rows:
        for value in row.sources:
            wires.add(value, value.path or f"{INPUT}{value.port}", row.path)
    if graph.block is not None:
        for name, value in results(graph).items():
            wires.add(value, value.path or f"{INPUT}{value.port}", f"{OUTPUT}{name}")
    elif stop and stop.reads:
        wires.add(stop.reads, stop.reads.path or f"{INPUT}{stop.reads.port}", stop.path)
    return wires


def _leaf(row: Row, wires: _Wires) -> Part:
    has_weights = bool(row.inferred.weights)
    return Part(
        row.path,
        kind_of(row.layer),
        tuple(dict.fromkeys(row.sources)),
        tuple(wires.gives.get(row.path, ())),
        row.params,
        row.macs,
        row,
        type=row.type,
        reuses=row.reuses if has_weights else None,
        frozen=has_weights and row.frozen,
    )


class _Known(NamedTuple):
    """The types of blocks, and the stacks that a `Reuse` calls, by path."""

    types: Mapping[str, str]
    reuses: Mapping[str, str]

    @classmethod
    def of(cls, graph: Graph) -> _Known:
        """Return what a graph knows about its stacks."""
        types = {
            path: call.definition.name
            for path, call in graph.calls.blocks.items()
            if call.definition
        }
        called: dict[str, str] = {}
        for row in graph.rows:
            for path in _from(row.path, 0):
                if row.reuses and path in graph.calls.reuses and path not in called:
                    behind = row.path.removeprefix(path)
                    called[path] = row.reuses.removesuffix(behind)
        return cls(types, called)


def _stack(path: str, leaves: Iterable[Part], wires: _Wires, known: _Known) -> Part:
    """Return the stack at a path, with the leaves that are in it."""
    level = len(path) + 1 if path else 0
    inside: dict[str, list[Part]] = {}
    for leaf in leaves:
        end = leaf.path.find(".", level)
        inside.setdefault(leaf.path if end < 0 else leaf.path[:end], []).append(leaf)
    members = tuple(
        within[0] if within[0].path == name else _stack(name, within, wires, known)
        for name, within in inside.items()
    )
    weighted = [leaf for leaf in members if leaf.params]
    return Part(
        path,
        "stack",
        tuple(wires.reads.get(path, ())),
        tuple(wires.gives.get(path, ())),
        sum(member.params for member in members),
        sum(member.macs for member in members),
        members=members,
        type=known.types.get(path, ""),
        reuses=known.reuses.get(path),
        frozen=bool(weighted) and all(member.frozen for member in weighted),
        layers=sum(member.layers for member in members),
    )


def _shared(source: str, reader: str) -> int:
    """Return how many stacks are around both paths."""
    ours, theirs = source.split(".")[:-1], reader.split(".")[:-1]
    pairs = zip(ours, theirs, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))


def _from(path: str, above: int) -> Iterable[str]:
    """Yield the stacks around a path below the outermost `above` of them, then the path."""
    names = path.split(".")
    return (".".join(names[:end]) for end in range(above + 1, len(names) + 1))
