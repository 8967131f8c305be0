"""The parameters of a block: the values in which its uses differ, and what follows from them.

Each value that differs becomes an expression, if one holds for all uses: `$channels`,
`$(channels * 4)`, `$(in_channels // 2)`. As few parameters as possible remain.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.folding.places import (
    all_default,
    around,
    differs_by_itself,
    key,
    parts_of,
    places_of,
    shape_before,
)
from netbuild.exchange.importer.folding.tree import Block, Expression, Group, Leaf
from netbuild.exchange.importer.folding.vectors import (
    LARGEST,
    agrees,
    comparison,
    derived,
    equal,
    expression,
    same,
    shapes_of,
)
from netbuild.graph.value import Ref
from netbuild.syntax.expression import RESERVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.exchange.importer.folding.places import Place
    from netbuild.exchange.importer.folding.template import Part, Slot, Source
    from netbuild.exchange.importer.folding.vectors import Vector

#: Short names for the parameters of fields.
_NAMES = {
    "out_channels": "channels",
    "out_features": "features",
    "num_heads": "heads",
    "split_size_or_sections": "sizes",
    "repeat": "depth",
    "normalized_shape": "shape",
}
#: Fields that count members of an axis. Such a parameter has a default if nearly all uses agree.
_SIZES = {"out_channels", "out_features", "channels", "features", "depth", "repeat"}


class Use(NamedTuple):
    """The values of a block's parameters at one of its uses, and their defaults there."""

    values: Mapping[str, Any]
    defaults: Mapping[str, Any]


def block(name: str, whole: Part) -> tuple[Block, list[Use]]:
    """Return the block of a template, and the uses of it, one for each stack of the template."""
    made = _Parameters(whole)
    body = made.body()
    return Block(name, body, made.defaults()), made.uses()


