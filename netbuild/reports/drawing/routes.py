"""The lines between boxes: curves from rank to rank, and brackets around boxes for skips."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from netbuild.reports.drawing.placing import COLUMN, TURN, Route, is_bus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.reports.drawing.frames import Edge, Frame
    from netbuild.reports.drawing.placing import Plan, Point, Size

#: The radius of a bracket's corners, the length of an arrow, the height of a line above a rank, and
#: how far the lines that leave and enter a box at its side are from its middle.
RADIUS, ARROW, ABOVE, OFF = 14.0, 7.0, 12.0, 5.0
#: The distance of lines that enter a box from above.
_SPREAD = 24.0


class Router(NamedTuple):
    """What decides the lines of a frame."""

    frame: Frame
    plan: Plan
    sizes: Mapping[int, Size]

    def routes(self) -> list[Route]:
        """Return the line of each edge."""
        entries = self._entries()
        return [
            self._route(n, edge, entries[n])._replace(
                goes_on=self.frame.nodes[edge.nodes[-1]].what == "out"
            )
            for n, edge in enumerate(self.frame.edges)
        ]

    def _route(self, number: int, edge: Edge, entry: float) -> Route:
        if edge.skips:
            return Route(self._around(number, edge, entry), smooth=False, skips=True)
        first, last = edge.nodes[0], edge.nodes[-1]
        rank, column = self.frame.nodes[last].rank, self._column(last)
        leaves = self.frame.nodes[last].what == "out"
        start = self._exit(edge)
        end = (entry, self.plan.height if leaves else self.plan.spots[last].y)
        if self._column(first) != column:
            gutter = self.plan.rights[column - 1] + COLUMN / 2
            low = self.plan.bands[self.frame.nodes[first].rank][1] + TURN - 6
            high = self.plan.bands[rank][0] - TURN + 6
            turn = ((start[0], low), (gutter, low), (gutter, high), (entry, high))
            return Route((start, *turn, end), smooth=False)
        points = [start, (start[0], self._band(first)[1])]
        for bend in edge.nodes[1:-1]:
            x = self.plan.spots[bend].middle
            points += [(x, self._band(bend)[0]), (x, self._band(bend)[1])]
        if is_bus(self.frame, first):
            points[:2] = [(points[2][0] if len(points) > 2 else entry, 0.0)]
        points += [(entry, self._band(last)[0]), end]
        return Route(_without_doubles(points), smooth=True)

    def _around(self, number: int, edge: Edge, entry: float) -> tuple[Point, ...]:
        """Return the line of a skip: out to its lane, down, and back."""
        source, reader = edge.nodes
        lane = self.plan.lanes[number]
        spot, into = self.plan.spots[source], self.plan.spots[reader]
        if is_bus(self.frame, source):
            points = [(lane, 0.0)]
        elif self._is_free(source):
            y = spot.y + spot.height / 2 + OFF
            points = [(spot.right, y), (lane, y)]
        else:
            x, y = self._exit(edge)
            low = self._band(source)[1] + ABOVE
            points = [(x, y), (x, low), (lane, low)]
        if self._is_free(reader):
            y = into.y + into.height / 2 - OFF
            return (*points, (lane, y), (into.right, y))
        high = self._band(reader)[0] - ABOVE
        return (*points, (lane, high), (entry, high), (entry, into.y))

    def _exit(self, edge: Edge) -> Point:
        spot = self.plan.spots[edge.nodes[0]]
        apart = self.sizes[edge.nodes[0]].outs.get(edge.value, 0.0)
        return spot.middle + apart, spot.bottom

    def _entries(self) -> list[float]:
        """Return where each edge enters its reader. A closed box has its lines side by side."""
        found = [0.0] * len(self.frame.edges)
        entering: dict[int, list[tuple[float, int]]] = {}
        for n, edge in enumerate(self.frame.edges):
            reader = edge.nodes[-1]
            size, spot = self.sizes[reader], self.plan.spots[reader]
            found[n] = spot.middle + size.ins.get(edge.value, 0.0)
            if edge.value in size.ins or self.frame.nodes[reader].what != "part":
                continue
            if edge.skips and self._is_free(reader):
                continue
            x = self.plan.lanes[n] if edge.skips else self._before(edge)
            entering.setdefault(reader, []).append((x, n))
        for reader, lines in entering.items():
            spot = self.plan.spots[reader]
            step = min(_SPREAD, (spot.width - 40) / max(len(lines) - 1, 1))
            for at, (_, n) in enumerate(sorted(lines)):
                found[n] = spot.middle + step * (at - (len(lines) - 1) / 2)
        return found

    def _before(self, edge: Edge) -> float:
        """Return where a line comes from in the rank above its reader."""
        *_, node, reader = edge.nodes
        if is_bus(self.frame, node):
            return self.plan.spots[reader].middle
        return self.plan.spots[node].middle + self.sizes[node].outs.get(edge.value, 0.0)

    def _is_free(self, node: int) -> bool:
        """Whether lines leave and enter a closed box at its right side: nothing stands there."""
        one = self.frame.nodes[node]
        last = self.frame.ranks[one.rank][-1] == node
        return last and one.what == "part" and not self.sizes[node].is_open

    def _band(self, node: int) -> tuple[float, float]:
        return self.plan.bands[self.frame.nodes[node].rank]

    def _column(self, node: int) -> int:
        rank = self.frame.nodes[node].rank
        return bisect_right(self.plan.columns, rank) - 1


def _without_doubles(points: Sequence[Point]) -> tuple[Point, ...]:
    """Leave out points that are where the one before is."""
    kept = [points[0]]
    for x, y in points[1:]:
        if abs(x - kept[-1][0]) + abs(y - kept[-1][1]) > 0.01:
            kept.append((x, y))
    return tuple(kept)


def path(route: Route) -> str:
    """Return the line as the path of an SVG; it ends where its arrow begins."""
    points = list(route.points)
    (x0, y0), (x, y) = points[-2:]
    length = 0.0 if route.goes_on else min(ARROW - 1, abs(x - x0) + abs(y - y0))
    is_level = abs(y - y0) < 0.01
    points[-1] = (x - _sign(x - x0) * length, y) if is_level else (x, y - _sign(y - y0) * length)
    return _smooth(points) if route.smooth else _rounded(points)


def arrow(route: Route) -> str:
    """Return the arrow at the end of a line as the path of an SVG."""
    (x0, y0), (x, y) = route.points[-2:]
    if abs(y - y0) < 0.01:
        s = _sign(x - x0) * ARROW
        return f"M{_n(x)} {_n(y)}L{_n(x - s)} {_n(y - 3.5)}L{_n(x - s)} {_n(y + 3.5)}Z"
    back = y - _sign(y - y0) * ARROW
    return f"M{_n(x)} {_n(y)}L{_n(x - 3.5)} {_n(back)}L{_n(x + 3.5)} {_n(back)}Z"


def _smooth(points: Sequence[Point]) -> str:
    x0, y0 = points[0]
    parts = [f"M{_n(x0)} {_n(y0)}"]
    for x, y in points[1:]:
        if abs(x - x0) < 0.5:
            parts.append(f"L{_n(x)} {_n(y)}")
        else:
            half = (y0 + y) / 2
            parts.append(f"C{_n(x0)} {_n(half)} {_n(x)} {_n(half)} {_n(x)} {_n(y)}")
        x0, y0 = x, y
    return "".join(parts)


def _rounded(points: Sequence[Point]) -> str:
    parts = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for (x0, y0), (x, y), (x1, y1) in zip(points, points[1:], points[2:], strict=False):
        before, behind = abs(x - x0) + abs(y - y0), abs(x1 - x) + abs(y1 - y)
        r = min(RADIUS, before / 2, behind / 2)
        a = (x - _sign(x - x0) * r, y - _sign(y - y0) * r)
        b = (x + _sign(x1 - x) * r, y + _sign(y1 - y) * r)
        parts.append(f"L{_n(a[0])} {_n(a[1])}Q{_n(x)} {_n(y)} {_n(b[0])} {_n(b[1])}")
    parts.append(f"L{_n(points[-1][0])} {_n(points[-1][1])}")
    return "".join(parts)


def _sign(number: float) -> int:
    return (number > 0.005) - (number < -0.005)


def _n(number: float) -> str:
    """Return a number with at most one digit behind the point."""
    return f"{number:.1f}".removesuffix(".0")
