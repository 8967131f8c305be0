"""The order of the nodes within each rank: few lines cross."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SWEEPS = 6


def ordered(
    ranks: Iterable[Sequence[int]], chains: Iterable[Sequence[int]]
) -> tuple[tuple[int, ...], ...]:
    """Order the nodes of each rank by the middle of their neighbours, down and up in turn.

    The order with the fewest crossings is kept; the first order if nothing is better.

    Args:
        ranks: the nodes of each rank.
        chains: the nodes of each line, one in each rank that it crosses.
    """
    now = [list(rank) for rank in ranks]
    links = sorted({pair for chain in chains for pair in itertools.pairwise(chain)})
    if all(len(rank) < 2 for rank in now):
        return tuple(map(tuple, now))
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for a, b in links:
        above.setdefault(b, []).append(a)
        below.setdefault(a, []).append(b)
    best, fewest = [list(rank) for rank in now], _crossings(now, below)
    for sweep in range(_SWEEPS):
        near = above if sweep % 2 == 0 else below
        steps = list(range(len(now))) if sweep % 2 == 0 else list(reversed(range(len(now))))
        for before, rank in itertools.pairwise(steps):
            now[rank] = _sorted(now[rank], now[before], near)
        count = _crossings(now, below)
        if count < fewest:
            best, fewest = [list(rank) for rank in now], count
        if not fewest:
            break
    return tuple(map(tuple, best))


def _sorted(rank: list[int], fixed: list[int], near: dict[int, list[int]]) -> list[int]:
    place = {node: n for n, node in enumerate(fixed)}
    scale = max(len(fixed) - 1, 1) / max(len(rank) - 1, 1)

    def middle(at: int) -> float:
        places = [place[other] for other in near.get(rank[at], ()) if other in place]
        return sum(places) / len(places) if places else at * scale

    return [rank[at] for at in sorted(range(len(rank)), key=middle)]


def _crossings(ranks: list[list[int]], below: dict[int, list[int]]) -> int:
    count = 0
    for upper, lower in itertools.pairwise(ranks):
        place = {node: n for n, node in enumerate(lower)}
        ends = [
            sorted(place[node] for node in below.get(one, ()) if node in place) for one in upper
        ]
        seen: list[int] = []
        for each in ends:
            count += sum(1 for end in each for other in seen if other > end)
            seen += each
    return count
