"""Lints of weights that nothing trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.value import state_key
from netbuild.runs.weights import is_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow


def untrained_weights(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of frozen weights if no file sets them: they keep their random initial values.

    There is no warning if an initializer sets them: a fixed projection is a deliberate choice.
    """
    graph = flow.graph
    pretrained = graph.config.pretrained
    for row in graph.rows:
        if not row.frozen or not row.weights or row.init is not None:
            continue
        given = pretrained is not None and not any(
            is_within(state_key(row.path, name), prefix)
            for name in row.weights
            for prefix in pretrained.leave_out
        )
        if not given:
            label = "this layer is frozen, and no file sets its weights"
            help_ = "name a file (pretrained: FILE), or remove freeze"
            title = "frozen weights that nothing has trained"
            yield Diagnostic("NB316", title, row.span, label, help=help_, layer=row.path)
