"""How values go through a network: who made each, who reads it, and which are its results."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from netbuild.checks.lint.places import Places
from netbuild.graph.graph import results
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.diagnostics.diagnostic import Note
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row

# By their names, for what a network has not need not be imported.
CONVOLUTIONS = frozenset({"Conv1d", "Conv2d", "Conv3d"})
TRANSPOSED = frozenset({"ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"})
#: Affine functions whose weights are learned.
AFFINE = frozenset({"Linear", "Bilinear"}) | CONVOLUTIONS | TRANSPOSED
DROPOUTS = frozenset({"Dropout", "Dropout1d", "Dropout2d", "Dropout3d"})
ALPHA_DROPOUTS = frozenset({"AlphaDropout", "FeatureAlphaDropout"})
#: What gives the very values that it gets, or some of them, in another shape or order.
REARRANGING = frozenset(
    {
        *("Identity", "Flatten", "Unflatten", "Reshape", "Permute", "Transpose"),
        *("Squeeze", "Unsqueeze", "Select", "Narrow", "Chunk", "Expand", "Roll"),
        *("PixelShuffle", "PixelUnshuffle", "ChannelShuffle"),
    }
)
#: What gives each value of one input as it is, or a mean or the largest of some.
POOLS = frozenset(
    f"{kind}Pool{rank}d"
    for kind in ("Max", "Avg", "AdaptiveMax", "AdaptiveAvg", "FractionalMax")
    for rank in (1, 2, 3)
    if (kind, rank) != ("FractionalMax", 1)
)
NORMS = frozenset(
    {
        *("LayerNorm", "RMSNorm", "GroupNorm", "LocalResponseNorm", "CrossMapLRN2d"),
        "SyncBatchNorm",
        *(f"{kind}Norm{n}d" for kind in ("Batch", "Instance", "Switchable") for n in (1, 2, 3)),
    }
)


class Flow:
    """A graph without faults as lints look at it: its values, and where its layers are written.

    What several lints ask for is worked out once.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.places = Places(graph)

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
    def compared(self) -> list[Value]:
        """Those of them that the loss reads."""
        return [self.outputs[name] for name in self.graph.compared]

    @cached_property
    def _given(self) -> set[Value]:
        return set(self.outputs.values())

    def only_readers(self, row: Row) -> list[Row]:
        """Return the layers that read what a layer passes on; none where it is a result as well."""
        value = row.passed_on
        return [] if value in self._given else self.readers.get(value, [])

    def back(self, value: Value, through: frozenset[str]) -> Iterator[Row]:
        """Yield the layer behind a value and those before it, up to the first not of `through`.

        The way goes along first inputs.
        """
        row = self.maker.get(value)
        while row is not None:
            yield row
            if row.type not in through or not row.sources:
                return
            row = self.maker.get(row.sources[0])

    def behind(self, value: Value, through: frozenset[str]) -> Row | None:
        """Return the first layer behind a value that is not of `through`; None for an input."""
        row = None
        for row in self.back(value, through):  # noqa: B007  the last one is what is wanted
            pass
        return None if row is None or row.type in through else row


def called(row: Row) -> str:
    """Return a layer as a note names it: its path, its type and its line."""
    return f"{row.path} ({row.type}, line {row.span.line})"


def listed(label: str, rows: list[Row], most: int = 3) -> Note:
    """Return a note that names layers, the first few of many."""
    from netbuild.diagnostics.diagnostic import Note

    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return Note(label, ", ".join(called(row) for row in rows[:most]) + more)
