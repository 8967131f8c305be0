"""A step: one number and its formula, the smallest unit of an explanation."""

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

    from netbuild.components.layers.formula import Equation
    from netbuild.components.tensor import Shape


class FormulaStep(NamedTuple):
    """One number: its formula as a rule, the rule with numbers inserted, and the result.

    `shape` is the shape of a weight, whose number of values is the result. `note` is a remark.
    """

    name: str
    rule: str
    numbers: str
    result: int | None
    shape: Shape | None = None
    note: str = ""


class Count(NamedTuple):
    """A total and the steps that add up to it. `note` is a remark."""

    total: int
    steps: tuple[FormulaStep, ...] = ()
    note: str = ""


class Symbol(NamedTuple):
    """A name in formulas that is not a field: its values and its meaning."""

    name: str
    values: tuple[str, ...]
    meaning: str


def symbol(name: str, meaning: str, formulas: Iterable[Equation]) -> Symbol:
    """Return a symbol with the different numbers that replace it in formulas."""
    word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
    found = [one.numbers[name] for one in formulas if name in one.numbers and word.search(one.rule)]
    written = (times(one) if isinstance(one, tuple) else f"{one:,}" for one in found)
    return Symbol(name, tuple(dict.fromkeys(written)), meaning)


def step(
    name: str, formula: Equation, *, result: int | None = None, shape: Shape | None = None
) -> FormulaStep:
    """Return the step of a formula. A result that is not given is computed."""
    numbers = formula.filled
    if result is None:
        result = _value(numbers) if shape is None else product(shape)
    return FormulaStep(name, formula.rule, numbers, result, shape)


def _value(numbers: str) -> int | None:
    """Return the value of a formula of integers, in which every division is exact.

    The value is None if it needs more than 64 bits.
    """
    text = re.sub(r"(?<=\d),(?=\d)", "", numbers).replace(" B", "")
    try:
        return int(evaluate(text.replace("·", "*").replace("−", "-").replace(" / ", " // "), {}))
    except ExpressionError:
        return None


def reason(layer: Layer, rule: str) -> str:
    """Return the first paragraph of a layer's docstring for a rule, or ""."""
    return (_paragraphs(type(layer), rule) or [""])[-1].rstrip(".")


def reasons(layer: Layer, rule: str) -> str:
    """Return the first paragraphs of all families of a layer for a rule, joined."""
    return " ".join(_paragraphs(type(layer), rule)).rstrip(".")


@cache
def _paragraphs(kind: type[Layer], rule: str) -> list[str]:
    """Return the first paragraphs on a rule, from the most general family to the layer itself."""
    families = [family for family in kind.__mro__ if rule in vars(family)]
    own = [vars(family)[rule].__doc__ for family in families if family is not Layer]
    paragraphs = (cleandoc(doc).split("\n\n")[0] for doc in reversed(own) if doc)
    return [paragraph.replace("\n", " ") for paragraph in paragraphs]
