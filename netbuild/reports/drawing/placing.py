"""Where everything in a frame stands: the boxes by their sizes, and the lanes of the skips.

Nodes of a rank stand side by side, centred over and under their neighbours as far as there is room.
`drawing.js` does the same in a browser when a stack opens; a test compares the two.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.graph.value import Value
    from netbuild.reports.drawing.frames import Frame

#: The distance of boxes beside each other, of a box and a bend, and of lanes.
BESIDE, BEND, LANE = 30.0, 14.0, 16.0
#: The height between ranks: with the label of a value, and without; more for lines that go far.
LABELLED, BARE, STEEP, MOST_STEEP = 34.0, 20.0, 0.07, 36.0
#: The distance of the columns into which a long stack is broken, and of their lines to the boxes.
COLUMN, TURN = 52.0, 26.0
#: The height of the shortest column, as a share of what all would have.
_SHORTEST = 0.4
_SWEEPS = 8


Point: TypeAlias = tuple[float, float]
#: The first and the last rank of the skips of a value, and the numbers of their edges.
_Trunk: TypeAlias = tuple[int, int, list[int]]


class Route(NamedTuple):
    """A line through points. A smooth one goes from rank to rank; others have rounded corners."""

    points: tuple[Point, ...]
    smooth: bool
    skips: bool = False
    #: Whether it goes on outside of its stack, and so has no arrow here.
    goes_on: bool = False


class Size(NamedTuple):
    """The size of a node, and where its lines begin and end, relative to its middle.

    `ins` and `outs` are for open boxes; the lines of other boxes meet in the middle.
    """

    width: float
    height: float
    ins: Mapping[Value, float]
    outs: Mapping[Value, float]
    is_open: bool = False


class Spot(NamedTuple):
    """The corner and the size of a placed node."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        """The middle from left to right."""
        return self.x + self.width / 2

    @property
    def right(self) -> float:
        """The right side."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The lower side."""
        return self.y + self.height


class Plan(NamedTuple):
    """A placed frame."""

    width: float
    height: float
    spots: Mapping[int, Spot]
    #: The place of each skip from left to right, by the number of its edge.
    lanes: Mapping[int, float]
    #: The upper side of each rank, and the lower one.
    bands: tuple[tuple[float, float], ...]
    #: The first rank of each column.
    columns: tuple[int, ...]
    #: Where each column ends at its right side, with its lanes.
    rights: tuple[float, ...]
    #: The line of each edge and the labels of the values, if they do not follow from the rest.
    routes: tuple[Route, ...] = ()
    tags: Mapping[Value, Point] = MappingProxyType({})


def plan(
    frame: Frame, sizes: Mapping[int, Size], labels: Mapping[Value, float], room: float | None
) -> Plan:
    """Place the nodes of a frame.

    Args:
        frame: the nodes in ranks.
        sizes: the size of each node.
        labels: the width of the label of each value that has one.
        room: the greatest height; a longer frame is broken into columns. None for one column.
    """
    heights = [max((sizes[n].height for n in rank), default=0.0) for rank in frame.ranks]
    columns = _columns(frame, heights, room)
    cut = set(columns[1:])
    links = _links(frame, cut)
    sides = _sides(frame, sizes, labels)
    middles = _middles(frame, sizes, sides, links)
    gaps = _gaps(frame, middles, sizes, labels, links)
    begins = any(node.what == "in" for node in frame.nodes)  # below a head
    top = TURN if cut else 0.0
    bands: list[tuple[float, float]] = []
    y = 0.0 if begins else top
    for rank, height in enumerate(heights):
        if rank in cut or (rank == 1 and begins):
            y = max(top, y) if rank == 1 else bands[1][0] if begins else top
        bands.append((y, y + height))
        y += height + gaps[rank]
    return _shifted(frame, sizes, sides, middles, bands, columns, bool(cut))


def _shifted(
    frame: Frame,
    sizes: Mapping[int, Size],
    sides: Mapping[int, tuple[float, float]],
    middles: Mapping[int, float],
    bands: Sequence[tuple[float, float]],
    columns: Sequence[int],
    is_cut: bool,  # noqa: FBT001
) -> Plan:
    """Add the lanes, and put the columns beside each other."""
    spots: dict[int, Spot] = {}
    lanes: dict[int, float] = {}
    rights = []
    x = 0.0
    trunks = _trunks(frame)
    for start, end in zip(columns, [*columns[1:], len(frame.ranks)], strict=True):
        within = [n for rank in frame.ranks[start:end] for n in rank]
        left = min(middles[n] - sides[n][0] for n in within)
        found, right = _lanes(frame, trunks, sides, middles, range(start, end))
        for n in within:
            top, bottom = bands[frame.nodes[n].rank]
            size = sizes[n]
            upper = top if rank_is_open(frame, n, sizes) else (top + bottom - size.height) / 2
            spots[n] = Spot(x + middles[n] - left - size.width / 2, upper, size.width, size.height)
        lanes |= {edge: x + lane - left for edge, lane in found.items()}
        x += right - left
        rights.append(x)
        x += COLUMN
    height = max(bottom for _, bottom in bands) + (TURN if is_cut else 0.0)
    return Plan(x - COLUMN, height, spots, lanes, tuple(bands), tuple(columns), tuple(rights))


