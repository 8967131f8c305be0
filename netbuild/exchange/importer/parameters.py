"""The parameters of a block: the values in which its uses differ, and what follows from them.

Each value that differs becomes an expression, if one holds for all uses: `$channels`,
`$(channels * 4)`, `$(in_channels // 2)`. As few parameters as possible remain.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.exchange.importer.template import Part, Slot
from netbuild.exchange.importer.tree import Expression, Group, Leaf
from netbuild.graph.value import Ref
from netbuild.syntax.expression import RESERVED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.exchange.importer.template import Source

#: Short names for the parameters of fields.
_NAMES = {
    "out_channels": "channels",
    "out_features": "features",
    "num_heads": "heads",
    "split_size_or_sections": "sizes",
    "repeat": "depth",
    "normalized_shape": "shape",
}
#: Fields that count members of an axis. Such a parameter has no default unless nearly all uses agree.
_SIZES = {"out_channels", "out_features", "channels", "features", "depth", "repeat"}
#: Fields with a size of each axis. Each size may be an expression of its own.
_BY_AXIS = {"Reshape", "Parameter", "Expand", "Unflatten", "LayerNorm"}
#: The largest factor of an expression.
_LARGEST = 64

#: The values of one expression in all uses; None where it does not matter.
Vector = tuple[Any, ...]


class Block(NamedTuple):
    """A block: its stack with expressions, and its parameters with their defaults."""

    name: str
    body: Group
    #: A default is None for a parameter that each use gives.
    params: Mapping[str, Any]


class Use(NamedTuple):
    """The values of a block's parameters at one of its uses, and their defaults there."""

    values: Mapping[str, Any]
    defaults: Mapping[str, Any]


