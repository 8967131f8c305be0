"""Faults of taste and of learning, which torch would accept: warnings, NB3xx.

A lint is a function from a graph without faults to the warnings it has about it. Adding one takes
the function in the file of its group, its line in `CODES`, and its name here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.lint.structure import collapsing_layers
from netbuild.lint.wiring import unread_inputs, unread_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.diagnostic import Diagnostic
    from netbuild.graph import Graph

LINTS: tuple[Callable[[Graph], Iterator[Diagnostic]], ...] = (
    collapsing_layers,
    unread_results,
    unread_inputs,
)


def warnings(graph: Graph) -> list[Diagnostic]:
    """Return what all lints say of a graph."""
    return [diagnostic for lint in LINTS for diagnostic in lint(graph)]
