"""Numbers of several uses of a stack as expressions of its parameters."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.exchange.source.layout import ApartError
from netbuild.exchange.source.text import Code, Text, listed
from netbuild.exchange.source.values import plain, same
from netbuild.syntax.expression import evaluate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence


#: Expressions of a config, or lists of those of each element.
Hints: TypeAlias = "Sequence[str | list[list[str]]]"


class _Missing:
    """The value where a use of a stack lacks a layer: any expression fits it."""


MISSING = _Missing()


@dataclass
class Scope:
    """The names that an expression can use, with their values at each point.

    A point is a use of the stack, or a turn of a loop within one. `uses` is the number of the use
    of each point.
    """

    points: list[dict[str, Any]]
    uses: list[int]
    #: The class whose constructor has the names; its scope has no other one around it.
    around: Scope | None = None
    #: The names of parameters that expressions use, in the order of their first use.
    used: dict[str, None] = field(default_factory=dict)
    #: Parameters that are always equal to another one, by that one's name.
    aliases: dict[str, str] = field(default_factory=dict)
    #: The parameters of the block in the config.
    params: tuple[str, ...] = ()
    #: The names of loops.
    loops: tuple[str, ...] = ()
    #: The number of turns that stand before the loop.
    turns_before: int = 0
    #: The values of variables that a config computes with, for its own expressions.
    constants: Mapping[str, Any] = field(default_factory=dict)

    @property
    def root(self) -> Scope:
        """The scope of the constructor."""
        return self if self.around is None else self.around.root

    def saved(self) -> tuple[dict[str, None], list[dict[str, Any]]]:
        """Return the state of a constructor, for an attempt that may fail."""
        return dict(self.used), [dict(point) for point in self.points]

    def restore(self, saved: tuple[dict[str, None], list[dict[str, Any]]]) -> None:
        """Go back to a state."""
        self.used = dict(saved[0])
        for point, before in zip(self.points, saved[1], strict=True):
            point.clear()
            point.update(before)

    def looped(self, counts: Sequence[int], first: int = 0) -> Scope:
        """Return the scope within a loop with this many turns at each point."""
        name = "ijkl"[len(self.loops)]
        points, uses = [], []
        for point, use, count in zip(self.points, self.uses, counts, strict=True):
            for turn in range(first, count):
                points.append(point | {name: turn - first})
                uses.append(use)
        names = (*self.loops, name)
        return Scope(points, uses, self, loops=names, turns_before=first, constants=self.constants)

    def only(self, chosen: Sequence[bool]) -> Scope:
        """Return the scope of some of the points."""
        picked = [n for n, is_chosen in enumerate(chosen) if is_chosen]
        return Scope(
            [self.points[n] for n in picked],
            [self.uses[n] for n in picked],
            self,
            loops=self.loops,
            constants=self.constants,
        )

    def fit(
        self, values: Sequence[Any], name: str, hints: Hints = (), *, decided: bool = False
    ) -> Code:
        """Return an expression with these values at the points.

        Args:
            values: the value at each point.
            name: the name of a new parameter, if no expression fits.
            hints: the expressions of the config at this place, or those of each element.
            decided: whether the input decides the values, and the config does not say them.

        Raises:
            ApartError: no expression fits.
        """
        for one, other in self.root.aliases.items():
            hints = [
                re.sub(rf"\b{one}\b", other, hint) if isinstance(hint, str) else hint
                for hint in hints
            ]
        known = [value for value in values if value is not MISSING]
        if not known:
            return Text("None")
        first = known[0]
        nested = any(isinstance(hint, list) for hint in hints)
        if isinstance(first, tuple) and (nested or any(not same(v, first) for v in known)):
            return self._tuple(values, name, hints)
        if isinstance(first, (tuple, list)) and all(same(value, first) for value in known):
            return plain(first)
        texts = [hint for hint in hints if isinstance(hint, str)]
        found = self._expression(values, name, texts)
        if decided and found is not None and type(first) is int and first >= 8:
            found = self._like_param(values, found)
        if found is not None:
            return self._use(found)
        return self._new(values, name)

    def _expression(self, values: Sequence[Any], name: str, hints: Sequence[str]) -> Text | None:
        known = [value for value in values if value is not MISSING]
        constant = all(same(value, known[0]) for value in known)
        words = {word for hint in hints for word in re.findall(r"[A-Za-z_]\w*", hint)}
        own = words & self.names()
        if constant and not own:
            made = plain(known[0])
            return made if isinstance(made, Text) else None
        for candidates in ([own] if own else []) + [self.names()]:
            found = self._simple(values, candidates, name)
            if found is not None:
                return found
        for hint in hints:
            found = self._hinted(values, hint)
            if found is not None:
                return found
        if constant:
            made = plain(known[0])
            return made if isinstance(made, Text) else None
        return None

    def _like_param(self, values: Sequence[Any], found: Text) -> Text:
        """Return a size that the input decides as an expression of a parameter that is used."""
        params = [name for name in self.root.params if name in self.root.used]
        if not found.text.isdigit() or not params:
            return found
        return self._simple(values, {*params} & self.names(), "", sums=False) or found

    def names(self) -> set[str]:
        """Return the names that have a value at each point."""
        found: set[str] = set(self.points[0]) if self.points else set()
        for point in self.points[1:]:
            found &= point.keys()
        return found

    def _simple(
        self, values: Sequence[Any], names: Collection[str], wanted: str, *, sums: bool = True
    ) -> Text | None:
        """Return a name, or a name with one number or another name."""
        order = [name for name in self.points[0] if name in names]
        order.sort(key=lambda name: (name != wanted, name in self.loops))
        for found in _candidates(order, self.points, values):
            if (sums or found.power > 11) and self._fits(found.text, values):
                return found
        return None

    def _fits(self, text: str, values: Sequence[Any]) -> bool:
        for point, value in zip(self.points, values, strict=True):
            if value is MISSING:
                continue
            try:
                if not same(evaluate(text, point), value):
                    return False
            except ExpressionError:
                return False
        return True

    def _hinted(self, values: Sequence[Any], hint: str) -> Text | None:
        """Return an expression of the config, with the values of its variables in it."""
        words = set(re.findall(r"[A-Za-z_]\w*", hint))
        text = hint
        if "index" in words and self.loops:
            turn = self.loops[-1]
            turn = f"({turn} + {self.turns_before})" if self.turns_before else turn
            text = re.sub(r"\bindex\b", turn, text)
        for word in words - self.names():
            value = self.constants.get(word)
            if type(value) in {int, float}:
                text = re.sub(rf"\b{word}\b", repr(value), text)
        names = set(re.findall(r"[A-Za-z_]\w*", text)) - {"min", "max", "round", "abs", "and", "or"}
        names -= {"not", "if", "else", "true", "false", "True", "False"}
        if not names or not names <= self.names() or not self._fits(text, values):
            return None
        text = re.sub(r"\btrue\b", "True", re.sub(r"\bfalse\b", "False", text))
        text = re.sub(r"(?<![\w.])([\w.]+) \*\* (-?[\w.]+)", r"\1**\2", text)  # as ruff has it
        return Text(text, 1)

    def derive(self, name: str, text: str) -> Text | None:
        """Return a parameter as an expression of the other ones; None if some use sets it apart.

        A parameter that is just another one is forgotten.
        """
        values = [point[name] for point in self.points]
        others = self.names() - {name}
        found = self._simple(values, others, name) or self._hinted(values, text)
        if found is not None and found.text in others:
            for point in self.points:
                del point[name]
            self.aliases[name] = found.text
            return None
        words = set() if found is None else set(_words(found.text))
        return None if name in words or not words else found

    def use(self, text: str) -> None:
        """Note the parameters that an expression uses."""
        for word in _words(text):
            if word in self.root.points[0] and word not in self.loops:
                self.root.used.setdefault(word)

    def _use(self, found: Text) -> Text:
        self.use(found.text)
        return found

    def _tuple(self, values: Sequence[Any], name: str, hints: Hints) -> Code:
        """Return a tuple whose elements are expressions."""
        lengths = {len(value) for value in values if value is not MISSING}
        if len(lengths) > 1 or any(
            not isinstance(value, tuple) for value in values if value is not MISSING
        ):
            return self._new(values, name)
        (length,) = lengths
        columns = [
            [value if value is MISSING else value[number] for value in values]
            for number in range(length)
        ]
        each = next((hint for hint in hints if isinstance(hint, list)), None)
        if each is None or len(each) != length:
            each = [[hint for hint in hints if isinstance(hint, str)]] * length
        fitted = (self.fit(column, name, own) for column, own in zip(columns, each, strict=True))
        return listed(*fitted, brackets="()")

    def _new(self, values: Sequence[Any], name: str) -> Text:
        """Return a new parameter with these values.

        Raises:
            ApartError: a use has several values.
        """
        root = self.root
        by_use: dict[int, Any] = {}
        for use, value in zip(self.uses, values, strict=True):
            if value is not MISSING and not same(by_use.setdefault(use, value), value):
                raise ApartError
        name = name if name.isidentifier() else "size"
        taken = {key for point in root.points for key in point}
        own = next(
            new
            for n in range(1, 1000)
            if (new := name + "_" * (n > 1) + str(n) * (n > 1)) not in taken
        )
        default = next(iter(by_use.values()))
        for use, point in enumerate(root.points):
            point[own] = by_use.get(use, default)
        for point, use in zip(self.points, self.uses, strict=True):
            point[own] = by_use.get(use, default)
        root.used.setdefault(own)
        return Text(own)


def _words(text: str) -> list[str]:
    return re.findall(r"[A-Za-z_]\w*", text)


def _candidates(
    names: Sequence[str], points: Sequence[Mapping[str, Any]], values: Sequence[Any]
) -> Iterator[Text]:
    """Yield expressions, the simplest first."""
    yield from map(Text, names)
    place = next(n for n, value in enumerate(values) if value is not MISSING)
    value, point = values[place], points[place]
    if type(value) is not int:
        return
    whole = [name for name in names if type(point[name]) is int]
    for name in whole:
        there = point[name]
        if there and value > there and value % there == 0:
            yield Text(f"{value // there} * {name}", 12)
        if value and there > value and there % value == 0:
            yield Text(f"{name} // {there // value}", 12)
    for name in whole:
        difference = value - point[name]
        if 0 < abs(difference) <= 2:
            yield Text(f"{name} {'+' if difference > 0 else '-'} {abs(difference)}", 11)
    for one, other in combinations(whole, 2):
        yield Text(f"{one} + {other}", 11)
    yield from _affine(whole, points, values)


def _affine(
    names: Sequence[str], points: Sequence[Mapping[str, Any]], values: Sequence[Any]
) -> Iterator[Text]:
    """Yield a name, or a number, plus turns of a loop times a step."""
    for loop in (name for name in names if name in "ijkl"):
        others = [name for name in names if name not in "ijkl"]
        first = next(
            (n for n, p in enumerate(points) if p[loop] == 0 and values[n] is not MISSING), None
        )
        second = next(
            (n for n, p in enumerate(points) if p[loop] == 1 and values[n] is not MISSING), None
        )
        if first is None or second is None or type(values[second]) is not int:
            continue
        step = values[second] - values[first]
        sign = "+" if step >= 0 else "-"
        for name in others:
            yield Text(f"{name} {sign} {abs(step)} * {loop}", 11)
            for other in others:
                yield Text(f"{name} {sign} {loop} * {other}", 11)
        yield Text(f"{values[first]} {sign} {abs(step)} * {loop}", 11)