class _Place(NamedTuple):
    """A value that differs: where it stands, and what it is in each use."""

    part: Part
    field: str
    #: The position in a list; None for the whole value.
    axis: int | None
    vector: Vector
    #: The names of the stacks and members that lead to it.
    way: tuple[str, ...]


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
        #: The defaults of torch, which a block keeps.
        self.natural: dict[str, Any] = {}
        self._find()

    def _find(self) -> None:
        """Choose the parameters, and the expression of each value that differs."""
        places = [place for place in _places(self.whole) if not _same(place.vector)]
        bases = self._bases(self._needed(places))
        for base, name in zip(bases, self._base_names(bases), strict=True):
            self.names[id(base)] = name
            self.params[name] = base.vector
            defaults = [d for d in base.part.slots[base.field].defaults if d is not None]
            if defaults and base.axis is None and _same(tuple(defaults)):
                self.natural[name] = defaults[0]
            if base.field in _SIZES:
                self.sizes.add(name)
        self.fields = {self.names[id(base)]: base.field for base in bases}
        for place in places:
            self.written[place.part.number, _key(place)] = self._expression(place)
        for place in _places(self.whole):  # a member that some uses lack has it as the others do
            if _same(place.vector) and None in place.vector:
                self._as_elsewhere(place)
        self._conditions()

    def _as_elsewhere(self, place: _Place) -> None:
        """Write the parameter of the same field, where it has the same value."""
        for name, vector in self.params.items():
            if self.fields.get(name) == place.field and _agrees(place.vector, vector):
                self.written[place.part.number, _key(place)] = Expression(f"${name}")
                return

    # What a value follows from

    def _needed(self, places: Sequence[_Place]) -> list[_Place]:
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

    def _local(self, place: _Place) -> str | None:
        """Return the expression of the input that a value follows from, if there is one."""
        return _derived(place.vector, _shapes(place.part.x, self.count)) or self._from_block(place)

    def _from_block(self, place: _Place) -> str | None:
        return _derived(place.vector, _shapes(self.whole.x, self.count))

    def _bases(self, places: Sequence[_Place]) -> list[_Place]:
        """Return the fewest values from which all others follow, the first ones in front."""
        left = list(places)
        bases: list[_Place] = []
        while left:
            covers = {
                id(one): [p for p in left if p is one or _derived(p.vector, {"x": one.vector})]
                for one in left
            }
            best = max(left, key=lambda one: len(covers[id(one)]))
            bases.append(best)
            gone = {id(p) for p in covers[id(best)]}
            left = [p for p in left if id(p) not in gone]
        order = {id(place): number for number, place in enumerate(places)}
        return sorted(bases, key=lambda one: order[id(one)])

    def _expression(self, place: _Place) -> Expression:
        """Return the expression of a value: of a parameter, or of the input."""
        shapes = _shapes(place.part.x, self.count)
        for known in (self.params, shapes):
            exact = next((n for n, v in known.items() if _agrees(place.vector, v)), None)
            if exact:
                return Expression(f"${exact}")
        text = _derived(place.vector, self.params) or _derived(place.vector, shapes)
        if text is None:
            inner = self._from_block(place)
            assert inner is not None, "every value follows from something"
            name = self._name(place)
            self.params[name] = place.vector
            self.computed[name] = _expression(inner)
            text = name
        return _expression(text)

    # Members that some uses lack

    def _conditions(self) -> None:
        for part, way in _parts(self.whole, ()):
            if part is self.whole or not _differs_by_itself(self.whole, part):
                continue
            self.when[part.number] = self._condition(part, way)

    def _condition(self, part: Part, way: tuple[str, ...]) -> Expression:
        """Return what `when` says of a member that some uses lack."""
        vector = tuple(part.present)
        for name, params in self.params.items():
            if all(isinstance(v, bool) for v in params) and _agrees(vector, params):
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
            for factor in range(2, _LARGEST + 1):
                if f"$({name} * {factor})" in texts:
                    sizes[f"{name} * {factor}"] = tuple(v and v * factor for v in own)
        return comparison(vector, _shapes(x, self.count), sizes, self.params.get("stride"))

    def _seen(self, part: Part) -> list[Shape | None]:
        """Return the shapes that the condition of a member knows: those of its first input."""
        around = _around(self.whole, part)
        found: list[Shape | None] = []
        for i in range(self.count):
            if part.present[i]:
                found.append(part.x[i])
                continue
            found.append(_shape_before(around, part, i))
        return found

    # Names

    def _base_names(self, bases: Sequence[_Place]) -> list[str]:
        """Return a name for each base: its field, or its member where fields are the same."""
        plain = [_NAMES.get(one.field, one.field) for one in bases]
        found: list[str] = []
        for base, name in zip(bases, plain, strict=True):
            own = name
            if plain.count(name) > 1:
                same = [one for one, n in zip(bases, plain, strict=True) if n == name]
                member = _member_name(base, same)
                if member:
                    own = member if name in _SIZES else f"{member}_{name}"
            number, free = 1, own
            while free in found or free in RESERVED or not free.isidentifier():
                number += 1
                free = f"{own}{number}" if own.isidentifier() else f"{name}{number}"
            found.append(free)
        return found

    def _name(self, place: _Place) -> str:
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
        if natural is not None and any(_equal(value, natural) for value in vector):
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
                if own != "repeat" and not (value is None and _all_default(part, slot)):
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
        if _all_default(part, slot):
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


def _member_name(base: _Place, others: Sequence[_Place]) -> str:
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


def _key(place: _Place) -> str:
    return place.field if place.axis is None else f"{place.field}.{place.axis}"


def _ref(source: Source, names: Mapping[int, str]) -> Ref:
    return Ref(names[source[0]] if source[0] else "", source[1])


def _all_default(part: Part, slot: Slot) -> bool:
    pairs = zip(slot.values, slot.defaults, part.present, strict=True)
    return all(_equal(v, d) for v, d, there in pairs if there)


def _equal(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b)


def _parts(part: Part, way: tuple[str, ...]) -> Iterator[tuple[Part, tuple[str, ...]]]:
    """Yield a part and all parts inside, with the names that lead there."""
    yield part, way
    for number, one in enumerate(part.parts or ()):
        yield from _parts(one, (*way, one.name or str(number)))


def _around(whole: Part, part: Part) -> Part:
    """Return the stack that holds a part."""
    return next(one for one, _ in _parts(whole, ()) if any(p is part for p in one.parts or ()))


def _differs_by_itself(whole: Part, part: Part) -> bool:
    """Whether a member is missing where the stack around it is there."""
    return part.present != _around(whole, part).present


def _shape_before(around: Part, part: Part, i: int) -> Shape | None:
    """Return the shape of what a missing member would have read."""
    if not part.reads:
        return None
    source = part.reads[0][1]
    parts = {one.number: one for one in around.parts or ()}
    while source[0]:
        one = parts[source[0]]
        if one.present[i]:  # the next member that reads it knows its shape
            for other in around.parts or ():
                if other.present[i] and other.reads and other.reads[0][1] == source:
                    return other.x[i]
            return None
        if not one.reads:
            return None
        source = one.reads[0][1]
    return around.x[i] if len(around.inputs) == 1 else None


