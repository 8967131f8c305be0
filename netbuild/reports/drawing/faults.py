"""The fault at which a network ends: where it stands in the drawing, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors
from netbuild.graph.value import Value
from netbuild.syntax.node import List, Map

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.graph import Graph


class Stop(NamedTuple):
    """The first fault of a layer: its path, the last value before it, and the fault."""

    path: str
    reads: Value | None
    fault: Diagnostic

    @property
    def place(self) -> str:
        """The code and the line of the fault."""
        return f"{self.fault.code}, line {self.fault.span.line}"


def stop_of(graph: Graph) -> Stop | None:
    """Return the first error of the layers; None if all layers are right."""
    found = errors(graph.diagnostics)
    if not found or graph.block is not None:
        return None
    known = {row.path for row in graph.rows}
    members = _members(graph)
    first = max(found, key=lambda one: _certainty(one, known, members))  # the first of the best
    return Stop(first.layer or "fault", _before(graph, first.layer or ""), first)


def _certainty(fault: Diagnostic, known: set[str], members: set[str]) -> int:
    """Return how certainly the network ends at a fault.

    Faults in the definition of a block name its layers by their paths in the block.
    """
    if not fault.layer:
        return 0
    if fault.layer in known:
        return 1
    is_shape = fault.code.startswith("NB2")  # found while the layers were walked
    return 2 + (fault.layer.split(".")[0] in members) + is_shape


def _members(graph: Graph) -> set[str]:
    """Return the names of the outermost layers and stacks of a file."""
    layers = graph.config.layers
    if isinstance(layers, Map):
        return set(layers.entries)
    return {str(number) for number in range(len(layers.items) if isinstance(layers, List) else 0)}


def _before(graph: Graph, layer: str) -> Value | None:
    """Return the result of the last known layer in the innermost stack around a layer."""
    if not graph.rows:
        names = [name for name, tensor in graph.config.inputs.items() if tensor]
        return Value("", names[0]) if names else None
    around = layer.split(".")[:-1]
    while around:
        start = ".".join(around) + "."
        within = [row for row in graph.rows if row.path.startswith(start)]
        if within:
            return within[-1].passed_on
        around.pop()
    return graph.rows[-1].passed_on
