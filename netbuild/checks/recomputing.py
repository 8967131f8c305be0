"""Check that the training can compute stacks again in its backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.graph import stacks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.graph import Graph


def check(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a fault if torch compiles a stack whose statistics must not move a second time."""
    if not graph.config.train.compile or not any(row.recomputed for row in graph.rows):
        return
    for path, stack in stacks(graph).items():
        if stack.block.recomputes and stack.block.has_statistics:
            label = f"torch cannot compile {path}, which is computed again without its statistics"
            help_ = "remove compile, or the checkpoint of stacks with running statistics"
            title = "compile beside a checkpoint with statistics"
            yield Diagnostic("NB221", title, graph.config.span("train"), label, help=help_)
            return
