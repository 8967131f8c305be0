"""What layers read, from one network to another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.graph import results
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Wires:
    """What layers read, in terms that both networks share: through all that only one has."""

    def __init__(self, a: Graph, b: Graph, pairs: Sequence[tuple[int, int]]) -> None:
        self.a, self.b = a, b
        #: The path in `b` of each layer of `a` that is in both.
        self.called = {a.rows[i].path: b.rows[j].path for i, j in pairs}
        self._was = _origins(a.rows, self.called)
        self._is = _origins(b.rows, {path: path for path in self.called.values()})

    def inputs(self, before: Row, after: Row) -> tuple[tuple[Value, ...], tuple[Value, ...]] | None:
        """Return what a layer of both reads in each, where that is not the same."""
        was, is_ = before.sources, after.sources
        if len(was) == len(is_) and all(map(self._same, was, is_)):
            return None
        return was, is_

    def other_outputs(self) -> bool:
        """Whether an output of the network comes from elsewhere."""
        was, is_ = results(self.a), results(self.b)
        return not all(self._same(was[port], is_[port]) for port in was.keys() & is_.keys())

    def _same(self, was: Value, is_: Value) -> bool:
        x, y = self._was(was), self._is(is_)
        return x == y or not x.isdisjoint(y)


def _origins(rows: Sequence[Row], called: Mapping[str, str]) -> Callable[[Value], frozenset[Value]]:
    """Return what finds the results that a value is made of: inputs, and of layers in `called`."""
    through: dict[str, frozenset[Value]] = {}

    def origin(value: Value) -> frozenset[Value]:
        if value.path in through:
            return through[value.path]
        return frozenset({Value(called.get(value.path, ""), value.port)})

    for row in rows:
        if row.path not in called:
            through[row.path] = frozenset[Value]().union(*map(origin, row.sources))
    return origin
