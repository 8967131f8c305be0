"""A chain with skips inside each other, as a U: down at the left, up at the right, skips across.

It is how U-Net is drawn (Ronneberger, Fischer and Brox, 2015, figure 1).
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from netbuild.reports.drawing.placing import BARE, LABELLED, Plan, Route, Spot

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.graph.value import Value
    from netbuild.reports.drawing.frames import Frame
    from netbuild.reports.drawing.placing import Size

#: The least width between the two columns, and the distance of a line and its label.
_BETWEEN, _SIDE = 110.0, 7.0


def turned(frame: Frame, sizes: Mapping[int, Size], labels: Mapping[Value, float]) -> Plan | None:
    """Place a frame as a U; None if it has no such form.

    The boxes at the right are closed: their lines come from below.
    """
    chain = [rank[0] for rank in frame.ranks if len(rank) == 1]
    pairs = sorted(edge.nodes for edge in frame.edges if edge.skips)
    if not _is_u(frame, chain, pairs):
        return None
    ranks = [(frame.nodes[a].rank, frame.nodes[b].rank) for a, b in pairs]
    turn = ranks[-1][1]  # the first rank at the right
    if any(sizes[node].is_open for node in chain[turn:]):
        return None
    gap = LABELLED if labels else BARE
    middles = _middles(chain, ranks, sizes, gap)
    left, right = (max(sizes[n].width for n in part) for part in (chain[:turn], chain[turn:]))
    across = left + max(_BETWEEN, max(labels.values(), default=0.0) + 50)
    spots = {}
    for rank, node in enumerate(chain):
        size = sizes[node]
        x = left / 2 if rank < turn else across + right / 2
        corner = x - size.width / 2, middles[rank] - size.height / 2
        spots[node] = Spot(*corner, size.width, size.height)
    top = min(spot.y for spot in spots.values())
    spots = {n: spot._replace(y=spot.y - top) for n, spot in spots.items()}
    height = max(spot.bottom for spot in spots.values())
    routes = tuple(_route(frame, spots, edge.nodes, turn) for edge in frame.edges)
    tags = {edge.value: _tag(frame, spots, edge.nodes[0], turn) for edge in frame.edges}
    return Plan(across + right, height, spots, {}, (), (0,), (), routes, tags)


def _is_u(frame: Frame, chain: Sequence[int], pairs: Sequence[Sequence[int]]) -> bool:
    """Whether the nodes are a chain of parts, with at least two skips inside each other."""
    if len(chain) < len(frame.ranks) or len(pairs) < 2:
        return False
    readers = [reader for _, reader in pairs]
    nested = all(a > b for a, b in itertools.pairwise(readers))
    apart = len({source for source, _ in pairs}) == len(pairs)
    steps = all(len(edge.nodes) == 2 for edge in frame.edges)
    return nested and apart and steps and all(node.what == "part" for node in frame.nodes)


def _middles(
    chain: Sequence[int], ranks: Sequence[tuple[int, int]], sizes: Mapping[int, Size], gap: float
) -> list[float]:
    """Return the middle of each box from top to bottom: both ends of a skip have the same one."""

    def step(rank: int) -> float:
        """Return the least distance of the middles of a box and of the next one in the chain."""
        return (sizes[chain[rank]].height + sizes[chain[rank + 1]].height) / 2 + gap

    middles = [0.0] * len(chain)
    first, last = ranks[0]
    for rank in reversed(range(first)):  # above the outermost skip
        middles[rank] = middles[rank + 1] - step(rank)
    for rank in range(last + 1, len(chain)):
        middles[rank] = middles[rank - 1] - step(rank - 1)
    for (above, behind), (below, before) in itertools.pairwise(ranks):
        sides = range(above, below), range(before, behind)
        wanted = [sum(map(step, side)) for side in sides]
        more = [(max(wanted) - want) / len(side) for want, side in zip(wanted, sides, strict=True)]
        for rank in sides[0]:
            middles[rank + 1] = middles[rank] + step(rank) + more[0]
        for rank in reversed(sides[1]):
            middles[rank] = middles[rank + 1] + step(rank) + more[1]
    for rank in range(ranks[-1][0], ranks[-1][1] - 1):  # the ground of the U
        middles[rank + 1] = middles[rank] + step(rank)
    return middles


def _route(frame: Frame, spots: Mapping[int, Spot], nodes: Sequence[int], turn: int) -> Route:
    source, reader = (spots[n] for n in nodes)
    start, end = (frame.nodes[n].rank for n in nodes)
    if end - start > 1:
        y = source.y + source.height / 2
        return Route(((source.right, y), (reader.x, y)), smooth=False, skips=True)
    if end < turn:
        return Route(((source.middle, source.bottom), (reader.middle, reader.y)), smooth=False)
    if start >= turn:
        return Route(((source.middle, source.y), (reader.middle, reader.bottom)), smooth=False)
    y = source.y + source.height / 2
    points = ((source.right, y), (reader.middle, y), (reader.middle, reader.bottom))
    return Route(points, smooth=False)


def _tag(frame: Frame, spots: Mapping[int, Spot], source: int, turn: int) -> tuple[float, float]:
    """Return where the label of the value of a node begins."""
    spot, rank = spots[source], frame.nodes[source].rank
    if rank == turn - 1:  # beside the line that turns
        return spot.right + _SIDE, spot.y + spot.height / 2 - _SIDE
    below = spot.bottom + 14 if rank < turn else spot.y - _SIDE
    return spot.middle + _SIDE, below
