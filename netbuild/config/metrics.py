"""The section `metrics:`: what is measured beside the loss."""

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
    """Read the section; what has a fault is left out."""
    nodes = node.items if isinstance(node, List) else (node,)
    found: dict[str, None] = {}
    faults = []
    for part in nodes:
        name = part.value if isinstance(part, Scalar) else None
        if not isinstance(name, str):
            label = f"metrics wants names, not {kind(part)}"
            help_ = "write metrics: [accuracy]"
            faults.append(Diagnostic("NB106", "a metric is a name", part.span, label, help=help_))
        elif name not in METRICS:
            meant, fixes = did_you_mean(name, METRICS, part.span)
            help_ = meant or f"there are {', '.join(METRICS)}"
            title = f"no metric is called {name}"
            faults.append(Diagnostic("NB103", title, part.span, "unknown", help=help_, fixes=fixes))
        elif loss is not None and name not in _of(loss):
            of = "classes" if name in OF_CLASSES else "values"
            label = f"it is of {of}, and {type(loss).__name__} does not compare those"
            if loss.binary and name in OF_CLASSES:
                label = f"it is of many classes, and {type(loss).__name__} tells two"
            title = "a metric that does not fit the loss"
            help_ = f"with it go {', '.join(_of(loss))}"
            faults.append(Diagnostic("NB409", title, part.span, label, help=help_))
        else:
            found[name] = None
    return tuple(found), tuple(faults)


def _of(loss: Loss) -> list[str]:
    """Return the metrics that go with a loss."""
    if loss.binary:
        known = OF_CLASSES if loss.signed else METRICS
        return [name for name in known if name != "top_5_accuracy"]
    return list(OF_CLASSES if loss.classifies else OF_VALUES)


def measured(loss: Loss | None) -> tuple[str, ...]:
    """Return what is measured where a file does not say it."""
    return ("accuracy",) if loss is not None and loss.classifies else ()
