"""The values of a network: the layer that produces each value, and the layers that read it."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.datasets.dataset import DataError
from netbuild.components.layers.ranges import ANY
from netbuild.graph.graph import results
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.components.datasets.dataset import Declared
    from netbuild.components.layers.layer import Layer
    from netbuild.components.layers.ranges import Range
    from netbuild.components.losses.loss import Loss
    from netbuild.components.target import Target
    from netbuild.config.against import Against
    from netbuild.config.losses import LossTerm
    from netbuild.diagnostics.diagnostic import Note
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Compared(NamedTuple):
    """A loss, the values that it reads, and with what it compares them; None after a fault.

    `target` describes what it compares with; None if only loading the data tells it.
    """

    term: LossTerm
    values: tuple[Value, ...]
    against: Against | None
    target: Target | None

    @property
    def loss(self) -> Loss:
        """The loss, its fields validated."""
        return self.term.loss

    @property
    def name(self) -> str:
        """The type of the loss, as in the file."""
        return type(self.term.loss).__name__

    @property
    def fits(self) -> bool:
        """Whether the loss reads as many outputs as it takes; if not, another check reports it."""
        return len(self.values) == len(self.loss.inputs)

    @property
    def note(self) -> Note:
        """A note with the type of the loss and its line."""
        from netbuild.diagnostics.diagnostic import Note

        return Note("loss", f"{self.name}, line {self.term.item.type.span.line}")


class Flow:
    """The values of a graph without faults, with the layers that produce and read them.

    Each property is computed once, when a lint first asks for it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    @cached_property
    def producer(self) -> dict[Value, Row]:
        """The layer that produces each value."""
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
        """The outputs of the network, by name."""
        return results(self.graph)

    @cached_property
    def compared(self) -> list[Compared]:
        """The losses, each with the values that it reads."""
        from netbuild.checks import objective

        config, tensors = self.graph.config, self.graph.outputs
        found = []
        for term in config.losses:
            values = tuple(self.outputs[name] for name in term.compared(tensors))
            target = self._sample and objective.compared_with(config, term, tensors, self._sample)
            found.append(Compared(term, values, config.against(term, tensors), target))
        return found

    @cached_property
    def _sample(self) -> Declared | None:
        """A sample of the data; None without data, or if the data has a fault."""
        from netbuild.checks import objective

        config = self.graph.config
        if config.data is None or not config.losses or not self.graph.compared:
            return None
        try:
            return objective.sample(config, self.graph.outputs)
        except DataError:  # another check reports it
            return None

    @cached_property
    def ranges(self) -> dict[Value, Range | None]:
        """The range of each value; None if it is unknown."""
        found: dict[Value, Range | None] = {}
        for row in self.graph.rows:
            layer = row.layer
            first = layer.range(*(found.get(source) for source in row.sources))
            for port in row.outputs:
                found[Value(row.path, port)] = layer.other_results.get(port, first)
        return found

    def violates(self, value: Value, wanted: Range) -> bool:
        """Whether a value is known to leave a range: its own range is wider, or lies elsewhere."""
        found = self.ranges.get(value)
        if found is not None:
            return not (found.within(wanted) and found.meets(wanted))
        row = self.producer.get(value)
        most = row and widest(row)
        return most is not None and not most.meets(wanted)

    @cached_property
    def _given(self) -> set[Value]:
        return set(self.outputs.values())

    def only_readers(self, row: Row) -> list[Row]:
        """Return the layers that read a layer's result; none if it is also an output."""
        value = row.passed_on
        return [] if value in self._given else self.readers.get(value, [])

    def upstream(self, value: Value, through: Callable[[Layer], bool]) -> Iterator[Row]:
        """Yield the layer that produces a value, then the layer before it, and so on.

        Each step follows the first input. The last layer is the first one that is not `through`.
        """
        row = self.producer.get(value)
        while row is not None:
            yield row
            if not through(row.layer) or not row.sources:
                return
            row = self.producer.get(row.sources[0])

    def source(self, value: Value, through: Callable[[Layer], bool]) -> Row | None:
        """Return the nearest layer upstream that is not `through`; None if there is only an input.

        Args:
            value: the value at which the search begins.
            through: whether the search goes past a layer.
        """
        row = None
        for row in self.upstream(value, through):  # noqa: B007  only the last layer matters
            pass
        return None if row is None or through(row.layer) else row


def widest(row: Row) -> Range | None:
    """Return the range of a layer's first result, for inputs of any value."""
    return row.layer.range(*[ANY] * len(row.sources))


def keeps_values(layer: Layer) -> bool:
    """Whether a layer keeps its values, except for values that a dropout sets to 0."""
    return layer.rearranges or layer.drops == "zeros"


def described(row: Row) -> str:
    """Return the words for a layer in a note: its path, its type and its line."""
    return f"{row.path} ({row.type}, line {row.span.line})"


def layers_note(label: str, rows: list[Row], most: int = 3) -> Note:
    """Return a note that lists layers: the first `most`, and the number of the others."""
    from netbuild.diagnostics.diagnostic import Note

    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return Note(label, ", ".join(described(row) for row in rows[:most]) + more)
