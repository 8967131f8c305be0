"""Runs: equal members in a row, which `repeat` writes once."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.exchange.importer.folding.tree import Expression, Group, Leaf
from netbuild.exchange.importer.folding.writing import is_list
from netbuild.graph.value import OUTPUT, Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.exchange.importer.folding.tree import Member

#: Classes that only hold others.
CONTAINERS = ("", "Sequential", "ModuleList", "ModuleDict")


def with_runs(group: Group) -> Group:
    """Return a stack in which runs of equal members are repetitions, in all stacks inside too."""
    listed = group.listed if group.listed is not None else is_list(group)
    members = tuple(
        _collapsed(with_runs(member), listed=listed) if isinstance(member, Group) else member
        for member in group.members
    )
    found: list[Member] = []
    start = 0
    while start < len(members):
        end = start + 1
        while end < len(members) and _follows(members[start : end + 1], listed=listed):
            end += 1
        run = _run(members[start:end], listed=listed)
        if end - start == 2 and _pattern(members[start:end]) and not _numbered(members[start:end]):
            run, end = members[start], start + 1  # two names are plainer than a pattern
        if end == start + 1:
            run, end = _rising(members, start, listed=listed) or (run, end)
        found.append(run)
        start = end
    return group._replace(members=tuple(found), listed=listed)


def _follows(run: Sequence[Member], *, listed: bool) -> bool:
    """Whether the last of some members is one more copy of those before it."""
    first, before, last = run[0], run[-2], run[-1]
    if last.notes or not first.reads or "repeat" in first.modifiers or "repeat" in last.modifiers:
        return False
    if isinstance(first, Leaf) and first.module is not None:
        return False
    if not _chained(first, before, last) or not same(first, last):
        return False
    return (listed and _numbered(run)) or _pattern(run) is not None


def _numbered(run: Sequence[Member]) -> bool:
    return all(one.name.isdecimal() for one in run)


def _chained(first: Member, before: Member, last: Member) -> bool:
    (own, source), *others = last.reads or ((None, None),)
    return (
        own == first.reads[0][0]
        and source == Ref(before.name, before.ports[0])
        and tuple(others) == first.reads[1:]
    )


def same(a: Member, b: Member, *, top: bool = True) -> bool:
    """Whether two members are equal but for their names and, at the top, their inputs."""
    if (a.type, a.ports, dict(a.modifiers)) != (b.type, b.ports, dict(b.modifiers)):
        return False
    if not top and (a.name, a.reads, a.notes) != (b.name, b.reads, b.notes):
        return False
    if isinstance(a, Leaf) and isinstance(b, Leaf):
        return a.module == b.module and _values(a) == _values(b)
    if not isinstance(a, Group) or not isinstance(b, Group):
        return False
    return (
        (a.inputs, dict(a.outputs), a.notes_below) == (b.inputs, dict(b.outputs), b.notes_below)
        and len(a.members) == len(b.members)
        and all(same(x, y, top=False) for x, y in zip(a.members, b.members, strict=True))
    )


def _values(leaf: Leaf) -> dict[str, Any]:
    """Return what is written of the arguments."""
    return {
        name: value
        for name, value in leaf.arguments.items()
        if name not in leaf.defaults or leaf.defaults[name] != value
    }


def _rising(members: Sequence[Member], start: int, *, listed: bool) -> tuple[Member, int] | None:
    """Return members in a row that differ in one number that rises evenly, and where they end."""
    first = members[start]
    if not isinstance(first, Leaf):
        return None
    name, run = "", [first]
    for last in members[start + 1 :]:
        differs = differing(first, last) if isinstance(last, Leaf) else []
        if len(differs) != 1 or differs[0] not in first.arguments or name not in ("", *differs):
            break
        assert isinstance(last, Leaf)
        alike = last._replace(arguments={**last.arguments, differs[0]: first.arguments[differs[0]]})
        if not _follows([*run, alike], listed=listed):
            break
        name = differs[0]
        run.append(last)
    if len(run) < 3:
        return None
    rule = progression([one.arguments[name] for one in run])
    if rule is None:
        return None
    alike_run = [one._replace(arguments={**first.arguments, name: rule}) for one in run]
    return _run(alike_run, listed=listed), start + len(run)


def differing(a: Leaf, b: Leaf) -> list[str]:
    """Return the names of the arguments in which two items differ."""
    names = dict.fromkeys([*a.arguments, *b.arguments])
    return [n for n in names if n not in a.arguments or a.arguments[n] != b.arguments.get(n)]


def progression(values: Sequence[Any]) -> Expression | None:
    """Return the expression of the index that gives numbers that rise evenly; None if none does.

    A part of a rate is computed as a program does it: `0.2 * (index + 3) / 17`.
    """
    if len(values) < 3 or not all(type(v) in (int, float) for v in values):
        return None
    first, step = values[0], values[1] - values[0]
    if all(type(v) is int for v in values):
        if step == 0 or any(v != first + step * n for n, v in enumerate(values)):
            return None
        return Expression(f"$({_sum('index' if step == 1 else f'index * {step}', first)})")
    if step <= 0:
        return None
    for rate in (n / 20 for n in range(1, 20)):
        parts = round(rate / step)
        start = round(first * parts / rate)
        if parts and all(rate * (start + n) / parts == v for n, v in enumerate(values)):
            index = f"({_sum('index', start)})" if start else "index"
            return Expression(f"$({rate} * {index} / {parts})")
    return None


def _sum(text: str, number: int) -> str:
    return f"{text} + {number}" if number > 0 else f"{text} - {-number}" if number else text


class _Names(NamedTuple):
    stem: str
    first: int


def _pattern(run: Sequence[Member]) -> _Names | None:
    """Return the stem of names that count up, `layer1`, `layer2`; None if they do not."""
    found = [re.fullmatch(r"(.*?[^\d])(\d+)", member.name) for member in run]
    if not all(found):
        return None
    names = [_Names(m[1], int(m[2])) for m in found if m]
    plain = all(m[2] == str(int(m[2])) for m in found if m)
    one_by_one = all(b == _Names(a.stem, a.first + 1) for a, b in pairwise(names))
    return names[0] if plain and one_by_one else None


def _run(run: Sequence[Member], *, listed: bool) -> Member:
    first = run[0]
    if len(run) == 1:
        return first
    modifiers = {**first.modifiers, "repeat": len(run)}
    name = first.name
    if not (listed and name.isdecimal()):
        pattern = _pattern(run)
        assert pattern is not None
        index = "$index" if pattern.first == 0 else f"$(index + {pattern.first})"
        name = Expression(f"{pattern.stem}{index}")
    return first._replace(name=name, modifiers=modifiers, last=run[-1].name)


def _collapsed(group: Group, *, listed: bool) -> Member:
    """Return a stack of nothing but one repetition as the repeated member, under its name.

    Without a name of its own, the copies would be members of the list around it.
    """
    if listed and group.name.isdecimal():
        return group
    if len(group.members) != 1 or group.notes_below or group.modifiers or not group.reads:
        return group
    member = group.members[0]
    if member.name != "0" or "repeat" not in member.modifiers or member.notes:
        return group
    last = Ref(member.last or member.name, member.ports[0])
    if dict(group.outputs) != {OUTPUT: last} or member.ports != (OUTPUT,):
        return group
    outside = {Ref("", own): ref for own, ref in group.reads}
    if any(ref not in outside for _, ref in member.reads) or not member.reads:
        return group
    if len({ref for _, ref in member.reads}) != len(group.reads):
        return group
    reads = tuple((own, outside[ref]) for own, ref in member.reads)
    return member._replace(
        name=group.name, reads=reads, notes=group.notes, last="", path=group.path
    )
