"""What would make a layer fit what reaches it: another value in a layer of one of its branches."""

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
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.row import Row
    from netbuild.syntax.item import Item
    from netbuild.syntax.node import Node

#: How many layers of a branch are looked at, from the join backwards, and how far their values go.
LAYERS_BACK = 12
REACH = 4

#: What an input may be, but for what no layer with weights reads.
DTYPES = ("float32", "int64", "bool")

_WINDOWS = ("stride", "padding", "kernel_size")


def fixes(
    join: Layer,
    inputs: Sequence[Tensor],
    sources: Sequence[Value],
    rows: Mapping[str, Row],
) -> list[Fix]:
    """Return the smallest changes of one layer of one branch with which a join takes its inputs."""
    found: list[Candidate] = []
    above = [_above(value, rows) for value in sources]
    for number, value in enumerate(sources):
        others = set().union(*above[:number], *above[number + 1 :])
        behind: list[Row] = []
        for row in _branch(value, rows):
            if row.path in others:  # it would change the other branches as well
                break
            for changes, distance in _changes(row, inputs):
                y = _through(row, changes, behind)
                made = y and applied(join, {}, [*inputs[:number], y, *inputs[number + 1 :]])
                if made:
                    found.append(_candidate(row, changes, distance, made))
            behind.insert(0, row)
        parameter = rows.get(value.path)
        if parameter is not None and parameter.type == "Parameter":
            found += _parameters(join, number, inputs, parameter)
    return offered(found)


def _parameters(
    join: Layer, number: int, inputs: Sequence[Tensor], row: Row
) -> Iterator[Candidate]:
    """Yield the shapes of the other inputs for a Parameter that is one of them."""
    others = {x.shape for x in inputs if len(x.shape) == len(inputs[number].shape)}
    for shape in others - {inputs[number].shape}:
        y = inputs[number]._replace(shape=shape)
        made = applied(join, {}, [*inputs[:number], y, *inputs[number + 1 :]])
        if made:
            yield _candidate(row, {"shape": shape}, 1, made)


def width(
    layer: Layer,
    came: Tensor,
    source: Value,
    rows: Mapping[str, Row],
) -> list[Fix]:
    """Return the nearest width of the layer before with which one divides its channels."""
    behind: list[Row] = []
    for row in _branch(source, rows):
        for field in ("out_channels", "out_features"):
            for distance, value in nearby(field, getattr(row.layer, field, None), came):
                y = _through(row, {field: value}, behind)
                made = y and applied(layer, {}, [y])
                if made:
                    changes = {field: value}
                    return offered([_candidate(row, changes, distance, made)])
        behind.insert(0, row)
    return []


def other_shape(
    layer: Layer,
    came: Tensor,
    source: Value,
    rows: Mapping[str, Row],
    given: Mapping[str, Node],
    *,
    alone: bool,
) -> list[Fix]:
    """Return the shapes of the network's input, with its axes in torch's order, that would fit.

    Where something else would make the layer fit, no axis is dropped but one of size 1.
    """

    def orders(x: Tensor) -> list[tuple[str, Tensor]]:
        shapes = _orders(x.shape, alone=alone)
        return [(f"{edits.written(n)} for the input", x._replace(shape=n)) for n in shapes]

    return _other_input(layer, came, source, rows, given, "shape", orders)


def other_size(
    join: Layer,
    sources: Sequence[Value],
    rows: Mapping[str, Row],
    inputs: Mapping[str, Tensor | None],
    given: Mapping[str, Node],
) -> list[Fix]:
    """Return the nearest sizes of an input of the network, halved evenly, that a join would fit.

    A branch that halves an odd size and doubles it again comes back one short.
    """
    found = []
    for name, x in inputs.items():
        for size in _even(x.shape) if x is not None and name in given else ():
            assert x is not None
            y = x._replace(shape=size)
            made = replayed(rows.values(), {**inputs, name: y})
            read = [made[value] for value in sources if value in made]
            gives = applied(join, {}, read) if len(read) == len(sources) else None
            if gives:
                edit = edits.set_entry(given[name], "shape", "shape", size)
                said = f"{edits.written(size)} for {'the input' if name == 'input' else name}"
                distance = sum(abs(new - old) for new, old in zip(size, x.shape, strict=True))
                found.append(Candidate(said, distance, (edit,), gives))
    return offered(found)[:1]


