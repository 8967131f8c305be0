"""The lines in which people read what changed: blocks folded, and layers that moved together."""

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
    from netbuild.reports.difference import Change, Changes

_SIGNS = {"added": "+", "removed": "−", "changed": "~", "moved": "→"}


class Line(NamedTuple):
    """One line of the table: a layer, a block that came or went, or layers that moved together."""

    kind: str
    name: str
    type: str
    #: What the files say, and what follows from the input.
    written: Sequence[str]
    derived: Sequence[str]
    output: str
    params: int
    macs: int

    def cells(self) -> tuple[str, ...]:
        """Return the line as people read it."""
        what = ", ".join([*self.written, *self.derived])
        numbers = (signed(n) if n else "" for n in (self.params, self.macs))
        return (_SIGNS[self.kind], self.name, self.type, what, self.output, *numbers)


def lines(changes: Changes) -> list[Line]:
    """Return a line for each change but those of shapes alone, folded where `Line` says so."""
    listed = [change for change in changes.layers if change.kind != "reshaped"]
    blocks = {**blocks_of(changes.before), **blocks_of(changes.after)}
    whole = whole_blocks(changes, blocks)
    groups = groupby(listed, lambda change: _together(change, whole))
    found = [(key[1], list(group)) for key, group in groups]
    return [
        _folded(group, name, blocks) if len(group) > 1 else _layer(group[0])
        for name, group in found
    ]


def blocks_of(graph: Graph) -> dict[str, str]:
    """Return the type of each block of a network, by its path, the outer ones first."""
    return {path: given.block.type for path, given in stacks(graph).items() if given.block.type}


def whole_blocks(changes: Changes, blocks: Iterable[str]) -> dict[str, set[str]]:
    """Return the blocks of which every layer was added, and those of which every one is gone."""
    whole = {}
    for kind, graph in (("removed", changes.before), ("added", changes.after)):
        alone = {change.row.path for change in changes.layers if change.kind == kind}
        others = {
            above for row in graph.rows if row.path not in alone for above in _above(row.path)
        }
        whole[kind] = {path for path in blocks if path not in others}
    return whole


def _above(path: str) -> list[str]:
    """Return the paths of the stacks that something is in, the outermost first."""
    return [path[:end] for end, character in enumerate(path) if character == "."]


def outermost(path: str, blocks: set[str]) -> str | None:
    """Return the outermost of some blocks that something is in."""
    return next((above for above in _above(path) if above in blocks), None)


def stems_of(was: str, is_: str) -> tuple[str, str]:
    """Return two paths without the names at their ends that they share."""
    while "." in was and "." in is_ and was.rpartition(".")[2] == is_.rpartition(".")[2]:
        was, is_ = was.rpartition(".")[0], is_.rpartition(".")[0]
    return was, is_


def _together(change: Change, whole: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the line that a change is part of: its kind, and what else it has in common."""
    if change.kind in whole:
        return (change.kind, outermost(change.row.path, whole[change.kind]) or change.row.path)
    if change.kind != "moved" or not change.before:
        return (change.kind, change.row.path)
    stems = stems_of(change.before.path, change.row.path)
    (was, _, number), (is_, _, other) = (stem.rpartition(".") for stem in stems)
    if number.isdecimal() and other.isdecimal():  # as all do behind one that was put into a list
        return ("moved", was, is_, str(int(other) - int(number)))
    return ("moved", *stems)


def _layer(change: Change) -> Line:
    """Return the line of a layer by itself."""
    row, before = change.row, change.before or change.row
    written, derived = (
        [_said(change, name, *values) for name, values in found.items()]
        for found in (change.written, change.derived)
    )
    if change.inputs:
        was, is_ = (" and ".join(map(value_name, side)) for side in change.inputs)
        written.append(f"inputs {was} → {is_}")
    return Line(
        change.kind,
        _renaming(before.path, row.path),
        arrow(before.type, row.type),
        written,
        derived,
        arrow(times(before.output.shape), times(row.output.shape)),
        *_more(change),
    )


def _folded(group: Sequence[Change], name: str, blocks: Mapping[str, str]) -> Line:
    """Return the line of the layers of a block, or of those that moved together."""
    first, last = group[0], group[-1]
    output, block = times(last.row.output.shape), name
    if first.before and first.after and last.before:
        (was, block), ends = (
            stems_of(c.before.path, c.row.path) for c in (first, last) if c.before
        )
        name = _renaming(_span(was, ends[0]), _span(block, ends[1]))
        output = ""
    counts = [sum(more) for more in zip(*map(_more, group), strict=True)]
    what = [layer_count(len(group))]
    return Line(first.kind, name, blocks.get(block, ""), what, (), output, *counts)


def _more(change: Change) -> tuple[int, int]:
    """Return the parameters and MACs that a network has more by a change."""
    (params, more_params), (macs, more_macs) = change.params, change.macs
    return more_params - params, more_macs - macs


def _said(change: Change, name: str, was: Any, is_: Any) -> str:
    if change.kind in {"added", "removed"}:
        return f"{name} {_written(is_ if change.after else was)}"
    return f"{name} {_written(was)} → {_written(is_)}"


def _written(value: Any) -> str:
    """Return an argument as a config has it."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _renaming(was: str, is_: str) -> str:
    """Return two paths with what they share said once: `features.3 → 4`."""
    same_stack = was.rpartition(".")[0] == is_.rpartition(".")[0]
    return arrow(was, is_.rpartition(".")[2] if same_stack and was != is_ else is_)


def _span(first: str, last: str) -> str:
    return first if first == last else f"{first}…{last.rpartition('.')[2]}"


def arrow(was: str, is_: str) -> str:
    """Return `was → is`, or the one text that both are."""
    return was if was == is_ else f"{was} → {is_}"


def layer_count(count: int) -> str:
    """Return a number of layers in words."""
    return f"{count:,} layer{'' if count == 1 else 's'}"


def signed(number: float, digits: str = "") -> str:
    """Return a difference with its sign, as tables print it."""
    return f"{number:+,{digits}}".replace("-", "−")
