"""The fault at which a network ends: where it stands in the drawing, and what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors
from netbuild.graph.value import Value
from netbuild.syntax.node import List, Map

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Diagnostic, Span
    from netbuild.graph.graph import Graph
    from netbuild.syntax.node import Node


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
    """Return the error at which the layers end; None if all layers are right."""
    found = errors(graph.diagnostics)
    if not found or graph.block is not None:
        return None
    known = {row.path for row in graph.rows}
    placed = [(_place(fault, graph.config.layers), fault) for fault in found]
    path, first = max(
        placed, key=lambda one: _certainty(one[0], one[1], known)
    )  # the first of the best
    if not path or any(row.path.startswith(f"{path}.") for row in graph.rows):
        path = ".".join([*path.split(".")[:-1], "fault"])  # beside the known part of a stack
    return Stop(path, _before(graph, path), first)


def _place(fault: Diagnostic, layers: Node | None) -> str:
    """Return the path of the layer with a fault; empty if the fault is elsewhere.

    Faults in the definition of a block name its layers by their paths there, so the place in the
    text decides.
    """
    names = _names(layers, fault.span)
    if fault.layer and names and fault.layer.split(".")[0] == names[0]:
        return fault.layer
    return ".".join(names) if names else (fault.layer or "" if fault.code[:3] == "NB2" else "")


def _names(node: Node | None, span: Span) -> list[str]:
    """Return the names of the stacks and of the layer whose text holds a span."""
    if isinstance(node, Map) and "layers" in node.entries:
        return _names(node.get("layers"), span)
    if isinstance(node, Map):
        children = [(name, entry.key.span, entry.value) for name, entry in node.entries.items()]
    elif isinstance(node, List):
        children = [(str(number), item.span, item) for number, item in enumerate(node.items)]
    else:
        return []
    for name, start, child in children:
        begins = (start.line, start.column) <= (span.line, span.column)
        ends = (span.line, span.column) <= (child.span.end_line, child.span.end_column)
        if span.document is start.document and begins and ends and not name[:1].isupper():
            return [name, *_names(child, span)] if _is_stack(child) else [name]
    return []


def _is_stack(node: Node) -> bool:
    return isinstance(node, List) or (
        isinstance(node, Map) and not any(name[:1].isupper() for name in node.entries)
    )


def _certainty(path: str, fault: Diagnostic, known: set[str]) -> int:
    """Return how certainly the network ends at a fault."""
    if not path or path in known:
        return 0
    return 1 + fault.code.startswith("NB2")  # found while the layers were walked


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
