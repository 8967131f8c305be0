"""Trace a config: infer all shapes of its network, and collect all faults in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import (
    budget,
    indices,
    init,
    leaks,
    lint,
    monitor,
    objective,
    optimizers,
    over_batch,
    parametrized,
    pretrained,
    recomputing,
    sparse_gradients,
    targets,
    torch_release,
)
from netbuild.checks.lint import spatial_axes
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.config.optimizer import has_players
from netbuild.diagnostics import suppression
from netbuild.diagnostics.diagnostic import MAX_FAULTS, Diagnostic, Note, errors, with_fixes
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.graph import memory
from netbuild.graph.fixes import find_fixes
from netbuild.graph.graph import Graph, results
from netbuild.graph.tracing.network import trace_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.row import Row


def trace(config: Config | str | Path) -> Graph:
    """Infer the network of a config, or of a file.

    Raises:
        ConfigError: the config has faults. `.diagnostics` holds all of them.
        OSError: the file cannot be read.
    """
    graph = infer(config if isinstance(config, Config) else load(config))
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
    if not faults and (label := _untrained(graph)):
        span = config.span("layers")
        faults = [Diagnostic("NB402", "a network without weights to train", span, label)]
    if faults:
        raise ConfigError(faults)
    return graph


def _untrained(graph: Graph) -> str:
    """Return why a training would change no weight; "" if it changes one."""
    if graph.trainable == 0:
        return "all weights are frozen" if graph.params else "no layer has weights"
    values, losses = results(graph), graph.config.losses
    read = [values[name] for term in losses for name in term.compared(graph.outputs)]
    against = map(graph.against, losses)
    read += [values[found.name] for found in against if found.kind == "output"]
    reached = memory.reaching(graph.rows, read)
    learning = [row for row in graph.rows if row.learns and row.path in reached]
    if learning and all(row.unfreezes for row in learning):
        return f"no gradient comes from the loss to a weight before epoch {_first(learning)}"
    if learning or any(optimizers.weights(graph.config, (), graph.outputs)):
        return ""
    return "no gradient comes from the loss to a weight"


def _first(rows: Iterable[Row]) -> int:
    """Return the first epoch in which one of some layers learns."""
    return min(row.unfreezes or 1 for row in rows)


def infer(config: Config) -> Graph:
    """Infer the network of a config. Faults are collected in the graph, not raised.

    Each fix of a fault has proven true in a trial.
    """
    graph = _checked(config)
    if not graph.diagnostics:
        return graph
    from netbuild.checks import repairs, trials  # a file without faults does not need them
    from netbuild.graph.fixes.literals import Literals

    if 2 * trials.cost(graph) > trials.MOST_COST:  # no fix can be tried, so none is offered
        without = tuple([with_fixes(fault, ()) for fault in graph.diagnostics])
        return graph._replace(diagnostics=without)
    literals = Literals(config, graph.calls)
    faults = find_fixes(graph.diagnostics, graph.rows, config, literals)
    faults = repairs.with_repairs(graph._replace(diagnostics=faults))
    faults = tuple([literals.named(literals.rounded(literals.moved(fault))) for fault in faults])
    graph = graph._replace(diagnostics=faults)
    faults = repairs.with_rules(graph, trials.proven(graph, _checked))
    return graph._replace(diagnostics=faults)


def _checked(config: Config) -> Graph:
    """Infer the network of a config, and collect its faults without a search for fixes."""
    network, network_faults = trace_network(config)
    faults = [*config.diagnostics, *network_faults]
    graph = Graph(config, network.rows, network.block, network.outputs, (), *network[3:])
    assert graph.block is not None or errors(faults), "a layer is missing without a fault"
    if graph.block is not None:
        faults += budget.check(graph)
        faults += init.check(graph.rows, init.rules_of(graph))
        faults += parametrized.check(graph)
        faults += _check_unfreezing(graph)
        faults += monitor.check(config)
        faults += recomputing.check(graph)
        faults += pretrained.check(graph)
    faults += torch_release.check(config, graph.rows)
    if graph.outputs:
        faults += objective.check_names(config, graph.outputs)
        if objective.reads_what_is_there(config, graph.outputs):
            unfit = list(targets.check(config, graph.outputs))
            faults += unfit or objective.check(config, graph.outputs)
            if graph.block is not None:
                faults += optimizers.check(config, graph.rows, graph.outputs)
                faults += _check_players(graph)
        faults += over_batch.check(config)
        faults += sparse_gradients.check(config, graph.rows)
        faults += indices.check(graph)
    if graph.block is not None and not network_faults:  # lints need a network without faults
        faults = [*spatial_axes.explained(graph, faults), *leaks.check(graph)]
        faults += lint.warnings(graph)
    faults = suppression.silence(faults, config.document)
    ordered = _ordered(faults)
    if config.replaced:
        ordered = tuple(_with_settings(fault, config.replaced) for fault in ordered)
    return graph._replace(diagnostics=ordered)


def _check_unfreezing(graph: Graph) -> Iterator[Diagnostic]:
    """Yield the faults of `train.unfreeze`, which few files have: its check is loaded for them."""
    if graph.config.train.unfreeze:
        from netbuild.checks import unfreezing

        yield from unfreezing.check(graph.config, graph.rows)


def _check_players(graph: Graph) -> Iterator[Diagnostic]:
    """Yield the faults of optimizers with losses of their own, which few files have."""
    if has_players(graph.config.optimizers):
        from netbuild.checks import players

        yield from players.check(graph)


def _with_settings(fault: Diagnostic, replaced: Iterable[tuple[Span, str]]) -> Diagnostic:
    """Return a fault with a note for each setting that replaces a value on its line."""
    span = fault.span
    notes = tuple(
        Note("set", f"--set {setting} replaces a value on this line")
        for old, setting in replaced
        if old.document is span.document and old.line <= span.line <= old.end_line
    )
    return fault._replace(notes=(*fault.notes, *notes)) if notes else fault


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
    same = dict.fromkeys(f.layer for f in same_place if f.layer not in {None, first.layer})
    first = first._replace(also=tuple(filter(None, same)))
    return [first, *(fault for fault in others if fault.layer in {None, first.layer})]
