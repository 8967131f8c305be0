"""The lines of the table of changes. Layers that changed together share a line."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.tensor import times
from netbuild.graph.graph import stacks
from netbuild.graph.value import value_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.graph.graph import Graph
    from netbuild.reports.difference import LayerChange, NetworkChanges

_SIGNS = {"added": "+", "removed": "−", "changed": "~", "moved": "→"}


class ChangeLine(NamedTuple):
    """One line of the table: a layer, an added or removed block, or layers that moved together."""

    kind: str
    name: str
    type: str
    #: The changed arguments from the files, and those that follow from the input.
    written: Sequence[str]
    derived: Sequence[str]
    output: str
    params: int
    macs: int

    def cells(self, *, short: bool = False) -> tuple[str, ...]:
        """Return the cells of the table. `short` gives large numbers with three digits."""
        what = ", ".join([*self.written, *self.derived])
        written = brief_signed if short else signed
        numbers = (written(n) if n else "" for n in (self.params, self.macs))
        return (_SIGNS[self.kind], self.name, self.type, what, self.output, *numbers)


def lines(changes: NetworkChanges) -> list[ChangeLine]:
    """Return the lines of all changes, except changes of shapes alone."""
    listed = [change for change in changes.layers if change.kind != "reshaped"]
    before, after = blocks_of(changes.before), blocks_of(changes.after)
    whole = whole_blocks(changes, {**before, **after})
    groups = groupby(listed, lambda change: _line_key(change, whole))
    found = [(key[1], list(group)) for key, group in groups]
    return [
        _folded(group, name, before if group[0].kind == "removed" else after)
        if len(group) > 1
        else _layer(group[0])
        for name, group in found
    ]


def blocks_of(graph: Graph) -> dict[str, str]:
    """Return the type of each block of a network by its path, outer blocks first."""
    return {path: given.block.type for path, given in stacks(graph).items() if given.block.type}


def whole_blocks(changes: NetworkChanges, blocks: Iterable[str]) -> dict[str, set[str]]:
    """Return the paths of blocks that were added or removed as a whole, by kind."""
    whole = {}
    for kind, graph in (("removed", changes.before), ("added", changes.after)):
        alone = {change.row.path for change in changes.layers if change.kind == kind}
        others = {
            above for row in graph.rows if row.path not in alone for above in _above(row.path)
        }
        whole[kind] = {path for path in blocks if path not in others}
    return whole


def _above(path: str) -> list[str]:
    """Return the paths of the stacks that contain a path, the outermost first."""
    return [path[:end] for end, character in enumerate(path) if character == "."]


def outermost(path: str, blocks: set[str]) -> str | None:
    """Return the outermost of the blocks that contain a path."""
    return next((above for above in _above(path) if above in blocks), None)


def stems_of(old: str, new: str) -> tuple[str, str]:
    """Return two paths without the names that both end with."""
    while "." in old and "." in new and old.rpartition(".")[2] == new.rpartition(".")[2]:
        old, new = old.rpartition(".")[0], new.rpartition(".")[0]
    return old, new


def _line_key(change: LayerChange, whole: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return a key that is equal for changes on one line of the table."""
    if change.kind in whole:
        return (change.kind, outermost(change.row.path, whole[change.kind]) or change.row.path)
    if change.kind != "moved" or not change.before:
        return (change.kind, change.row.path)
    stems = stems_of(change.before.path, change.row.path)
    (old, _, number), (new, _, other) = (stem.rpartition(".") for stem in stems)
    if number.isdecimal() and other.isdecimal():  # an insertion into a list moves all later layers
        return ("moved", old, new, str(int(other) - int(number)))
    return ("moved", *stems)


def _layer(change: LayerChange) -> ChangeLine:
    """Return the line of a single layer."""
    row, before = change.row, change.before or change.row
    written, derived = (
        [_change_text(change, name, *values) for name, values in found.items()]
        for found in (change.written, change.derived)
    )
    if change.inputs:
        old, new = (" and ".join(map(value_name, side)) for side in change.inputs)
        written.append(f"inputs {old} → {new}")
    return ChangeLine(
        change.kind,
        _renaming(before.path, row.path),
        arrow(before.type, row.type),
        written,
        derived,
        arrow(times(before.output.shape), times(row.output.shape)),
        *_growth(change),
    )


def _folded(group: Sequence[LayerChange], name: str, blocks: Mapping[str, str]) -> ChangeLine:
    """Return the line of the layers of a block, or of layers that moved together."""
    first, last = group[0], group[-1]
    output, block = times(last.row.output.shape), name
    if first.before and first.after and last.before:
        (old, block), ends = (
            stems_of(c.before.path, c.row.path) for c in (first, last) if c.before
        )
        name = _renaming(_span(old, ends[0]), _span(block, ends[1]))
        block = block if block == ends[1] else ""  # several members have no common type
        output = ""
    counts = [sum(more) for more in zip(*map(_growth, group), strict=True)]
    what = [layer_count(len(group))]
    return ChangeLine(first.kind, name, blocks.get(block, ""), what, (), output, *counts)


def _growth(change: LayerChange) -> tuple[int, int]:
    """Return the parameters and MACs that a change adds to the network."""
    (params, more_params), (macs, more_macs) = change.params, change.macs
    return more_params - params, more_macs - macs


def _change_text(change: LayerChange, name: str, old: Any, new: Any) -> str:
    if change.kind in {"added", "removed"}:
        return f"{name} {_argument(new if change.after else old)}"
    return f"{name} {_argument(old)} → {_argument(new)}"


def _argument(value: Any) -> str:
    """Return the value of an argument as a config would have it."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _renaming(old: str, new: str) -> str:
    """Return `features.3 → 4` for two paths: a stack that both share appears once."""
    same_stack = old.rpartition(".")[0] == new.rpartition(".")[0]
    return arrow(old, new.rpartition(".")[2] if same_stack and old != new else new)


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}…{last.rpartition('.')[2]}"


def arrow(old: str, new: str) -> str:
    """Return `old → new`, or the text alone if both are equal."""
    return old if old == new else f"{old} → {new}"


def layer_count(count: int) -> str:
    """Return a number of layers, such as `1 layer` or `2 layers`."""
    return f"{count:,} layer{'' if count == 1 else 's'}"


def brief_signed(number: int) -> str:
    """Return a difference with its sign; from a million on, with three digits and a unit."""
    from netbuild.reports.summary import short_number

    return f"{'−' if number < 0 else '+'}{short_number(abs(number))}"


def signed(number: float, digits: str = "") -> str:
    """Return a difference with its sign."""
    return f"{number:+,{digits}}".replace("-", "−")
