"""The section `budget:`: the largest size that a network may have.

    budget: {params: 5M, macs: 600M, activations: 200MB, weights: 20MB}

Each limit is a number, with or without a unit. k, M, G and T are powers of 1000, as in kB, MB and
GB. KiB, MiB and GiB are powers of 1024. `macs` and `activations` are counted for one sample, as in
`netbuild summary`; `activations` also has what a stack adds while it is computed again.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import BYTES
from netbuild.config.budget import _BYTES
from netbuild.diagnostics.diagnostic import Diagnostic, Note
from netbuild.graph.row import Block

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Member, Row
#: The greatest number of contributors in the notes. Each contributes at least a hundredth.
_NAMED = 4


class _Measure(NamedTuple):
    """A quantity that a budget limits: its name, its value for each layer, and its unit."""

    name: str
    of: Callable[[Graph], list[int]]
    bytes: bool = False


def _activations(graph: Graph) -> list[int]:
    """Return what each layer keeps, at the moment at which all of them keep most.

    While the backward pass computes a stack again, its layers keep what they would keep without
    `checkpoint`. Only one stack does so at a time: the largest one counts.
    """
    kept = [*graph.kept]
    again: Counter[str] = Counter()
    for one in kept:
        again[one.stack] += one.again
    largest = max(again, key=lambda stack: again[stack], default="")
    return [one.nbytes + one.again * (one.stack == largest) for one in kept]


def _bytes(row: Row) -> int:
    return row.params * BYTES["float32"]


_MEASURES = (
    _Measure("params", lambda graph: [row.params for row in graph.rows]),
    _Measure("macs", lambda graph: [row.macs for row in graph.rows]),
    _Measure("activations", _activations, bytes=True),
    _Measure("weights", lambda graph: [_bytes(row) for row in graph.rows], bytes=True),
)


def check(graph: Graph) -> list[Diagnostic]:
    """Return a fault for each exceeded limit, with the largest contributors as notes."""
    budget = graph.config.budget
    found = []
    for measure in _MEASURES:
        limit: float | None = getattr(budget, measure.name)
        if limit is None:
            continue
        values = measure.of(graph)
        value = sum(values)
        if value <= limit:
            continue
        label = f"{_shown(value, measure)} {measure.name}" if not measure.bytes else ""
        label = label or f"{measure.name} of {_shown(value, measure)}"
        label += f", {_shown(value - limit, measure)} more than {_shown(limit, measure)}"
        span = graph.config.place("budget", measure.name)
        title = "the network exceeds its budget"
        notes = _contributors(graph, values, measure)
        help_ = "give the largest layers fewer values, or raise the limit"
        found.append(Diagnostic("NB407", title, span, label, notes, help=help_))
    return found


def _shown(value: float, measure: _Measure) -> str:
    """Return a quantity as text; bytes in the largest unit in which they are at least 1."""
    if not measure.bytes:
        return f"{value:,.0f}"
    unit = next((u for u in ("GB", "MB", "kB") if value >= _BYTES[u]), "B")
    return f"{value / _BYTES[unit]:,.4g} {unit}"


class _Part(NamedTuple):
    """A member of a stack, and its contribution to a value."""

    path: str
    member: Member
    value: int

    def described(self, total: int, measure: _Measure) -> str:
        """Return the text of a note, with the share of the total."""
        part = self.member.part
        kind = part.type or "stack" if isinstance(part, Block) else part.type
        share = round(100 * self.value / total)
        where = f"{self.path} ({kind}, line {self.member.span.line})"
        return f"{where}: {_shown(self.value, measure)}, {share} %"


def _contributors(graph: Graph, values: list[int], measure: _Measure) -> tuple[Note, ...]:
    """Return the layers and stacks that contribute most to a value, the largest first.

    A stack with more than half of the value is replaced by its members.
    """
    assert graph.block is not None
    by_path = {row.path: value for row, value in zip(graph.rows, values, strict=True)}
    parts, total = _parts(by_path, graph.block, ""), sum(values)
    while parts and 2 * parts[0].value > total and isinstance(parts[0].member.part, Block):
        parts[:1] = _parts(by_path, parts[0].member.part, f"{parts[0].path}.")
        parts.sort(key=lambda part: -part.value)
    largest = [part for part in parts[:_NAMED] if 100 * part.value >= total]
    return tuple(
        Note("" if number else "largest", part.described(total, measure))
        for number, part in enumerate(largest)
    )


def _parts(values: Mapping[str, int], block: Block, path: str) -> list[_Part]:
    """Return the members of a stack, the largest contribution first."""
    added: Counter[str] = Counter()
    for row, value in values.items():
        if row.startswith(path):
            added[row.removeprefix(path).partition(".")[0]] += value
    members = {member.name: member for member in block.members}
    return [_Part(path + name, members[name], value) for name, value in added.most_common()]
