"""Lints of weights that nothing trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from netbuild.checks.lint.flow import Flow
    from netbuild.graph.graph import Graph


def untrained_weights(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of frozen weights if no file sets them: they keep their random initial values.

    There is no warning if an initializer sets them: a fixed projection is a deliberate choice.
    """
    graph = flow.graph
    held: Container[str] | None = None
    for row in graph.rows:
        if not (row.frozen or row.unfreezes) or not row.weights or row.init is not None:
            continue
        if held is None:
            held = _from_files(graph)
        if any(state_key(row.path, name) not in held for name in row.parameters):
            frozen = f"frozen until epoch {row.unfreezes}" if row.unfreezes else "frozen"
            label = f"this layer is {frozen}, and no file sets its weights"
            help_ = "name a file (pretrained: FILE), or remove freeze"
            title = "frozen weights that nothing has trained"
            yield Diagnostic("NB316", title, row.span, label, help=help_, layer=row.path)


def _from_files(graph: Graph) -> Container[str]:
    """Return the names of the tensors that files fill; of all, if a file has a fault."""
    from netbuild.checks.pretrained import filled

    found, faults = filled(graph)
    return graph.tensors if faults else found
