"""How values go through a network: who made each, who reads it, and which are its results."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers.layer import ANY
from netbuild.graph.graph import results
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.components.layers.layer import Layer, Range
    from netbuild.components.losses.loss import Loss
    from netbuild.config.losses import LossTerm
    from netbuild.diagnostics.diagnostic import Note
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Compared(NamedTuple):
    """A loss, and the values that it reads."""

    term: LossTerm
    values: tuple[Value, ...]

    @property
    def loss(self) -> Loss:
        """The loss, its fields validated."""
        return self.term.loss

    @property
    def name(self) -> str:
        """What the file calls it."""
        return type(self.term.loss).__name__

    @property
    def note(self) -> Note:
        """A note that says where it is written."""
        from netbuild.diagnostics.diagnostic import Note

        return Note("loss", f"{self.name}, line {self.term.item.type.span.line}")


class Flow:
    """A graph without faults as lints look at it: its values, and who makes and reads each.

    What several lints ask for is worked out once.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def maker(self) -> dict[Value, Row]:
        """The layer behind each value."""
        return {Value(row.path, port): row for row in self.graph.rows for port in row.outputs}

    @cached_property
    def readers(self) -> dict[Value, list[Row]]:
        """The layers that read each value."""
        found: dict[Value, list[Row]] = defaultdict(list)
        for row in self.graph.rows:
            for value in row.sources:
                found[value].append(row)
        return found

    @cached_property
    def outputs(self) -> dict[str, Value]:
        """The results of the network, by name."""
        return results(self.graph)

    @cached_property
    def compared(self) -> list[Compared]:
        """The losses, each with the values that it reads."""
        tensors = self.graph.outputs
        return [
            Compared(term, tuple(self.outputs[name] for name in term.compared(tensors)))
            for term in self.graph.config.losses
        ]

    @cached_property
    def ranges(self) -> dict[Value, Range | None]:
        """Between which numbers each value lies; None where that is not known."""
        found: dict[Value, Range | None] = {}
        for row in self.graph.rows:
            layer = row.layer
            first = layer.range(*(found.get(source) for source in row.sources))
            for port in row.outputs:
                found[Value(row.path, port)] = layer.other_results.get(port, first)
        return found

    def strays(self, value: Value, wanted: Range) -> bool:
        """Whether a value is known not to lie in a range: it goes beyond it, or lies elsewhere."""
        found = self.ranges.get(value)
        if found is not None:
            return not (found.within(wanted) and found.meets(wanted))
        row = self.maker.get(value)
        most = row and widest(row)
        return most is not None and not most.meets(wanted)

    @cached_property
    def _given(self) -> set[Value]:
        return set(self.outputs.values())

    def only_readers(self, row: Row) -> list[Row]:
        """Return the layers that read what a layer passes on; none where it is a result as well."""
        value = row.passed_on
        return [] if value in self._given else self.readers.get(value, [])

    def back(self, value: Value, through: Callable[[Layer], bool]) -> Iterator[Row]:
        """Yield the layer behind a value and those before it, up to the first not gone `through`.

        The way goes along first inputs.
        """
        row = self.maker.get(value)
        while row is not None:
            yield row
            if not through(row.layer) or not row.sources:
                return
            row = self.maker.get(row.sources[0])

    def behind(self, value: Value, through: Callable[[Layer], bool]) -> Row | None:
        """Return the first layer behind a value that is not gone `through`; None for an input."""
        row = None
        for row in self.back(value, through):  # noqa: B007  the last one is what is wanted
            pass
        return None if row is None or through(row.layer) else row


def widest(row: Row) -> Range | None:
    """Return between which numbers the first result of a layer lies, whatever it reads."""
    return row.layer.range(*[ANY] * len(row.sources))


def keeps_values(layer: Layer) -> bool:
    """Whether a layer passes values on as they are, but for those that training drops."""
    return layer.rearranges or layer.drops == "zeros"


def called(row: Row) -> str:
    """Return a layer as a note names it: its path, its type and its line."""
    return f"{row.path} ({row.type}, line {row.span.line})"


def listed(label: str, rows: list[Row], most: int = 3) -> Note:
    """Return a note that names layers, the first few of many."""
    from netbuild.diagnostics.diagnostic import Note

    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return Note(label, ", ".join(called(row) for row in rows[:most]) + more)
