"""A look as text: the values of each layer, what differs in training, gradients, and marks."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Literal, NamedTuple

from rich.text import Text

from netbuild.components.tensor import times
from netbuild.diagnostics.wording import brief
from netbuild.reports.inspection.numbers import cells, fixed, percent, short
from netbuild.reports.text_table import TextTable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.reports.inspection.look import LayerLook, Look, Values, WeightLook

#: The most characters of a line of text below the table.
_WIDTH = 79
#: The most characters of a name, of a type and of a shape.
_LONGEST = 28


class _Layout(NamedTuple):
    """What a table shows: types in a column or behind the names, shapes, both modes in a line."""

    types: Literal["column", "name", ""] = "column"
    shapes: bool = True
    side_by_side: bool = False


#: The layouts of the table, the widest first.
_LAYOUTS = (_Layout(side_by_side=True), _Layout(), _Layout("name"), _Layout(""), _Layout("", False))


def text(look: Look, room: int) -> Text:
    """Return the whole look, for `room` columns if a table that narrow is possible."""
    title = f"{look.name}: {look.place}, {look.weights}"
    below = textwrap.wrap(look.sample, _WIDTH)
    parts = [Text.assemble((title, "bold"), "\n", "\n".join(below), "\n"), _values(look, room)]
    parts += [Text(line) for line in _outputs(look)]
    parts += [made for made in (_modes(look), _gradients(look, room)) if made is not None]
    parts += list(_marks(look))
    for note in look.notes:
        parts.append(Text("\n".join(textwrap.wrap(f"note: {note}", _WIDTH)) + "\n"))
    return Text("\n").join(parts)


def _outputs(look: Look) -> Iterator[str]:
    """Yield the outputs of the first sample that are a few numbers."""
    for name, numbers in look.outputs.items():
        said = f"{name}: {', '.join(map(short, numbers))}"
        of = " of the first sample" if look.samples > 1 else ""
        yield "\n".join(textwrap.wrap(said.replace(":", f"{of}:", 1), _WIDTH)) + "\n"


def _values(look: Look, room: int) -> Text:
    """Return the widest table that fits, or the narrowest."""
    layouts = _LAYOUTS if look.differs else _LAYOUTS[1:]
    for layout in layouts:
        table = _table(look, layout)
        if table.width <= room:
            break
    return _bare(table)


def _bare(table: TextTable) -> Text:
    """Return a table without a title and without a footer."""
    made = table.text()
    made.right_crop(len(made.plain) - len(made.plain.rstrip()))
    return made[2:] + Text("\n")


def _table(look: Look, layout: _Layout) -> TextTable:
    infinite = any(
        values.nonfinite
        for one in look.layers
        for values in (one.training, one.evaluation)
        if values is not None
    )
    numbers = ["mean", "deviation", "least", "largest", "zeros"] + ["not finite"] * infinite
    header = ["name", *["type"] * (layout.types == "column")]
    if look.differs and not layout.side_by_side:
        header.append("in")
    words = len(header)
    header += ["output"] * layout.shapes
    if layout.side_by_side:
        header += ["train: mean", *numbers[1:], "eval: mean", *numbers[1:]]
    else:
        header += numbers
    rows = [(*cells, *[""] * (len(header) - len(cells))) for cells in _rows(look, layout, infinite)]
    return TextTable("", tuple(header), rows, ("",), words)


def _rows(look: Look, layout: _Layout, infinite: bool) -> Iterator[list[str]]:  # noqa: FBT001
    """Yield the cells of each input, each stack and each layer."""
    for name, values in look.inputs.items():
        yield _line(name, "input", ("", values), layout, look, infinite)
    above: list[str] = []
    for one in look.layers:
        *within, own = one.path.split(".")
        same = next((i for i, (a, b) in enumerate(zip(above, within)) if a != b), len(above))  # noqa: B905  of different depth
        for level, stack in enumerate(within[same:], start=same):
            yield ["  " * level + stack]
        above = within
        name, type_ = "  " * len(within) + own, brief(one.type, _LONGEST)
        if not one.differs:
            yield _line(name, type_, ("", one.values), layout, look, infinite)
        elif layout.side_by_side:
            line = _line(name, type_, ("", one.training), layout, look, infinite)
            yield line + _numbers(one.evaluation, infinite)
        else:
            yield _line(name, type_, ("train", one.training), layout, look, infinite)
            more = _line("", "", ("eval", one.evaluation), layout, look, infinite)
            if layout.shapes:
                more[2 + (layout.types == "column")] = ""
            yield more


def _line(
    name: str,
    type_: str,
    of: tuple[str, Values | None],
    layout: _Layout,
    look: Look,
    infinite: bool,  # noqa: FBT001
) -> list[str]:
    mode, values = of
    name = brief(name, _LONGEST)
    found = [name, type_] if layout.types == "column" else [name]
    if layout.types == "name" and type_ not in {"", "input"}:
        found = [f"{name} {type_}"]
    if look.differs and not layout.side_by_side:
        found.append(mode)
    if layout.shapes:
        found.append(times(values.shape[1:]) or "1" if values else "not computed")
    return found + _numbers(values, infinite)


def _numbers(values: Values | None, infinite: bool) -> list[str]:  # noqa: FBT001
    if values is None:
        return [""] * (5 + infinite)
    more = [percent(values.nonfinite) if values.nonfinite else ""] if infinite else []
    return [*cells(values), percent(values.zeros), *more]


def _modes(look: Look) -> Text | None:
    """Return the formulas of training and of evaluation, each with the numbers of its layers."""
    switching = [one for one in look.layers if one.modes is not None]
    if not switching:
        return None
    groups: dict[tuple[str, str], list[LayerLook]] = {}
    for one in switching:
        assert one.modes is not None
        groups.setdefault((one.type, one.modes.training), []).append(one)
    made = Text.assemble(("Training and evaluation differ\n", "bold"))
    for (type_, _), layers in groups.items():
        made.append(f"\n{type_}\n")
        modes = layers[0].modes
        assert modes is not None
        made.append(_indented("train  ", modes.training) + _indented("eval   ", modes.evaluation))
        for one in layers:
            if one.numbers is None:
                continue
            for mode, said in (("train", one.numbers.training), ("eval", one.numbers.evaluation)):
                if said:
                    made.append(_indented(f"{one.path} {mode}: ", said, "  "))
    return made


def _indented(first: str, said: str, by: str = "  ") -> str:
    lines = textwrap.wrap(
        said, _WIDTH, initial_indent=by + first, subsequent_indent=by + " " * min(len(first), 12)
    )
    return "\n".join(lines) + "\n"


def _gradients(look: Look, room: int) -> Text | None:
    """Return the table of gradients: at the result of each layer, and of its weights."""
    if look.objective is None:
        return None
    value = "" if look.loss is None else f", {short(look.loss)}"
    made = Text.assemble((f"Gradients of {look.objective}{value}\n", "bold"))
    made.append(
        "norms: of the gradient at the result, of the gradient of each weight, and of\n"
        "the weight itself; the ratio divides the last two\n\n"
    )
    header = ("name", "type", "weight", "gradient", "of weight", "norm", "ratio")
    rows: list[tuple[str, ...]] = []
    for one in look.layers:
        at = "" if one.gradient is None else fixed(one.gradient)
        name = brief(one.path, _LONGEST)
        lines = [
            (n, "" if w.gradient is None else fixed(w.gradient), fixed(w.norm), _ratio(w))
            for n, w in one.weights.items()
        ] or [("", "", "", "")]
        if at or one.weights:
            rows += [
                (name, one.type, line[0], at, *line[1:])
                if number == 0
                else ("", "", line[0], "", *line[1:])
                for number, line in enumerate(lines)
            ]
    table = TextTable("", header, rows, ("",), 3)
    if table.width > room:
        rows = [(row[0], *row[2:]) for row in rows]
        table = TextTable("", (header[0], *header[2:]), rows, ("",), 2)
    return made + _bare(table)


def _ratio(weight: WeightLook) -> str:
    norm, gradient = weight
    return short(float(f"{gradient / norm:.2g}")) if gradient is not None and norm else ""


def _marks(look: Look) -> Iterator[Text]:
    """Yield what is wrong. Marks of the same kind with the same advice stand together."""
    groups: dict[tuple[str, str], list[str]] = {}
    for mark in look.marks:
        groups.setdefault((mark.kind, mark.advice), []).append(f"{mark.path}: {mark.text}")
    for (kind, advice), lines in groups.items():
        made = Text.assemble((f"{kind}\n", "bold red"))
        for line in lines:
            made.append(_indented("", line))
        made.append(_indented("help: ", advice))
        yield made


def plain(look: Look, room: int) -> Sequence[str]:
    """Return the lines of a look without any style."""
    return [line.rstrip() for line in text(look, room).plain.splitlines()]
