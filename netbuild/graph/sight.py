"""What each value of a network sees along one axis of an input or of a layer's result."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from netbuild.components.layers.sight import Sight
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.graph.row import Row

#: What a value sees, once for each axis that goes along; None if it is unclear.
Sights: TypeAlias = "frozenset[Sight] | None"

#: A value that sees in more ways than these counts as unclear.
_MOST = 32


def sights(rows: Iterable[Row], start: Value, axis: int) -> dict[Value, Sights]:
    """Return what each value sees of the positions of `start` along an axis.

    A value that does not depend on `start` is not in the dictionary.

    Args:
        rows: the layers of the network, in order.
        start: an input of the network, or the result of a layer.
        axis: the position of the axis in the shape of `start`.
    """
    found: dict[Value, Sights] = {start: frozenset({Sight(axis)})}
    for row in rows:
        if found.keys().isdisjoint(row.sources):
            continue
        for port in row.outputs:
            found[Value(row.path, port)] = _through(row, port, found)
    return found


def through(row: Row, source: int, port: str, sight: Sight) -> Sight | None:
    """Return what a result of a layer sees through an input that has this sight."""
    if sight.axis is None:
        return sight
    own = row.layer.sees(sight.axis, *row.shapes, source=source, port=port)
    return own and own.after(sight)


def _through(row: Row, port: str, found: dict[Value, Sights]) -> Sights:
    seen: set[Sight] = set()
    for source, value in enumerate(row.sources):
        before = found.get(value, frozenset())
        if before is None:
            return None
        for sight in before:
            after = through(row, source, port, sight)
            if after is None:
                return None
            seen.add(after)
    return frozenset(seen) if len(seen) <= _MOST else None
