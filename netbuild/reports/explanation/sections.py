"""The words of an explanation, which the text format and the Markdown format share."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.component import Component
from netbuild.components.layers.formula import AS_INPUT
from netbuild.components.tensor import times
from netbuild.reports.explanation import LayerExplanation, StackExplanation
from netbuild.reports.explanation.first_values import deciders, first_steps
from netbuild.reports.explanation.origins import said
from netbuild.reports.explanation.step import FormulaStep

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.reports.explanation import Explanation
    from netbuild.reports.explanation.origins import ValueOrigin
    from netbuild.reports.explanation.step import Count


class Section(NamedTuple):
    """A number or a shape of a layer, with the steps to it."""

    name: str
    result: str
    steps: tuple[FormulaStep, ...] = ()
    note: str = ""
    unit: str = ""


def sections(part: LayerExplanation | StackExplanation) -> Iterator[Section]:
    """Yield the sections of a layer or a stack."""
    if isinstance(part, LayerExplanation):
        for name, tensor, source in part.reads:
            yield Section(name, f"{times(tensor.shape)} from {source}")
        if part.row.layer.written:
            yield Section("formula", part.row.layer.written)
        for port, steps in part.outputs.items():
            yield _shape(port, part.row.outputs[port].shape, steps, "")
        if part.modes:
            yield Section("train", part.modes.training)
            yield Section("eval", part.modes.evaluation)
    yield _counted("params", part.params)
    yield _counted("MACs", part.macs)
    if isinstance(part, LayerExplanation):
        yield _shape("field", part.field.size, part.field.steps, part.field.note)
    if part.kept.total:
        kept = f"{_bytes(part.kept.total)} a sample, for the backward pass"
        yield Section("kept", kept, part.kept.steps, part.kept.note, " B")
    else:
        yield _none("kept", part.kept.steps, part.kept.note)
    if part.weights_bytes.total:
        (step,) = part.weights_bytes.steps
        exact, *rest = _bytes(part.weights_bytes.total).partition(" = ")
        yield Section("weights", f"{exact} = {step.rule}{''.join(rest)}")
    if isinstance(part, LayerExplanation) and part.begins:
        yield Section("begins", deciders(part.begins), first_steps(part.begins))
    yield from _training(part)


def _training(part: LayerExplanation | StackExplanation) -> Iterator[Section]:
    """Yield what the totals say of the training."""
    if isinstance(part, StackExplanation):
        if part.augmenting:
            found = [
                FormulaStep(one.type, one.does, "", None, note=one.outside)
                for one in part.augmenting
            ]
            views = part.augmenting[0].views
            of = f", {views} views of each" if views else ""
            yield Section("augment", f"the images that train{of}", tuple(found))
        yield from _objective(part)
        yield from _rates(part)


def _objective(part: StackExplanation) -> Iterator[Section]:
    """Yield the losses, the metrics and the monitor of the training, which the totals have."""
    if part.objective is None:
        return
    from netbuild.reports.explanation.objective import compared

    losses, metrics, monitor = part.objective
    terms = [f"{one.weight:g} · {one.name}" if one.weight != 1 else one.name for one in losses]
    steps = []
    for one in losses:
        kind = f"{one.type} of " if one.name != one.type else ""
        told = f"{kind}{compared(one.inputs, one.target)}"
        told += f": {one.holds}" if one.holds else ""
        note = f"minimised by {' and '.join(one.minimised_by)}" if one.minimised_by else ""
        steps.append(FormulaStep(one.name, told, "", None, note=note))
    yield Section("losses", " + ".join(terms).replace("+ -", "− "), tuple(steps))
    if metrics:
        found = [
            FormulaStep(one.value, f"{one.type} of {compared(one.inputs, one.target)}", "", None)
            for one in metrics
        ]
        yield Section("metrics", f"{len(metrics)} in the validation", tuple(found))
    best = "none: the newest epoch is kept as best"
    yield Section(
        "monitor", f"{monitor.value}, {monitor.better} is best" if monitor.value else best
    )


def _rates(part: StackExplanation) -> Iterator[Section]:
    """Yield the schedule of each optimizer, which the totals have."""
    for one in part.schedules:
        result = f"{one.scheduler}, after each {one.every}"
        result += f", for {one.optimizer}" if len(part.schedules) > 1 else ""
        yield Section("rate", result, one.steps)


def _shape(name: str, shape: Shape | None, steps: tuple[FormulaStep, ...], note: str) -> Section:
    """Return the section of a shape. It may be equal to the shape of the input."""
    if shape is None:
        return _none(name, steps, note)
    if [step.rule for step in steps] == [AS_INPUT] and steps[0].result is None:
        return Section(name, f"{times(shape)}, {AS_INPUT}", (), note)
    return Section(name, times(shape), steps, note)


def _counted(name: str, count: Count) -> Section:
    if not count.total:
        return _none(name, count.steps, count.note)
    return Section(name, f"{count.total:,}", count.steps, count.note)


def _none(name: str, steps: tuple[FormulaStep, ...], note: str) -> Section:
    """Return the section of a number that is 0, with the reason in `note`."""
    return Section(name, f"none: {_lower(note)}" if note else "none", steps)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _bytes(count: int) -> str:
    """Return the exact number of bytes; a large one also with three digits and a unit."""
    amount, unit = float(count), ""
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1000:
            break
        amount, unit = amount / 1024, larger
    return f"{count:,} B = {amount:.3g} {unit}" if unit else f"{count:,} B"


def does(part: LayerExplanation) -> str:
    """Return the first paragraph of the description of a layer."""
    return part.does.partition("\n\n")[0]


def heading(
    part: LayerExplanation | StackExplanation, explanation: Explanation
) -> tuple[str, str, str]:
    """Return the name of a layer or stack, its type, and its input and output shapes."""
    if isinstance(part, LayerExplanation):
        row = part.row
        type_ = f"{row.type}, reused in {part.again}" if part.again else row.type
        return row.path, type_, _through(row.inputs, [row.output])
    layers = f"{part.layers:,} layer{'' if part.layers == 1 else 's'}"
    if part.path:
        return part.path, f"{part.type}, {layers}" if part.type else layers, ""
    config = explanation.graph.config
    inputs = [x for x in config.inputs.values() if x]
    return config.name, layers, _through(inputs, explanation.graph.outputs.values())


def _through(inputs: Iterable[Tensor], outputs: Iterable[Tensor]) -> str:
    came, goes = (" and ".join(times(x.shape) for x in side) for side in (inputs, outputs))
    return f"{came} → {goes}" if came else goes


def origin_lines(origin: ValueOrigin, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the value and the place of a value, then of each name in its expression.

    Names in an expression are indented. The place of a default is "": defaults have their own list.
    """
    place = {"input": f"from {origin.place}", "default": ""}.get(origin.kind, origin.place)
    shown = f"{origin.text}, {place}" if origin.text else place
    item = isinstance(origin.value, Component) and bool(origin.through)
    value = type(origin.value).__name__ if item else said(origin.value)
    yield "  " * depth + origin.name, value, shown
    for inner in origin.through:
        yield from origin_lines(inner, depth + 1)


