"""Lints of the values that a loss gets: the axis of a softmax, and the ranges of values."""

from __future__ import annotations

from math import exp, inf, log
from typing import TYPE_CHECKING

from netbuild.checks.lint.flow import described, keeps_values, widest
from netbuild.checks.lint.losses import moves_axes, over_classes, score_count, squashes, violating
from netbuild.checks.lint.places import replace_list, set_field
from netbuild.components.layers.ranges import POSITIVE
from netbuild.components.losses.loss import nested_list, shape_of
from netbuild.components.target import Classes, Labels
from netbuild.components.tensor import product, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Compared, Flow
    from netbuild.components.layers.layer import Layer
    from netbuild.components.layers.ranges import Range
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value

#: The probability that scores must be able to reach.
_CERTAIN = 0.99


def softmax_elsewhere(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a softmax over another axis than the classes of the loss.

    The probabilities of the classes then do not add up to 1. If one class fills a column of 6
    places, and the softmax is over this column, the places share its probability: the loss stays
    above log 6, even for a network that is certain and right.
    """
    for compared in flow.compared:
        if not (compared.fits and _has_class_axis(flow, compared)):
            continue
        value = compared.values[0]
        row = flow.source(value, keeps_values)
        at = None if row is None else row.layer.softmax_axis(*row.shapes)
        if row is None or at is None or over_classes(flow, value, row, at, compared.loss):
            continue
        shape = _shape(flow, value)
        moved = any(moves_axes(step) for step in flow.upstream(value, keeps_values))
        if not moved or product(row.x) == product(shape):  # a part of the values may be right
            yield _elsewhere(flow, compared, row, at, moved=moved)


def _has_class_axis(flow: Flow, compared: Compared) -> bool:
    """Whether a loss reads a score or a logarithm for each class, along one axis."""
    tensors = tuple(compared.term.compared(flow.graph.outputs).values())
    loss = compared.loss
    if loss.takes == "features" or not isinstance(loss.target(tensors), Classes | Labels):
        return False
    return len(tensors[0].shape) >= loss.class_axis


def _shape(flow: Flow, value: Value) -> tuple[int, ...]:
    return flow.producer[value].outputs[value.port].shape


def _elsewhere(flow: Flow, compared: Compared, row: Row, at: int, *, moved: bool) -> Diagnostic:
    loss, name = compared.loss, compared.name
    over, classes = row.x[at], _shape(flow, compared.values[0])[loss.class_axis - 1]
    label = f"it is over axis {at + 1}, and {name} has its classes on axis {loss.class_axis}"
    dims = [loss.class_axis]
    if moved:
        label = f"it is over an axis of {over}, and {name} has {classes} classes"
        dims = [n + 1 for n, size in enumerate(row.x) if size == classes]
    fixes: tuple[Fix, ...] = ()
    if loss.applies:
        help_ = f"remove {row.type}: {name} applies a {loss.applies} over the classes itself"
    elif over in {classes, _classes_of_data(compared)}:
        help_ = f"add a Transpose or Permute that puts the classes on axis {loss.class_axis}"
        help_ += "" if over != classes else f", or write dim: {dims[0]}"
    elif len(dims) == 1 and "dim" in type(row.layer).model_fields:
        help_ = f"write dim: {dims[0]}"
        fixes = set_field(row.item, "dim", str(dims[0]), bare="dim")
    else:
        help_ = f"apply it to the axis of the {classes} classes"
    title = f"{row.type} over another axis than the classes of {name}"
    return Diagnostic(
        "NB322",
        title,
        place(row.item, "dim"),
        label,
        (compared.note,),
        help=help_,
        layer=row.path,
        fixes=fixes,
    )


def _classes_of_data(compared: Compared) -> int | None:
    """Return the number of classes of a loss's target; None if it is unknown."""
    target = compared.target
    return target.classes if isinstance(target, Classes | Labels) else None


def narrow_scores(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of scores that cannot take all values, before a loss that takes scores of any size.

    - A sigmoid in the loss: scores from −1 to 1 give probabilities from 0.27 to 0.73 only, and
      scores of at least 0 give no probability below 0.5.
    - A softmax in the loss: if scores differ by 1 at most, the loss of ten classes stays above
      1.46, even for a network that is certain and right.
    - A hinge with a margin: if scores cannot differ by more than the margin, the loss pulls them
      into the flat ends of the activation.
    - An activation that keeps scores on one side of 0: on the other side it is flat, and a wrong
      score there has no gradient, or almost none. This is a mistake before a softmax and a hinge.

    Bounds so wide that the loss can fall below −log 0.99 are a means against overflow, and get no
    warning. A layer that gets NB304 or NB322 gets no second warning.
    """
    for compared in flow.compared:
        if compared.loss.takes != "scores" or not compared.fits:
            continue
        for value in compared.values:
            row, found = _origin(flow, value)
            if row is None or found is None or squashes(flow, value, row, compared.loss):
                continue
            normalises = row.layer.softmax_axis(*row.shapes) is not None
            if normalises and _has_class_axis(flow, compared):
                continue
            reason = _lost(flow, compared, row, found)
            if reason is not None:
                yield _narrow(compared, row, reason)


def _origin(flow: Flow, value: Value) -> tuple[Row | None, Range | None]:
    """Return the layer that computed a value, and the range of what it computed."""
    row = flow.producer.get(value)
    while row is not None and keeps_values(row.layer) and row.sources:
        value = row.sources[0]
        row = flow.producer.get(value)
    found = flow.ranges.get(value)
    if row is not None and found is None and value == row.passed_on:
        found = widest(row)  # inputs of an unknown range give no wider results
    return row, found


def _lost(flow: Flow, compared: Compared, row: Row, found: Range) -> str | None:
    """Return what scores of a range cannot do for a loss; None if they can do everything."""
    loss, width = compared.loss, found.most - found.least
    if loss.binary:
        return _lost_probabilities(found)
    if loss.applies == "softmax" and width < inf:
        floor = log(1 + (score_count(flow, compared) - 1) * exp(-width))
        if floor > -log(_CERTAIN):
            return f"the scores differ by {width:.3g} at most, so the loss stays above {floor:.2g}"
    margin = getattr(loss, "margin", None)
    if margin is not None and width <= margin:
        return f"the scores differ by {width:.3g} at most, and the margin is {margin:g}"
    one_sided = row.layer.activates and len(loss.inputs) == 1
    if one_sided and (found.least >= 0 or found.most <= 0):
        return f"the scores are never {'below' if found.least >= 0 else 'above'} 0"
    return None


def _lost_probabilities(found: Range) -> str | None:
    """Return the probabilities that scores of a range cannot give; None if they give all."""
    least, most = (1 / (1 + exp(-x)) if x > -inf else 0.0 for x in found)
    lost = [f"below {least:.2g}"] if least > 1 - _CERTAIN else []
    lost += [f"above {most:.2g}"] if most < _CERTAIN else []
    return f"no probability can be {' or '.join(lost)}" if lost else None


def _narrow(compared: Compared, row: Row, reason: str) -> Diagnostic:
    name = compared.name
    removable = row.layer.activates or row.layer.softmax_axis(*row.shapes) is not None
    remedy = f"remove {row.type}" if removable else f"add a Linear layer after {row.type}"
    return Diagnostic(
        "NB323",
        f"{row.type} before {name}, which takes scores of any size",
        row.span,
        reason,
        (compared.note,),
        help=remedy,
        layer=row.path,
    )


def negative_values(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a variance or a rate that can be negative.

    torch's GaussianNLLLoss raises an error for a negative variance. PoissonNLLLoss takes the
    logarithm of a rate, which is NaN for a negative one.
    """
    for compared in flow.compared:
        for name, noun in compared.loss.nonnegative().items() if compared.fits else ():
            value = compared.values[compared.loss.inputs.index(name)]
            wrong = violating(flow, value, POSITIVE)
            if wrong is not None:
                yield _negative(compared, noun, flow.producer[value], wrong)


def _negative(compared: Compared, noun: str, last: Row, wrong: Row) -> Diagnostic:
    help_ = f"add Softplus after {described(last)}"
    fixes: tuple[Fix, ...] = ()
    if "log_input" in type(compared.loss).model_fields:
        help_ += ", or write log_input: true: the network then gives the logarithm of the rate"
        fixes = set_field(compared.term.item, "log_input", "true")
    return Diagnostic(
        "NB324",
        f"a {noun} that can be negative",
        last.span,
        f"{compared.name} reads this output as a {noun}, and {wrong.type} gives negative values",
        (compared.note,),
        help=help_,
        layer=last.path,
        fixes=fixes,
    )


def weighed_columns(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a list of weights that torch repeats along the last axis, the columns.

    There is a warning only if the list has one number for each channel of a convolution, and the
    rows have the same length. Any other length is a fault of its own.
    """
    for compared in flow.compared:
        for field in compared.loss.repeated if compared.fits else ():
            value, numbers = compared.values[0], getattr(compared.loss, field)
            if numbers is None or len(shape_of(numbers)) > 1 or not _has_channels(flow, value):
                continue
            shape = _shape(flow, value)
            if len(shape) > 1 and shape[0] == shape[-1] == len(numbers) > 1:
                yield _columns(compared, field, shape)


def _has_channels(flow: Flow, value: Value) -> bool:
    """Whether a layer with channels, such as a convolution, computed a value."""
    steps = list(flow.upstream(value, _keeps_axes))
    layer = steps[-1].layer if steps else None
    return layer is not None and layer.is_affine and layer.feature_axis == 0


def _keeps_axes(layer: Layer) -> bool:
    return layer.activates or (keeps_values(layer) and not layer.rearranges)


def _columns(compared: Compared, field: str, shape: tuple[int, ...]) -> Diagnostic:
    item, count = compared.term.item, shape[0]

    def nested(numbers: list[str]) -> str:
        return nested_list(numbers, len(shape))

    fixes = replace_list(item, field, nested)
    shown = times((count, *[1] * (len(shape) - 1)))
    return Diagnostic(
        "NB325",
        f"{field} of {compared.name} weighs columns",
        place(item, field),
        f"torch repeats the {count} numbers along the last axis; there are {count} channels too",
        (Note("output", times(shape)),),
        help=f"for the channels, write nested lists in the shape {shown}",
        fixes=fixes,
    )
