"""Trace a config: infer all shapes of its network, and collect all faults in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import (
    budget,
    indices,
    init,
    leaks,
    lint,
    objective,
    pretrained,
    sparse_gradients,
    torch_release,
)
from netbuild.checks.lint import spatial_axes
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
        ConfigError: the config has faults. `.diagnostics` holds all of them.
    """
    graph = infer(config)
    faults = errors(graph.diagnostics)
    if faults:
        raise ConfigError(faults)
    return graph


def trainable(config: Config) -> Graph:
    """Infer the network of a config, and require all sections that training needs.

    Raises:
        ConfigError: the config has faults, lacks a section, or has no weights.
    """
    graph = trace(config)
    faults = [
        Diagnostic("NB102", title, config.start, f"{section} is missing", help=help_)
        for section, title, help_ in (
            ("loss", "training needs a loss", "write loss: CrossEntropyLoss"),
            ("optimizer", "training needs an optimizer", "write optimizer: Adam"),
            ("data", "training needs data", "write data: Digits"),
        )
        if getattr(config, section) is None
    ]
    if not faults and graph.trainable == 0:
        label = "all weights are frozen" if graph.params else "no layer has weights"
        span = config.span("layers")
        faults = [Diagnostic("NB402", "a network without weights to train", span, label)]
    if faults:
        raise ConfigError(faults)
    return graph


def infer(config: Config) -> Graph:
    """Infer the network of a config. Faults are collected in the graph, not raised."""
    network, network_faults = trace_network(config)
    faults = [*config.diagnostics, *find_fixes(network_faults, network.rows, config)]
    graph = Graph(config, network.rows, network.block, network.outputs, (), network.calls)
    assert graph.block is not None or errors(faults), "a layer is missing without a fault"
    if graph.block is not None:
        faults += budget.check(graph)
        faults += init.check(graph.rows, config.init)
        faults += pretrained.check(graph)
    faults += torch_release.check(config, graph.rows)
    if graph.outputs:
        faults += objective.check_names(config, graph.outputs)
        if objective.reads_what_is_there(config, graph.outputs):
            faults += objective.check(config, graph.outputs)
            if graph.block is not None:
                faults += objective.check_optimizer(config, graph.rows, graph.outputs)
        faults += sparse_gradients.check(config, graph.rows)
        faults += indices.check(graph)
    if graph.block is not None and not network_faults:  # lints need a network without faults
        faults = [*spatial_axes.explained(graph, faults), *leaks.check(graph)]
        faults += lint.warnings(graph)
    faults = suppression.silence(faults, config.document)
    return graph._replace(diagnostics=_ordered(faults))


def _ordered(faults: list[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sort faults by their places in the files, and merge equal faults of one place."""
    documents = {id(fault.span.document): number for number, fault in enumerate(faults)}
    same_place: dict[tuple[str, Span, str], list[Diagnostic]] = {}
    for fault in faults:
        same_place.setdefault((fault.code, fault.span, fault.title), []).append(fault)
    in_order = sorted(
        (fault for group in same_place.values() for fault in _merged(group)),
        key=lambda fault: (documents[id(fault.span.document)], fault.span[1:]),
    )
    return tuple(in_order)[:MAX_FAULTS]


def _merged(same_place: list[Diagnostic]) -> list[Diagnostic]:
    """Return the different faults of one place, and only the first of several layers.

    The place of a repeated item or of a block belongs to several layers. A note names the other
    layers that have a fault with another message at this place.
    """
    first, *others = {fault.message: fault for fault in same_place}.values()
    also = list(dict.fromkeys(f.layer for f in others if f.layer not in {None, first.layer}))
    if also:
        text = ", ".join(map(str, also[:3])) + (f" and {len(also) - 3} more" if also[3:] else "")
        first = first._replace(notes=(*first.notes, Note("also", f"a fault in {text}")))
    return [first, *(fault for fault in others if fault.layer in {None, first.layer})]
