"""Templates: what several stacks of one class have in common, and the values in which they differ.

A template of `n` stacks holds a value of each of them in each `Slot`. A member that only some of
them have is there for these only. A config leaves it out by `when`, and its name then stands for
what it would have read. So the wires of two stacks agree if they agree under this rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.folding.tree import Expression, Group, Leaf
from netbuild.exchange.importer.folding.writing import is_list
from netbuild.graph.value import Ref

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.exchange.importer.folding.tree import Member

#: The value in a slot for a stack without the member.
ABSENT = None
#: The source of a value: the number of a member, 0 for the inputs of the stack, and a result.
Source: TypeAlias = tuple[int, str]

#: The name of the last copy, if its number differs.
_UNKNOWN = "?"

_numbers = count(1)


class NoTemplateError(Exception):
    """Stacks have too little in common, or their wires differ."""


@dataclass
class Slot:
    """The value of a field in each stack, and the value that the field has by itself."""

    values: list[Any]
    defaults: list[Any]


@dataclass
class Part:
    """A layer or a stack in a template."""

    number: int
    #: Its name; None for a member of a list.
    name: str | None
    type: str
    reads: tuple[tuple[str, Source], ...]
    modifiers: Mapping[str, Any]
    ports: tuple[str, ...]
    #: Whether each of the stacks has it, and the shape that its expressions know there.
    present: list[bool]
    x: list[Shape | None]
    #: The fields of a layer.
    slots: dict[str, Slot] = field(default_factory=dict)
    #: The member that a `Reuse` calls again.
    module: int | None = None
    #: The parts of a stack; None for a layer.
    parts: list[Part] | None = None
    inputs: tuple[str, ...] = ()
    outputs: Mapping[str, Source] = field(default_factory=dict)
    listed: bool = False
    #: The name of its last copy, if it is repeated under names of their own.
    last: str = ""

    @property
    def optional(self) -> bool:
        """Whether some stacks lack it."""
        return not all(self.present)


def template(
    member: Member, name: str | None = None, known: Mapping[Ref, Source] | None = None
) -> Part:
    """Return the template of a single member.

    Raises:
        NoTemplateError: it has comments, or a wire that comes from the middle of a repetition.
    """
    if member.notes:
        raise NoTemplateError
    modifiers = {k: v for k, v in member.modifiers.items() if k != "repeat"}
    try:
        reads = tuple((own, known[ref]) for own, ref in member.reads) if known is not None else ()
    except KeyError:
        raise NoTemplateError from None
    common: dict[str, Any] = {
        "number": next(_numbers),
        "name": name,
        "type": member.type,
        "reads": reads,
        "modifiers": modifiers,
        "ports": member.ports,
        "present": [True],
        "x": [member.x],
        "last": member.last if name else "",
        "slots": {"repeat": Slot([member.modifiers.get("repeat", 1)], [1])},
    }
    if isinstance(member, Leaf):
        found = Part(**common)
        for own, (value, default) in fields(member).items():
            found.slots[own] = Slot([value], [default])
        if member.module is not None:
            source = (known or {}).get(Ref(member.module, member.ports[0]))
            if source is None or source[0] == 0:
                raise NoTemplateError
            found.module = source[0]
        return found
    return _of_group(member, common)


def _of_group(group: Group, common: dict[str, Any]) -> Part:
    if group.notes_below:
        raise NoTemplateError
    listed = group.listed if group.listed is not None else is_list(group)
    known: dict[Ref, Source] = {Ref("", own): (0, own) for own in group.inputs}
    parts = []
    for member in group.members:
        own = None if listed and member.name.isdecimal() else member.name
        part = template(member, own, known)
        parts.append(part)
        known |= {Ref(member.last or member.name, p): (part.number, p) for p in member.ports}
    try:
        outputs = {port: known[ref] for port, ref in group.outputs.items()}
    except KeyError:
        raise NoTemplateError from None
    return Part(**common, parts=parts, inputs=group.inputs, outputs=outputs, listed=listed)


def fields(leaf: Leaf) -> dict[str, tuple[Any, Any]]:
    """Return the value and the default of each field of an item that may be written."""
    layer = LAYERS.get(leaf.type)
    if leaf.defaults or layer is None:
        names = dict.fromkeys([*leaf.arguments, *leaf.defaults])
        return {
            n: (leaf.arguments.get(n, leaf.defaults.get(n)), leaf.defaults.get(n)) for n in names
        }
    found = {}
    for name, value in leaf.arguments.items():
        one = layer.model_fields.get(name)
        default = None if one is None or one.is_required() else one.default
        found[name] = (value, default)
    return found


def merged(a: Part, b: Part) -> Part:
    """Return the template of the stacks of two templates.

    Raises:
        NoTemplateError: they have too little in common, or their wires differ.
    """
    return _merged(a, b, {0: 0})


def _merged(a: Part, b: Part, same: dict[int, int]) -> Part:
    """Merge two parts; `same` maps numbers of `b` to those of `a`, and grows."""
    if a.type != b.type or a.modifiers != b.modifiers or a.ports != b.ports or a.name != b.name:
        raise NoTemplateError
    if (a.parts is None) != (b.parts is None) or (a.module is None) != (b.module is None):
        raise NoTemplateError
    if a.module is not None and same.get(b.module or 0, b.module) != a.module:
        raise NoTemplateError
    same[b.number] = a.number
    found = replace(a, present=a.present + b.present, x=a.x + b.x)
    found.last = a.last if a.last == b.last else _UNKNOWN
    found.slots = _slots(a, b)
    if a.parts is not None and b.parts is not None:
        _merge_parts(found, a, b)
    return found


def _slots(a: Part, b: Part) -> dict[str, Slot]:
    """Merge the fields of two layers. A field that one of them lacks has its default there."""
    found: dict[str, Slot] = {}
    for name in dict.fromkeys([*a.slots, *b.slots]):
        pair = []
        for one in (a, b):
            slot = one.slots.get(name)
            if slot is None:
                other = (b if one is a else a).slots[name]
                default = other.defaults[0]
                slot = Slot([default] * len(one.present), [default] * len(one.present))
            pair.append(slot)
        first, second = pair
        here = [*first.values, *second.values]
        if any(isinstance(v, Expression) and v != here[0] for v in here):
            raise NoTemplateError  # what counts copies cannot be handed over
        found[name] = Slot(first.values + second.values, first.defaults + second.defaults)
    return found


def _merge_parts(found: Part, a: Part, b: Part) -> None:
    """Merge the members of two stacks into `found`."""
    assert a.parts is not None
    assert b.parts is not None
    if a.inputs != b.inputs or a.listed != b.listed or set(a.outputs) != set(b.outputs):
        raise NoTemplateError
    pairs = _aligned(a.parts, b.parts)
    together = sum(min(_size(one), _size(other)) for one, other in pairs if one and other)
    alone = sum(_size(one or other) for one, other in pairs if not (one and other))
    if alone >= together:
        raise NoTemplateError
    n, m = len(a.present), len(b.present)
    same, parts = {0: 0}, []
    for one, other in pairs:
        if one and other:
            parts.append(_merged(one, other, same))
        elif one:
            parts.append(_absent(one, 0, m))
        elif other:
            parts.append(_absent(other, n, 0))
    moved = [_renumbered(part, same) for part in b.parts]
    found.parts = parts
    _join_wires(found, a, replace(b, parts=moved), same)


def _size(part: Part | None) -> int:
    """Return the number of layers in a part."""
    if part is None:
        return 0
    return 1 if part.parts is None else sum(map(_size, part.parts))


def _absent(part: Part, before: int, behind: int) -> Part:
    """Return a part with stacks in front or behind that lack it."""

    def wider(values: list[Any], filler: Any) -> list[Any]:
        return [filler] * before + values + [filler] * behind

    slots = {
        name: Slot(wider(slot.values, ABSENT), wider(slot.defaults, ABSENT))
        for name, slot in part.slots.items()
    }
    inner = part.parts and [_absent(one, before, behind) for one in part.parts]
    wide = replace(part, present=wider(part.present, False), x=wider(part.x, None))
    wide.slots, wide.parts = slots, inner
    return wide


def _renumbered(part: Part, same: Mapping[int, int]) -> Part:
    """Return a part of the second template with the numbers of the first one in its wires."""
    reads = tuple((own, (same.get(n, n), port)) for own, (n, port) in part.reads)
    module = None if part.module is None else same.get(part.module, part.module)
    return replace(part, reads=reads, number=same.get(part.number, part.number), module=module)


def _aligned(a: Sequence[Part], b: Sequence[Part]) -> list[tuple[Part | None, Part | None]]:
    """Return the members of two stacks in pairs, in order, with the most in common."""
    score = [[0.0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in reversed(range(len(a))):
        for j in reversed(range(len(b))):
            both = _likeness(a[i], b[j])
            score[i][j] = max(
                score[i + 1][j], score[i][j + 1], both + score[i + 1][j + 1] if both else 0
            )
    pairs: list[tuple[Part | None, Part | None]] = []
    i = j = 0
    while i < len(a) or j < len(b):
        both = _likeness(a[i], b[j]) if i < len(a) and j < len(b) else 0
        if both and score[i][j] == both + score[i + 1][j + 1]:
            pairs.append((a[i], b[j]))
            i, j = i + 1, j + 1
        elif i < len(a) and score[i][j] == score[i + 1][j]:
            pairs.append((a[i], None))
            i += 1
        else:
            pairs.append((None, b[j]))
            j += 1
    return pairs


def _likeness(a: Part, b: Part) -> float:
    """Return how well two members fit: 0 if they cannot be the same member."""
    if a.type != b.type or a.name != b.name or (a.parts is None) != (b.parts is None):
        return 0
    if a.parts is not None and b.parts is not None:
        return 10 + min(len(a.parts), len(b.parts))
    names = {*a.slots, *b.slots}
    equal = 0.0
    for name in names:
        one, other = a.slots.get(name), b.slots.get(name)
        if one is None or other is None:
            slot = one or other
            equal += slot is not None and slot.values[-1] == slot.defaults[-1]
        else:
            value, second = one.values[-1], other.values[-1]
            equal += value == second or _ratio(value, a.x[-1]) == _ratio(second, b.x[-1]) != 0
    return 10 + equal / (len(names) + 1)


def _ratio(value: Any, x: Shape | None) -> float:
    """Return how many times the first size of the input a value is; 0 if that says nothing."""
    return value / x[0] if type(value) is int and value > 1 and x and x[0] > 1 else 0


def _join_wires(found: Part, a: Part, b: Part, same: Mapping[int, int]) -> None:
    """Choose wires for the merged members that agree with those of both templates."""
    assert found.parts is not None
    assert a.parts is not None
    assert b.parts is not None
    first = {part.number: part for part in found.parts}
    from_a = {part.number: part for part in a.parts}
    from_b = {part.number: part for part in b.parts}
    wires = _Wires(first, len(a.present), len(found.present))
    for part in found.parts:
        one, other = from_a.get(part.number), from_b.get(part.number)
        if one and other:
            if [own for own, _ in one.reads] != [own for own, _ in other.reads]:
                raise NoTemplateError
            part.reads = tuple(
                (own, wires.joined(x, y, part.present))
                for (own, x), (_, y) in zip(one.reads, other.reads, strict=True)
            )
        elif other:
            part.reads = other.reads
            part.module = other.module
    outputs = {port: (same.get(n, n), p) for port, (n, p) in b.outputs.items()}
    all_ = [True] * wires.end
    found.outputs = {p: wires.joined(a.outputs[p], outputs[p], all_) for p in a.outputs}
    if not _stable(found):
        raise NoTemplateError


class _Wires:
    def __init__(self, parts: Mapping[int, Part], middle: int, end: int) -> None:
        self.parts, self.middle, self.end = parts, middle, end

    def joined(self, a: Source, b: Source, present: Sequence[bool]) -> Source:
        """Return a source that means `a` in the first stacks and `b` in the others.

        Only the stacks count that have the member that reads it.
        """
        for one in dict.fromkeys((a, b)):
            if all(
                self.resolved(one, i) == self.resolved(a if i < self.middle else b, i)
                for i in range(self.end)
                if present[i]
            ):
                return one
        raise NoTemplateError

    def resolved(self, source: Source, i: int) -> Source:
        """Return what a source stands for in a stack that may lack its member."""
        while source[0]:
            part = self.parts[source[0]]
            if part.present[i]:
                return source
            if source[1] != part.ports[0] or not part.reads:
                raise NoTemplateError
            source = part.reads[0][1]
        return source


def _stable(found: Part) -> bool:
    """Whether the numbers and names in the wires of a stack are the same in all stacks."""
    assert found.parts is not None
    moves: set[int] = set()
    moving, previous = False, 0
    for part in found.parts:
        explicit = [n for _, (n, _) in part.reads if n != previous]
        if len(part.reads) > 1:
            explicit = [n for _, (n, _) in part.reads]
        if any(n in moves for n in explicit) or (part.module in moves):
            return False
        repeat = part.slots["repeat"].values
        moving = moving or (found.listed and (part.optional or len(set(repeat)) > 1))
        if (moving and part.name is None) or part.last == _UNKNOWN:
            moves.add(part.number)
        previous = part.number
    given = [n for n, _ in found.outputs.values()]
    return given == [previous] or not any(n in moves for n in given)
