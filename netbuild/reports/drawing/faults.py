"""The fault at which a network ends: where it stands in the drawing, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors
from netbuild.graph.value import Value

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
    first = next((one for one in found if one.layer and one.layer not in known), None)
    first = first or next((one for one in found if one.layer), found[0])
    return Stop(first.layer or "fault", _before(graph, first.layer or ""), first)


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
