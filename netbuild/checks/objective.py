"""Check that a network, its losses, its optimizer and its data fit together. Nothing runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.checks import data as fitting
from netbuild.checks import metrics
from netbuild.components.datasets.dataset import DataError, Declared, Sample
from netbuild.components.target import Classes, Nothing, Values
from netbuild.components.tensor import ShapeError, Tensor, times
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.diagnostics.wording import brief, did_you_mean, similar_path
from netbuild.syntax.item import place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.datasets.dataset import Dataset
    from netbuild.components.target import Target
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.diagnostics.diagnostic import Span


def sample(config: Config, outputs: Mapping[str, Tensor]) -> Declared:
    """Return the inputs and the targets of a prepared sample, for the outputs of the network.

    Raises:
        DataError: the data cannot be prepared as configured, or its files are invalid.
    """
    assert config.data is not None
    given = config.data.sample(wanted(config, outputs))
    resize, views = config.preparation.resize, config.preparation.views
    if views and len(given.inputs) == 1:
        given = given._replace(inputs=given.inputs * views)
    if resize is None:
        return given
    for x in given.inputs:
        if x is not None and len(x.shape) != 3:
            message = f"resize changes height and width, and the samples are {times(x.shape)}"
            raise DataError(message, "resize")
    return given._replace(
        inputs=tuple(x and Tensor((x.shape[0], *resize), x.dtype) for x in given.inputs)
    )


def wanted(config: Config, outputs: Mapping[str, Tensor]) -> Sample:
    """Return the sample that the network and its losses need.

    The first loss that reads a target says what it must be. Without any loss, that is the output.
    """
    inputs = tuple(x for x in config.inputs.values() if x is not None)
    if config.preparation.views:  # each is a view of the one image that the source gives
        inputs = inputs[:1]
    unread = Nothing() if config.losses else of_first(config, outputs)
    targets: dict[str, Target] = dict.fromkeys(config.targets, unread)
    for term in reversed(config.losses):
        found = config.against(term, outputs)
        if found is not None and found.kind == "target":
            targets[found.name] = of_loss(term, outputs)
    return Sample(inputs, targets, config.preparation.resize)


def of_loss(term: LossTerm, outputs: Mapping[str, Tensor]) -> Target:
    """Return the target that a loss needs."""
    return term.loss.target(tuple(term.compared(outputs).values()))


def of_first(config: Config, outputs: Mapping[str, Tensor]) -> Target:
    """Return the target that the first loss needs; without any loss, that is the first output."""
    if config.losses:
        return of_loss(config.losses[0], outputs)
    return Values(next(iter(outputs.values())).shape)


def compared_with(
    config: Config, term: LossTerm, outputs: Mapping[str, Tensor], given: Declared
) -> Target | None:
    """Return what a loss compares with, given the samples of the data; None if it is unknown."""
    found = config.against(term, outputs)
    if found is None or found.kind == "nothing":
        return None
    if found.kind == "target":
        return given.targets[found.name]
    wanted = of_loss(term, outputs)
    if found.kind == "number":
        return wanted
    tensor = (outputs if found.kind == "output" else config.inputs)[found.name]
    if tensor is None:
        return None
    if not tensor.floating and isinstance(wanted, Classes):
        return wanted._replace(shape=tensor.shape)
    return Values(tensor.shape)


def check_names(config: Config, outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return a fault for each output that a loss names and the network does not have."""
    return [fault for term in config.losses for fault in _check_names(term, outputs)]


def reads_what_is_there(config: Config, outputs: Mapping[str, Tensor]) -> bool:
    """Whether the network has every output that a loss reads, and no loss reads one twice."""
    return all(len(term.compared(outputs)) == len(term.reads or outputs) for term in config.losses)


