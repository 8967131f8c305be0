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
#: The most characters of a type in a narrow table.
_NARROW = 13


class _Layout(NamedTuple):
    """What a table shows, and where.

    Types stand in a column, behind the names, or nowhere. Training and evaluation stand in columns
    side by side, in two lines with a column that names them, or in two lines of which the second
    one is called `evaluation`.
    """

    types: Literal["column", "name", ""]
    modes: Literal["side by side", "column", "name"]
    shapes: bool = True


#: The layouts of the table, the widest first.
_LAYOUTS = (
    _Layout("column", "side by side"),
    _Layout("column", "column"),
    _Layout("name", "column"),
    _Layout("name", "name"),
    _Layout("", "name"),
    _Layout("", "name", shapes=False),
)


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
    made = _Table(look, layout)
    header = made.header
    rows = [(*row, *[""] * (len(header) - len(row))) for row in made.rows()]
    return TextTable("", tuple(header), rows, ("",), made.words)


class _Table:
    """The cells of the table of values in a layout."""

    def __init__(self, look: Look, layout: _Layout) -> None:
        self.look, self.layout = look, layout
        every = (values for one in look.layers for values in (one.training, one.evaluation))
        #: Whether there is a column for values that are not finite.
        self.infinite = any(values.nonfinite for values in every if values is not None)
        self.beside = layout.modes == "side by side" and look.differs
        names = ["name"] + ["type"] * (layout.types == "column")
        names += ["in"] * (layout.modes == "column" and look.differs)
        self.words = len(names)
        numbers = ["mean", "deviation", "least", "largest", "zeros"]
        numbers += ["not finite"] * self.infinite
        if self.beside:
            numbers = ["train: mean", *numbers[1:], "eval: mean", *numbers[1:]]
        self.header = names + ["output"] * layout.shapes + numbers

    def rows(self) -> Iterator[list[str]]:
        """Yield the cells of each input, each stack and each layer."""
        for name, values in self.look.inputs.items():
            yield self._line(name, "input", "", values)
        above: list[str] = []
        for one in self.look.layers:
            *within, own = one.path.split(".")
            pairs = enumerate(zip(above, within, strict=False))
            same = next((i for i, (a, b) in pairs if a != b), min(len(above), len(within)))
            for level, stack in enumerate(within[same:], start=same):
                yield ["  " * level + stack]
            above = within
            yield from self._layer(one, "  " * len(within), own)

    def _layer(self, one: LayerLook, indent: str, own: str) -> Iterator[list[str]]:
        name, type_ = indent + own, brief(one.type, _LONGEST)
        if not one.differs:
            yield self._line(name, type_, "", one.values)
        elif self.beside:
            line = self._line(name, type_, "", one.training)
            yield line + self._numbers(one.evaluation)
        else:
            yield self._line(name, type_, "train", one.training)
            below = f"{indent}  evaluation" if self.layout.modes == "name" else ""
            line = self._line(below, "", "eval", one.evaluation)
            if self.layout.shapes:
                line[self.words] = ""
            yield line

    def _line(self, name: str, type_: str, mode: str, values: Values | None) -> list[str]:
        layout = self.layout
        found = [brief(name, _LONGEST)]
        if layout.types == "column":
            found.append(type_)
        elif layout.types == "name" and type_ not in {"", "input"}:
            found = [f"{found[0]} {brief(type_, _NARROW) if layout.modes == 'name' else type_}"]
        if layout.modes == "column" and self.look.differs:
            found.append(mode)
        if layout.shapes:
            found.append(times(values.shape[1:]) or "1" if values else "not computed")
        return found + self._numbers(values)

    def _numbers(self, values: Values | None) -> list[str]:
        if values is None:
            return [""] * (5 + self.infinite)
        more = [percent(values.nonfinite) if values.nonfinite else ""] if self.infinite else []
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
