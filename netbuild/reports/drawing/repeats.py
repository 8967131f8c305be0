"""Equal parts in a row become one part with a count.

Parts are equal if their types, arguments and shapes are, and if all layers inside are wired alike.
The names of their layers inside are equal too, so one of them shows them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from netbuild.graph.row import Row
    from netbuild.graph.value import Value
    from netbuild.reports.drawing.structure import Drawn, Part


def with_repeats(drawn: Drawn) -> Drawn:
    """Return the parts of a network with equal ones folded, in all stacks."""
    signs: dict[str, Hashable] = {}
    root = _folded(drawn.root, drawn.readers, signs)
    return drawn._replace(root=root)


def _folded(part: Part, readers: Mapping[Value, tuple[str, ...]], signs: dict[str, Any]) -> Part:
    members = [_folded(member, readers, signs) for member in part.members]
    kept: list[Part] = []
    last: Part | None = None  # the latest of the equal ones
    for member in members:
        if kept and last and _continues(last, member, readers, signs):
            first = kept[-1]
            kept[-1] = first._replace(
                gives=member.gives,
                first_gives=first.results,
                params=first.params + member.params,
                macs=first.macs + member.macs,
                repeats=first.repeats + 1,
            )
        else:
            kept.append(member)
        last = member
    return part._replace(members=tuple(kept))


def _continues(
    last: Part,
    member: Part,
    readers: Mapping[Value, tuple[str, ...]],
    signs: dict[str, Hashable],
) -> bool:
    """Whether a part does with the result of the one before it what that one did."""
    if member.kind in {"input", "output", "fault"} or member.kind != last.kind:
        return False
    if member.reuses or last.reuses or len(member.reads) != len(last.reads) or not last.gives:
        return False
    handed = set(last.gives)
    pairs = list(zip(last.reads, member.reads, strict=True))
    if not any(now in handed for _, now in pairs):
        return False
    if any(now != before and now not in handed for before, now in pairs):
        return False
    start = member.path + "."
    if any(
        reader != member.path and not reader.startswith(start)
        for value in handed
        for reader in readers.get(value, ())
    ):
        return False
    return _sign(last, signs) == _sign(member, signs)


def _sign(part: Part, signs: dict[str, Hashable]) -> Hashable:
    """Return what is equal for equal parts."""
    if part.path not in signs:
        signs[part.path] = _of(part, part, signs)
    return signs[part.path]


def _of(part: Part, whole: Part, signs: dict[str, Hashable]) -> Hashable:
    """Return the sign of a part of `whole`: its wires are told from there."""
    outside = {value: n for n, value in enumerate(whole.reads)}
    start = len(whole.path)

    def wire(value: Value) -> Hashable:
        return outside.get(value, (value.path[start:], value.port))

    wires = (tuple(map(wire, part.reads)), part.repeats, part.frozen)
    if part.row is None:
        inner = tuple((member.path[start:], _of(member, whole, signs)) for member in part.members)
        return part.type, wires, inner
    return _layer(part.row, start), wires


def _layer(row: Row, start: int) -> Hashable:
    ties = tuple((name, tie.target) for name, tie in row.ties.items())
    computed = tuple((name, str(one)) for name, one in row.parametrized.items())
    shapes = tuple(tensor.shape for tensor in row.outputs.values())
    again = row.reuses[start:] if row.reuses and row.inferred.weights else None
    return row.type, row.shapes, shapes, str(row.arguments), again, ties, computed, row.unfreezes