def _even(shape: Shape) -> list[Shape]:
    """Return a shape with all axes but the first rounded down and up to multiples of 2, 4 … 64."""
    found: dict[Shape, None] = {}
    for halvings in range(1, 7):
        step = 1 << halvings
        for up in (0, step - 1):
            rounded = tuple(max((size + up) // step, 1) * step for size in shape[1:])
            found[shape[:1] + rounded] = None
    return [other for other in found if other != shape]


def replayed(rows: Iterable[Row], inputs: Mapping[str, Tensor | None]) -> dict[Value, Tensor]:
    """Return what layers give for other inputs of the network, as far as they take them."""
    made = {Value("", name): x for name, x in inputs.items() if x is not None}
    for row in rows:
        read = [made[value] for value in row.sources if value in made]
        if len(read) == len(row.sources):
            try:
                outputs = row.layer.apply(*read)
            except ShapeError:
                continue
            made |= {Value(row.path, port): y for port, y in outputs.items()}
    return made


def other_dtype(
    layer: Layer, came: Tensor, source: Value, rows: Mapping[str, Row], given: Mapping[str, Node]
) -> list[Fix]:
    """Return the dtypes of the network's input with which a layer, behind others, would fit."""

    def dtypes(x: Tensor) -> list[tuple[str, Tensor]]:
        return [(f"dtype: {dtype} of the input", x._replace(dtype=dtype)) for dtype in DTYPES]

    return _other_input(layer, came, source, rows, given, "dtype", dtypes)


def _other_input(
    layer: Layer,
    came: Tensor,
    source: Value,
    rows: Mapping[str, Row],
    given: Mapping[str, Node],
    key: str,
    others: Callable[[Tensor], list[tuple[str, Tensor]]],
) -> list[Fix]:
    """Return the changes of an input of the network with which a layer behind it would fit.

    `others` are what the input may be instead, with what is said of them, the likeliest first, and
    `key` is what changes.
    """
    branch = list(_branch(source, rows))
    first = branch[-1].sources[0] if branch else source
    written = None if first.path else given.get(first.port)
    if written is None:
        return []
    found = []
    for distance, (said, x) in enumerate(others(branch[-1].inputs[0] if branch else came)):
        passed = _passed(x, branch[::-1])
        y = passed and applied(layer, {}, [passed])
        if y:
            edit = edits.set_entry(written, "shape", key, getattr(x, key))
            found.append(Candidate(said, distance, (edit,), y))
    return offered(found)


def more_inputs(
    layer: Layer,
    item: Item,
    path: str,
    read: Sequence[tuple[Value, Tensor]],
    rows: Mapping[str, Row],
    inputs: Mapping[str, Tensor | None],
) -> list[Fix]:
    """Return the inputs that a layer lacks: what nothing in its stack reads, if it is as many."""
    stack = path.rpartition(".")[0]
    known = {value for row in rows.values() for value in row.sources}
    known |= {value for value, _ in read}
    within = {Value("", name): x for name, x in inputs.items() if x and not stack}
    for row in rows.values():
        if row.path.rpartition(".")[0] == stack:
            within |= {Value(row.path, port): y for port, y in row.outputs.items()}
    found = [*read, *((value, x) for value, x in within.items() if value not in known)]
    if len(found) != max(len(layer.inputs), 2 if layer.variadic else 0):
        return []
    try:
        y = next(iter(layer.apply(*(x for _, x in found)).values()))
    except ShapeError:
        return []
    names = ", ".join(_called(value, stack, rows) for value, _ in found)
    edit = edits.set_inputs(item, f"[{names}]")
    return offered([Candidate(f"inputs: [{names}]", 0, (edit,), y)])


def _called(value: Value, stack: str, rows: Mapping[str, Row]) -> str:
    """Return the name of a value in a stack."""
    if not value.path:
        return value.port
    name = value.path[len(stack) + 1 if stack else 0 :].partition(".")[0]
    row = rows[value.path]
    return name if value == row.passed_on else f"{name}.{value.port}"


def _orders(shape: Shape, *, alone: bool) -> list[Shape]:
    """Return a shape without a batch, with channels, and with the channels in front."""
    orders = [(1, *shape), (*shape[-1:], *shape[:-1])]
    orders += [shape[1:]] if alone or shape[:1] == (1,) else []
    if len(shape) == 4:
        orders.append((shape[1], shape[0], *shape[2:]))  # frames, which come before the channels
    return [order for order in orders if order and order != shape]


def _above(value: Value, rows: Mapping[str, Row]) -> set[str]:
    """Return the paths of the layers that a value comes from."""
    found: set[str] = set()
    left = [value]
    while left:
        row = rows.get(left.pop().path)
        if row is not None and row.path not in found:
            found.add(row.path)
            left += row.sources
    return found


def _branch(value: Value, rows: Mapping[str, Row]) -> Iterator[Row]:
    """Yield the layers of a branch from its end, as long as each reads one only."""
    for _ in range(LAYERS_BACK):
        row = rows.get(value.path)
        if row is None or len(row.sources) != 1 or row.reuses or value != row.passed_on:
            return
        yield row
        value = row.sources[0]


def _changes(row: Row, inputs: Sequence[Tensor]) -> Iterator[tuple[dict[str, Any], float]]:
    """Yield changes of a layer's width to that of another branch, of its window, or of both."""
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
    """Return what comes out of a branch whose layer is changed."""
    y = applied(row.layer, changes, row.inputs)
    return y and _passed(y, behind)


def _passed(x: Tensor, rows: Iterable[Row]) -> Tensor | None:
    """Return what layers make of a tensor, one behind the other, if all of them take it."""
    y: Tensor | None = x
    for row in rows:
        y = y and applied(row.layer, {}, [y])
    return y


def _candidate(row: Row, changes: Mapping[str, Any], distance: float, gives: Tensor) -> Candidate:
    item, bare = row.item, bare_field(type(row.layer))
    made = tuple(edits.set_field(item, bare, field, value) for field, value in changes.items())
    said = " and ".join(f"{field}: {edits.written(value)}" for field, value in changes.items())
    return Candidate(f"{said} in {row.path}", distance, made, gives)
