"""Lints of images whose axes are taken for others: by a Linear layer, or by a convolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks import objective
from netbuild.checks.lint import replay
from netbuild.checks.lint.flow import Flow, described
from netbuild.checks.lint.places import is_choice
from netbuild.components.datasets.dataset import DataError
from netbuild.components.layers.operation import Operation
from netbuild.components.target import Values
from netbuild.components.tensor import product, times
from netbuild.diagnostics.diagnostic import Diagnostic, Fix, Note
from netbuild.graph.value import Value
from netbuild.syntax import edits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.diagnostics.diagnostic import Edit
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row

#: The smallest height and width of an image, and the most channels of one.
SIDE, CHANNELS = 8, 4


def forgotten_flattens(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of a Linear layer over the width of an image, if nothing later treats it as a width.

    The shapes C×H×W stay if Flatten is forgotten, and Linear then mixes the values of each row.
    There is no warning if a later layer has windows, moves axes or flattens: the author knows the
    axes then, as in networks for spectrograms. Nor if the data has a target that fits the result.
    """
    for row in flow.graph.rows:
        if not _is_linear(row.layer) or row.reuses:
            continue
        spatial = len(row.x) > 2 or row.x[-1] == 1
        if spatial and _reads_width(flow, row) and _leads_out(flow, row) and not _wanted(flow):
            yield _forgotten(flow, row)


def _is_linear(layer: Layer) -> bool:
    return layer.is_affine and layer.feature_axis == -1 and len(layer.inputs) == 1


def _reads_width(flow: Flow, row: Row) -> bool:
    """Whether the last axis of a layer's input is known to be a spatial axis.

    It is one if a window of several positions moved along it, or if the value is like an image of
    the network's input.
    """
    if len(row.x) < 2:
        return False
    source = flow.producer.get(row.sources[0])
    last = flow.source(row.sources[0], _is_pointwise)
    if last is not None and last.layer.pools and not isinstance(last.layer, Operation):
        return True  # the windows of an adaptive pool may overlap, and then no reach is known
    reach = source.receptive_field if source is not None else (1,) * (len(row.x) - 1)
    if reach is None or len(reach) != len(row.x) - 1:
        return False
    return reach[-1] > 1 or (set(reach) == {1} and _is_image(row.x))


def _is_pointwise(layer: Layer) -> bool:
    return layer.activates or layer.drops is not None


def _is_image(x: Shape) -> bool:
    """Whether a shape is that of a square image: 1×28×28, 3×32×32."""
    return len(x) == 3 and x[0] in {1, 3} and x[1] == x[2] >= SIDE


def _leads_out(flow: Flow, row: Row) -> bool:
    """Whether a value reaches only outputs, through layers for which the last axis has features."""
    outputs = set(flow.outputs.values())
    pending = [row.passed_on]
    while pending:
        value = pending.pop()
        readers = flow.readers.get(value, [])
        if not readers and value not in outputs:
            return False
        for reader in readers:
            layer = reader.layer
            same = layer.regroups and reader.x == reader.output.shape
            ends = layer.softmax_axis(*reader.shapes) is not None
            if not (_is_linear(layer) or _is_pointwise(layer) or same or ends):
                return False
            pending.append(reader.passed_on)
    return True


def _wanted(flow: Flow) -> bool:
    """Whether the data has a target of its own, and it fits the result as it is."""
    graph = flow.graph
    config = graph.config
    if config.data is None or not config.losses:
        return False
    other = Values((7, 5, 3))  # Random data takes any target
    try:
        asked = objective.wanted(config, graph.outputs)
        others = dict.fromkeys(asked.targets, other)
        told = config.data.sample(asked._replace(targets=others)).targets.values()
        if all(target in {None, other} for target in told):
            return False
    except DataError:  # another check reports it
        return False
    return not any(d.code == "NB401" for d in objective.check(config, graph.outputs))


def _forgotten(flow: Flow, row: Row) -> Diagnostic:
    """Return the warning for a Linear layer over a width, with its fix if that makes all fit."""
    count = product(row.x)
    fixes: tuple[Fix, ...] = ()
    help_ = "put Flatten before it, or Permute, so that the last axis has the channels"
    if _repaired(flow, row):
        help_ = f"put Flatten before it: it then combines all {count:,} values"
        changed = _before(flow, row, "Flatten") if not flow.graph.files else None
        if changed is not None:
            fixes = (Fix("put Flatten before this layer", changed),)
    return Diagnostic(
        "NB321",
        f"{row.type} over a spatial axis",
        row.span,
        f"it combines the {_values(row.x[-1])} of the last axis of {times(row.x)}",
        _source_note(flow, row.sources[0]),
        help=help_,
        layer=row.path,
        fixes=fixes,
    )


