"""The wires of two networks: whether corresponding layers read corresponding values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.graph import results
from netbuild.graph.value import Value
from netbuild.reports.difference.formulas import nameless

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Wires:
    """The values that layers read, traced back to values that both networks have."""

    def __init__(self, a: Graph, b: Graph, pairs: Sequence[tuple[int, int]]) -> None:
        self.a, self.b = a, b
        #: The path in `b` of each layer of `a` that both networks have.
        self.called = {a.rows[i].path: b.rows[j].path for i, j in pairs}
        self._old = _sources(a.rows, self.called)
        self._new = _sources(b.rows, {path: path for path in self.called.values()})

    def inputs(self, before: Row, after: Row) -> tuple[tuple[Value, ...], tuple[Value, ...]] | None:
        """Return the values that a layer reads before and after, or None if they correspond."""
        old, new = nameless(before)[1], nameless(after)[1]
        if len(old) == len(new) and all(map(self._same, old, new)):
            return None
        return before.sources, after.sources

    def other_outputs(self) -> bool:
        """Whether an output of the network comes from another layer."""
        old, new = results(self.a), results(self.b)
        return not all(self._same(old[port], new[port]) for port in old.keys() & new.keys())

    def _same(self, old: Value, new: Value) -> bool:
        x, y = self._old(old), self._new(new)
        return x == y or not x.isdisjoint(y)


def _sources(rows: Sequence[Row], called: Mapping[str, str]) -> Callable[[Value], frozenset[Value]]:
    """Return a function that traces a value back to results that both networks have.

    These are inputs of the network and results of the layers in `called`.
    """
    through: dict[str, frozenset[Value]] = {}

    def origin(value: Value) -> frozenset[Value]:
        if value.path in through:
            return through[value.path]
        return frozenset({Value(called.get(value.path, ""), value.port)})

    for row in rows:
        if row.path not in called:
            through[row.path] = frozenset[Value]().union(*map(origin, row.sources))
    return origin