class _Parameters:
    def __init__(self, whole: Part) -> None:
        self.whole, self.count = whole, len(whole.present)
        #: The vector of each parameter, and whether the input of the block decides it.
        self.params: dict[str, Vector] = {}
        self.computed: dict[str, Expression] = {}
        self.written: dict[tuple[int, str], Any] = {}
        self.when: dict[int, Expression] = {}
        self.sizes: set[str] = set()
        self.names: dict[int, str] = {}
        #: The value that each parameter was made for.
        self.bases: dict[str, Place] = {}
        #: The defaults of torch, which a block keeps.
        self.natural: dict[str, Any] = {}
        self._find()

    def _find(self) -> None:
        """Choose the parameters, and the expression of each value that differs."""
        places = [place for place in places_of(self.whole) if not same(place.vector)]
        bases = self._bases(self._needed(places))
        for base, name in zip(bases, self._base_names(bases), strict=True):
            self.names[id(base)] = name
            self.params[name] = base.vector
            self.bases[name] = base
            defaults = [d for d in base.part.slots[base.field].defaults if d is not None]
            if defaults and base.axis is None and same(tuple(defaults)):
                self.natural[name] = defaults[0]
            if base.field in _SIZES:
                self.sizes.add(name)
        self.fields = {self.names[id(base)]: base.field for base in bases}
        for place in places:
            self.written[place.part.number, key(place)] = self._rule(place)
        for place in places_of(self.whole):  # a member that some uses lack has it as the others do
            if same(place.vector) and None in place.vector:
                self._as_elsewhere(place)
        self._conditions()

    def _as_elsewhere(self, place: Place) -> None:
        """Write the parameter of the same field, where it has the same value."""
        for name, vector in self.params.items():
            if self.fields.get(name) == place.field and agrees(place.vector, vector):
                self.written[place.part.number, key(place)] = Expression(f"${name}")
                return

    # What a value follows from

    def _needed(self, places: Sequence[Place]) -> list[Place]:
        """Return the values that follow from no input.

        A value that stands at several places, and is no size of an input at any of them, is one
        parameter, and not several expressions.
        """
        local = [self._local(place) for place in places]
        found = []
        for place, own in zip(places, local, strict=True):
            others = [
                text for p, text in zip(places, local, strict=True) if p.vector == place.vector
            ]
            derived = all(text is None or " " in text for text in others)
            if own is None or (len(others) > 1 and derived):
                found.append(place)
        return found

    def _local(self, place: Place) -> str | None:
        """Return the expression of the input that a value follows from, if there is one."""
        if not place.is_size:
            return None
        return derived(place.vector, shapes_of(place.part.x, self.count)) or self._from_block(place)

    def _from_block(self, place: Place) -> str | None:
        return derived(place.vector, shapes_of(self.whole.x, self.count))

    def _bases(self, places: Sequence[Place]) -> list[Place]:
        """Return the fewest values from which all others follow, the first ones in front."""
        left = list(places)
        bases: list[Place] = []
        while left:
            covers = {
                id(one): [p for p in left if p is one or _of_base(p, {"x": one})] for one in left
            }
            best = max(left, key=lambda one: len(covers[id(one)]))
            bases.append(best)
            gone = {id(p) for p in covers[id(best)]}
            left = [p for p in left if id(p) not in gone]
        order = {id(place): number for number, place in enumerate(places)}
        return sorted(bases, key=lambda one: order[id(one)])

    def _rule(self, place: Place) -> Expression:
        """Return the expression of a value: of a parameter, or of the input."""
        rule = _of_base(place, self.bases)
        shapes = shapes_of(place.part.x, self.count) if place.is_size else {}
        if rule is None or " " in rule:
            exact = next((n for n, v in shapes.items() if agrees(place.vector, v)), None)
            rule = exact or rule or derived(place.vector, shapes)
        if rule is None:
            inner = self._from_block(place)
            assert inner is not None, "every value follows from something"
            rule = self._name(place)
            self.params[rule] = place.vector
            self.bases[rule] = place
            self.computed[rule] = expression(inner)
        return expression(rule)

    # Members that some uses lack

    def _conditions(self) -> None:
        for part, way in parts_of(self.whole, ()):
            if part is self.whole or not differs_by_itself(self.whole, part):
                continue
            self.when[part.number] = self._condition(part, way)

    def _condition(self, part: Part, way: tuple[str, ...]) -> Expression:
        """Return what `when` says of a member that some uses lack."""
        vector = tuple(part.present)
        for name, params in self.params.items():
            if all(isinstance(v, bool) for v in params) and agrees(vector, params):
                return Expression(f"${name}")
        text = self._test(vector, self._seen(part))
        if text:
            return Expression(f"$({text})")
        name = self._free(_snake(part.type) if way[-1].isdecimal() else way[-1])
        text = self._test(vector, self.whole.x)  # what the block reads, and not the member
        if text:
            self.computed[name] = Expression(f"$({text})")
        self.params[name] = vector
        return Expression(f"${name}")

    def _test(self, vector: Vector, x: Sequence[Shape | None]) -> str | None:
        """Return a comparison of a size of the input, and perhaps of the stride."""
        texts = [str(text) for text in self.written.values()]
        sizes = {}
        for name in self.sizes:
            own = self.params[name]
            sizes[name] = own
            for factor in range(2, LARGEST + 1):
                if f"$({name} * {factor})" in texts:
                    sizes[f"{name} * {factor}"] = tuple(v and v * factor for v in own)
        return comparison(vector, shapes_of(x, self.count), sizes, self.params.get("stride"))

    def _seen(self, part: Part) -> list[Shape | None]:
        """Return the shapes that the condition of a member knows: those of its first input."""
        stack = around(self.whole, part)
        found: list[Shape | None] = []
        for i in range(self.count):
            if part.present[i]:
                found.append(part.x[i])
                continue
            found.append(shape_before(stack, part, i))
        return found

    # Names

    def _base_names(self, bases: Sequence[Place]) -> list[str]:
        """Return a name for each base: its field, or its member where fields are the same."""
        plain = [_NAMES.get(one.field, one.field) for one in bases]
        found: list[str] = []
        for base, name in zip(bases, plain, strict=True):
            own = name
            if plain.count(name) > 1:
                alike = [one for one, n in zip(bases, plain, strict=True) if n == name]
                member = _member_name(base, alike)
                if member:
                    own = member if name in _SIZES else f"{member}_{name}"
            number, free = 1, own
            while free in found or free in RESERVED or not free.isidentifier():
                number += 1
                free = f"{own}{number}" if own.isidentifier() else f"{name}{number}"
            found.append(free)
        return found

    def _name(self, place: Place) -> str:
        plain = _NAMES.get(place.field, place.field)
        names = [step for step in place.way if not step.isdecimal()]
        if plain not in self.params and plain not in RESERVED:
            return plain
        return self._free(f"{names[-1]}_{plain}" if names else plain)

    def _free(self, name: str) -> str:
        name = name.replace("-", "_")
        found, number = name, 1
        while found in self.params or found in RESERVED or not found.isidentifier():
            number += 1
            found = f"{name}{number}" if name.isidentifier() else f"has{number}"
        return found

    # Results

    def defaults(self) -> dict[str, Any]:
        """Return the default of each parameter, those without one in front."""
        found = {name: self._default(name) for name in self.params}
        return {n: v for n, v in found.items() if v is None} | {
            n: v for n, v in found.items() if v is not None
        }

    def _default(self, name: str) -> Any:
        if name in self.computed:
            return self.computed[name]
        vector = [value for value in self.params[name] if value is not None]
        natural = self.natural.get(name)
        if natural is not None and any(equal(value, natural) for value in vector):
            return natural
        counts = Counter(repr(value) for value in vector)
        text, most = counts.most_common(1)[0]
        value = next(v for v in vector if repr(v) == text)
        enough = 0.8 if name in self.sizes else 0.5
        if len(vector) < self.count or (most > 1 and most >= enough * len(vector)):
            return value
        return None

    def uses(self) -> list[Use]:
        """Return the values of the parameters in each stack."""
        defaults = self.defaults()
        found = []
        for i in range(self.count):
            values, own = {}, {}
            for name, default in defaults.items():
                value = self.params[name][i]
                if isinstance(default, Expression):
                    default = value  # noqa: PLW2901  what the expression gives here
                values[name] = default if value is None else value
                if default is not None:
                    own[name] = default
            found.append(Use(values, own))
        return found

    def body(self) -> Group:
        """Return the stack of the block, with an expression for each value that differs."""
        found = self._member(self.whole, "", {})
        assert isinstance(found, Group)
        return found._replace(name="", reads=())

    def _member(self, part: Part, name: str, names: Mapping[int, str]) -> Leaf | Group:
        reads = tuple((own, _ref(source, names)) for own, source in part.reads)
        modifiers = dict(part.modifiers)
        if part.number in self.when:
            modifiers["when"] = self.when[part.number]
        repeat = self._value(part, "repeat", part.slots["repeat"])
        if repeat not in (None, 1):
            modifiers["repeat"] = repeat
        if part.parts is None:
            arguments = {}
            for own, slot in part.slots.items():
                value = self._value(part, own, slot)
                if own != "repeat" and not (value is None and all_default(part, slot)):
                    arguments[own] = value
            module = names.get(part.module) if part.module is not None else None
            return Leaf(name, part.type, arguments, reads, modifiers, part.ports, module)
        members, inner = [], {}
        position = 0
        for one in part.parts:
            own = one.name or str(position)
            inner[one.number] = one.last or own
            member = self._member(one, own, inner)
            times = member.modifiers.get("repeat", 1)
            if one.name is None and isinstance(times, int):
                position += times
                inner[one.number] = str(position - 1)
                member = member._replace(last=str(position - 1))
            else:
                position += 1
                member = member._replace(last=one.last)
            members.append(member)
        outputs = {port: _ref(source, inner) for port, source in part.outputs.items()}
        made = Group(name, part.type, part.inputs, tuple(members), outputs, reads, modifiers)
        return made._replace(listed=part.listed)

    def _value(self, part: Part, own: str, slot: Slot) -> Any:
        """Return what is written for a field; None for its default."""
        if all_default(part, slot):
            return None
        if (part.number, own) in self.written:
            return self.written[part.number, own]
        present = [v for v, there in zip(slot.values, part.present, strict=True) if there]
        first = present[0]
        if (part.number, f"{own}.0") in self.written or any(
            (part.number, f"{own}.{n}") in self.written
            for n in range(len(first) if isinstance(first, list | tuple) else 0)
        ):
            return [
                self.written.get((part.number, f"{own}.{n}"), one) for n, one in enumerate(first)
            ]
        return first


def _of_base(place: Place, bases: Mapping[str, Place]) -> str | None:
    """Return the expression of a value from the values of others; None if there is none."""
    for name, base in bases.items():
        if place.is_like(base) and agrees(place.vector, base.vector):
            return name
    return derived(place.vector, {n: b.vector for n, b in bases.items() if place.follows(b)})


def _member_name(base: Place, others: Sequence[Place]) -> str:
    """Return the shortest names that lead to a value and to none of some others; "" for numbers.

    The others are those of the same field, and the value itself.
    """
    shared = 0
    while len({one.way[: shared + 1] for one in others}) == 1:
        shared += 1
    if base.way[shared : shared + 1] == () or base.way[shared].isdecimal():
        return ""
    for length in range(shared + 1, len(base.way) + 1):
        start = base.way[shared:length]
        if sum(one.way[shared:length] == start for one in others) == 1:
            break
    return "_".join(start).replace("-", "_")


def _ref(source: Source, names: Mapping[int, str]) -> Ref:
    return Ref(names[source[0]] if source[0] else "", source[1])


def _snake(type_: str) -> str:
    """Return a parameter's name for a class: `conv_norm`, and `relu` for a layer."""
    if type_ in LAYERS:
        return type_.lower()
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type_).lower()
