"""Fixes before a layer: changes in its branches, and the inputs that it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.component import bare_field
from netbuild.components.tensor import ShapeError
from netbuild.graph.fixes.fields import Candidate, applied, nearby, offered
from netbuild.graph.value import Value
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.syntax.item import Item

#: The most layers of a branch, from the join backwards, and the largest distance of a value.
LAYERS_BACK = 12
REACH = 4

_WINDOWS = ("stride", "padding", "kernel_size")


def fixes(
    join: Layer,
    inputs: Sequence[Tensor],
    sources: Sequence[Value],
    rows: Mapping[str, Row],
) -> list[Candidate]:
    """Return the smallest changes of one layer in one branch after which a join fits its inputs."""
    candidates: list[Candidate] = []
    above = [_above(value, rows) for value in sources]
    for number, value in enumerate(sources):
        others = set().union(*above[:number], *above[number + 1 :])
        behind: list[Row] = []
        for row in _branch(value, rows):
            if row.path in others:  # a change here would change the other branches too
                break
            for changes, distance in _changes(row, inputs):
                y = _through(row, changes, behind)
                result = y and applied(join, {}, [*inputs[:number], y, *inputs[number + 1 :]])
                if result:
                    candidates.append(_candidate(row, changes, distance, result))
            behind.insert(0, row)
        parameter = rows.get(value.path)
        if parameter is not None and parameter.type == "Parameter":
            candidates += _parameters(join, number, inputs, parameter)
    return offered(candidates)


def _parameters(
    join: Layer, number: int, inputs: Sequence[Tensor], row: Row
) -> Iterator[Candidate]:
    """Yield the shapes of the other inputs as the shape of a Parameter that is an input."""
    others = {x.shape for x in inputs if len(x.shape) == len(inputs[number].shape)}
    for shape in others - {inputs[number].shape}:
        y = inputs[number]._replace(shape=shape)
        result = applied(join, {}, [*inputs[:number], y, *inputs[number + 1 :]])
        if result:
            yield _candidate(row, {"shape": shape}, 1, result)


def width(
    layer: Layer,
    x: Tensor,
    source: Value,
    rows: Mapping[str, Row],
) -> list[Candidate]:
    """Return the nearest width of the layer before, with which the channels divide."""
    behind: list[Row] = []
    for row in _branch(source, rows):
        for field in ("out_channels", "out_features"):
            for distance, value in nearby(field, getattr(row.layer, field, None), x):
                y = _through(row, {field: value}, behind)
                result = y and applied(layer, {}, [y])
                if result:
                    changes = {field: value}
                    return offered([_candidate(row, changes, distance, result)])
        behind.insert(0, row)
    return []


def more_inputs(
    layer: Layer,
    item: Item,
    path: str,
    read: Sequence[tuple[Value, Tensor]],
    rows: Mapping[str, Row],
    inputs: Mapping[str, Tensor | None],
) -> tuple[str, list[Candidate]]:
    """Return the inputs of a layer that lacks some, by name, and the fix that names them.

    The missing inputs are the unread values of its stack, if the number fits. Otherwise the text
    is empty.
    """
    stack = path.rpartition(".")[0]
    used = {value for row in rows.values() for value in row.sources}
    used |= {value for value, _ in read}
    within = {Value("", name): x for name, x in inputs.items() if x and not stack}
    for row in rows.values():
        if row.path.rpartition(".")[0] == stack:
            within |= {Value(row.path, port): y for port, y in row.outputs.items()}
    inputs_of_layer = [*read, *((value, x) for value, x in within.items() if value not in used)]
    if len(inputs_of_layer) != max(len(layer.inputs), 2 if layer.variadic else 0):
        return "", []
    try:
        y = next(iter(layer.apply(*(x for _, x in inputs_of_layer)).values()))
    except ShapeError:
        return "", []
    names = ", ".join(_called(value, stack, rows) for value, _ in inputs_of_layer)
    edit = edits.set_inputs(item, f"[{names}]")
    return names, offered([Candidate(f"inputs: [{names}]", 0, edit and (edit,), y)])


def _called(value: Value, stack: str, rows: Mapping[str, Row]) -> str:
    """Return the name of a value in a stack."""
    if not value.path:
        return value.port
    name = value.path[len(stack) + 1 if stack else 0 :].partition(".")[0]
    row = rows.get(value.path)
    return name if row is None or value == row.passed_on else f"{name}.{value.port}"


def _above(value: Value, rows: Mapping[str, Row]) -> set[str]:
    """Return the paths of all layers that a value depends on."""
    paths: set[str] = set()
    pending = [value]
    while pending:
        row = rows.get(pending.pop().path)
        if row is not None and row.path not in paths:
            paths.add(row.path)
            pending += row.sources
    return paths


def _branch(value: Value, rows: Mapping[str, Row]) -> Iterator[Row]:
    """Yield the layers of a branch from its end, as long as each layer reads one value."""
    for _ in range(LAYERS_BACK):
        row = rows.get(value.path)
        if row is None or len(row.sources) != 1 or row.reuses or value != row.passed_on:
            return
        yield row
        value = row.sources[0]


def _changes(row: Row, inputs: Sequence[Tensor]) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield changes of a layer: the width of another branch, another window, or both."""
    widths: list[dict[str, Any]] = [{}]
    for field, axis in (("out_channels", 0), ("out_features", -1)):
        if hasattr(row.layer, field):
            sizes = dict.fromkeys(x.shape[axis] for x in inputs if x.shape)
            widths += [{field: n} for n in sizes if n != getattr(row.layer, field)]
    windows: list[tuple[dict[str, Any], float]] = [({}, 0)]
    for place, field in enumerate(_WINDOWS):
        value = getattr(row.layer, field, None)
        near = nearby(field, value, row.inputs[0], REACH)
        windows += [({field: other}, step + place / 10) for step, other in near]
    for width in widths:
        for window, step in windows:
            if width or window:
                yield width | window, step + len(width)


def _through(row: Row, changes: Mapping[str, Any], behind: Sequence[Row]) -> Tensor | None:
    """Return the result of a branch with a changed layer; None if a layer does not fit."""
    y = applied(row.layer, changes, row.inputs)
    return y and _passed(y, behind)


def _passed(x: Tensor, rows: Iterable[Row]) -> Tensor | None:
    """Return the result of layers in a row for a tensor; None if a layer does not fit."""
    y: Tensor | None = x
    for row in rows:
        y = y and applied(row.layer, {}, [y])
    return y


def _candidate(row: Row, changes: Mapping[str, Any], distance: float, result: Tensor) -> Candidate:
    item, bare = row.item, bare_field(type(row.layer))
    changed = edits.set_fields(item, bare, changes)
    title = " and ".join(f"{field}: {edits.as_yaml(value)}" for field, value in changes.items())
    return Candidate(f"{title} in {row.path}", distance, changed, result)
