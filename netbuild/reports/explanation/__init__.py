"""Every number of a network with its formula, and where the values in it come from.

The rules belong to the layers, which say theirs as `Formulas`; those of the receptive field and of
the memory are the graph's. Each is a step here, with the result that the graph has. All of this is
data without torch: the formats beside it print it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.graph.graph import stacks
from netbuild.reports.explanation.field import Fields
from netbuild.reports.explanation.memory import kept, weights_bytes
from netbuild.reports.explanation.numbers import numbers
from netbuild.reports.explanation.origins import Origins
from netbuild.reports.explanation.step import Count, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.layers.layer import Modes
    from netbuild.components.tensor import Tensor
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row
    from netbuild.reports.explanation.field import Field
    from netbuild.reports.explanation.origins import Origin
    from netbuild.reports.explanation.step import Term


class Read(NamedTuple):
    """An input of a layer: its name, what reaches it, and from where."""

    name: str
    tensor: Tensor
    source: str


class Explained(NamedTuple):
    """A layer with its numbers: the steps that lead to each, and the origins of their values."""

    row: Row
    #: The line of the `Reuse` that calls it again, where one does.
    again: str
    does: str
    written: tuple[tuple[int, str], ...]
    reads: tuple[Read, ...]
    #: What it computes in training and in evaluation, where that differs.
    modes: Modes | None
    outputs: Mapping[str, tuple[Step, ...]]
    params: Count
    macs: Count
    field: Field
    kept: Count
    weights_bytes: Count
    origins: tuple[Origin, ...]
    terms: tuple[Term, ...]


class Summed(NamedTuple):
    """A stack, or with an empty path the network: what its members add up to."""

    path: str
    type: str
    layers: int
    params: Count
    macs: Count
    kept: Count
    weights_bytes: Count


class Explanation(NamedTuple):
    """A network, or what lies at a path of it: stacks, each before its layers, and the totals."""

    graph: Graph
    parts: tuple[Summed | Explained, ...]
    total: Summed | None


def paths(graph: Graph) -> list[str]:
    """Return all that can be explained by its path: the layers, and the stacks that hold them."""
    above = (row.path[:end] for row in graph.rows for end in _dots(row.path))
    return list(dict.fromkeys([*above, *(row.path for row in graph.rows)]))


def explain(graph: Graph, path: str = "") -> Explanation:
    """Explain the layer or the stack at a path; all of the network without one."""
    origins, fields, memory = Origins(graph), Fields(graph), kept(graph)
    types = {path: given.block.type for path, given in stacks(graph).items()}
    sums = _sums(graph, memory)
    parts: list[Summed | Explained] = []
    told: set[str] = set()
    for row in graph.rows:
        if not is_within(row.path, path):
            continue
        for above in (row.path[:end] for end in _dots(row.path)):
            if above not in told and is_within(above, path):
                parts.append(_summed(above, types.get(above, ""), sums[above]))
            told.add(above)
        parts.append(_explained(row, origins, fields, memory[row.path]))
    total = None if path or graph.block is None else _summed("", "", sums.get("", {}))
    return Explanation(graph, tuple(parts), total)


def is_within(path: str, stack: str) -> bool:
    """Whether something is the stack or in it, where an empty path is the network's."""
    return not stack or path == stack or path.startswith(f"{stack}.")


def _dots(path: str) -> Iterator[int]:
    """Yield where the paths of the stacks end that something is in, the outermost first."""
    return (end for end, character in enumerate(path) if character == ".")


def _explained(row: Row, origins: Origins, fields: Fields, memory: Count) -> Explained:
    own = numbers(row.inferred)
    seen = fields.of(row)
    reads = tuple(
        Read(name, x, origins.called(value))
        for name, x, value in zip(own.inputs, row.inputs, row.sources, strict=True)
    )
    return Explained(
        row=row,
        again=origins.again(row.path),
        does=own.does,
        written=origins.lines(row.path),
        reads=reads,
        modes=row.layer.modes if row.layer.switches else None,
        outputs=own.outputs,
        params=_params(row, own.weights),
        macs=own.macs,
        field=seen,
        kept=memory,
        weights_bytes=weights_bytes(row.params),
        origins=origins.of(row),
        terms=own.terms + seen.terms,
    )


def _params(row: Row, weights: tuple[Step, ...]) -> Count:
    """Return the parameters of a layer: what each weight has, or each part of it."""
    if row.reuses and row.inferred.weights:
        return Count(0, (), f"those of {row.reuses}, which it calls again: they count there")
    note = "frozen: training leaves them as they are" if row.params and row.frozen else ""
    return Count(row.params, weights, note)


class _Member(NamedTuple):
    """What the layers of a member of a stack add up to."""

    layers: int = 0
    params: int = 0
    macs: int = 0
    kept: int = 0


def _sums(graph: Graph, memory: Mapping[str, Count]) -> dict[str, dict[str, _Member]]:
    """Return the members of each stack by its path, the network's being empty."""
    found: dict[str, dict[str, _Member]] = {}
    for row in graph.rows:
        own = _Member(1, row.params, row.macs, memory[row.path].total)
        start = 0
        for end in (*_dots(row.path), len(row.path)):
            members = found.setdefault(row.path[: max(start - 1, 0)], {})
            name = row.path[start:end]
            before = members.get(name, _Member())
            members[name] = _Member(*map(sum, zip(before, own, strict=True)))
            start = end + 1
    return found


def _summed(path: str, type_: str, members: Mapping[str, _Member]) -> Summed:
    """Return what the members of a stack add up to."""
    # A sum of numbers that are names would be read as one.
    above = f"{path}." if path else "layer "
    named = {f"{above}{name}" if name.isdecimal() else name: m for name, m in members.items()}
    params = _sum({name: member.params for name, member in named.items()})
    macs = _sum({name: member.macs for name, member in named.items()})
    bytes_ = _sum({name: member.kept for name, member in named.items()})
    layers = sum(member.layers for member in members.values())
    return Summed(path, type_, layers, params, macs, bytes_, weights_bytes(params.total))


def _sum(numbers: Mapping[str, int]) -> Count:
    """Return the sum of what has a number at all, by names."""
    shown = {name: number for name, number in numbers.items() if number}
    total = sum(shown.values())
    if len(shown) < 2:
        return Count(total, (), f"all in {next(iter(shown))}" if shown else "")
    added = " + ".join(f"{number:,}" for number in shown.values())
    return Count(total, (Step("", " + ".join(shown), added, total),))
