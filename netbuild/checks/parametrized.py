"""Check that no parametrization divides by 0 at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.init import uses
from netbuild.diagnostics.diagnostic import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph.graph import Graph


def check(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a fault for each norm that begins as 0: torch then computes nan."""
    for row in graph.rows:
        if not row.parametrized or row.reuses:
            continue
        default = row.layer.first_values(*row.shapes)
        for use in uses(row, graph.config.init):
            one = row.parametrized.get(use.parameter)
            if one is None or not one.by.divides:
                continue
            given, usual = use.initializer, default.get(use.parameter)
            first = given.first_values(use.shape) if given else usual
            if first and first.distribution == "constant" and not first.values["value"]:
                label = f"{one.by.torch_name()} divides by a norm, and {use.name} begins as zeros"
                help_ = "let it begin with other values, or remove its parametrization"
                title = "a parametrization that divides by 0"
                yield Diagnostic("NB220", title, one.span, label, help=help_, layer=row.path)
