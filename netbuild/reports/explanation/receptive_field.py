"""The receptive field of a layer: the part of the network's input that one output position sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import AS_INPUT, Equation
from netbuild.components.layers.layer import Window
from netbuild.graph.value import NOWHERE, Reach
from netbuild.reports.explanation.step import FormulaStep, Symbol, reason, step, symbol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Shape, Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row

#: The names in the rules that are not fields of a layer.
SYMBOLS = {
    "field": "the receptive field of this layer's input",
    "jump": "the distance of neighbours in the network's input",
}
_LARGEST = "the largest of the inputs"
_RULE = "field + (kernel_size − 1)·dilation·jump"


class ReceptiveField(NamedTuple):
    """A receptive field. `size` is None if positions have no place in the input; see `note`."""

    size: Shape | None
    steps: tuple[FormulaStep, ...] = ()
    note: str = ""
    terms: tuple[Symbol, ...] = ()


class ReceptiveFields:
    """The receptive fields of a network."""

    def __init__(self, graph: Graph) -> None:
        self.inputs = graph.config.inputs
        self.reaches: dict[str, Reach | None] = {}
        #: For each layer without a receptive field, the reason.
        self.ends: dict[str, str] = {}
        for row in graph.rows:
            self.reaches[row.path] = row.reach
            if row.reach is None:
                self.ends[row.path] = self.end(row)

    def of(self, row: Row) -> ReceptiveField:
        """Explain the receptive field of a layer."""
        if row.reach == NOWHERE:
            drawn = "it has random numbers, which do not depend on the input"
            shared = "all samples share it: it does not depend on the input"
            return ReceptiveField(None, (), drawn if row.layer.for_each_sample else shared)
        window = row.layer.window(*row.shapes)
        if row.reach is None:
            said = reason(row.layer, "window") if window is None else ""
            return ReceptiveField(None, (), said or self.ends[row.path])
        assert window is not None
        reaches = [r for r in self.input_reaches(row) if r is not None and r != NOWHERE]
        if set(window.kernel) | set(window.stride) == {1} and len(set(reaches)) == 1:
            return ReceptiveField(
                row.reach.size, (FormulaStep("size", AS_INPUT, "", None, row.reach.size),)
            )
        found, steps = _formulas(window, reaches), tuple(_steps(row.reach, window, reaches))
        named = any(one.rule == _RULE for one in steps)
        terms = tuple(symbol(name, meaning, found) for name, meaning in SYMBOLS.items() if named)
        return ReceptiveField(row.reach.size, steps, "", terms)

    def input_reaches(self, row: Row) -> list[Reach | None]:
        """Return the reach of each input of a layer."""
        return [
            self.reaches[value.path] if value.path else _whole(self.inputs[value.port])
            for value in row.sources
        ]

    def end(self, row: Row) -> str:
        """Return the reason why the positions of a result have no place in the network's input."""
        reaches = self.input_reaches(row)
        if set(reaches) <= {None, NOWHERE}:
            above = (self.ends[v.path] for v in row.sources if v.path in self.ends)
            return next(above, "the input has no spatial axes")
        if row.layer.window(*row.shapes) is None:
            return f"{row.path} ({row.type}) ends it: its positions have no place in the input"
        above = (self.ends[v.path] for v in row.sources if v.path in self.ends)
        return next(above, f"{row.path} ({row.type}) ends it: its inputs have different axes")


def _formulas(window: Window, inputs: list[Reach]) -> list[Equation]:
    """Return the formulas of all axes, for each receptive field that reaches the layer."""
    return [
        Equation(_RULE, {"field": size, "kernel_size": k, "dilation": d, "jump": jump})
        for number, (k, d) in enumerate(zip(window.kernel, window.dilation, strict=True))
        for size, jump in dict.fromkeys((one.size[number], one.stride[number]) for one in inputs)
    ]


def _steps(after: Reach, window: Window, inputs: list[Reach]) -> Iterator[FormulaStep]:
    """Yield a step for the receptive field of each axis, and for the jump if it grows."""
    rank = len(window.kernel)
    names = AXES[rank].split(", ")[1:] if rank in AXES else [f"axis {n + 2}" for n in range(rank)]
    for number, name in enumerate(names):
        one = Window(*(sizes[number : number + 1] for sizes in window))
        reaches = [
            Reach(b.size[number : number + 1], b.stride[number : number + 1]) for b in inputs
        ]
        size, *others = _formulas(one, reaches)
        if others:  # a join: each position sees one position of each input
            fields = (reach.size[0] for reach in dict.fromkeys(reaches))
            size = Equation(_LARGEST, {_LARGEST: f"max({', '.join(map(str, fields))})"})
        yield step(name, size, result=after.size[number])
    if len(set(inputs)) == 1 and set(window.stride) != {1}:
        jumps = list(zip(inputs[0].stride, window.stride, after.stride, strict=True))
        for (before, stride, jump), name in zip(jumps, names, strict=True):
            formula = Equation("jump·stride", {"jump": before, "stride": stride})
            yield step("jump" if len(set(jumps)) == 1 else f"jump, {name}", formula, result=jump)
            if len(set(jumps)) == 1:
                break


def _whole(tensor: Tensor | None) -> Reach | None:
    """Return the reach of an input of the network. Each of its positions sees itself."""
    ones = (1,) * (len(tensor.shape) - 1) if tensor else ()
    return Reach(ones, ones) if ones else None