def values(part: LayerExplanation) -> list[tuple[str, str, str]]:
    """Return the origin of each value that is not a default, and the meaning of each symbol."""
    lines = [line for origin in part.origins for line in origin_lines(origin) if line[2]]
    return lines + [(one.name, ", ".join(one.values), one.meaning) for one in part.terms]


def defaults(part: LayerExplanation) -> dict[str, list[str]]:
    """Return the fields that have their default values, by the owner of the default."""
    found: dict[str, list[str]] = {}
    told = {one.name for one in part.terms}
    for origin in _with_those_inside(part.origins):
        if origin.kind == "default" and origin.name not in told:
            whose = origin.place.replace("default", "defaults")
            found.setdefault(whose, []).append(f"{origin.name} {said(origin.value)}")
    return found


def _with_those_inside(origins: Iterable[ValueOrigin]) -> Iterator[ValueOrigin]:
    for origin in origins:
        yield origin
        yield from _with_those_inside(origin.through)


def parts(explanation: Explanation) -> list[StackExplanation | LayerExplanation]:
    """Return all layers and stacks of an explanation, with the totals last."""
    return [*explanation.parts, *([explanation.total] if explanation.total else [])]


def dedented(part: LayerExplanation) -> list[tuple[int, str]]:
    """Return the numbered lines of the file without their common indentation."""
    indent = min(len(line) - len(line.lstrip()) for _, line in part.written)
    return [(number, line[indent:]) for number, line in part.written]
