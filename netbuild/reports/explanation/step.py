"""A number and how it comes about: the least part of an explanation."""

from __future__ import annotations

import re
from functools import cache
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.layers.layer import Layer
from netbuild.components.tensor import product, times
from netbuild.diagnostics.exceptions import ExpressionError
from netbuild.syntax.expression import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.components.layers.formula import Formula
    from netbuild.components.tensor import Shape


class Step(NamedTuple):
    """One number: the rule by which it comes about, the rule with its numbers, and the result.

    `shape` is that of a weight which has so many values, `note` what else there is to say.
    """

    name: str
    rule: str
    numbers: str
    result: int | None
    shape: Shape | None = None
    note: str = ""


class Count(NamedTuple):
    """A number that steps add up to; `note` says what they do not."""

    total: int
    steps: tuple[Step, ...] = ()
    note: str = ""


class Term(NamedTuple):
    """A name in formulas that is no field: what it stands for, and what that means."""

    name: str
    values: tuple[str, ...]
    meaning: str


def term(name: str, meaning: str, formulas: Iterable[Formula]) -> Term:
    """Return a name with the different numbers that stand for it in formulas."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    found = [one.numbers[name] for one in formulas if name in one.numbers and word.search(one.rule)]
    written = (times(one) if isinstance(one, tuple) else f"{one:,}" for one in found)
    return Term(name, tuple(dict.fromkeys(written)), meaning)


def step(
    name: str, formula: Formula, *, result: int | None = None, shape: Shape | None = None
) -> Step:
    """Return the step of a formula, whose result is what is known to come out, or is computed."""
    numbers = formula.filled
    if result is None:
        result = _value(numbers) if shape is None else product(shape)
    return Step(name, formula.rule, numbers, result, shape)


def _value(numbers: str) -> int | None:
    """Return the value of a formula of whole numbers, of which it divides those that divide.

    None for one of more than 64 bits.
    """
    text = re.sub(r"(?<=\d),(?=\d)", "", numbers).replace(" B", "")
    try:
        return int(evaluate(text.replace("·", "*").replace("−", "-").replace(" / ", " // "), {}))
    except ExpressionError:
        return None


def reason(layer: Layer, rule: str) -> str:
    """Return what a layer says of one of its rules in the first paragraph; "" for nothing."""
    return (_said(type(layer), rule) or [""])[-1].rstrip(".")


def reasons(layer: Layer, rule: str) -> str:
    """Return what the families of a layer say of a rule to which each adds something."""
    return " ".join(_said(type(layer), rule)).rstrip(".")


@cache
def _said(kind: type[Layer], rule: str) -> list[str]:
    """Return the first paragraphs on a rule, from the general family to the layer itself."""
    families = [family for family in kind.__mro__ if rule in vars(family)]
    own = [vars(family)[rule].__doc__ for family in families if family is not Layer]
    paragraphs = (cleandoc(doc).split("\n\n")[0] for doc in reversed(own) if doc)
    return [paragraph.replace("\n", " ") for paragraph in paragraphs]
