"""Fixes before a layer: changes in its branches, or of the network's input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.component import bare_field
from netbuild.components.tensor import ShapeError
from netbuild.graph.fixes.fields import Candidate, applied, nearby, offered
from netbuild.graph.value import Value
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.graph.row import Row
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Node

#: The most layers of a branch, from the join backwards, and the largest distance of a value.
LAYERS_BACK = 12
REACH = 4

#: The dtypes of an input that a fix can offer.
DTYPES = ("float32", "int64", "bool")

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


def other_shape(
    layer: Layer,
    x: Tensor,
    source: Value,
    rows: Mapping[str, Row],
    nodes: Mapping[str, Node],
    *,
    alone: bool,
) -> list[Candidate]:
    """Return shapes of the network's input, with the axes in torch's order, that fit.

    `nodes` are the nodes of the network's inputs by name. If there are other fixes (`alone` is
    false), only an axis of size 1 is dropped.
    """

    def orders(x: Tensor) -> list[tuple[str, Tensor]]:
        shapes = _orders(x.shape, alone=alone)
        return [(f"{edits.as_yaml(n)} for the input", x._replace(shape=n)) for n in shapes]

    return _other_input(layer, x, source, rows, nodes, "shape", orders)


def other_size(
    join: Layer,
    sources: Sequence[Value],
    rows: Mapping[str, Row],
    inputs: Mapping[str, Tensor | None],
    nodes: Mapping[str, Node],
) -> list[Candidate]:
    """Return the nearest even sizes of an input of the network with which a join fits.

    A branch that halves an odd size and doubles the half ends with one position less.
    """
    candidates = []
    for name, x in inputs.items():
        for size in _even(x.shape) if x is not None and name in nodes else ():
            assert x is not None
            y = x._replace(shape=size)
            tensors = replayed(rows.values(), {**inputs, name: y})
            read = [tensors[value] for value in sources if value in tensors]
            result = applied(join, {}, read) if len(read) == len(sources) else None
            if result:
                changed = edits.set_entries(nodes[name], "shape", {"shape": size})
                title = f"{edits.as_yaml(size)} for {'the input' if name == 'input' else name}"
                distance = sum(abs(new - old) for new, old in zip(size, x.shape, strict=True))
                candidates.append(Candidate(title, distance, changed, result))
    return offered(candidates)[:1]


def _even(shape: Shape) -> list[Shape]:
    """Return shapes whose axes after the first are rounded to multiples of 2, 4 … 64."""
    shapes: dict[Shape, None] = {}
    for halvings in range(1, 7):
        step = 1 << halvings
        for up in (0, step - 1):
            rounded = tuple(max((size + up) // step, 1) * step for size in shape[1:])
            shapes[shape[:1] + rounded] = None
    return [other for other in shapes if other != shape]


def replayed(rows: Iterable[Row], inputs: Mapping[str, Tensor | None]) -> dict[Value, Tensor]:
    """Return the results of layers for other inputs of the network.

    A layer that does not fit is left out, together with the layers that read it.
    """
    tensors = {Value("", name): x for name, x in inputs.items() if x is not None}
    for row in rows:
        read = [tensors[value] for value in row.sources if value in tensors]
        if len(read) == len(row.sources):
            try:
                outputs = row.layer.apply(*read)
            except ShapeError:
                continue
            tensors |= {Value(row.path, port): y for port, y in outputs.items()}
    return tensors


def other_dtype(
    layer: Layer, x: Tensor, source: Value, rows: Mapping[str, Row], nodes: Mapping[str, Node]
) -> list[Candidate]:
    """Return the dtypes of the network's input with which a later layer fits."""

    def dtypes(x: Tensor) -> list[tuple[str, Tensor]]:
        return [(f"dtype: {dtype} for the input", x._replace(dtype=dtype)) for dtype in DTYPES]

    return _other_input(layer, x, source, rows, nodes, "dtype", dtypes)


def _other_input(
    layer: Layer,
    x: Tensor,
    source: Value,
    rows: Mapping[str, Row],
    nodes: Mapping[str, Node],
    key: str,
    others: Callable[[Tensor], list[tuple[str, Tensor]]],
) -> list[Candidate]:
    """Return the changes of an input of the network with which a later layer fits.

    `others` returns other tensors for the input with the titles of their fixes, the likeliest
    first. `key` is the field of the input that changes.
    """
    branch = list(_branch(source, rows))
    first = branch[-1].sources[0] if branch else source
    node = None if first.path else nodes.get(first.port)
    if node is None:
        return []
    candidates = []
    for distance, (title, other) in enumerate(others(branch[-1].inputs[0] if branch else x)):
        passed = _passed(other, branch[::-1])
        y = passed and applied(layer, {}, [passed])
        if y:
            changed = edits.set_entries(node, "shape", {key: getattr(other, key)})
            candidates.append(Candidate(title, distance, changed, y))
    return offered(candidates)


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


def _orders(shape: Shape, *, alone: bool) -> list[Shape]:
    """Return a shape without its first axis, with one channel, and with the last axis in front."""
    orders = [(1, *shape), (*shape[-1:], *shape[:-1])]
    orders += [shape[1:]] if alone or shape[:1] == (1,) else []
    if len(shape) == 4:
        orders.append((shape[1], shape[0], *shape[2:]))  # frames before the channels
    return [order for order in orders if order and order != shape]


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
