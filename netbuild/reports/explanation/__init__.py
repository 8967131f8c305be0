"""Every number of a network with its formula, and the origin of each value in the formula.

Each layer declares the rules for its sizes, weights and MACs as `Formulas`. The rules for the
receptive field and for the memory are here. Each rule becomes a `FormulaStep`, with the result from
the graph. The explanation is data and does not need torch. The modules `…_format` print it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import product
from netbuild.graph.graph import stacks
from netbuild.graph.paths import dots
from netbuild.reports.explanation.first_values import Beginning, beginnings
from netbuild.reports.explanation.memory import kept, weights_bytes
from netbuild.reports.explanation.numbers import numbers
from netbuild.reports.explanation.origins import Origins
from netbuild.reports.explanation.receptive_field import ReceptiveFields
from netbuild.reports.explanation.step import Count, FormulaStep

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.layer import Modes
    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.reports.explanation.augmenting import AugmentExplanation
    from netbuild.reports.explanation.objective import Objective
    from netbuild.reports.explanation.origins import ValueOrigin
    from netbuild.reports.explanation.receptive_field import ReceptiveField
    from netbuild.reports.explanation.schedule import ScheduleExplanation
    from netbuild.reports.explanation.step import Symbol


class LayerInput(NamedTuple):
    """An input of a layer: its name, its tensor, and the layer that the tensor comes from."""

    name: str
    tensor: Tensor
    source: str


class LayerExplanation(NamedTuple):
    """A layer: each of its numbers with the steps to it, and the origins of the values."""

    row: Row
    #: The line of the `Reuse` that calls the layer again, or "".
    again: str
    does: str
    written: tuple[tuple[int, str], ...]
    reads: tuple[LayerInput, ...]
    #: The computation in training and in evaluation, if they differ.
    modes: Modes | None
    outputs: Mapping[str, tuple[FormulaStep, ...]]
    params: Count
    macs: Count
    field: ReceptiveField
    kept: Count
    weights_bytes: Count
    begins: tuple[Beginning, ...]
    origins: tuple[ValueOrigin, ...]
    terms: tuple[Symbol, ...]


class StackExplanation(NamedTuple):
    """A stack: the sums over its members. An empty path is the whole network."""

    path: str
    type: str
    layers: int
    params: Count
    macs: Count
    kept: Count
    weights_bytes: Count
    #: The schedules of the training, for the whole network.
    schedules: tuple[ScheduleExplanation, ...] = ()
    #: What the training minimises and measures, for the whole network.
    objective: Objective | None = None
    #: What augmentations do to the images that train, for the whole network.
    augmenting: tuple[AugmentExplanation, ...] = ()


class Explanation(NamedTuple):
    """A network, or a part of it: each stack before its layers, and the totals."""

    graph: Graph
    parts: tuple[StackExplanation | LayerExplanation, ...]
    total: StackExplanation | None


def explain(graph: Graph, path: str = "") -> Explanation:
    """Explain the layer or the stack at a path, or the whole network without a path."""
    origins, fields, memory = Origins(graph), ReceptiveFields(graph), kept(graph)
    types = {path: given.block.type for path, given in stacks(graph).items()}
    sums = _sums(graph, memory)
    parts: list[StackExplanation | LayerExplanation] = []
    told: set[str] = set()
    for row in graph.rows:
        if not is_within(row.path, path):
            continue
        for above in (row.path[:end] for end in dots(row.path)):
            if above not in told and is_within(above, path):
                parts.append(_stack(above, types.get(above, ""), sums[above]))
            told.add(above)
        parts.append(_layer(row, origins, fields, memory[row.path]))
    total = None if path or graph.block is None else _stack("", "", sums.get("", {}))
    if total and graph.config.losses:
        from netbuild.reports.explanation.objective import objective

        total = total._replace(objective=objective(graph))
    if total and graph.config.preparation.augment:
        from netbuild.reports.explanation.augmenting import augmenting

        total = total._replace(augmenting=augmenting(graph))
    if total and any(graph.config.schedules):
        from netbuild.reports.explanation.schedule import schedules

        total = total._replace(schedules=schedules(graph.config))
    return Explanation(graph, tuple(parts), total)


def is_within(path: str, stack: str) -> bool:
    """Whether a path is a stack or inside it. The empty path is the whole network."""
    return not stack or path == stack or path.startswith(f"{stack}.")


def _layer(row: Row, origins: Origins, fields: ReceptiveFields, memory: Count) -> LayerExplanation:
    own = numbers(row.inferred)
    seen = fields.of(row)
    reads = tuple(
        LayerInput(name, x, origins.called(value))
        for name, x, value in zip(own.inputs, row.inputs, row.sources, strict=True)
    )
    return LayerExplanation(
        row=row,
        again=origins.again(row.path),
        does=own.does,
        written=origins.lines(row.path),
        reads=reads,
        modes=modes_of(row),
        outputs=own.outputs,
        params=_params(row, own.weights),
        macs=own.macs if row.is_built else Count(0, (), _NOT_BUILT),
        field=seen,
        kept=memory,
        weights_bytes=weights_bytes(row.params),
        begins=beginnings(row, origins.rules, origins),
        origins=origins.of(row),
        terms=own.terms + seen.terms,
    )


def modes_of(row: Row) -> Modes | None:
    """Return what a layer computes in training and in evaluation; None if both are the same."""
    if row.layer.evaluates and row.layer.modes:
        return row.layer.modes._replace(training="as in evaluation, because the layer is frozen")
    return row.layer.modes if row.layer.switches else None


def _params(row: Row, weights: tuple[FormulaStep, ...]) -> Count:
    """Return the parameters of a layer, with a step for each weight or part of a weight."""
    if row.reuses and row.inferred.weights:
        return Count(0, (), f"it reuses the weights of {row.reuses}, which counts them")
    note = "frozen: training does not change them" if row.params and row.frozen else ""
    if row.params and row.unfreezes:
        note = f"frozen at first: they learn from epoch {row.unfreezes} on"
    if row.tied:
        elsewhere = [f"{name} is {target}, which counts it" for name, target in row.tied.items()]
        note = "; ".join([*elsewhere, *([note] if note else [])])
        weights = tuple(step for step in weights if step.name not in row.tied)
    for name, one in row.parametrized.items():
        computed = f"{one.by.torch_name()} computes {name}"
        note = f"{note}; {computed}" if note else computed
        weights = tuple(step for step in weights if step.name != name)
        for own, shape in one.by.parameters(row.weights[name]).items():
            step = FormulaStep(f"{name} {own}", "", "", product(shape), shape or None)
            weights = (*weights, step)
    return Count(row.params, weights, note)


#: Why an operation without a reader has no multiplications.
_NOT_BUILT = "nothing reads its result, so the built network leaves it out"


class _Sums(NamedTuple):
    """The sums over the layers of one member of a stack."""

    layers: int = 0
    params: int = 0
    macs: int = 0
    kept: int = 0


def _sums(graph: Graph, memory: Mapping[str, Count]) -> dict[str, dict[str, _Sums]]:
    """Return the sums of each member of each stack, by the path of the stack."""
    found: dict[str, dict[str, _Sums]] = {}
    for row in graph.rows:
        own = _Sums(1, row.params, row.macs, memory[row.path].total)
        start = 0
        for end in (*dots(row.path), len(row.path)):
            members = found.setdefault(row.path[: max(start - 1, 0)], {})
            name = row.path[start:end]
            before = members.get(name, _Sums())
            members[name] = _Sums(*map(sum, zip(before, own, strict=True)))
            start = end + 1
    return found


def _stack(path: str, type_: str, members: Mapping[str, _Sums]) -> StackExplanation:
    """Return the explanation of a stack from the sums of its members."""
    # `0 + 1` as a sum of names would look like a sum of numbers.
    above = f"{path}." if path else "layer "
    named = {f"{above}{name}" if name.isdecimal() else name: m for name, m in members.items()}
    params = _sum({name: member.params for name, member in named.items()})
    macs = _sum({name: member.macs for name, member in named.items()})
    bytes_ = _sum({name: member.kept for name, member in named.items()})
    layers = sum(member.layers for member in members.values())
    return StackExplanation(path, type_, layers, params, macs, bytes_, weights_bytes(params.total))


def _sum(numbers: Mapping[str, int]) -> Count:
    """Return the sum of numbers with names, without the zeros."""
    shown = {name: number for name, number in numbers.items() if number}
    total = sum(shown.values())
    if len(shown) < 2:
        return Count(total, (), f"all in {next(iter(shown))}" if shown else "")
    added = " + ".join(f"{number:,}" for number in shown.values())
    return Count(total, (FormulaStep("", " + ".join(shown), added, total),))
