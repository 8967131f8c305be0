"""What an explanation says of each layer and stack, in words: what text and Markdown print."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.component import Component
from netbuild.components.layers.formula import AS_INPUT
from netbuild.components.tensor import times
from netbuild.reports.explanation import Explained, Summed
from netbuild.reports.explanation.origins import said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.reports.explanation import Explanation
    from netbuild.reports.explanation.origins import Origin
    from netbuild.reports.explanation.step import Count, Step


class Section(NamedTuple):
    """A number of a layer, or a shape, with the steps that lead to it."""

    name: str
    result: str
    steps: tuple[Step, ...] = ()
    note: str = ""
    unit: str = ""


def sections(part: Explained | Summed) -> Iterator[Section]:
    """Yield what there is to say of a layer or a stack, one number after the other."""
    if isinstance(part, Explained):
        for name, tensor, source in part.reads:
            yield Section(name, f"{times(tensor.shape)} from {source}")
        for port, steps in part.outputs.items():
            yield _shape(port, part.row.outputs[port].shape, steps, "")
        if part.modes:
            yield Section("train", part.modes.training)
            yield Section("eval", part.modes.evaluation)
    yield _counted("params", part.params)
    yield _counted("MACs", part.macs)
    if isinstance(part, Explained):
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


def _shape(name: str, shape: Shape | None, steps: tuple[Step, ...], note: str) -> Section:
    """Return the section of a shape, which may just be that of the input."""
    if shape is None:
        return _none(name, steps, note)
    if [step.rule for step in steps] == [AS_INPUT] and steps[0].result is None:
        return Section(name, f"{times(shape)}, {AS_INPUT}", (), note)
    return Section(name, times(shape), steps, note)


def _counted(name: str, count: Count) -> Section:
    if not count.total:
        return _none(name, count.steps, count.note)
    return Section(name, f"{count.total:,}", count.steps, count.note)


def _none(name: str, steps: tuple[Step, ...], note: str) -> Section:
    """Return the section of a number that is 0, with the reason, if there is one to say."""
    return Section(name, f"none: {_lower(note)}" if note else "none", steps)


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _bytes(count: int) -> str:
    """Return bytes exactly, and many of them with three digits as well."""
    amount, unit = float(count), ""
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1000:
            break
        amount, unit = amount / 1024, larger
    return f"{count:,} B = {amount:.3g} {unit}" if unit else f"{count:,} B"


def does(part: Explained) -> str:
    """Return the first paragraph of what a layer says of itself."""
    return part.does.partition("\n\n")[0]


def heading(part: Explained | Summed, explanation: Explanation) -> tuple[str, str, str]:
    """Return the name of a part, what it is, and what comes in and goes out."""
    if isinstance(part, Explained):
        row = part.row
        type_ = f"{row.type}, called again in {part.again}" if part.again else row.type
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


def origin_lines(origin: Origin, depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Yield a value and the names in its expression, indented: name, value, and where it is from.

    A default is listed elsewhere, and has no place here.
    """
    place = {"input": f"from {origin.place}", "default": ""}.get(origin.kind, origin.place)
    shown = f"{origin.text}, {place}" if origin.text else place
    item = isinstance(origin.value, Component) and bool(origin.through)
    value = type(origin.value).__name__ if item else said(origin.value)
    yield "  " * depth + origin.name, value, shown
    for inner in origin.through:
        yield from origin_lines(inner, depth + 1)


def values(part: Explained) -> list[tuple[str, str, str]]:
    """Return where each value comes from that is no default, and what names in formulas mean."""
    lines = [line for origin in part.origins for line in origin_lines(origin) if line[2]]
    return lines + [(one.name, ", ".join(one.values), one.meaning) for one in part.terms]


def defaults(part: Explained) -> dict[str, list[str]]:
    """Return the fields that nobody has written with their values, by whose defaults they are."""
    found: dict[str, list[str]] = {}
    told = {one.name for one in part.terms}
    for origin in _with_those_inside(part.origins):
        if origin.kind == "default" and origin.name not in told:
            whose = origin.place.replace("default", "defaults")
            found.setdefault(whose, []).append(f"{origin.name} {said(origin.value)}")
    return found


def _with_those_inside(origins: Iterable[Origin]) -> Iterator[Origin]:
    for origin in origins:
        yield origin
        yield from _with_those_inside(origin.through)


def parts(explanation: Explanation) -> list[Summed | Explained]:
    """Return what is explained, the totals last."""
    return [*explanation.parts, *([explanation.total] if explanation.total else [])]


def dedented(part: Explained) -> list[tuple[int, str]]:
    """Return the lines of the file with their numbers, without the blanks that all begin with."""
    indent = min(len(line) - len(line.lstrip()) for _, line in part.written)
    return [(number, line[indent:]) for number, line in part.written]
