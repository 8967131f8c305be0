"""Lints of what a loss is given: scores, probabilities, or their logarithms, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.checks.lint.flow import Flow, called, keeps_values, widest
from netbuild.checks.lint.places import refilled, retyped
from netbuild.components.component import bare_field
from netbuild.components.datasets.dataset import DataError
from netbuild.components.layers.layer import LOGARITHMS, PROBABILITIES
from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Compared
    from netbuild.components.layers.layer import Layer, Range
    from netbuild.components.losses.loss import Loss
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value


def _wanted(loss: Loss | type[Loss]) -> Range | None:
    """Return the range of what a loss wants computed before it; None where it wants nothing."""
    return {"probabilities": PROBABILITIES, "logarithms": LOGARITHMS}.get(loss.takes)


def squashed_twice(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a softmax or a sigmoid before a loss that has its own.

    After a softmax the scores of CrossEntropyLoss differ by 1 at the most: with 10 classes it does
    not get below 1.46, however sure the network is. LogSoftmax is only computed twice.
    """
    for compared in flow.compared:
        for value in compared.values:
            row = flow.behind(value, keeps_values)
            if row is not None and _squashes(flow, value, row, compared.loss):
                yield _squashed(compared, row)


def _squashes(flow: Flow, value: Value, row: Row, loss: Loss) -> bool:
    """Whether a layer has applied what a loss applies to the value."""
    if loss.applies == "softmax":
        at = row.layer.softmax_axis(*row.shapes)
        return at is not None and _over_classes(flow, value, row, at, loss)
    return loss.applies == "sigmoid" and widest(row) == PROBABILITIES


def _over_classes(flow: Flow, value: Value, row: Row, at: int, loss: Loss) -> bool:
    """Whether a softmax goes over what is the axis of the classes for the loss."""
    shape = flow.maker[value].outputs[value.port].shape
    classes = loss.class_axis - 1
    if any(_moves_axes(step) for step in flow.back(value, keeps_values)):
        return row.x[at : at + 1] == shape[classes : classes + 1]
    return at == classes


def _moves_axes(row: Row) -> bool:
    """Whether an axis of what a layer gives may be another one than that of its input."""
    layer = row.layer
    return layer.rearranges and not (layer.regroups and row.x == row.output.shape)


def _squashed(compared: Compared, row: Row) -> Diagnostic:
    """Return the warning of a layer that applies what a loss applies."""
    loss, name = compared.loss, compared.name
    again = "squashes again"
    label = f"{name} applies {loss.applies} itself: a second one flattens the gradient"
    if loss.applies == "softmax" and widest(row) == LOGARITHMS:  # twice gives the same as once
        again = "has its own"
        label = f"{name} applies one itself: this is superfluous, and does no harm"
    return Diagnostic(
        "NB304",
        f"{row.type} before {name}, which {again}",
        row.span,
        label,
        (compared.note,),
        help=f"leave {row.type} out; where probabilities are wanted, apply it to what is given",
        layer=row.path,
        fixes=_other_loss(compared, row),
    )


def _other_loss(compared: Compared, row: Row) -> tuple[Fix, ...]:
    """Return the fix by the loss that takes what the layer gives, and has the same fields."""
    loss = compared.loss
    other = LOSSES[loss.of_applied] if loss.of_applied else None
    if other is None or not loss.model_fields_set <= set(other.model_fields):
        return ()
    return retyped(compared.term.item, loss.of_applied) if widest(row) == _wanted(other) else ()