def rank_is_open(frame: Frame, node: int, sizes: Mapping[int, Size]) -> bool:
    """Whether a box of a node's rank is open: then its boxes stand at the top of the rank."""
    return any(sizes[other].is_open for other in frame.ranks[frame.nodes[node].rank])


def _columns(frame: Frame, heights: Sequence[float], room: float | None) -> list[int]:
    """Return the ranks with which columns begin: where a single value goes from rank to rank."""
    total = sum(heights) + LABELLED * (len(heights) - 1)
    if room is None or total <= room:
        return [0]
    crossing: list[set[Value]] = [set() for _ in heights]
    far: set[int] = set()
    for edge in frame.edges:
        start, end = frame.nodes[edge.nodes[0]].rank, frame.nodes[edge.nodes[-1]].rank
        for rank in range(start + 1, end + 1):
            crossing[rank].add(edge.value)
            if end - start > 1:
                far.add(rank)
    wanted = -(-total // room)
    target, columns, y, left = total / wanted, [0], 0.0, total
    for rank, height in enumerate(heights):
        may = rank > columns[-1] and len(crossing[rank]) == 1 and rank not in far
        may = may and all(frame.nodes[n].what == "part" for n in frame.ranks[rank])
        may = may and not any(frame.nodes[n].what == "in" for n in frame.ranks[rank - 1])
        may = may and min(y, left) > target * _SHORTEST
        if may and y + height / 2 > target and len(columns) < wanted:
            columns.append(rank)
            y = 0.0
        y += height + LABELLED
        left -= height + LABELLED
    return columns


def _links(frame: Frame, cut: Iterable[int]) -> list[tuple[int, int, Value, float]]:
    """Return the pieces of all lines but skips, with weights: bends keep a line straight."""
    found: dict[tuple[int, int], tuple[int, int, Value, float]] = {}
    for edge in frame.edges:
        if edge.skips:
            continue
        for a, b in zip(edge.nodes, edge.nodes[1:], strict=False):
            if frame.nodes[b].rank not in cut:
                bends = (frame.nodes[a].what == "bend") + (frame.nodes[b].what == "bend")
                found[a, b] = (a, b, edge.value, (1.0, 2.0, 8.0)[bends])
    return list(found.values())


def is_bus(frame: Frame, node: int) -> bool:
    """Whether a node is the only input of a stack: its lines begin anywhere below the head."""
    return frame.bus == node


def _sides(
    frame: Frame, sizes: Mapping[int, Size], labels: Mapping[Value, float]
) -> dict[int, tuple[float, float]]:
    """Return how far each node reaches to the left and right, with the labels of its values."""
    rights = {n: sizes[n].width / 2 for n in range(len(frame.nodes))}
    for edge in frame.edges:
        node = edge.nodes[0]
        if edge.value in labels:
            reach = sizes[node].outs.get(edge.value, 0.0) + 7 + labels[edge.value]
            rights[node] = max(rights[node], reach)
    return {n: (sizes[n].width / 2, right) for n, right in rights.items()}


def _middles(
    frame: Frame,
    sizes: Mapping[int, Size],
    sides: Mapping[int, tuple[float, float]],
    links: Sequence[tuple[int, int, Value, float]],
) -> dict[int, float]:
    """Return the middle of each node from left to right."""
    above: dict[int, list[tuple[int, float, float]]] = {}
    below: dict[int, list[tuple[int, float, float]]] = {}
    for a, b, value, weight in links:
        if is_bus(frame, a):
            continue
        apart = sizes[a].outs.get(value, 0.0) - sizes[b].ins.get(value, 0.0)
        above.setdefault(b, []).append((a, apart, weight))
        below.setdefault(a, []).append((b, -apart, weight))
    middles: dict[int, float] = {}
    for rank in frame.ranks:
        middles |= _apart(frame, rank, dict.fromkeys(rank, (0.0, 1.0)), sides)
    for sweep in range(_SWEEPS):
        near = above if sweep % 2 == 0 else below
        ranks = frame.ranks if sweep % 2 == 0 else reversed(frame.ranks)
        for rank in ranks:
            wanted = {n: _wanted(middles, n, near.get(n, ())) for n in rank}
            middles |= _apart(frame, rank, wanted, sides)
    _straighten(frame, sides, middles)
    return middles


def _straighten(
    frame: Frame, sides: Mapping[int, tuple[float, float]], middles: dict[int, float]
) -> None:
    """Put the bends of a line below each other, if all have room there."""
    chains = {edge.nodes[1:-1] for edge in frame.edges if len(edge.nodes) > 3}
    for chain in sorted(chains):
        low, high = -math.inf, math.inf
        for bend in chain:
            rank = frame.ranks[frame.nodes[bend].rank]
            at = rank.index(bend)
            if at:
                low = max(low, middles[rank[at - 1]] + sides[rank[at - 1]][1] + BEND)
            if at + 1 < len(rank):
                high = min(high, middles[rank[at + 1]] - sides[rank[at + 1]][0] - BEND)
        if low <= high:
            ends = [middles[bend] for bend in chain]
            best = min(max(sum(ends) / len(ends), low), high)
            for bend in chain:
                middles[bend] = best


def _wanted(
    middles: Mapping[int, float], node: int, near: Iterable[tuple[int, float, float]]
) -> tuple[float, float]:
    """Return where a node wants to be, and how much."""
    total = weights = 0.0
    for other, apart, weight in near:
        total += (middles[other] + apart) * weight
        weights += weight
    return (total / weights, weights) if weights else (middles[node], 0.1)


def _apart(
    frame: Frame,
    rank: Sequence[int],
    wanted: Mapping[int, tuple[float, float]],
    sides: Mapping[int, tuple[float, float]],
) -> dict[int, float]:
    """Return the middles nearest to the wanted ones with which the nodes of a rank keep apart.

    It is the isotonic regression, found by pooling neighbours (Ayer et al., 1955).
    """
    offsets, at = [], 0.0
    for n, node in enumerate(rank):
        if n:
            both = frame.nodes[node].what == "part" == frame.nodes[rank[n - 1]].what
            at += sides[rank[n - 1]][1] + sides[node][0] + (BESIDE if both else BEND)
        offsets.append(at)
    pools: list[tuple[float, float, int]] = []  # the mean, the weight, and the number of nodes
    for node, offset in zip(rank, offsets, strict=True):
        mean, weight = wanted[node][0] - offset, wanted[node][1]
        count = 1
        while pools and pools[-1][0] > mean:
            other, heavy, more = pools.pop()
            mean = (mean * weight + other * heavy) / (weight + heavy)
            weight, count = weight + heavy, count + more
        pools.append((mean, weight, count))
    means = [mean for mean, _, count in pools for _ in range(count)]
    return {node: mean + offset for node, mean, offset in zip(rank, means, offsets, strict=True)}


def _gaps(
    frame: Frame,
    middles: Mapping[int, float],
    sizes: Mapping[int, Size],
    labels: Mapping[Value, float],
    links: Iterable[tuple[int, int, Value, float]],
) -> list[float]:
    """Return the height below each rank."""
    heights, far = [BARE] * len(frame.ranks), [0.0] * len(frame.ranks)
    for edge in frame.edges:
        if edge.value in labels:
            heights[frame.nodes[edge.nodes[0]].rank] = LABELLED
    for a, b, value, _ in links:
        if not is_bus(frame, a):
            rank, start = frame.nodes[a].rank, middles[a] + sizes[a].outs.get(value, 0.0)
            end = middles[b] + sizes[b].ins.get(value, 0.0)
            far[rank] = max(far[rank], abs(start - end))
    return [
        height + min(apart * STEEP, MOST_STEEP) for height, apart in zip(heights, far, strict=True)
    ]


def _lanes(
    frame: Frame,
    trunks: Mapping[int, Sequence[_Trunk]],
    sides: Mapping[int, tuple[float, float]],
    middles: Mapping[int, float],
    ranks: range,
) -> tuple[dict[int, float], float]:
    """Return the lanes of the skips within some ranks, and how far these reach to the right.

    A lane passes at the right of all that is between; short skips stay nearer to the boxes.
    """
    reach = {  # of the upper and of the lower half of each rank
        2 * rank + half: max((middles[n] + sides[n][1] for n in frame.ranks[rank]), default=0.0)
        for rank in ranks
        for half in (0, 1)
    }
    lanes: dict[int, float] = {}
    found = [trunk for rank in ranks for trunk in trunks.get(rank, ())]
    for start, end, numbers in sorted(found, key=lambda trunk: trunk[1] - trunk[0]):
        between = range(2 * start + 1, 2 * end + 1)
        lane = max(reach[half] for half in between) + LANE
        lanes |= dict.fromkeys(numbers, lane)
        reach |= dict.fromkeys(between, lane)
    right = max(reach.values(), default=0.0)
    return lanes, right + (4.0 if lanes else 0.0)


def _trunks(frame: Frame) -> dict[int, list[_Trunk]]:
    """Return the skips by the ranks where they begin. The skips of a value share a lane."""
    trunks: dict[Value, _Trunk] = {}
    for number, edge in enumerate(frame.edges):
        if edge.skips:
            start, end = (frame.nodes[n].rank for n in edge.nodes)
            _, last, numbers = trunks.get(edge.value, (start, end, []))
            trunks[edge.value] = (start, max(last, end), [*numbers, number])
    found: dict[int, list[_Trunk]] = {}
    for trunk in trunks.values():
        found.setdefault(trunk[0], []).append(trunk)
    return found
