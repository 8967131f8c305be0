"""Lints of weights that stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.graph.value import state_key
from netbuild.runs.weights import is_within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Flow


def untrained_weights(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of frozen weights that no file gives values: they stay as random as they begin.

    Who freezes what an initializer has made, a fixed projection, knows what they do.
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
            label = "it is frozen, and no file of weights is for it"
            help_ = "name one: pretrained: FILE; or let it learn"
            title = "weights that nothing trains"
            yield Diagnostic("NB316", title, row.span, label, help=help_, layer=row.path)