def _places(whole: Part) -> Iterator[_Place]:
    """Yield the values of a template that may differ."""
    for part, way in _parts(whole, ()):
        for name, slot in part.slots.items():
            if part is whole or _all_default(part, slot):
                continue
            pairs = zip(slot.values, part.present, strict=True)
            vector = tuple(_plain(value) if there else None for value, there in pairs)
            if part.type in _BY_AXIS and not _same(vector) and (rank := _rank(vector)):
                for axis in range(rank):
                    own = tuple(None if v is None else v[axis] for v in vector)
                    yield _Place(part, name, axis, own, way)
            else:
                yield _Place(part, name, None, vector, way)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _rank(vector: Vector) -> int:
    """Return the length of all lists in a vector; 0 if they differ, or if one is no list."""
    lengths = {len(v) if isinstance(v, list) else 0 for v in vector if v is not None}
    return lengths.pop() if len(lengths) == 1 else 0


def _same(vector: Vector) -> bool:
    """Whether a value is the same in all uses that have it."""
    there = [value for value in vector if value is not None]
    return all(_equal(there[0], value) for value in there)


def _agrees(vector: Vector, other: Vector) -> bool:
    """Whether a vector is another one, where it matters."""
    return all(
        v is None or (o is not None and _equal(v, o)) for v, o in zip(vector, other, strict=True)
    )


def _shapes(x: Sequence[Shape | None], count: int) -> dict[str, Vector]:
    """Return what an expression knows of the shapes of an input in all uses."""
    if len(x) != count or not any(x):
        return {}
    first = tuple(shape[0] if shape else None for shape in x)
    last = tuple(shape[-1] if shape else None for shape in x)
    single = all(shape is None or len(shape) == 1 for shape in x)
    deep = all(shape is None or len(shape) > 2 for shape in x)
    if single or not deep:
        return {"in_features": last} if single else {"in_features": last, "in_channels": first}
    return {"in_channels": first, "in_features": last}


def _derived(vector: Vector, known: Mapping[str, Vector]) -> str | None:
    """Return the expression of a vector from one of others; None if it follows from none."""
    for name, other in known.items():
        if _agrees(vector, other):
            return name
    for name, other in known.items():
        pairs = [(v, o) for v, o in zip(vector, other, strict=True) if v is not None]
        if not all(type(v) is int and type(o) is int and v >= 0 and o > 0 for v, o in pairs):
            continue
        value, base = max(pairs)
        if len({o for _, o in pairs}) < 2:
            continue
        if value > base and value % base == 0 and value // base <= _LARGEST:
            factor = value // base
            if all(v == o * factor for v, o in pairs):
                return f"{name} * {factor}"
        if 0 < value < base:
            for factor in range(2, min(base, _LARGEST) + 1):
                if all(v == o // factor for v, o in pairs):
                    return f"{name} // {factor}"
    return None


def _expression(text: str) -> Expression:
    return Expression(f"${text}" if text.isidentifier() else f"$({text})")


def comparison(
    vector: Vector,
    shapes: Mapping[str, Vector],
    sizes: Mapping[str, Vector],
    stride: Vector | None,
) -> str | None:
    """Return a comparison of sizes that is true in the uses where the vector is true."""
    tests: dict[str, Vector] = {}
    for name, own in shapes.items():
        for text, values in sizes.items():
            pairs = list(zip(own, values, strict=True))
            if all(type(a) is int and type(b) is int for a, b in pairs):
                tests[f"{name} != {text}"] = tuple(a != b for a, b in pairs)
                tests[f"{name} == {text}"] = tuple(a == b for a, b in pairs)
    if stride is not None and all(type(s) is int for s in stride):
        for text, found in list(tests.items()):
            pairs = list(zip(stride, found, strict=True))
            if "!=" in text:
                tests[f"stride != 1 or {text}"] = tuple(s != 1 or f for s, f in pairs)
            else:
                tests[f"stride == 1 and {text}"] = tuple(s == 1 and f for s, f in pairs)
        tests["stride == 1"] = tuple(s == 1 for s in stride)
        tests["stride != 1"] = tuple(s != 1 for s in stride)
    return next((text for text, found in tests.items() if found == vector), None)


def _snake(type_: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type_).lower()
