"""The receptive field of a layer: how much of the network's input a position of its output sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import AS_INPUT, Formula
from netbuild.components.layers.layer import Window
from netbuild.graph.value import NOWHERE, Reach
from netbuild.reports.explanation.step import Step, Term, reason, step, term

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row

#: What the rules name that no layer has as a field.
TERMS = {
    "field": "what one position of the input sees",
    "jump": "how far apart two neighbours of the input look",
}
_LARGEST = "the largest of the inputs"
_RULE = "field + (kernel_size − 1)·dilation·jump"


class Field(NamedTuple):
    """A receptive field, None where positions have no place; `note` says why, or where from."""

    size: Shape | None
    steps: tuple[Step, ...] = ()
    note: str = ""
    terms: tuple[Term, ...] = ()


class Fields:
    """The receptive fields of a network."""

    def __init__(self, graph: Graph) -> None:
        self.inputs = graph.config.inputs
        self.reaches: dict[str, Reach | None] = {}
        #: Of layers without a field, where it ended.
        self.ends: dict[str, str] = {}
        for row in graph.rows:
            self.reaches[row.path] = row.reach
            if row.reach is None:
                self.ends[row.path] = self.end(row)

    def of(self, row: Row) -> Field:
        """Explain the receptive field of a layer."""
        if row.reach == NOWHERE:
            return Field(None, (), "it comes from a Parameter, which looks at nothing")
        window = row.layer.window(*row.shapes)
        if row.reach is None:
            said = reason(row.layer, "window") if window is None else ""
            return Field(None, (), said or self.ends[row.path])
        assert window is not None
        reaches = [r for r in self.befores(row) if r is not None and r != NOWHERE]
        if set(window.kernel) | set(window.stride) == {1} and len(set(reaches)) == 1:
            return Field(row.reach.size, (Step("size", AS_INPUT, "", None, row.reach.size),))
        found, steps = _formulas(window, reaches), tuple(_steps(row.reach, window, reaches))
        named = any(one.rule == _RULE for one in steps)
        terms = tuple(term(name, meaning, found) for name, meaning in TERMS.items() if named)
        return Field(row.reach.size, steps, "", terms)

    def befores(self, row: Row) -> list[Reach | None]:
        """Return the reach of each input of a layer."""
        return [
            self.reaches[value.path] if value.path else _whole(self.inputs[value.port])
            for value in row.sources
        ]

    def end(self, row: Row) -> str:
        """Return where the positions of a result have lost their place in the network's input."""
        befores = self.befores(row)
        if set(befores) <= {None, NOWHERE}:
            above = (self.ends[v.path] for v in row.sources if v.path in self.ends)
            return next(above, "the input has no axes along which something could be seen")
        if row.layer.window(*row.shapes) is None:
            return f"ended at {row.path} ({row.type}): positions have no place any more"
        above = (self.ends[v.path] for v in row.sources if v.path in self.ends)
        return next(above, f"ended at {row.path} ({row.type}): its inputs differ in their axes")


def _formulas(window: Window, befores: list[Reach]) -> list[Formula]:
    """Return the formula of each axis for each field that comes in, one axis after the other."""
    return [
        Formula(_RULE, {"field": size, "kernel_size": k, "dilation": d, "jump": jump})
        for number, (k, d) in enumerate(zip(window.kernel, window.dilation, strict=True))
        for size, jump in dict.fromkeys((one.size[number], one.stride[number]) for one in befores)
    ]


def _steps(behind: Reach, window: Window, befores: list[Reach]) -> Iterator[Step]:
    """Yield a step for the field of each axis, and for its jump where that grows."""
    rank = len(window.kernel)
    names = AXES[rank].split(", ")[1:] if rank in AXES else [f"axis {n + 2}" for n in range(rank)]
    for number, name in enumerate(names):
        one = Window(*(sizes[number : number + 1] for sizes in window))
        reaches = [
            Reach(b.size[number : number + 1], b.stride[number : number + 1]) for b in befores
        ]
        size, *others = _formulas(one, reaches)
        if others:  # a join, whose positions each see one position of each input
            fields = (reach.size[0] for reach in dict.fromkeys(reaches))
            size = Formula(_LARGEST, {_LARGEST: f"max({', '.join(map(str, fields))})"})
        yield step(name, size, result=behind.size[number])
    if len(set(befores)) == 1 and set(window.stride) != {1}:
        jumps = list(zip(befores[0].stride, window.stride, behind.stride, strict=True))
        for (before, stride, jump), name in zip(jumps, names, strict=True):
            formula = Formula("jump·stride", {"jump": before, "stride": stride})
            yield step("jump" if len(set(jumps)) == 1 else f"jump, {name}", formula, result=jump)
            if len(set(jumps)) == 1:
                break


def _whole(tensor: Tensor | None) -> Reach | None:
    """Return the reach of an input of the network, each position of which sees itself."""
    ones = (1,) * (len(tensor.shape) - 1) if tensor else ()
    return Reach(ones, ones) if ones else None
