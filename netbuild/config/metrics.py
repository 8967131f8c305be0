"""The section `metrics:`: the numbers that training measures in addition to the loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.metrics import METRICS, OF_CLASSES, OF_VALUES
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import did_you_mean
from netbuild.syntax.item import kind
from netbuild.syntax.node import List, Node, Scalar

if TYPE_CHECKING:
    from netbuild.components.losses.loss import Loss
    from netbuild.diagnostics.diagnostic import Found


def read_metrics(node: Node, loss: Loss | None) -> Found[tuple[str, ...]]:
    """Read the section, without the metrics that have faults."""
    nodes = node.items if isinstance(node, List) else (node,)
    metrics: dict[str, None] = {}
    faults = []
    for part in nodes:
        name = part.value if isinstance(part, Scalar) else None
        if not isinstance(name, str):
            label = f"metrics wants names, not {kind(part)}"
            help_ = "write metrics: [accuracy]"
            title = "a metric that is not a name"
            faults.append(Diagnostic("NB106", title, part.span, label, help=help_))
        elif name not in METRICS:
            from netbuild.syntax.other_names import VALUES

            similar, fixes = did_you_mean(name, METRICS, part.span, VALUES.get(name.lower()))
            help_ = similar or f"the metrics are {', '.join(METRICS)}"
            title, label = f"no metric is called {name}", "unknown metric"
            faults.append(Diagnostic("NB103", title, part.span, label, help=help_, fixes=fixes))
        elif loss is not None and name not in _of(loss):
            called = type(loss).__name__
            noun = "classes" if name in OF_CLASSES else "values"
            label = f"{name} measures {noun}, and {called} does not compare {noun}"
            if loss.binary and name in OF_CLASSES:
                label = f"{name} needs many classes, and {called} distinguishes two"
            title = "a metric that does not fit the loss"
            help_ = f"the metrics for {called} are {', '.join(_of(loss))}"
            faults.append(Diagnostic("NB409", title, part.span, label, help=help_))
        else:
            metrics[name] = None
    return tuple(metrics), tuple(faults)


def _of(loss: Loss) -> list[str]:
    """Return the metrics that fit a loss."""
    if loss.binary:
        names = OF_CLASSES if loss.signed else METRICS
        return [name for name in names if name != "top_5_accuracy"]
    return list(OF_CLASSES if loss.classifies else OF_VALUES)


def measured(loss: Loss | None) -> tuple[str, ...]:
    """Return the metrics of a file without the section."""
    return ("accuracy",) if loss is not None and loss.classifies else ()
