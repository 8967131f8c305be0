"""Check that the optimizers can update the weights of a network and of its losses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import parameter_groups as groups
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.optimizers.optimizer import Weight
from netbuild.components.tensor import ShapeError
from netbuild.config.optimizer import divided
from netbuild.config.parameter_groups import assigned
from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, with_fixes
from netbuild.graph.value import state_key
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.components.tensor import Tensor
    from netbuild.config.config import Config
    from netbuild.config.optimizer import Optimizing
    from netbuild.graph.row import Row


def weights(config: Config, rows: Iterable[Row], outputs: Mapping[str, Tensor]) -> Iterator[Weight]:
    """Yield the weights that learn: those of the network, and then those of the losses."""
    for row in rows:
        if not row.weights or row.frozen:
            continue
        for name, shape in row.parameters.items():
            yield Weight(state_key(row.path, name), shape, is_sparse(row), row.type)
    for term in config.losses:
        loss, own = term.loss, tuple(term.compared(outputs).values())
        if len(own) == len(loss.inputs) and own[0].shape:
            for name, shape in loss.weights(*(output.shape for output in own)).items():
                yield Weight(f"{term.name}.{name}", shape)


def is_sparse(row: Row) -> bool:
    """Whether training gives the weights of a layer sparse gradients."""
    return bool(row.weights) and not row.frozen and bool(getattr(row.layer, "sparse", False))


def check(config: Config, rows: Iterable[Row], outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return the faults that keep the optimizers from updating the weights."""
    for one in config.optimizers:
        if refused := _against_lbfgs(config, one) or _against_parts(config, one):
            title, label = refused
            return [Diagnostic("NB406", title, config.span("train"), label)]
    learning = list(weights(config, rows, outputs))
    parts, rest = divided(learning, config.optimizers)
    found = [*_alone(config)]
    frozen = [state_key(row.path, name) for row in rows if row.frozen for name in row.parameters]
    for one, own in zip(config.optimizers, parts, strict=True):
        if one.listed and not own:
            found.append(_without_weights(one, learning))
        else:
            found += _misfits(one, own, frozen)
    if rest and config.optimizers:
        found.append(_untaken(config, rest))
    return [_with_second(config, fault, learning) for fault in found]


def _misfits(one: Optimizing, own: Sequence[Weight], frozen: Sequence[str]) -> list[Diagnostic]:
    """Return the faults of an optimizer with its weights, and those of its groups."""
    by_name = {weight.name: weight for weight in own}
    found = groups.check([*by_name], one.groups, frozen)
    for number, names in enumerate(assigned(by_name, one.groups)):
        group = one.groups[number] if number < len(one.groups) else None
        options = group.options if group else {}
        try:
            optimizer = one.optimizer.model_copy(update=options) if options else one.optimizer
            optimizer.check([by_name[name] for name in names])
        except ShapeError as error:
            span = place(one.item, error.at)
            span = group.span if group and error.at in options else span
            title = f"{one.item.type.text} does not fit the network"
            return [*found, Diagnostic(error.code, title, span, str(error), help=error.help)]
    return found


def _alone(config: Config) -> Iterator[Diagnostic]:
    """Yield the fault of LBFGS beside other optimizers. It steps with the loss of all weights."""
    for one in config.optimizers:
        if type(one.optimizer).__name__ == "LBFGS" and len(config.optimizers) > 1:
            label = "LBFGS computes the loss several times in a step, and changes all weights"
            title = "LBFGS beside another optimizer"
            yield Diagnostic("NB406", title, one.item.type.span, label)


def _without_weights(one: Optimizing, learning: Sequence[Weight]) -> Diagnostic:
    """Return the fault of an optimizer in a list that gets no weights."""
    kind = one.item.type.text
    named = [weight for weight in learning if one.names(weight)]
    label = "no weight that learns has such a name or such a type of layer"
    if named:
        label = "the optimizers above have all the weights that it names"
        if not any(map(one.optimizer.suits, named)):
            label = f"{kind} is not made for the weights that it names, such as {named[0].name}"
    help_ = f"names look like {learning[0].name}" if learning and not named else None
    title = "an optimizer without weights"
    return Diagnostic("NB408", title, one.item.type.span, label, help=help_)


def _untaken(config: Config, rest: Sequence[Weight]) -> Diagnostic:
    """Return the fault of weights that no optimizer of a list takes."""
    first, others = rest[0], len(rest) - 1
    label = first.name + (f" and {others} more" if others else "")
    label += f" belong{'' if others else 's'} to no optimizer"
    help_ = "end the list with an optimizer for all other weights, such as AdamW"
    span = config.optimizers[-1].item.type.span
    return Diagnostic("NB406", "weights that no optimizer takes", span, label, help=help_)


def _with_second(config: Config, fault: Diagnostic, learning: Sequence[Weight]) -> Diagnostic:
    """Add the fix that gives weights which a single optimizer does not suit to a second one."""
    one, node = config.optimizers[0], config.root.get("optimizer")
    second = OPTIMIZERS["AdamW"]()
    unfit = [weight for weight in learning if not one.optimizer.suits(weight)]
    helps = fault.code == "NB406" and unfit and all(map(second.suits, unfit))
    if one.listed or not helps or node is None or node.span.line != node.span.end_line:
        return fault
    span = node.span
    text = span.document.lines[span.line - 1][span.column - 1 : span.end_column - 1]
    if "$" in text or span.document.name == "--set":
        return fault
    edit = Edit(span, f"[{text}, AdamW]")
    return with_fixes(fault, (Fix("a second optimizer, AdamW, for the other weights", (edit,)),))


def _against_lbfgs(config: Config, one: Optimizing) -> tuple[str, str] | None:
    """Return the title and the label of a fault: an option that torch's LBFGS does not support."""
    train = config.train
    if type(one.optimizer).__name__ != "LBFGS":
        return None
    if train.precision == "fp16":
        label = "LBFGS compares losses within a step, and fp16 scales them: use bf16 or fp32"
        return "LBFGS does not work with fp16", label
    if train.channels_last:
        label = "LBFGS flattens gradients with view(-1), which channels_last does not allow"
        return "LBFGS does not work with channels_last", label
    return None


def _against_parts(config: Config, one: Optimizing) -> tuple[str, str] | None:
    """Return the title and the label of a fault: fsdp divides what the optimizer needs whole."""
    if config.train.strategy != "fsdp" or one.optimizer.takes_parts:
        return None
    name = type(one.optimizer).__name__
    label = f"{name} needs whole weights, but each process holds only a part of them"
    return f"{name} does not work with fsdp", label