def scores_for_probabilities(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a loss of probabilities, or of their logarithms, that gets something else.

    Only what is known to be something else: nothing is said of values that come from arithmetic.
    """
    for compared in flow.compared:
        wanted = _wanted(compared.loss)
        for value in compared.values:
            wrong = _stray(flow, value, wanted) if wanted else None
            if wrong is not None:
                yield _no_probabilities(compared, flow.maker[value], wrong)


def _stray(flow: Flow, value: Value, wanted: Range) -> Row | None:
    """Return the layer because of which a value does not lie in a range, if one is known."""
    found: Row | None = None
    stray: Value | None = value
    while stray is not None and flow.strays(stray, wanted):
        found = row = flow.maker[stray]
        most = widest(row)
        passes_on = row.layer.range(*[None] * len(row.sources)) is None
        stray = None
        if passes_on and (most is None or most.meets(wanted)):
            stray = next((x for x in row.sources if flow.strays(x, wanted)), None)
    return found


def _no_probabilities(compared: Compared, last: Row, wrong: Row) -> Diagnostic:
    """Return the warning of a loss that does not take what a layer gives."""
    loss = compared.loss
    gives = _gives(wrong)
    of_logarithms = loss.takes == "logarithms"
    takes = "logarithms of probabilities" if of_logarithms else "probabilities, from 0 to 1"
    notes = [Note("output", called(last))]
    notes += [] if last is wrong else [Note("from", called(wrong))]
    help_ = f"put {_remedy(loss)} behind the last layer"
    fixes: tuple[Fix, ...] = ()
    if loss.of_scores and gives == "scores":
        help_ += f", or take {loss.of_scores}, which takes scores"
        fixes = retyped(compared.term.item, loss.of_scores)
    elif widest(wrong) == PROBABILITIES:
        help_ = f"take LogSoftmax instead of {wrong.type}"
    elif gives != "scores":
        help_ = f"leave {wrong.type} out, or put it in front of the last layer"
    return Diagnostic(
        "NB305",
        f"{compared.name} of what it does not take",
        compared.term.item.type.span,
        f"it takes {takes}, and {wrong.type} gives {gives}",
        tuple(notes),
        help=help_,
        layer=last.path,
        fixes=fixes,
    )


def _remedy(loss: Loss) -> str:
    """Return the layer that gives what a loss takes."""
    if loss.takes == "probabilities":
        return "Sigmoid"
    return "LogSoftmax" if loss.class_axis == 1 else f"LogSoftmax: {loss.class_axis}"


def _gives(row: Row) -> str:
    """Return what a layer gives instead."""
    found = widest(row)
    if found == PROBABILITIES:
        return "the probabilities themselves"
    if row.layer.drops:
        return "others in training"
    passes_on = row.layer.range(*[None] * len(row.sources)) is None
    return "others" if passes_on or found == LOGARITHMS else "scores"


def too_many_outputs(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of scores for classes that the data says it does not have.

    A vocabulary may be padded to a multiple of 64, which is faster on a GPU: GPT-2's 50,257 words
    are 50,304 in nanoGPT.
    """
    graph = flow.graph
    config = graph.config
    if config.data is None or not any(compared.loss.classifies for compared in flow.compared):
        return
    try:
        target = objective.sample(config, *graph.compared.values()).target
    except DataError:  # which is a fault of its own
        return
    if not isinstance(target, Classes):
        return
    for compared in flow.compared:
        scores = _scores(flow, compared)
        padded = scores % 64 == 0 and scores - target.classes < 64 < target.classes
        if scores > target.classes and not padded:
            yield _too_many(flow, compared, scores, target)


def _scores(flow: Flow, compared: Compared) -> int:
    """Return how many classes a loss tells apart; 0 where it tells none."""
    loss = compared.loss
    if not loss.classifies:
        return 0
    if loss.classes_field:
        return int(getattr(loss, loss.classes_field))
    tensors = compared.term.compared(flow.graph.outputs)
    shape = next(iter(tensors.values())).shape
    return next(iter(shape[loss.class_axis - 1 :]), 0)


def _too_many(flow: Flow, compared: Compared, scores: int, target: Classes) -> Diagnostic:
    """Return the warning of scores for more classes than the data has."""
    own = compared.loss.classes_field
    span, path = place(compared.term.item, own), None
    fixes: tuple[Fix, ...] = ()
    row = None if own else _deciding(flow, compared)
    if row is not None:
        field = bare_field(type(row.layer)) or ""
        span, path = place(row.item, field), row.path
        if getattr(row.layer, field, None) == scores:
            fixes = refilled(row.item, field, str(target.classes), bare=field)
    return Diagnostic(
        "NB306",
        "more outputs than the data has classes",
        span,
        f"{scores} scores for {target.classes} classes: the last are never right",
        (Note("data", f"{target}, line {flow.graph.config.place('data').line}"),),
        help=f"make it {target.classes}",
        layer=path,
        fixes=fixes,
    )


def _deciding(flow: Flow, compared: Compared) -> Row | None:
    """Return the layer that decides how many scores there are, if one is known."""
    row = flow.behind(compared.values[0], _keeps_classes)
    return row if row is not None and row.layer.is_affine else None


def _keeps_classes(layer: Layer) -> bool:
    """Whether a layer gives as many scores as it gets."""
    squashes = layer.activates or layer.results in {PROBABILITIES, LOGARITHMS}
    return keeps_values(layer) or layer.pools or squashes
