"""The calls that make the modules of a stack, with arguments that fit all uses of the stack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from netbuild.components.layers.made import Made
from netbuild.exchange.source.fitting import MISSING
from netbuild.exchange.source.layout import ApartError
from netbuild.exchange.source.text import Argument, Code, Each, Group, Text, flat, literal
from netbuild.exchange.source.values import same
from netbuild.graph.row import Block, Row
from netbuild.syntax.node import List, Map, Node, Scalar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.exchange.source.fitting import Hints, Scope
    from netbuild.exchange.source.layout import Part, Place
    from netbuild.exchange.source.needs import Needs
    from netbuild.syntax.item import Item

#: Arguments whose meaning is clear by their place, if they are the first ones.
_BY_PLACE = frozenset(
    (
        *("in_channels", "out_channels", "in_features", "out_features", "num_features"),
        *("in1_features", "in2_features", "num_embeddings", "embedding_dim", "normalized_shape"),
        *("num_groups", "num_channels", "input_size", "hidden_size", "d_model", "embed_dim"),
        *("nhead", "num_heads", "encoder_layer", "decoder_layer"),
    )
)
#: An expression within a text, with parentheses within it, or a name.
_EXPRESSION = re.compile(r"\$\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)|\$([A-Za-z_]\w*)")
#: The most elements of an argument that a loop is unrolled for.
_MOST_UNROLLED = 400


class Constructors:
    """Writes the modules of parts within a scope.

    Args:
        needs: collects what the file must import or define.
        hints: the expressions of `when` and `repeat` by the place of their item.
        calls: the items of blocks by path.
    """

    def __init__(
        self, needs: Needs, hints: Mapping[Any, Mapping[str, str]], calls: Mapping[str, Any]
    ) -> None:
        self.needs, self.hints, self.calls = needs, hints, calls

    def elements(self, parts: Sequence[Part], scope: Scope, *, named: bool) -> list[Argument]:
        """Return the elements of an `nn.Sequential`, or the pairs of an OrderedDict."""
        found = []
        for part in parts:
            if not part.has_module:
                raise ApartError
            found += self.element(part, scope, named=named)
        return found

    def element(self, part: Part, scope: Scope, *, named: bool) -> list[Argument]:
        """Return one element, or a comprehension of several."""
        counts = [len(run) for run in part.runs]
        if set(counts) == {1}:
            return [Argument(self.pair(part, scope, [run[0] for run in part.runs], named=named))]
        if set(counts) == {0, 1}:
            condition = self.condition(part, scope)
            there = scope.only([bool(count) for count in counts])
            one = self.pair(part, there, part.places, named=named)
            return [Argument(Text(f"([{flat(one)}] if {flat(condition)} else [])"), "*")]
        return self.repeated(part, scope, counts, named=named)

    def condition(self, part: Part, scope: Scope) -> Code:
        """Return the condition under which a stack has a part."""
        hint = self.hints.get(_place(part), {}).get("when")
        present = [bool(run) for run in part.runs]
        name = f"has_{part.first.name}" if part.first.name.isidentifier() else "has_more"
        return scope.fit(present, name, [hint] if hint else ())

    def repeated(
        self, part: Part, scope: Scope, counts: list[int], *, named: bool
    ) -> list[Argument]:
        """Return a part that is repeated: as a loop, as one more and a loop, or one by one."""
        before = scope.root.saved()
        for first in (0, 1):
            if min(counts) < first:
                continue
            try:
                return self.loop(part, scope, counts, first, named=named)
            except ApartError:
                scope.root.restore(before)
        if len(set(counts)) > 1 or counts[0] > _MOST_UNROLLED:
            raise ApartError
        return [
            Argument(self.pair(part, scope, [run[turn] for run in part.runs], named=named))
            for turn in range(counts[0])
        ]

    def loop(
        self, part: Part, scope: Scope, counts: list[int], first: int, *, named: bool
    ) -> list[Argument]:
        """Return a loop behind the first turns, which stand alone.

        Raises:
            ApartError: no expression fits all turns.
        """
        found = [
            Argument(self.pair(part, scope, [run[turn] for run in part.runs], named=named))
            for turn in range(first)
        ]
        rest = [count - first for count in counts]
        if set(rest) == {1}:
            places = [run[first] for run in part.runs]
            return [*found, Argument(self.pair(part, scope, places, named=named))]
        inner = scope.looped(counts, first)
        places = [place for run in part.runs for place in run[first:]]
        turn = inner.loops[-1]
        one = self.pair(part, inner, places, named=named, turns=(turn, part.runs, first))
        hint = self.hints.get(_place(part), {}).get("repeat")
        hints = [f"({hint}) - {first}" if first else hint] if hint else []
        count = scope.fit(rest, "depth", hints)
        name = turn if re.search(rf"\b{turn}\b", flat(one)) else "_"
        return [*found, Argument(Each(one, f"for {name} in range({flat(count)})"), "*")]

    def pair(
        self,
        part: Part,
        scope: Scope,
        places: Sequence[Place],
        *,
        named: bool,
        turns: tuple[str, Any, int] | None = None,
    ) -> Code:
        """Return a module, or its name and the module."""
        made = self.module(part, scope, places)
        if not named:
            return made
        name = _loop_name(*turns) if turns else _one_name(places)
        return Group("(", (Argument(name), Argument(made)))

    def module(self, part: Part, scope: Scope, places: Sequence[Place]) -> Code:
        """Return the call that makes the modules at some places, one for each point of a scope."""
        if part.kind == "row":
            rows = [_row(place) for place in places]
            return self.parametrized(rows[0], self.layer(rows, scope))
        if part.kind == "class":
            return self.use(part.class_, scope, places)
        inner = self.within(part, places)
        if part.kind == "list":
            return Group("nn.ModuleList(", (self.as_list(inner, scope),))
        numbered = is_numbered(inner)
        elements = tuple(self.elements(inner, scope, named=not numbered))
        if numbered:
            return Group("nn.Sequential(", elements)
        return Group("nn.Sequential(", (Argument(self.ordered(elements)),))

    def within(self, part: Part, places: Sequence[Place]) -> list[Part]:
        """Return the parts of a stack within its place, for some of its uses."""
        from dataclasses import replace

        numbers = {place.path: number for number, place in enumerate(part.places)}
        chosen = [numbers[place.path] for place in places]
        picked = [replace(one, runs=[one.runs[number] for number in chosen]) for one in part.inner]
        return [one for one in picked if one.places]

    def as_list(self, parts: Sequence[Part], scope: Scope) -> Argument:
        """Return the elements of an `nn.ModuleList`."""
        elements = self.elements(parts, scope, named=False)
        if len(elements) == 1 and isinstance(elements[0].node, Each):
            return Argument(elements[0].node._replace(head="[", tail="]"))
        return Argument(Group("[", tuple(elements), "]"))

    def ordered(self, elements: Sequence[Argument]) -> Code:
        """Return an OrderedDict of pairs."""
        self.needs.imports.add("from collections import OrderedDict")
        if len(elements) == 1 and isinstance(elements[0].node, Each):
            inside: Code = elements[0].node._replace(head="[", tail="]")
        else:
            inside = Group("[", tuple(elements), "]")
        return Group("OrderedDict(", (Argument(inside),))

    def use(self, class_: Any, scope: Scope, places: Sequence[Place]) -> Code:
        """Return the call of a class of the file."""
        found: list[Argument] = []
        for number, name in enumerate(class_.parameters):
            values = [class_.value(place.path, name) for place in places]
            if name in class_.defaults and all(same(v, class_.defaults[name]) for v in values):
                continue
            hints = [
                hint
                for call in (self.calls.get(places[0].path),)
                if call is not None
                for hint in _expressions(call.item, name, name == next(iter(class_.params), None))
            ]
            by_place = number < 2 and name not in class_.defaults
            by_place = by_place and not any(one.prefix for one in found)
            node = scope.fit(values, name, hints)
            found.append(Argument(node, "" if by_place else f"{name}="))
        return Group(f"{class_.name}(", tuple(found))

    def layer(self, rows: Sequence[Row], scope: Scope) -> Code:
        """Return the call that makes a layer."""
        row = rows[0]
        decided = row.layer.decide(*row.shapes)
        hints = {name: _expressions(row.item, name, name not in decided) for name in row.arguments}
        given = [one.arguments for one in rows]
        return self.made(row.layer, given, scope, hints, frozenset(decided))

    def made(
        self,
        layer: Layer,
        arguments: Sequence[Mapping[str, Any]],
        scope: Scope,
        hints: Mapping[str, Hints],
        decided: frozenset[str] = frozenset(),
    ) -> Code:
        """Return the call of a class of torch, with the arguments that differ from its defaults."""
        fields = type(layer).model_fields
        found: list[Argument] = []
        given = [
            name
            for name in arguments[0]
            if name not in fields
            or fields[name].is_required()
            or not all(same(one[name], _default(fields, name)) for one in arguments)
        ]
        for number, name in enumerate(given):
            values = [one[name] for one in arguments]
            is_decided = name in decided
            node = self.argument(name, values, scope, hints.get(name, ()), decided=is_decided)
            clear = (name in _BY_PLACE or type(layer).__name__ == "Unflatten") and number == len(
                [a for a in found if not a.prefix]
            )
            alone = len(given) == 1 and name == next(iter(arguments[0]))
            alone = alone and not isinstance(values[0], bool) and name != "dim"
            found.append(Argument(node, "" if clear or alone else f"{name}="))
        return Group(f"{self.needs.module(layer)}(", tuple(found))

    def argument(
        self, name: str, values: Sequence[Any], scope: Scope, hints: Hints, *, decided: bool
    ) -> Code:
        """Return an argument: a number, a text, a tuple, or a layer."""
        first = values[0]
        if isinstance(first, Made):
            return self.made(first.layer, [value.arguments for value in values], scope, {})
        known = [value for value in values if value is not MISSING]
        alike = all(same(value, known[0]) for value in known)
        if isinstance(first, (tuple, list)) and alike and not any(hints):
            return literal(first)
        if name == "dtype" and isinstance(first, str):
            return Text(f"torch.{first}")
        return scope.fit(values, name, hints, decided=decided)

    def parametrized(self, row: Row, made: Code) -> Code:
        """Return a module with its parametrizations, which are functions of torch around it."""
        for name, one in row.parametrized.items():
            if "." in name:
                continue
            function = one.by.torch_name()
            self.needs.imports.add(f"from torch.nn.utils.parametrizations import {function}")
            fields = type(one.by).model_fields
            given = one.by.arguments(transposed=row.is_transposed)
            if given.get("dim") == int(row.is_transposed) and function == "spectral_norm":
                del given["dim"]  # torch finds it by the type of the layer
            keywords = [
                Argument(literal(value), f"{field}=")
                for field, value in given.items()
                if field not in fields or not same(value, fields[field].default)
            ]
            own = [] if name == "weight" else [Argument(literal(name), "name=")]
            made = Group(f"{function}(", (Argument(made), *own, *keywords))
        return made


def is_numbered(parts: Sequence[Part]) -> bool:
    """Whether the members of stacks are called 0, 1, 2 and so on, as `nn.Sequential` calls them."""
    if not parts:
        return False
    for number in range(len(parts[0].runs)):
        names = [place.member.name for part in parts for place in part.runs[number]]
        if names != [str(n) for n in range(len(names))]:
            return False
    return True


def _default(fields: Mapping[str, Any], name: str) -> Any:
    """Return torch's default of a field. netbuild has the batch first, and torch does not."""
    return False if name == "batch_first" else fields[name].default


