"""The section `metrics:`: the numbers that training measures in addition to the loss.

    metrics: Accuracy
    metrics: [Accuracy, {F1Score: {average: macro}, name: macro_f1}, {R2Score, inputs: spend}]

A metric compares the output that `inputs` names with the target that `target` names. It goes with
the loss that compares the same two, and without them with the first loss.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Protocol

from pydantic_core import core_schema

from netbuild.components.component import Component
from netbuild.components.fields import Wants, optional
from netbuild.components.losses import LOSSES
from netbuild.components.metrics import METRICS
from netbuild.components.metrics.metric import key_of
from netbuild.config.filling import check_modifiers, fill, fill_fields, find
from netbuild.config.losses import LossTerm
from netbuild.diagnostics.diagnostic import Diagnostic, Edit, Fix, collect
from netbuild.syntax.item import Item, read_item
from netbuild.syntax.node import List, Map, Node, Scalar
from netbuild.syntax.wires import read_wires

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.metrics.metric import Metric, Task
    from netbuild.config.sections import Sections
    from netbuild.diagnostics.diagnostic import Found
    from netbuild.syntax.wires import Wire

#: What metrics compare that need no loss to explain their output.
_OF_VALUES = ("values", "distributions", "draws")
#: The complete configs in the folder of a run. Earlier releases have written other names there.
_OF_RUNS = r"resolved(-\d+)?\.yaml"


class Naming(Component):
    """The modifiers of a metric except `inputs`."""

    target: Annotated[
        str | None,
        Wants("the name of a target", optional(core_schema.str_schema(strict=True, min_length=1))),
    ] = None
    """What the metric compares with: by default with the target of its loss."""
    name: Annotated[
        str | None,
        Wants(
            "a name of letters, digits and _",
            optional(core_schema.str_schema(strict=True, pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$")),
        ),
    ] = None
    """What the run calls the metric, after `train_` and `val_`: by default by its type."""


class MetricTerm(NamedTuple):
    """A metric, the output that its `inputs` names (none without it), its target and its names."""

    metric: Metric
    reads: tuple[Wire, ...] = ()
    target: str | None = None
    name: str | None = None
    #: None for a metric that the file does not name.
    item: Item | None = None
    #: The name in `metrics.jsonl`, after `train_` and `val_`.
    key: str = ""
    #: The name of the metric in a run of an earlier release.
    former: str = ""


def _by_default(losses: Sequence[LossTerm], targets: Sequence[str]) -> tuple[MetricTerm, ...]:
    """Return the metrics of a file without the section."""
    if not losses or not losses[0].loss.classifies:
        return ()
    from netbuild.components.metrics.accuracy import Accuracy

    term = MetricTerm(Accuracy())
    return (term._replace(key=_key(term, losses, targets)),)


def loss_of(term: MetricTerm, losses: Iterable[LossTerm]) -> LossTerm | None:
    """Return the first loss that compares the same output with the same target as a metric."""
    for loss in losses:
        reads = [wire.outside for wire in loss.reads]
        target = loss.target
        same = not term.reads or not reads or term.reads[0].outside in reads[:1]
        if same and (term.target is None or target is None or str(target) == term.target):
            return loss
    return None


def alone(term: MetricTerm) -> LossTerm | None:
    """Return a loss that compares what a metric of values compares, though no loss does.

    It stands for the metric where outputs and targets are looked up, and trains nothing. There is
    none for a metric of classes, which only a loss explains, and for one that names no output.
    """
    if not term.reads or term.item is None or term.metric.compares not in _OF_VALUES:
        return None
    return LossTerm(LOSSES["MSELoss"](), term.reads, 1.0, term.item, term.key, term.target)


def with_alone(losses: Sequence[LossTerm], metrics: Iterable[MetricTerm]) -> tuple[LossTerm, ...]:
    """Return losses, and one for each metric of values that goes with none of them."""
    more = [alone(term) for term in metrics if loss_of(term, losses) is None]
    return (*losses, *(term for term in more if term is not None))


def read_metrics(
    sections: Sections, losses: Sequence[LossTerm], targets: Sequence[str] = ()
) -> Found[tuple[MetricTerm, ...]]:
    """Read the section, without the metrics that have faults.

    `targets` are the names of the data's targets.
    """

    def reader(node: Node) -> Found[tuple[MetricTerm, ...]]:
        nodes = node.items if isinstance(node, List) else (node,)
        read, faults = collect(_metric(part, losses) for part in nodes)
        named = (
            term._replace(key=term.key or _key(term, losses, targets)) for term in read if term
        )
        return tuple(named), faults

    terms, faults = sections.read("metrics", reader, _by_default(losses, targets))
    return terms, (*faults, *_check_keys(terms, losses))


def _metric(node: Node, losses: Sequence[LossTerm]) -> Found[MetricTerm | None]:
    if isinstance(node, Scalar) and isinstance(node.value, str) and not node.value[:1].isupper():
        from netbuild.components.metrics.former import FORMER

        name = node.value
        if name in FORMER and re.fullmatch(_OF_RUNS, Path(node.span.document.name).name):
            return MetricTerm(FORMER[name].metric, key=name, former=name), ()
        if name in FORMER:
            return None, (_former(node, name, losses),)
    item = read_item(node, "metric", METRICS)
    if isinstance(item, Diagnostic):
        return None, (item,)
    kind, faults = find(item, METRICS, "metric")
    if kind is None:
        return None, faults
    decided = _check_decided(item, kind)
    if decided:
        return None, decided
    faults = check_modifiers(item, kind, "metric", allowed=["inputs", *Naming.model_fields])
    metric, wrong = fill(kind, item)
    names = {name: e for name, e in item.modifiers.items() if name in Naming.model_fields}
    naming, wrong_names = fill_fields(Naming, names, "metric", item.type.span)
    reads, wrong_inputs = _reads(item)
    faults += (*wrong, *wrong_names, *wrong_inputs)
    if metric is None or naming is None or reads is None:
        return None, faults
    return MetricTerm(metric, reads, naming.target, naming.name, item), faults


def _former(node: Scalar, name: str, losses: Sequence[LossTerm]) -> Diagnostic:
    """Return the fault of a name of an earlier release, with the item that replaces it.

    With a yes or no, the mean over both answers has become the value of the yes.
    """
    from netbuild.components.metrics.former import FORMER

    new = FORMER[name].item
    same = name not in {"macro_f1", "confusion_matrix"} or not (losses and losses[0].loss.binary)
    fix = Fix(f"replace {name} with {new}", (Edit(node.span, new),), safe=same)
    title, help_ = f"no metric is called {name}", f"write {new}"
    return Diagnostic("NB103", title, node.span, "unknown metric", help=help_, fixes=(fix,))


def _check_decided(item: Item, kind: type[Metric]) -> tuple[Diagnostic, ...]:
    """Return a fault for each argument that the loss decides."""
    inside = item.arguments.entries if isinstance(item.arguments, Map) else {}
    return tuple(
        Diagnostic(
            "NB417",
            f"{kind.__name__} takes no {name}",
            key.span,
            f"the loss and the network decide {name}",
            help=f"leave {name} out",
        )
        for name, (key, _) in inside.items()
        if name in kind.decided
    )


def _reads(item: Item) -> Found[tuple[Wire, ...] | None]:
    """Return the output that `inputs` of a metric names; empty without it, None after a fault."""
    inputs = item.modifiers.get("inputs")
    if inputs is None:
        return (), ()
    wires, faults = read_wires(inputs.value, "inputs")
    if len(wires) > 1:
        label = f"a metric compares one output, and this names {len(wires)}"
        title = "a metric of several outputs"
        faults = (*faults, Diagnostic("NB106", title, inputs.value.span, label))
        return None, faults
    return tuple(wires) or None, faults


def _key(term: MetricTerm, losses: Sequence[LossTerm], targets: Sequence[str]) -> str:
    """Return the name of a metric in the run: with several targets it begins with its target."""
    if term.name:
        return term.name
    key = key_of(type(term.metric).__name__)
    loss = loss_of(term, losses)
    target = term.target or (loss.target if loss else None)
    return f"{target}_{key}" if len(targets) > 1 and target is not None else key


def _check_keys(terms: Sequence[MetricTerm], losses: Sequence[LossTerm]) -> tuple[Diagnostic, ...]:
    """Return a fault for each metric whose name the run has already."""
    taken = {"loss": "the loss"}
    taken |= {loss.name: f"the loss {type(loss.loss).__name__}" for loss in losses if loss.named}
    faults = []
    for term in terms:
        if term.key in taken and term.item is None and not term.former:
            faults += [
                _taken(loss, term) for loss in losses if loss.named and loss.name == term.key
            ]
        elif term.key in taken and term.item is not None:
            written = term.item.modifiers.get("name")
            span = written.value.span if written else term.item.type.span
            label = f"{taken[term.key]} is called val_{term.key} already"
            help_ = "give it a name: {" + f"{term.item.type.text}: …, name: …" + "}"
            title = f"two metrics of the name {term.key}"
            faults.append(Diagnostic("NB416", title, span, label, help=help_))
        taken.setdefault(term.key, type(term.metric).__name__)
    return tuple(faults)


def _taken(loss: LossTerm, term: MetricTerm) -> Diagnostic:
    """Return the fault of a loss with the name of a metric that is measured by default."""
    kind, span = type(term.metric).__name__, loss.item.modifiers["name"].value.span
    label = f"{kind}, which is measured by default, is called val_{term.key} already"
    help_ = f"give the loss another name, or write metrics: without {kind}"
    return Diagnostic("NB416", f"a loss of the name {term.key}", span, label, help=help_)


class Measuring(Protocol):
    """What a training measures: the part of a config that says it."""

    @property
    def losses(self) -> tuple[LossTerm, ...]:
        """The losses."""

    @property
    def metrics(self) -> tuple[MetricTerm, ...]:
        """The metrics."""


def measured_keys(config: Measuring) -> dict[str, bool | None]:
    """Return the keys of `metrics.jsonl` that a training measures, in their order.

    Each comes with whether a larger value is better; None where neither is, or where the value is
    a list. A metric that keeps every prediction is measured in the validation alone.
    """
    found: dict[str, bool | None] = {"train_loss": False, "val_loss": False}
    for loss in config.losses:
        if loss.named:
            found |= {f"train_{loss.name}": False, f"val_{loss.name}": False}
    for term in config.metrics:
        parts = ("train", "val") if term.metric.adds_up else ("val",)
        found |= dict.fromkeys((f"{part}_{term.key}" for part in parts), _direction(term, config))
    return found


def _direction(term: MetricTerm, config: Measuring) -> bool | None:
    """Return whether a larger value is better; None for a list, as far as the loss tells."""
    loss = loss_of(term, config.losses)
    task: Task | None = None
    if loss is not None and (loss.loss.classifies or loss.loss.binary):
        task = "multiclass" if loss.loss.classifies else "binary"
    return term.metric.higher_is_better if term.metric.is_number(task, 1) else None
