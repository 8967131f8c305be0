"""Check that optimizers with losses of their own minimise every loss, and can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.optimizers import weights
from netbuild.config.optimizer import divided, has_players
from netbuild.config.schedules import training_of
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.graph import memory
from netbuild.graph.graph import results
from netbuild.graph.value import state_key
from netbuild.syntax.node import List, Scalar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.config.config import Config
    from netbuild.config.optimizer import Optimizing
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.graph import Graph


def check(graph: Graph) -> Iterator[Diagnostic]:
    """Yield the faults of optimizers that take steps of their own."""
    config = graph.config
    if not has_players(config.optimizers) or not config.losses:
        return
    unknown = [fault for one in config.optimizers for fault in _check_names(config, one)]
    yield from unknown
    yield from _check_training(config)
    yield from _check_steps(config)
    if unknown:
        return
    read = {name for one in config.optimizers for name in one.losses}
    if all(one.losses for one in config.optimizers):
        for term in config.losses:
            if term.name not in read:
                label = f"no optimizer minimises {term.name}"
                help_ = "write its name in losses of an optimizer, or remove the loss"
                title = "a loss that nobody minimises"
                yield Diagnostic("NB419", title, term.item.type.span, label, help=help_)
    if graph.block is not None:
        yield from _check_reach(graph)


def _check_names(config: Config, one: Optimizing) -> Iterator[Diagnostic]:
    """Yield a fault for each loss that an optimizer names and the file does not have."""
    known = [term.name for term in config.losses]
    for number, name in enumerate(one.losses):
        span = _place(one, number)
        if name not in known:
            help_, fixes = did_you_mean(name, known, span)
            help_ = help_ or f"the losses are {', '.join(dict.fromkeys(known))}"
            title = f"no loss is called {brief(name)}"
            yield Diagnostic("NB419", title, span, "unknown loss", help=help_, fixes=fixes)
        elif name in one.losses[:number]:
            yield Diagnostic("NB419", "a loss named twice", span, "already named")


def _place(one: Optimizing, number: int) -> Span:
    """Return the place of a name in the modifier `losses`."""
    node = one.item.modifiers["losses"].value
    if isinstance(node, List) and number < len(node.items):
        return node.items[number].span
    assert isinstance(node, (List, Scalar))
    return node.span


def _check_training(config: Config) -> Iterator[Diagnostic]:
    """Yield the faults of what does not go with partial steps."""
    for one in config.optimizers:
        name = "losses" if one.losses else "every"
        if name not in one.item.modifiers:
            continue
        span = one.item.modifiers[name].key.span
        title = f"{type(one.optimizer).__name__} has no {name} here"
        if type(one.optimizer).__name__ == "LBFGS":
            label = "LBFGS computes all losses several times in a step"
            yield Diagnostic("NB406", title, span, label)
        elif config.train.strategy == "fsdp":
            label = "fsdp shares out whole networks, and this optimizer computes a part of one"
            yield Diagnostic("NB406", title, span, label, help="write train: {strategy: ddp}")


def _check_steps(config: Config) -> Iterator[Diagnostic]:
    """Yield a fault for each optimizer that takes its first step behind the end of the training."""
    for one in config.optimizers:
        training = training_of(one, config.data, config.preparation, config.train)
        if one.every == 1 or training.steps != 0:
            continue
        steps = training._replace(every=1).steps
        assert steps is not None
        label = f"it takes every {one.every:,}th step, and the training has {steps:,}"
        title = "an optimizer that never takes a step"
        help_ = "its weights would stay as they are: write a smaller every"
        span = one.item.modifiers["every"].value.span
        yield Diagnostic("NB419", title, span, label, help=help_)


def _check_reach(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a fault for each optimizer whose losses depend on none of its weights."""
    config, values = graph.config, results(graph)
    paths = {state_key(row.path, name): row.path for row in graph.rows for name in row.parameters}
    parts, _ = divided(weights(config, graph.rows, graph.outputs), config.optimizers)
    for one, own in zip(config.optimizers, parts, strict=True):
        terms = [term for term in config.losses if term.name in one.losses]
        if not terms or not own:
            continue
        names = {name for term in terms for name in term.compared(graph.outputs)}
        against = (config.against(term, graph.outputs) for term in terms)
        names |= {found.name for found in against if found and found.kind == "output"}
        reached = memory.reaching(graph.rows, [values[name] for name in names])
        held = {paths.get(weight.name, "") for weight in own}
        of_losses = any(weight.name not in paths for weight in own)
        shared = {row.reuses for row in graph.rows if row.path in reached}
        if not of_losses and not held & {*reached, *shared}:
            verb = "depends" if len(one.losses) == 1 else "depend"
            label = f"{' and '.join(one.losses)} {verb} on none of its weights"
            title = "an optimizer whose losses do not reach its weights"
            span = one.item.modifiers["losses"].value.span
            yield Diagnostic("NB419", title, span, label)