def _row(place: Place) -> Row:
    assert isinstance(place.member.part, Row)
    return place.member.part


def _place(part: Part) -> Any:
    span = part.first.span
    return span.document.name, span.line, span.column


def _one_name(places: Sequence[Place]) -> Code:
    names = {place.member.name for place in places}
    if len(names) > 1:
        raise ApartError
    return literal(names.pop())


def _loop_name(turn: str, runs: Sequence[Sequence[Place]], first: int) -> Code:
    """Return the names of the turns of a loop as a text with their number in it.

    Raises:
        ApartError: the names do not count.
    """
    longest = max(runs, key=len)
    name = longest[first].member.name
    match = re.search(r"\d+(?=\D*$)", name)
    if match is None:
        raise ApartError
    start, head, tail = int(match[0]), name[: match.start()], name[match.end() :]
    for run in runs:
        wanted = [f"{head}{start + n}{tail}" for n in range(len(run) - first)]
        if [place.member.name for place in run[first:]] != wanted:
            raise ApartError
    number = f"{turn} + {start}" if start else turn
    return Text(f'f"{head}{{{number}}}{tail}"')


def _expressions(item: Item, field: str, bare: bool) -> Hints:  # noqa: FBT001  a private one
    """Return the expressions of an argument; `bare` is whether a value without a name is it."""
    node: Node | None = item.arguments
    if isinstance(node, Map):
        node = node.get(field)
    elif not bare:
        node = None
    if isinstance(node, List):
        each = [_texts(one) for one in node.items]
        return [each] if any(each) else []
    return _texts(node)


def _texts(node: Node | None) -> list[str]:
    """Return the expression of a node."""
    if not isinstance(node, Scalar) or not isinstance(node.value, str):
        return []
    return expression(node.value)


def texts(item: Item) -> list[str]:
    """Return all expressions in the arguments of an item, also those within a formula."""
    found: list[str] = []
    nodes = [] if item.arguments is None else [item.arguments]
    while nodes:
        node = nodes.pop(0)
        if isinstance(node, List):
            nodes += node.items
        elif isinstance(node, Map):
            nodes += [entry.value for entry in node.entries.values()]
        elif isinstance(node.value, str):
            found += [one or name for one, name in _EXPRESSION.findall(node.value)]
    return found


def expression(text: str) -> list[str]:
    """Return the expression of a text such as `$(2 * width)` or `$width`; none for any other."""
    if text.startswith("$(") and text.endswith(")"):
        return [text[2:-1]]
    return [text[1:]] if text.startswith("$") and text[1:].isidentifier() else []


def is_block(place: Place) -> bool:
    """Whether a member is a stack."""
    return isinstance(place.member.part, Block)
