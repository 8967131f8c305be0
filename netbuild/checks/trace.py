"""Trace a config: infer every shape of its network, and collect all faults in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import budget, init, lint, objective, pretrained
from netbuild.diagnostics import suppression
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Note, errors
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.graph.fixes import find_fixes
from netbuild.graph.graph import Graph
from netbuild.graph.tracing.network import trace_network

if TYPE_CHECKING:
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Span


def trace(config: Config) -> Graph:
    """Infer the network of a config.

    Raises:
        ConfigError: the config has faults; `.diagnostics` holds all of them.
    """
    graph = infer(config)
    found = errors(graph.diagnostics)
    if found:
        raise ConfigError(found)
    return graph


def trainable(config: Config) -> Graph:
    """Infer the network of a config, and require all sections that training needs.

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
        label = "all its weights are frozen" if graph.params else "no layer has weights"
        span = config.span("layers")
        faults = [Diagnostic("NB402", "there is nothing to train", span, label)]
    if faults:
        raise ConfigError(faults)
    return graph


def infer(config: Config) -> Graph:
    """Infer the network of a config. Faults are collected in the graph, not raised."""
    network, found = trace_network(config)
    faults = [*config.diagnostics, *find_fixes(found, network.rows, config)]
    graph = Graph(config, network.rows, network.block, network.outputs, (), network.calls)
    if graph.outputs:
        faults += budget.check(graph)
        faults += init.check(graph.rows, config.init)
        faults += pretrained.check(graph)
        faults += objective.check_names(config, graph.outputs)
        if objective.reads_what_is_there(config, graph.outputs):
            faults += objective.check(config, graph.outputs)
            faults += objective.check_optimizer(config, graph.rows, graph.outputs)
    if graph.outputs and not found:  # lints need a network without faults
        faults += lint.warnings(graph)
    faults = suppression.silence(faults, config.document)
    return graph._replace(diagnostics=_ordered(faults))


def _ordered(faults: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort faults by their places in the files. Faults of one place become one."""
    documents = {id(fault.span.document): number for number, fault in enumerate(faults)}
    alike: dict[tuple[str, Span, str], list[Diagnostic]] = {}
    for fault in faults:
        alike.setdefault((fault.code, fault.span, fault.title), []).append(fault)
    in_order = sorted(
        (fault for together in alike.values() for fault in _together(together)),
        key=lambda fault: (documents[id(fault.span.document)], fault.span[1:]),
    )
    return tuple(in_order)[:MAX_FAULTS]


def _together(alike: list[Diagnostic]) -> list[Diagnostic]:
    """Return the distinct faults of one place. A repeated item or a block keeps only the first.

    A note names the other layers in which the place has a fault with another message.
    """
    first, *others = {fault.message: fault for fault in alike}.values()
    also = list(dict.fromkeys(f.layer for f in others if f.layer not in {None, first.layer}))
    if also:
        text = ", ".join(map(str, also[:3])) + (f" and {len(also) - 3} more" if also[3:] else "")
        first = first._replace(notes=(*first.notes, Note("also", f"at fault in {text}")))
    return [first, *(fault for fault in others if fault.layer in {None, first.layer})]
