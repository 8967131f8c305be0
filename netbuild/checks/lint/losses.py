"""Lints of the values that a loss gets: scores, probabilities, logarithms, and their number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.lint.axes import mixed_up
from netbuild.checks.lint.flow import Flow, described, keeps_values, widest
from netbuild.checks.lint.places import replace_type, set_field
from netbuild.components.component import bare_field
from netbuild.components.layers.ranges import LOGARITHMS, PROBABILITIES
from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes
from netbuild.components.tensor import ShapeError
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.sight import sights
from netbuild.graph.value import Value
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Compared
    from netbuild.components.layers.layer import Layer
    from netbuild.components.layers.ranges import Range
    from netbuild.components.losses.loss import Loss
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row


def _wanted(loss: Loss | type[Loss]) -> Range | None:
    """Return the range of values that a loss takes; None if it takes any value."""
    return {"probabilities": PROBABILITIES, "logarithms": LOGARITHMS}.get(loss.takes)


def squashed_twice(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a softmax or a sigmoid before a loss that applies the same function.

    After a softmax, scores differ by 1 at most. CrossEntropyLoss of 10 classes then stays above
    1.46, even for a network that is certain and right. A LogSoftmax is harmless: applying it twice
    gives the same values.
    """
    for compared in flow.compared:
        for value in compared.values:
            row = flow.source(value, keeps_values)
            if row is not None and squashes(flow, value, row, compared.loss):
                yield _squashed(compared, row)


def squashes(flow: Flow, value: Value, row: Row, loss: Loss) -> bool:
    """Whether a layer applies the function that the loss applies again."""
    if loss.applies == "softmax":
        at = row.layer.softmax_axis(*row.shapes)
        return at is not None and over_classes(flow, value, row, at, loss)
    return loss.applies == "sigmoid" and widest(row) == PROBABILITIES


def over_classes(flow: Flow, value: Value, row: Row, at: int, loss: Loss) -> bool:
    """Whether a softmax is over the axis in which the loss has its classes."""
    shape = flow.producer[value].outputs[value.port].shape
    classes = loss.class_axis - 1
    if any(moves_axes(step) for step in flow.upstream(value, keeps_values)):
        return row.x[at : at + 1] == shape[classes : classes + 1]
    return at == classes


def moves_axes(row: Row) -> bool:
    """Whether a layer may move an axis of its input to another place."""
    layer = row.layer
    return layer.rearranges and not (layer.regroups and row.x == row.output.shape)


def _squashed(compared: Compared, row: Row) -> Diagnostic:
    """Return the warning for a layer that applies the same function as the loss."""
    loss, name = compared.loss, compared.name
    label = f"the loss applies a {loss.applies} itself; a second one flattens the gradient"
    if loss.applies == "softmax" and widest(row) == LOGARITHMS:  # twice gives the same as once
        label = "the loss applies a softmax itself; this layer is harmless, but unnecessary"
    return Diagnostic(
        "NB304",
        f"{row.type} before {name}, which applies a {loss.applies} again",
        row.span,
        label,
        (compared.note,),
        help=f"remove {row.type}; for probabilities, apply it to the output of the trained network",
        layer=row.path,
        fixes=_other_loss(compared, row),
    )


def _other_loss(compared: Compared, row: Row) -> tuple[Fix, ...]:
    """Return the fix that uses the loss for the layer's output, if it has the same fields."""
    loss = compared.loss
    other = LOSSES[loss.of_applied] if loss.of_applied else None
    if other is None or not loss.model_fields_set <= set(other.model_fields):
        return ()
    one_by_one = loss.applies == "softmax" or row.layer.softmax_axis(*row.shapes) is None
    fits = one_by_one and widest(row) == _wanted(other)
    return replace_type(compared.term.item, loss.of_applied) if fits else ()