def _values(count: int) -> str:
    return "single value" if count == 1 else f"{count:,} values"


def _source_note(flow: Flow, value: Value) -> tuple[Note, ...]:
    row = flow.producer.get(value)
    return (Note("reads", described(row) if row else f"the input {value.port}"),)


def _repaired(flow: Flow, row: Row) -> bool:
    """Whether everything fits with a Flatten before a layer."""
    config = flow.graph.config
    flat = row.inputs[0]._replace(shape=(product(row.x),))
    return replay.fits(config, replay.outputs(flow, config.inputs, row, flat))


def _before(flow: Flow, row: Row, layer: str) -> tuple[Edit, ...] | None:
    """Return the edits that put a layer before another; None if that would change more."""
    rows, span = flow.graph.rows, row.item.type.span
    shared = any(other is not row and other.item.type.span == span for other in rows)
    wired = any("inputs" in other.item.modifiers for other in rows)
    if shared or wired or is_choice(row.item):
        return None
    from netbuild.syntax.insertion import put_before  # most networks have no such fault

    return put_before(flow.graph.config.root, row.item, layer)


def explained(graph: Graph, faults: list[Diagnostic]) -> list[Diagnostic]:
    """Return the faults of a graph; those of losses speak of Flatten if that is the cause."""
    found = [d for d in faults if d.code == "NB401" and d.help is None]
    if not found:
        return faults
    help_ = _missing_flatten(Flow(graph))
    return [d._replace(help=help_) if d in found else d for d in faults] if help_ else faults


def _missing_flatten(flow: Flow) -> str | None:
    """Return the help that says where a Flatten is missing, if data and losses then fit."""
    graph = flow.graph
    for row in graph.rows:
        if _is_linear(row.layer) and _reads_width(flow, row) and _repaired(flow, row):
            return f"put Flatten before {described(row)}: its input is {times(row.x)}"
    flat = {
        name: y._replace(shape=y.shape[:1]) if product(y.shape) == y.shape[0] else y
        for name, y in graph.outputs.items()
        if y.shape
    }
    if flat != graph.outputs and replay.fits(graph.config, flat):
        return "put Flatten after the last layer: it removes the axes of one value"
    return None


def channels_last(flow: Flow) -> Iterator[Diagnostic]:
    """Warn of an input such as 32×32×3 for a layer with windows, which takes 32 for the channels.

    There is no warning if a layer moves the axes first. Without data, the input is written in the
    order of torch; data of this shape needs a Permute.
    """
    for name, x in flow.graph.config.inputs.items():
        if x is None or not _channels_stand_last(x.shape):
            continue
        reader = _first_window(flow, Value("", name))
        if reader is not None:
            yield _channels_last(flow, name, x, reader)


def _channels_stand_last(x: Shape) -> bool:
    """Whether a shape looks like H×W×C or D×H×W×C."""
    *sides, channels = x or (0,)
    alike = len(sides) in {2, 3} and min(sides) >= SIDE and max(sides) <= 2 * min(sides)
    return alike and channels <= CHANNELS


def _first_window(flow: Flow, value: Value) -> Row | None:
    """Return the first layer with windows that reads a value, if the axes stay where they are."""
    pending = [value]
    while pending:
        for row in flow.readers.get(pending.pop(), []):
            if row.layer.slides or row.layer.spread() is not None:
                return row
            if row.receptive_field is not None and len(row.output.shape) == len(row.x):
                pending.append(row.passed_on)
    return None


def _channels_last(flow: Flow, name: str, x: Tensor, reader: Row) -> Diagnostic:
    """Return the warning for channels in the last axis."""
    config = flow.graph.config
    new = x._replace(shape=(x.shape[-1], *x.shape[:-1]))
    inputs = {**config.inputs, name: new}
    found = replay.outputs(flow, inputs)
    permute = f"Permute: {edits.as_yaml([0, len(x.shape), *range(1, len(x.shape))])}"
    help_, changed = f"write {permute} as the first layer", None
    if replay.fits(config._replace(inputs=inputs), found):
        help_ = f"write the channels first, as torch does: {edits.as_yaml(new.shape)}"
        changed = edits.set_entries(config.input_nodes[name], "shape", {"shape": new.shape})
    elif replay.fits(config, found) and flow.readers[Value("", name)] == [reader]:
        changed = _before(flow, reader, permute)
    return Diagnostic(
        "NB326",
        "the last axis of the input looks like the channels",
        config.input_span(name),
        f"{reader.type} takes the first axis of {times(x.shape)} for {x.shape[0]} channels",
        (Note("reads it", described(reader)),),
        help=help_,
        fixes=(Fix(help_, changed),) if changed else (),
    )
