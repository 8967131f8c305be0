"""From a config to its graph: every shape inferred, every fault found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild import initialisation, lint, objective
from netbuild.diagnostic import MAX_FAULTS, ConfigError, Diagnostic, errors
from netbuild.graph import Graph
from netbuild.stack import Walk

if TYPE_CHECKING:
    from netbuild.config import Config


def trace(config: Config) -> Graph:
    """Infer the network of a config.

    Raises:
        ConfigError: the config has faults; `.diagnostics` holds all of them.
    """
    graph = infer(config)
    if errors(graph.diagnostics):
        raise ConfigError(graph.diagnostics)
    return graph


def trainable(config: Config) -> Graph:
    """Infer the network of a config that has all that training needs.

    Raises:
        ConfigError: the config has faults, lacks a section, or has no weights.
    """
    graph = trace(config)
    faults = [
        Diagnostic("NB102", f"training needs {called}", config.start, "missing", help=help_)
        for section, called, help_ in (
            ("loss", "a loss", "write loss: CrossEntropyLoss"),
            ("optimizer", "an optimizer", "write optimizer: Adam"),
            ("data", "data", "write data: Digits"),
        )
        if getattr(config, section) is None
    ]
    if not faults and graph.trainable == 0:
        label = "none of the layers has weights"
        span = config.span("layers")
        faults = [Diagnostic("NB402", "there is nothing to train", span, label)]
    if faults:
        raise ConfigError(faults)
    return graph


def infer(config: Config) -> Graph:
    """Infer the network of a config, collecting faults instead of raising."""
    walk = Walk(config)
    graph = Graph(config, (), None, {}, ())
    if config.layers is not None:
        block, outputs = walk.trace()
        graph = graph._replace(rows=tuple(walk.leaves.rows), block=block, outputs=outputs)
    faults = [*config.diagnostics, *walk.faults]
    if graph.outputs:
        given = graph.outputs.values()
        faults += initialisation.faults(graph.rows, config.init)
        faults += objective.faults(config, *given)
        faults += objective.optimizer_faults(config, graph.rows, *given)
    if not faults:
        faults = lint.warnings(graph)
    return graph._replace(diagnostics=_ordered(faults))


def _ordered(faults: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Order faults as a reader meets them, without those that a repeated item reports again."""
    documents = {id(fault.span.document): number for number, fault in enumerate(faults)}
    distinct = {(fault.code, fault.span, fault.message): fault for fault in faults}.values()
    in_order = sorted(
        distinct, key=lambda fault: (documents[id(fault.span.document)], fault.span[1:])
    )
    return tuple(in_order)[:MAX_FAULTS]