def _check_names(term: LossTerm, outputs: Mapping[str, Tensor]) -> Iterator[Diagnostic]:
    for number, wire in enumerate(term.reads):
        help_, fixes = did_you_mean(wire.outside, outputs, wire.span)
        title = f"the network has no output {brief(wire.outside)}"
        label = "unknown"
        if wire.outside in {other.outside for other in term.reads[:number]}:
            title, label, help_, fixes = "an output named twice", "already named", None, ()
        elif wire.outside in outputs:
            continue
        help_ = help_ or f"it gives {', '.join(outputs)}"
        yield Diagnostic("NB213", title, wire.span, label, help=help_, fixes=fixes)


def check(config: Config, outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    """Return the faults that keep the network, its losses and the data from fitting together."""
    if config.data is None or not all(config.inputs.values()):
        return metrics.check(config, outputs, lambda _: None)
    return _check_with(config, config.data, outputs)


def _check_with(config: Config, source: Dataset, outputs: Mapping[str, Tensor]) -> list[Diagnostic]:
    if strange := _misnamed(config, source):
        return strange
    try:
        given = sample(config, outputs)
    except DataError as error:
        return [unusable(config, error)]
    found = []
    needed = wanted(config, outputs)
    if len(given.inputs) != len(config.inputs):
        count = "one input" if len(given.inputs) == 1 else f"{len(given.inputs)} inputs"
        message = f"it gives {count}, but the network reads {', '.join(config.inputs)}"
        at = "views" if config.preparation.views else None
        found.append(data_fault(config, message, None, at))
    else:
        read = tuple(x for x in config.inputs.values() if x is not None)
        found += _check_inputs(config, given.inputs, read)
    if not found:
        found += [unusable(config, error) for error in fitting.check(config, needed, outputs)]
    if config.preparation.augment:
        found += _check_augmented(config, outputs, given, needed)
    for term in config.losses:
        own = tuple(term.compared(outputs).values())
        # An unknown target may fit.
        target = compared_with(config, term, outputs, given) or of_loss(term, outputs)
        try:
            term.loss.check(own, target)
        except ShapeError as error:
            found.append(_loss_fault(config, term, error, outputs))

    def target_of(term: LossTerm) -> Target | None:
        return compared_with(config, term, outputs, given) or _of_other(config, term, outputs)

    return [*found, *metrics.check(config, outputs, target_of)]


def _check_augmented(
    config: Config, outputs: Mapping[str, Tensor], given: Declared, needed: Sample
) -> Iterator[Diagnostic]:
    """Yield the faults of augmentations: of their images, and of what moves or is mixed."""
    from netbuild.checks import augmentations, mixing

    yield from augmentations.check(config)
    compared: dict[str, Target] = {
        name: given.targets[name] or target
        for name, target in needed.targets.items()
        if not isinstance(target, Nothing)
    }
    for name, target in compared.items():
        ignored = _ignored(config, outputs, name)
        yield from augmentations.check_target(config, name, target, ignored)
    yield from mixing.check(config, outputs, compared)


def _ignored(config: Config, outputs: Mapping[str, Tensor], name: str) -> dict[str, int | None]:
    """Return the number that each loss ignores in a target, by the name of the loss."""
    found = {}
    for term in config.losses:
        against = config.against(term, outputs)
        if against is not None and (against.kind, against.name) == ("target", name):
            target = of_loss(term, outputs)
            found[term.item.type.text] = target.ignored if isinstance(target, Classes) else None
    return found


def _of_other(config: Config, term: LossTerm, outputs: Mapping[str, Tensor]) -> Target | None:
    """Return the target of a metric alone, as a loss that reads it needs it; None for others."""
    found = config.against(term, outputs)
    if term in config.losses or found is None or found.kind != "target":
        return None
    read = wanted(config, outputs).targets[found.name]
    return None if isinstance(read, Nothing) else read


def _misnamed(config: Config, source: Dataset) -> list[Diagnostic]:
    """Return the fault of a mapping that names other inputs than those of the network."""
    named = source.named_inputs
    if named is None or {*named} == {*config.inputs}:
        return []
    strange = next((name for name in named if name not in config.inputs), None)
    lacking = next((name for name in config.inputs if name not in named), None)
    label = f"it names no columns for the input {lacking}"
    if strange is not None:
        label = f"the network has no input {brief(strange)}; it reads {', '.join(config.inputs)}"
    return [data_fault(config, label, None, "inputs")]


def _check_inputs(
    config: Config, given: tuple[Tensor | None, ...], wanted: tuple[Tensor, ...]
) -> list[Diagnostic]:
    """Return the fault of the first input whose shape or dtype differs in the data."""
    for came, needed in zip(given, wanted, strict=True):
        if came is not None and came != needed:
            message = f"its samples are {_described(came)}, but the network's input is "
            return [data_fault(config, message + _described(needed), resize(came, needed))]
    return []


def _described(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype == "float32" else f" of {tensor.dtype}"
    return times(tensor.shape) + dtype


def resize(came: Tensor, needed: Tensor) -> str | None:
    """Return the advice to resize, if the samples differ from the input in size only."""
    if len(came.shape) == len(needed.shape) == 3 and came.shape[0] == needed.shape[0]:
        return f"add resize: [{needed.shape[1]}, {needed.shape[2]}] next to the data source"
    return None


def data_fault(
    config: Config, message: str, help_: str | None, at: str | None = None
) -> Diagnostic:
    """Return a fault of the data or of one of its fields."""
    name, span = _named(config, "data", at)
    title = f"{name} does not fit the network"
    notes = (Note("input", f"line {config.input_span(next(iter(config.inputs))).line}"),)
    return Diagnostic("NB501", title, span, message, notes, help=help_)


def unusable(config: Config, error: DataError) -> Diagnostic:
    """Return the fault of data that cannot be used as written."""
    name, span = _named(config, "data", error.at)
    title = f"{name} cannot be used as written"
    help_ = error.help
    if error.unreadable and getattr(config.data, "skip_broken", None) is False:
        help_ = "skip_broken: true, among the fields of the source, leaves out what cannot be read"
    return Diagnostic("NB501", title, span, str(error), help=help_ or _similar_file(config))


def _similar_file(config: Config) -> str | None:
    """Return the help for a missing file of the data next to one with a similar name."""
    if config.data is None:
        return None
    folder = Path(config.place("data").document.name).parent
    for field in config.data.paths:
        path = getattr(config.data, field)
        try:
            written = os.path.relpath(path, folder).replace(os.sep, "/") if path else ""
        except ValueError:  # on another drive
            continue
        near = similar_path(written, folder) if written else None
        if near is not None:
            return f"did you mean {brief(near)}?"
    return None


def _loss_fault(
    config: Config, term: LossTerm, error: ShapeError, outputs: Mapping[str, Tensor]
) -> Diagnostic:
    compared = term.compared(outputs)
    name, span = term.item.type.text, place(term.item, error.at)
    shapes = [times(output.shape) for output in compared.values()]
    help_ = error.help
    if len(term.loss.inputs) < len(compared):
        read = ", ".join(list(compared)[: len(term.loss.inputs)])
        help_ = f"name the outputs that it reads: {{{name}, inputs: [{read}]}}"
    given = f"the network gives {', '.join(shapes)}"
    notes = [Note("output", given)]
    title, message = f"{name} does not fit the network and the data", str(error)
    found = config.against(term, outputs)
    if found is not None and found.kind in {"output", "input"}:
        # The messages of losses speak of the data, where most targets are.
        title = f"{name} does not fit its target"
        called = "the input" if found.name == "input" else f"{found.kind} {found.name}"
        message = message.replace("the data has", f"{called} has")
    else:
        data = f"{_named(config, 'data')[0]}, line {config.span('data').line}"
        notes.append(Note("data", data))
    if found is not None and found.kind == "target" and term.target is not None:
        message = message.replace("the data has", f"target {found.name} has")
    return Diagnostic(error.code, title, span, message, tuple(notes), help=help_)


def _named(config: Config, section: str, field: str | None = None) -> tuple[str, Span]:
    """Return the type that a section names, and the place of the type or of its field."""
    item = config.items.get(section)
    return item.type.text if item else section, config.place(section, field)
