"""Lints of axes: places that run along another axis of the output than the target has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.lint.flow import described
from netbuild.components.target import Classes
from netbuild.components.tensor import ShapeError, times
from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Note
from netbuild.graph.sight import sights
from netbuild.graph.value import Value
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.checks.lint.flow import Compared, Flow
    from netbuild.components.losses.loss import Loss
    from netbuild.components.target import Target
    from netbuild.components.tensor import Shape
    from netbuild.graph.row import Row


class Mixed(NamedTuple):
    """An axis of places: its size, its axis of the output, and the axis that the loss wants."""

    name: str
    size: int
    axis: int
    wanted: int


def misplaced_places(flow: Flow) -> Iterator[Diagnostic]:
    """Warn if the places of an input run along another axis of the output than of the target.

    The sizes of the axes must be equal by chance, or the loss would refuse the output. An output
    (length, classes) for a loss that has its classes first is the common case: the loss then takes
    places for classes, and learns nothing.
    """
    for compared in flow.compared:
        target = compared.target
        if target is None or not target.tensor.shape:
            continue
        mixed = mixed_up(flow, compared, target)
        row = flow.producer.get(compared.values[0])
        if mixed is None or row is None:
            continue
        if mixed.wanted < len(row.output.shape):  # otherwise the loss refuses the output
            yield _misplaced(flow, compared, target, row, mixed)


def mixed_up(flow: Flow, compared: Compared, target: Target) -> Mixed | None:
    """Return the first axis of places that is on another axis of the output than a loss wants."""
    value, places = compared.values[0], target.tensor.shape
    for name, x in flow.graph.config.inputs.items():
        for axis, number in _pairs(x.shape, places) if x is not None else ():
            size = places[number]
            seen = sights(flow.graph.rows, Value("", name), axis).get(value)
            wanted = axis_of_target(compared.loss, target, number)
            along = {sight.axis for sight in seen or () if sight.axis is not None}
            if along and wanted not in along:
                return Mixed(name, size, min(along), wanted)
    return None


def _pairs(x: Shape, places: Shape) -> list[tuple[int, int]]:
    """Return each axis of an input that goes along with an axis of the target, with that axis.

    A sequence begins with its places, and an image ends with them.
    """
    if len(places) == 1 and x[:1] == places:
        return [(0, 0)]
    if len(x) == 1 + len(places) and x[1:] == places:
        return [(axis + 1, axis) for axis in range(len(places))]
    if len(x) == len(places) > 1:
        return [(axis, axis) for axis in range(len(x)) if x[axis] == places[axis] > 1]
    return []


def axis_of_target(loss: Loss, target: Target, axis: int) -> int:
    """Return the axis of the output for an axis of the target: an output may also have classes."""
    scores = isinstance(target, Classes) and loss.classifies and not loss.binary
    return axis + 1 if scores and axis >= loss.class_axis - 1 else axis


def _misplaced(
    flow: Flow, compared: Compared, target: Target, row: Row, mixed: Mixed
) -> Diagnostic:
    shape = row.outputs[compared.values[0].port].shape
    order = [*range(len(shape))]
    order[mixed.axis], order[mixed.wanted] = order[mixed.wanted], order[mixed.axis]
    dims = edits.as_yaml([0, *(axis + 1 for axis in order)])
    y = row.output._replace(shape=tuple(shape[axis] for axis in order))
    classes = isinstance(target, Classes) and mixed.axis == compared.loss.class_axis - 1
    there = "its classes" if classes else "other places"
    return Diagnostic(
        "NB319",
        f"{compared.name} takes places for {'classes' if classes else 'other places'}",
        compared.term.item.type.span,
        f"axis {mixed.axis + 1} of the output holds the {mixed.size} places of {mixed.name}, "
        f"and {compared.name} has {there} there",
        (Note("output", f"{times(shape)} from {described(row)}"), Note("target", str(target))),
        help=f"add Permute: {dims} after the last layer",
        layer=row.path,
        fixes=_permuted(flow, row, dims) if _fits(compared, y.shape, target) else (),
    )


def _fits(compared: Compared, y: Shape, target: Target) -> bool:
    try:
        compared.loss.compare(target, y)
    except ShapeError:
        return False
    return True


def _permuted(flow: Flow, row: Row, dims: str) -> tuple[Fix, ...]:
    """Return the fix that adds a Permute behind the last layer of the file, if that is the row."""
    block = flow.graph.block
    last = block.members[-1] if block is not None and block.members else None
    if last is None or last.part is not row or len(flow.outputs) > 1:
        return ()
    from netbuild.syntax.insertion import put_behind  # most networks have no such fault

    changed = put_behind(flow.graph.config.root, row.item, f"Permute: {dims}")
    return (Fix(f"add Permute: {dims}", changed),) if changed else ()
