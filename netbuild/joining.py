"""What would make a layer fit what reaches it: another value in a layer of one of its branches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild import edits
from netbuild.component import bare_field
from netbuild.solver import Candidate, applied, nearby, offered

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.diagnostic import Fix
    from netbuild.graph import Row, Value
    from netbuild.item import Item
    from netbuild.layers.layer import Layer, Tensor
    from netbuild.node import Node

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
    items: Mapping[str, Item],
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
                    found.append(_candidate(row, items[row.path], changes, distance, made))
            behind.insert(0, row)
    return offered(found)


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


def other_dtype(
    layer: Layer, came: Tensor, source: Value, rows: Mapping[str, Row], given: Mapping[str, Node]
) -> list[Fix]:
    """Return the dtypes of the network's input with which a layer, behind others, would fit."""
    branch = list(_branch(source, rows))
    first = branch[-1].sources[0] if branch else source
    written = None if first.path else given.get(first.port)
    if written is None:
        return []
    x = branch[-1].inputs[0] if branch else came
    found = []
    for place, dtype in enumerate(DTYPES):
        y: Tensor | None = x._replace(dtype=dtype)
        for row in reversed(branch):
            y = y and applied(row.layer, {}, [y])
        y = y and applied(layer, {}, [y])
        if y:
            edit = edits.set_entry(written, "shape", "dtype", dtype)
            found.append(Candidate(f"dtype: {dtype} of the input", place, (edit,), y))
    return offered(found)


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
    for other in behind:
        y = y and applied(other.layer, {}, [y])
    return y


def _candidate(
    row: Row, item: Item, changes: Mapping[str, Any], distance: float, gives: Tensor
) -> Candidate:
    bare = bare_field(type(row.layer))
    made = tuple(edits.set_field(item, bare, field, value) for field, value in changes.items())
    said = " and ".join(f"{field}: {edits.written(value)}" for field, value in changes.items())
    return Candidate(f"{said} in {row.path}", distance, made, gives)
