"""The alignment of two networks: which layer of one corresponds to which of the other.

The alignment keeps the order of execution and minimises an edit distance: the number of layers that
are added, removed or changed. (`difflib` does not minimise it.) Only layers of equal type or equal
path can be paired. Among alignments of equal cost, the one that moves the fewest layers wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.layer import Layer
from netbuild.components.layers.made import Made
from netbuild.reports.difference.formulas import nameless

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.graph.row import Row

#: Costs of an alignment. An added, removed or changed layer costs one change. A layer whose weights
#: alone differ, because another layer changed, costs half. A path decides only between alignments
#: of otherwise equal cost: no table has enough rows for `_ELSEWHERE` to add up to half a change.
_CHANGE, _HALF, _ELSEWHERE = 10_000, 5_000, 1
_NEVER = 3 * _CHANGE

#: Above this number of pairs, layers are aligned by their paths alone.
MAX_PAIRS = 4_000_000

_ABOVE, _LEFT = 1, 2  # steps through the table other than the diagonal


class _LayerKey(NamedTuple):
    """The properties by which two layers are aligned, in addition to their paths.

    `family` is the module of the class, for a layer whose name is a number. Two such layers of
    different families at one path are different layers: only a pool replaces a pool. A layer
    with a real name is identified by this name, and its `family` is empty.
    """

    type: str
    family: str
    written: dict[str, Any]
    tensors: dict[str, Shape]

    def cost(self, other: _LayerKey, *, here: bool) -> int:
        """Return the cost of aligning two layers. `here` is whether their paths are equal."""
        if self.type != other.type:
            return _CHANGE + _HALF if here and self.family == other.family else _NEVER
        if self.written != other.written:
            different = [n for n, value in self.written.items() if value != other.written.get(n)]
            return _CHANGE + len(different) + (0 if here else _HALF)
        return (0 if self.tensors == other.tensors else _HALF) + (0 if here else _ELSEWHERE)


def align(a: Sequence[Row], b: Sequence[Row]) -> list[tuple[int, int]]:
    """Return the positions of the layers that correspond to each other, in order.

    Equal layers at both ends of the networks are always paired. A table of costs aligns the rest.
    """
    keys_a, keys_b = [_key(row) for row in a], [_key(row) for row in b]

    def equal(i: int, j: int) -> bool:
        return a[i].path == b[j].path and keys_a[i] == keys_b[j]

    shorter = min(len(a), len(b))
    start = next((i for i in range(shorter) if not equal(i, i)), shorter)
    rest = shorter - start
    end = next((i for i in range(rest) if not equal(-1 - i, -1 - i)), rest)
    stop_a, stop_b = len(a) - end, len(b) - end
    if (stop_a - start) * (stop_b - start) > MAX_PAIRS:
        there = {row.path: j for j, row in enumerate(b)}
        return [(i, there[row.path]) for i, row in enumerate(a) if row.path in there]
    table = _costs(a[start:stop_a], b[start:stop_b], keys_a[start:stop_a], keys_b[start:stop_b])
    between = [(start + i, start + j) for i, j in _cheapest(table, stop_b - start)]
    tail = [(stop_a + i, stop_b + i) for i in range(end)]
    return [*((i, i) for i in range(start)), *between, *tail]


def _costs(
    a: Sequence[Row], b: Sequence[Row], keys_a: Sequence[_LayerKey], keys_b: Sequence[_LayerKey]
) -> Iterator[list[int]]:
    """Yield, for each layer of `a`, the costs of aligning it with each layer of `b`."""
    known = {repr(key): key for key in keys_b}  # far fewer than layers if blocks repeat
    names = [repr(key) for key in keys_b]
    there = {row.path: j for j, row in enumerate(b)}
    elsewhere: dict[str, dict[str, int]] = {}
    for row, key in zip(a, keys_a, strict=True):
        own = repr(key)
        if own not in elsewhere:
            elsewhere[own] = {name: key.cost(other, here=False) for name, other in known.items()}
        costs = [elsewhere[own][name] for name in names]
        if row.path in there:
            j = there[row.path]
            costs[j] = key.cost(keys_b[j], here=True)
        yield costs


def _cheapest(table: Iterator[list[int]], width: int) -> list[tuple[int, int]]:
    """Return the cheapest alignment. A layer without a partner costs one change."""
    steps: list[bytearray] = []
    above = [j * _CHANGE for j in range(width + 1)]
    for costs in table:
        best = above[0] + _CHANGE
        here, row = [best], bytearray(width)
        for j, (cost, corner, top) in enumerate(zip(costs, above, above[1:], strict=False)):
            best, step = best + _CHANGE, _LEFT
            if top + _CHANGE < best:
                best, step = top + _CHANGE, _ABOVE
            if corner + cost <= best:
                best, step = corner + cost, 0
            row[j] = step
            here.append(best)
        above = here
        steps.append(row)
    pairs, i, j = [], len(steps), width
    while i and j:
        step = steps[i - 1][j - 1]
        i, j = i - (step != _LEFT), j - (step != _ABOVE)
        if not step:
            pairs.append((i, j))
    return pairs[::-1]


def _key(row: Row) -> _LayerKey:
    numbered = row.path.rpartition(".")[2].isdecimal()
    family = type(row.layer).__module__ if numbered else ""
    written = file_arguments(row) | {
        "reuses": bool(row.reuses)
    }  # the reused layer may have moved too
    formula, _ = nameless(row)
    written |= {"formula": formula, "inputs": ()} if formula else {}
    return _LayerKey(row.type, family, written, row.tensors)


def file_arguments(row: Row) -> dict[str, Any]:
    """Return the arguments that the file decides, including defaults."""
    decided = row.layer.decide(*row.shapes)
    own = {name: value for name, value in row.layer if name not in decided}
    beside: dict[str, Any] = {f"tie {name}": target for name, target in row.tied.items()}
    for name, one in {} if row.reuses else row.parametrized.items():
        beside[f"parametrize {name}"] = {one.by.torch_name(): one.by.model_dump()}
    return flat(own) | beside | ({"reuses": row.reuses} if row.reuses else {})


def chosen(row: Row) -> set[str]:
    """Return the names of the arguments that the file states."""
    return row.layer.model_fields_set | {"reuses"} | said_beside(row)


def said_beside(row: Row) -> set[str]:
    """Return the names of what the modifiers beside a layer say of its parameters."""
    parametrized = {} if row.reuses else row.parametrized
    return {f"tie {name}" for name in row.tied} | {f"parametrize {name}" for name in parametrized}


def flat(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments. The arguments of a layer among them get dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        made = Made(value, dict(value)) if isinstance(value, Layer) else value
        if isinstance(made, Made):
            found[name] = made.layer.torch_name()
            found |= {f"{name}.{inner}": v for inner, v in flat(made.arguments).items()}
        else:
            found[name] = value
    return found