def scores_for_probabilities(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a loss that takes probabilities, or their logarithms, but gets other values.

    There is a warning only if the range of the values is known. It is unknown after arithmetic.
    """
    for compared in flow.compared:
        wanted = _wanted(compared.loss)
        for value in compared.values:
            wrong = violating(flow, value, wanted) if wanted else None
            if wrong is not None:
                yield _no_probabilities(compared, flow.producer[value], wrong)


def violating(flow: Flow, value: Value, wanted: Range) -> Row | None:
    """Return the layer that makes a value leave a range; None if no layer is known to do so."""
    found: Row | None = None
    suspect: Value | None = value
    while suspect is not None and flow.violates(suspect, wanted):
        found = row = flow.producer[suspect]
        most = widest(row)
        passes_on = row.layer.range(*[None] * len(row.sources)) is None
        suspect = None
        if passes_on and (most is None or most.meets(wanted)):
            suspect = next((x for x in row.sources if flow.violates(x, wanted)), None)
    return found


def _no_probabilities(compared: Compared, last: Row, wrong: Row) -> Diagnostic:
    """Return the warning for a loss that gets values of the wrong kind."""
    loss = compared.loss
    gives = _gives(wrong)
    of_logarithms = loss.takes == "logarithms"
    takes = "logarithms of probabilities" if of_logarithms else "probabilities from 0 to 1"
    notes = [Note("output", described(last))]
    notes += [] if last is wrong else [Note("from", described(wrong))]
    help_ = f"add {_remedy(loss)} after the last layer"
    fixes: tuple[Fix, ...] = ()
    if loss.of_scores and gives == "scores":
        help_ += f", or use {loss.of_scores}, which takes scores"
        fixes = replace_type(compared.term.item, loss.of_scores)
    elif widest(wrong) == PROBABILITIES:
        help_ = f"replace {wrong.type} with LogSoftmax"
    elif gives != "scores":
        help_ = f"remove {wrong.type}, or move it before the last layer"
    return Diagnostic(
        "NB305",
        f"wrong values for {compared.name}",
        compared.term.item.type.span,
        f"{compared.name} takes {takes}, but {wrong.type} gives {gives}",
        tuple(notes),
        help=help_,
        layer=last.path,
        fixes=fixes,
    )


def _remedy(loss: Loss) -> str:
    """Return the layer that turns scores into the values that a loss takes."""
    if loss.takes == "probabilities":
        return f"Softmax: {loss.class_axis}" if loss.classifies else "Sigmoid"
    return "LogSoftmax" if loss.class_axis == 1 else f"LogSoftmax: {loss.class_axis}"


def _gives(row: Row) -> str:
    """Return the words for the values that a layer gives instead."""
    found = widest(row)
    if found == PROBABILITIES:
        return "probabilities"
    if row.layer.drops:
        return "other values in training"
    passes_on = row.layer.range(*[None] * len(row.sources)) is None
    return "other values" if passes_on or found == LOGARITHMS else "scores"


def too_many_outputs(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of more scores than the data has classes.

    A vocabulary may be padded to a multiple of 64, which is faster on a GPU: nanoGPT has 50,304
    scores for the 50,257 tokens of GPT-2.
    """
    for compared in flow.compared:
        target, against = compared.target, compared.against
        if not isinstance(target, Classes) or against is None or against.kind != "target":
            continue
        if mixed_up(flow, compared, target) or not _fits(flow, compared, target):
            continue  # the scores are places, or another fault speaks
        scores = score_count(flow, compared)
        padded = scores % 64 == 0 and scores - target.classes < 64 < target.classes
        if scores > target.classes and not padded:
            yield _too_many(flow, compared, scores, target)


def compared_with_itself(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a loss whose target is the very value that it reads: nothing is learned from it."""
    for compared in flow.compared:
        found = compared.against
        if found is None or found.kind not in {"output", "input"}:
            continue
        told = flow.outputs[found.name] if found.kind == "output" else Value("", found.name)
        if told in compared.values:
            called = "the input" if found.name == "input" else f"{found.kind} {found.name}"
            label = f"{compared.name} compares {called} with itself"
            help_ = "name another output in inputs, or another target"
            span = compared.term.item.modifiers["target"].value.span
            title = "a loss that compares a value with itself"
            yield Diagnostic("NB331", title, span, label, (compared.note,), help=help_)


def _fits(flow: Flow, compared: Compared, target: Classes) -> bool:
    """Whether a loss takes its outputs and the target."""
    shapes = [tensor.shape for tensor in compared.term.compared(flow.graph.outputs).values()]
    try:
        compared.loss.compare(target, *shapes)
    except ShapeError:
        return False
    return True


def score_count(flow: Flow, compared: Compared) -> int:
    """Return the number of classes of a loss; 0 if it has none."""
    loss = compared.loss
    if not loss.classifies:
        return 0
    if loss.classes_field:
        return int(getattr(loss, loss.classes_field))
    tensors = compared.term.compared(flow.graph.outputs)
    shape = next(iter(tensors.values())).shape
    return next(iter(shape[loss.class_axis - 1 :]), 0)


def _too_many(flow: Flow, compared: Compared, scores: int, target: Classes) -> Diagnostic:
    """Return the warning for more scores than the data has classes."""
    own = compared.loss.classes_field
    span, path = place(compared.term.item, own), None
    fixes: tuple[Fix, ...] = ()
    row = None if own else _deciding(flow, compared)
    if row is not None:
        field = bare_field(type(row.layer)) or ""
        span, path = place(row.item, field), row.path
        if getattr(row.layer, field, None) == scores and target.classes > 1:
            fixes = set_field(row.item, field, str(target.classes), bare=field)
    several = target.classes > 1
    return Diagnostic(
        "NB306",
        "more outputs than the data has classes",
        span,
        f"{scores} scores, but the data has {target.classes} class{'es' * several}",
        (Note("data", f"{target}, line {flow.graph.config.place('data').line}"),),
        help=f"use {target.classes} scores" if several else "look at the target: no class differs",
        layer=path,
        fixes=fixes,
    )


def _deciding(flow: Flow, compared: Compared) -> Row | None:
    """Return the layer that sets the number of scores; None if it is unknown."""
    value = compared.values[0]
    row = flow.source(value, _keeps_classes)
    if row is None or not row.layer.is_affine:
        return None
    axis = row.layer.feature_axis % len(row.output.shape)
    seen = sights(flow.graph.rows, row.passed_on, axis).get(value)
    classes = compared.loss.class_axis - 1
    return row if any(sight.axis == classes for sight in seen or ()) else None


def _keeps_classes(layer: Layer) -> bool:
    """Whether a layer keeps the number of scores."""
    squashes = layer.activates or layer.results in {PROBABILITIES, LOGARITHMS}
    return keeps_values(layer) or layer.pools or squashes
