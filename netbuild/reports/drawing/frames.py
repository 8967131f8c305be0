"""The order of the parts in an opened stack: ranks from top to bottom, places from left to right.

Sugiyama, Tagawa and Toda, Methods for visual understanding of hierarchical system structures, 1981.
A frame knows no sizes, so it stays the same whichever stacks inside are open.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from netbuild.reports.drawing.ordering import ordered

if TYPE_CHECKING:
    from netbuild.graph.value import Value
    from netbuild.reports.drawing.structure import Part


class Node(NamedTuple):
    """What has a place in a frame: a part, an input or a result of the stack, a bend of a line."""

    what: Literal["part", "in", "out", "bend"]
    rank: int
    #: The number of the part, of the input or of the result.
    number: int = 0
    #: The value of an input, a result or a bend.
    value: Value | None = None


class Edge(NamedTuple):
    """A line from a node to a reader of its value, with the bends between.

    A skip passes by the parts between instead, on a lane beside them.
    """

    value: Value
    nodes: tuple[int, ...]
    skips: bool = False


class Frame(NamedTuple):
    """The nodes of an opened stack, in ranks, and the lines between them."""

    nodes: tuple[Node, ...]
    ranks: tuple[tuple[int, ...], ...]
    edges: tuple[Edge, ...]
    #: The node of the only input of the stack, if it has one: its lines begin anywhere in a row.
    bus: int | None = None


class _Wire(NamedTuple):
    value: Value
    source: int
    reader: int


def frame_of(part: Part) -> Frame:
    """Return the frame of a stack."""
    nodes = [Node("in", 0, n, value) for n, value in enumerate(part.reads)]
    first = len(nodes)
    nodes += [Node("part", 0, n) for n in range(len(part.members))]
    nodes += [Node("out", 0, n, value) for n, value in enumerate(part.results)]
    wires = _wires(part, nodes)
    nodes = _ranked(part, nodes, wires, first)
    bends: dict[tuple[Value, int], int] = {}
    skips = _skips(wires, nodes)
    edges = [_edge(wire, nodes, bends, skips=skip) for wire, skip in zip(wires, skips, strict=True)]
    ranks: list[list[int]] = [[] for _ in range(max((node.rank for node in nodes), default=0) + 1)]
    for number, node in enumerate(nodes):
        ranks[node.rank].append(number)
    order = ordered(ranks, [edge.nodes for edge in edges if not edge.skips])
    bus = 0 if len(part.reads) == 1 else None
    return Frame(tuple(nodes), order, tuple(edges), bus)


def _wires(part: Part, nodes: list[Node]) -> list[_Wire]:
    source: dict[Value, int] = {}
    for number, node in enumerate(nodes):
        if node.what == "in" and node.value:
            source[node.value] = number
        elif node.what == "part":
            source |= dict.fromkeys(part.members[node.number].gives, number)
    wires = []
    for number, node in enumerate(nodes):
        read: tuple[Value, ...] = ()
        if node.what == "part":
            read = part.members[node.number].reads
        elif node.what == "out" and node.value:
            read = (node.value,)
        wires += [_Wire(value, source[value], number) for value in read if value in source]
    return wires


def _ranked(part: Part, nodes: list[Node], wires: list[_Wire], first: int) -> list[Node]:
    """Give each node the rank below all that it reads.

    What depends on no input, such as a learned tensor, stands right above its reader.
    """
    ranks = [0 if n < first else 1 if first else 0 for n in range(len(nodes))]
    fed = [node.what == "in" for node in nodes]
    for wire in wires:  # readers come behind what they read
        ranks[wire.reader] = max(ranks[wire.reader], ranks[wire.source] + 1)
        kind = _kind(part, nodes[wire.source])
        fed[wire.reader] = fed[wire.reader] or fed[wire.source] or kind == "input"
    last = max(ranks, default=0)
    has_parts = any(node.what == "part" for node in nodes)
    for number, node in enumerate(nodes):
        if node.what == "out":
            ranks[number] = max(last, 1 + has_parts * (first > 0))
    below: dict[int, list[int]] = {}
    bottom = max((r for r, node in zip(ranks, nodes, strict=True) if node.what != "out"), default=0)
    for number, node in enumerate(nodes):
        if node.what == "out":
            ranks[number] = bottom + 1
    for wire in wires:
        below.setdefault(wire.source, []).append(wire.reader)
    for number in reversed(range(len(nodes))):
        if not fed[number] and nodes[number].what == "part" and number in below:
            ranks[number] = min(ranks[reader] for reader in below[number]) - 1
    return [node._replace(rank=rank) for node, rank in zip(nodes, ranks, strict=True)]


def _kind(part: Part, node: Node) -> str:
    return part.members[node.number].kind if node.what == "part" else node.what


def _edge(
    wire: _Wire, nodes: list[Node], bends: dict[tuple[Value, int], int], *, skips: bool
) -> Edge:
    """Return the line of a wire. Its bends become nodes; all readers of a value share them."""
    if skips:
        return Edge(wire.value, (wire.source, wire.reader), skips=True)
    between = []
    for rank in range(nodes[wire.source].rank + 1, nodes[wire.reader].rank):
        if (wire.value, rank) not in bends:
            bends[wire.value, rank] = len(nodes)
            nodes.append(Node("bend", rank, value=wire.value))
        between.append(bends[wire.value, rank])
    return Edge(wire.value, (wire.source, *between, wire.reader))


def _skips(wires: list[_Wire], nodes: list[Node]) -> list[bool]:
    """Return which wires pass by: the source has a nearer reader, and the reader reads others."""
    nearest: dict[int, int] = {}
    read: dict[int, set[int]] = {}
    for wire in wires:
        rank = nodes[wire.reader].rank
        nearest[wire.source] = min(nearest.get(wire.source, rank), rank)
        read.setdefault(wire.reader, set()).add(wire.source)
    return [
        nodes[wire.reader].rank - nodes[wire.source].rank > 1
        and nearest[wire.source] < nodes[wire.reader].rank
        and len(read[wire.reader]) > 1
        for wire in wires
    ]
