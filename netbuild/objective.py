"""Whether a network, its loss, its optimizer and its data go together, before any of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.data.dataset import Sample, Values
from netbuild.diagnostic import Diagnostic, Note, brief, did_you_mean
from netbuild.graph import state_key
from netbuild.item import Item, place, read_item
from netbuild.layers.layer import ShapeError, Tensor, times
from netbuild.optimizers import Weight

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from netbuild.config import Config
    from netbuild.diagnostic import Span
    from netbuild.graph import Row


def sample(config: Config, *outputs: Tensor) -> Sample:
    """Return what a sample of the config's data is, once prepared, for the network's outputs.

    Raises:
        ShapeError: the data cannot be prepared like that.
    """
    assert config.data is not None
    given = config.data.sample(wanted(config, *outputs))
    resize = config.preparation.resize
    if resize is None:
        return given
    for x in given.inputs:
        if len(x.shape) != 3:
            message = f"resize changes height and width, and the samples are {times(x.shape)}"
            raise ShapeError("NB501", message)
    inputs = tuple(Tensor((x.shape[0], *resize), x.dtype) for x in given.inputs)
    return given._replace(inputs=inputs)


def wanted(config: Config, *outputs: Tensor) -> Sample:
    """Return the sample that the network and the loss would take."""
    inputs = tuple(x for x in config.inputs.values() if x is not None)
    target = config.loss.target(outputs) if config.loss else Values(outputs[0].shape)
    return Sample(inputs, target)


def unknown_outputs(config: Config, outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return the faults of the outputs that the loss names, and the network does not give."""
    found = []
    for number, wire in enumerate(config.reads):
        help_, fixes = did_you_mean(wire.outside, outputs, wire.span)
        title = f"the network has no output {brief(wire.outside)}"
        label = "unknown"
        if wire.outside in {other.outside for other in config.reads[:number]}:
            title, label, help_, fixes = "an output that is named twice", "named before", None, ()
        elif wire.outside in outputs:
            continue
        help_ = help_ or f"it gives {', '.join(outputs)}"
        found.append(Diagnostic("NB213", title, wire.span, label, help=help_, fixes=fixes))
    return found


def faults(config: Config, compared: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return what keeps the network, the loss and the data from going together."""
    outputs = tuple(compared.values())
    if config.data is None or not all(config.inputs.values()):
        return []
    try:
        given = sample(config, *outputs)
    except ShapeError as error:
        return [_data_fault(config, str(error), None)]
    found = []
    if len(given.inputs) != len(config.inputs):
        message = f"it gives one input, and the network reads {', '.join(config.inputs)}"
        found.append(_data_fault(config, message, None))
    else:
        found += _other_inputs(config, given.inputs, wanted(config, *outputs).inputs)
    if config.loss is not None:
        try:
            config.loss.check(outputs, given.target)
        except ShapeError as error:
            found.append(_loss_fault(config, error, compared))
    return found


def _other_inputs(
    config: Config, given: tuple[Tensor, ...], wanted: tuple[Tensor, ...]
) -> list[Diagnostic]:
    """Return the fault of the first input that the data has in another shape or dtype."""
    for came, needed in zip(given, wanted, strict=True):
        if came != needed:
            message = f"its samples are {_described(came)}, and the network's input is "
            return [_data_fault(config, message + _described(needed), _resize(came, needed))]
    return []


def optimizer_faults(config: Config, rows: Iterable[Row], *outputs: Tensor) -> list[Diagnostic]:
    """Return what keeps the optimizer from stepping with these weights, and those of the loss."""
    if config.optimizer is None:
        return []
    try:
        config.optimizer.check(_weights(config, rows, outputs))
    except ShapeError as error:
        name, span = _named(config, "optimizer", error.at)
        title = f"{name} does not go with the network"
        return [Diagnostic(error.code, title, span, str(error))]
    return []


def _weights(config: Config, rows: Iterable[Row], outputs: tuple[Tensor, ...]) -> Iterator[Weight]:
    for row in rows:
        if not row.weights or row.frozen:
            continue
        sparse = bool(getattr(row.layer, "sparse", False))
        for name, shape in row.weights.items():
            yield Weight(state_key(row.path, name), shape, sparse)
    loss = config.loss
    if loss is not None and len(outputs) == len(loss.inputs) and outputs[0].shape:
        for name, shape in loss.weights(*(output.shape for output in outputs)).items():
            yield Weight(f"{type(loss).__name__}.{name}", shape)


def _described(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype == "float32" else f" of {tensor.dtype}"
    return times(tensor.shape) + dtype


def _resize(came: Tensor, needed: Tensor) -> str | None:
    if len(came.shape) == len(needed.shape) == 3 and came.shape[0] == needed.shape[0]:
        return f"resize: [{needed.shape[1]}, {needed.shape[2]}] beside the type of the data"
    return None


def _data_fault(config: Config, message: str, help_: str | None) -> Diagnostic:
    name, span = _named(config, "data")
    title = f"{name} does not fit the network"
    notes = (Note("input", f"line {config.input_span(next(iter(config.inputs))).line}"),)
    return Diagnostic("NB501", title, span, message, notes, help=help_)


def _loss_fault(config: Config, error: ShapeError, compared: Mapping[str, Tensor]) -> Diagnostic:
    name, span = _named(config, "loss", error.at)
    shapes = [times(output.shape) for output in compared.values()]
    help_ = None
    if config.loss is not None and len(config.loss.inputs) < len(compared):
        read = ", ".join(list(compared)[: len(config.loss.inputs)])
        help_ = f"say which it reads: {{{name}, inputs: [{read}]}}"
    given = f"the network gives {', '.join(shapes)}"
    data = f"{_named(config, 'data')[0]}, line {config.span('data').line}"
    notes = (Note("output", given), Note("data", data))
    title = f"{name} does not go with the network and the data"
    return Diagnostic(error.code, title, span, str(error), notes, help=help_)


def _named(config: Config, section: str, field: str | None = None) -> tuple[str, Span]:
    """Return the type that a section names, and where it or its field is written."""
    node = config.root.get(section)
    item = read_item(node, section) if node else None
    if isinstance(item, Item):
        return item.type.text, place(item, field)
    return section, config.span(section)
