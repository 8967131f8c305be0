"""Check that each metric fits the output and the target that it compares."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.metrics.compared import Compared, compared, has_probabilities
from netbuild.components.target import Values
from netbuild.components.tensor import ShapeError, times
from netbuild.config.metrics import alone, loss_of
from netbuild.diagnostics.diagnostic import Diagnostic
from netbuild.diagnostics.wording import brief, did_you_mean
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from netbuild.components.losses.loss import Loss
    from netbuild.components.metrics.metric import Metric
    from netbuild.components.target import Target
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.config.metrics import MetricTerm

_TASKS = {
    "binary": "one yes or no",
    "multiclass": "one of several classes",
    "multilabel": "several yes or no",
}


#: The metrics that take all columns together if their `num_outputs` is 1.
_ALL_TOGETHER = dict.fromkeys(
    ("MeanAbsoluteError", "MeanSquaredError", "NormalizedRootMeanSquaredError", "LogCoshError"),
    (1,),
)


def check(
    config: Config, outputs: Mapping[str, Tensor], target_of: Callable[[LossTerm], Target | None]
) -> list[Diagnostic]:
    """Return a fault for each metric that cannot be right.

    `target_of` returns what a loss compares with; None if it is unknown.
    """
    return [fault for term in config.metrics for fault in _check(config, term, outputs, target_of)]


def _check(
    config: Config,
    term: MetricTerm,
    outputs: Mapping[str, Tensor],
    target_of: Callable[[LossTerm], Target | None],
) -> Iterator[Diagnostic]:
    wire = next(iter(term.reads), None)
    if wire is not None and wire.outside not in outputs:
        help_, fixes = did_you_mean(wire.outside, outputs, wire.span)
        title = f"the network has no output {brief(wire.outside)}"
        help_ = help_ or f"it gives {', '.join(outputs)}"
        yield Diagnostic("NB213", title, wire.span, "unknown", help=help_, fixes=fixes)
        return
    loss = loss_of(term, config.losses) or alone(term)
    if loss is None or (wire and next(iter(loss.compared(outputs)), wire.outside) != wire.outside):
        if config.losses:
            yield _no_loss(config, term)
        return
    own = tuple(loss.compared(outputs).values())
    if config.against(loss, outputs) is None and loss not in config.losses:
        yield _no_target(config, term, outputs)
        return
    if len(own) != len(loss.loss.inputs) or config.against(loss, outputs) is None:
        return  # the loss has a fault
    known = target_of(loss)
    if known is None and term.metric.compares == "draws":
        return
    target = known or loss.loss.target(own)
    label, field = misfit(term.metric, loss.loss, tuple(y.shape for y in own), target)
    if loss in config.losses and _misfits(loss, own, target):
        return  # the loss has a fault
    if label and loss not in config.losses and not isinstance(target, Values):
        label = f"it needs values, and target {term.target} has {target}"
        yield _fault(config, term, label, None, "name a target of values")
    elif label:
        help_ = f"leave {field} out" if field else _fitting(loss, own, target)
        yield _fault(config, term, label, field, help_)


def _misfits(loss: LossTerm, own: tuple[Tensor, ...], target: Target) -> bool:
    """Whether a loss does not go with its outputs and its target."""
    try:
        loss.loss.check(own, target)
    except ShapeError:
        return True
    return False


def _no_target(config: Config, term: MetricTerm, outputs: Mapping[str, Tensor]) -> Diagnostic:
    """Return the fault of a metric that goes with no loss and does not say its target."""
    assert term.item is not None
    names = tuple(dict.fromkeys((*config.targets, *outputs, *config.inputs)))
    if term.target is None:
        label = f"it goes with no loss, and the data has several targets: {', '.join(names)}"
        return _fault(config, term, label, None, "name its target")
    span = term.item.modifiers["target"].value.span
    help_, fixes = did_you_mean(term.target, names, span)
    title = f"there is no target {brief(term.target)}"
    help_ = help_ or f"there are {', '.join(names)}"
    return Diagnostic("NB213", title, span, "unknown", help=help_, fixes=fixes)


def _no_loss(config: Config, term: MetricTerm) -> Diagnostic:
    """Return the fault of a metric of classes whose output and target no loss compares."""
    pair = [*(wire.outside for wire in term.reads), *([term.target] if term.target else [])]
    label = f"no loss compares {' with '.join(pair)}, so nothing says what it holds"
    known = (
        " with ".join(filter(None, (*(w.outside for w in loss.reads[:1]), _target(loss))))
        for loss in config.losses
    )
    names = ", ".join(filter(None, known))
    return _fault(config, term, label, None, f"the losses compare {names}" if names else None)


def _target(loss: LossTerm) -> str | None:
    return None if loss.target is None else str(loss.target)


def misfit(
    metric: Metric, loss: Loss, y: tuple[Shape, ...], target: Target
) -> tuple[str, str | None]:
    """Return why a metric cannot measure what a loss compares, and the field to blame."""
    called, against = type(metric).__name__, type(loss).__name__
    if metric.compares in {"values", "distributions", "draws"}:
        return _misfit_of_values(metric, loss, y[0], target)
    if not (loss.classifies or loss.binary):
        return f"{called} measures classes, and {against} does not compare classes", None
    what = compared(loss, *y)
    assert what.task is not None
    if what.task not in metric.tasks:
        told = " or ".join(_TASKS[task] for task in metric.tasks)
        return f"{called} measures {told}, and {against} compares {_TASKS[what.task]}", None
    if metric.compares == "probabilities" and not has_probabilities(loss):
        return f"{called} needs probabilities, and {against} knows scores only", None
    return _misfit_of_places(metric, what) or _misfit_of_fields(metric, what)


def _misfit_of_places(metric: Metric, what: Compared) -> tuple[str, str | None] | None:
    """Return why a metric does not measure these places; None if it does."""
    called = type(metric).__name__
    places = times(what.places) if what.places else "one place"
    if called == "ExactMatch" and what.task == "multiclass" and not what.places:
        return "a sample has one class, so this is the Accuracy", None
    if called == "HausdorffDistance" and len(what.places) != 2:
        return f"it measures regions of images, and a sample has {places}", None
    if metric.compares == "regions" and not what.places:
        return "it measures regions, and a sample has one place", None
    if metric.compares == "items" and what.places:
        return f"it orders the items of a sample, and they have {places} places", None
    return None


def _misfit_of_fields(metric: Metric, what: Compared) -> tuple[str, str | None]:
    """Return why a field of a metric has no meaning for a task."""
    top_k, written = getattr(metric, "top_k", None), metric.model_fields_set
    if "top_k" in written and what.task == "multiclass" and top_k and what.size <= top_k:
        count = f"{what.size} class{'es' * (what.size != 1)}"
        return f"with {count}, every class is among the first {top_k}", "top_k"
    if metric.compares == "classes" and top_k not in {None, 1} and what.task != "multiclass":
        return (
            f"top_k is for one of several classes, and this is {_TASKS[what.task or 'binary']}",
            "top_k",
        )
    if (
        metric.compares == "probabilities"
        and getattr(metric, "max_fpr", None)
        and what.task != "binary"
    ):
        return "max_fpr is for one yes or no", "max_fpr"
    spacing = getattr(metric, "spacing", None)
    if spacing is not None and len(spacing) != len(what.places):
        return f"spacing has {len(spacing)} numbers for {len(what.places)} axes", "spacing"
    return "", None


def _misfit_of_values(
    metric: Metric, loss: Loss, y: Shape, target: Target
) -> tuple[str, str | None]:
    """Return why a metric of values cannot compare an output with a target."""
    called, against = type(metric).__name__, type(loss).__name__
    if not isinstance(target, Values) or (loss.signed and loss.binary):
        if loss.classifies or loss.binary:
            return f"{called} measures values, and {against} does not compare values", None
        return f"it needs values, but {against} compares with {target}", None
    if metric.compares == "draws":
        if len(y) != len(target.shape) + 1:
            return f"it needs one more axis, of draws, than the target, which has {target}", None
        return "", None
    if loss.takes == "features" or (loss.classifies and metric.compares == "values"):
        return f"{called} measures values, and {against} does not compare values", None
    return _misfit_of_columns(metric, y, target)


def _misfit_of_columns(metric: Metric, y: Shape, target: Values) -> tuple[str, str | None]:
    """Return why a metric of values cannot compare these shapes."""
    if target.shape != y:
        return f"it compares with {Values(y)}, and the target has {target}", None
    if metric.compares == "distributions" and len(y) != 1:
        shown = times(y) or "one value"
        return f"it compares one vector for each sample, and the network gives {shown}", None
    columns = y[0] if y else 1
    outputs = getattr(metric, "num_outputs", None)
    if outputs not in {None, columns, *_ALL_TOGETHER.get(type(metric).__name__, ())}:
        return f"num_outputs is {outputs}, and the network gives {columns}", "num_outputs"
    return "", None


def _fitting(loss: LossTerm, own: tuple[Tensor, ...], target: Target) -> str:
    """Return the help that names common metrics which fit a loss."""
    from netbuild.components.metrics import METRICS

    shapes = tuple(y.shape for y in own)
    common = ("Accuracy", "F1Score", "ConfusionMatrix", "AUROC", "JaccardIndex")
    values = ("MeanAbsoluteError", "MeanSquaredError", "R2Score")
    names = [
        name
        for name in (*common, *values)
        if not misfit(METRICS[name](), loss.loss, shapes, target)[0]
    ]
    called = type(loss.loss).__name__
    if not names:
        return f"no metric fits {called}: leave it out"
    return f"metrics for {called} are {', '.join(names)} and others: netbuild metrics"


def _fault(
    config: Config, term: MetricTerm, label: str, field: str | None, help_: str | None
) -> Diagnostic:
    span = place(term.item, field) if term.item else config.span("metrics")
    title = "a metric that does not fit the loss"
    return Diagnostic("NB409", title, span, label, help=help_)
