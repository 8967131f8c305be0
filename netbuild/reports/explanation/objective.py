"""What a training minimises and measures: its losses, its metrics, and its monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.checks.objective import of_loss
from netbuild.config.metrics import alone, loss_of
from netbuild.config.monitor import rises
from netbuild.config.scaling import scales
from netbuild.diagnostics.diagnostic import errors

if TYPE_CHECKING:
    from netbuild.config.against import Against
    from netbuild.config.losses import LossTerm
    from netbuild.config.metrics import MetricTerm
    from netbuild.config.optimizer import Optimizing
    from netbuild.graph.graph import Graph


class LossExplanation(NamedTuple):
    """A loss: the outputs that it reads, what it compares them with, and who minimises it."""

    name: str
    type: str
    inputs: tuple[str, ...]
    #: None if the loss compares with nothing, or if it does not say with what.
    target: Against | None
    #: What the target holds, such as `one of 10 classes`; "" if it is unknown.
    holds: str
    weight: float
    #: The optimizers that minimise it.
    minimised_by: tuple[str, ...]
    #: The name of its value in `metrics.jsonl`; None if only the sum is measured.
    value: str | None


class MetricExplanation(NamedTuple):
    """A metric: the output and the target that it compares, and its name in `metrics.jsonl`."""

    value: str
    type: str
    inputs: tuple[str, ...]
    target: Against | None
    #: Whether it is measured for the samples that train, too.
    in_training: bool


class MonitorExplanation(NamedTuple):
    """The value that decides which epoch is best. Without one, that is the newest epoch."""

    value: str | None
    better: str


class Objective(NamedTuple):
    """What a training minimises and measures."""

    losses: tuple[LossExplanation, ...]
    metrics: tuple[MetricExplanation, ...]
    monitor: MonitorExplanation

    def as_json(self) -> dict[str, Any]:
        """Return the objective for other programs: a target is its kind, and a name or a number."""
        return {
            "losses": [one._asdict() | {"target": _target(one.target)} for one in self.losses],
            "metrics": [one._asdict() | {"target": _target(one.target)} for one in self.metrics],
            "monitor": self.monitor._asdict(),
        }


def _target(found: Against | None) -> dict[str, Any] | None:
    if found is None:
        return None
    told = {"number": found.number} if found.kind == "number" else {"name": found.name}
    return {"kind": found.kind, **told}


def objective(graph: Graph) -> Objective | None:
    """Explain the objective of a config; None without losses, or with faults."""
    config = graph.config
    if not config.losses or errors(graph.diagnostics):
        return None
    key = config.train.monitor
    better = "the largest" if rises(config) else "the smallest"
    return Objective(
        tuple(_loss(graph, term) for term in config.losses),
        tuple(_metric(graph, term) for term in config.metrics),
        MonitorExplanation(key, better if key else "the newest"),
    )


def _loss(graph: Graph, term: LossTerm) -> LossExplanation:
    config, outputs = graph.config, graph.outputs
    found = _against(graph, term)
    holds = str(of_loss(term, outputs)) if found and found.kind != "number" else ""
    if found and found.kind == "target" and found.name in scales(config, outputs).targets:
        holds += ", normalized"
    return LossExplanation(
        name=term.name,
        type=type(term.loss).__name__,
        inputs=tuple(term.compared(outputs)),
        target=found,
        holds=holds,
        weight=term.weight,
        minimised_by=tuple(
            called(one) for one in config.optimizers if not one.losses or term.name in one.losses
        ),
        value=f"val_{term.name}" if term.named else None,
    )


def _metric(graph: Graph, term: MetricTerm) -> MetricExplanation:
    loss = loss_of(term, graph.config.losses) or alone(term)
    reads = [wire.outside for wire in term.reads] or list(
        loss.compared(graph.outputs) if loss else ()
    )
    found = loss and _against(graph, loss)
    name, in_training = f"val_{term.key}", term.metric.adds_up
    return MetricExplanation(name, type(term.metric).__name__, tuple(reads), found, in_training)


def _against(graph: Graph, term: LossTerm) -> Against | None:
    """Return what a loss compares with; None if that is nothing."""
    found = graph.config.against(term, graph.outputs)
    return None if found is None or found.kind == "nothing" else found


def called(one: Optimizing) -> str:
    """Return an optimizer with what tells it from others of its type."""
    named = ", ".join((*one.types, *one.match))
    name = type(one.optimizer).__name__
    if getattr(one.optimizer, "maximize", False):
        name += " (maximize)"
    return f"{name} of {named}" if named else name


def compared(inputs: tuple[str, ...], target: Against | None) -> str:
    """Return what a loss or a metric compares, in words: `head with target churn`."""
    read = " and ".join(inputs)
    if target is None:
        return read
    if target.kind == "number":
        return f"{read} with {target.number:g}"
    # The only target, output or input is called after its kind.
    name = f"the {target.kind}" if target.name == target.kind else f"{target.kind} {target.name}"
    return f"{read} with {name}"
