"""Ranges of the results of functions, from the ranges of their operands (interval arithmetic).

A rule takes a range for each operand, and returns None for an unknown range. The range of an
operand is a `Range`; the rule of `image` also takes unknown ranges.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, isinf, isnan
from typing import TypeAlias

from netbuild.components.layers.ranges import ANY, PROBABILITIES, Range

#: The range of a result, from the ranges of the operands. None is unknown.
Bounds: TypeAlias = Callable[..., Range | None]
Value: TypeAlias = Callable[[float], float]


def unknown(*_: Range | None) -> None:
    """Return an unknown range."""


def truth(*_: Range | None) -> Range:
    """Return the range of booleans as numbers."""
    return PROBABILITIES


def turning(
    value: Value,
    *places: float,
    domain: Range = ANY,
    least: float = -inf,
    most: float = inf,
    image: Range | None = None,
) -> Bounds:
    """Return the rule of a continuous function that turns only at these places.

    Args:
        value: the function.
        places: where it turns from rising to falling or back.
        domain: where it has values.
        least: its limit at the lower end of the domain, if `value` fails there.
        most: its limit at the upper end.
        image: the range of its results where the range of its operand is unknown.
    """

    def bounds(x: Range | None) -> Range | None:
        if x is None:
            return image
        low, high = max(x.least, domain.least), min(x.most, domain.most)
        if low > high:
            return None
        inside = [place for place in places if low < place < high]
        values = [_value(value, low, least), _value(value, high, most), *map(value, inside)]
        return None if any(map(isnan, values)) else Range(min(values), max(values))

    return bounds


def _value(function: Value, x: float, limit: float) -> float:
    try:
        return float(function(x))
    except (OverflowError, ValueError, ZeroDivisionError):
        return limit


def wave(phase: float) -> Bounds:
    """Return the rule of sin(x + phase)."""

    def bounds(x: Range | None) -> Range | None:
        if x is None or isinf(x.least) or isinf(x.most):
            return Range(-1, 1)
        low, high = x.least + phase, x.most + phase
        values = [math.sin(low), math.sin(high)]
        for top, value in ((math.pi / 2, 1.0), (-math.pi / 2, -1.0)):
            turns = math.ceil((low - top) / (2 * math.pi))
            values += [value] if top + 2 * math.pi * turns <= high else []
        return Range(min(values), max(values))

    return bounds


def added(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x + y."""
    if x is None or y is None:
        return None
    return _known(x.least + y.least, x.most + y.most)


def negated(x: Range | None) -> Range | None:
    """Return the range of −x."""
    return None if x is None else Range(-x.most, -x.least)


def subtracted(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x − y."""
    return added(x, negated(y))


def multiplied(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x · y."""
    if x is None or y is None:
        return None
    corners = [one * other if one and other else 0.0 for one in x for other in y]
    return _known(min(corners), max(corners))


def inverted(x: Range | None) -> Range | None:
    """Return the range of 1 / x."""
    if x is None or x.least < 0 < x.most:
        return x and ANY
    if x.least == x.most == 0:
        return None
    least = -inf if x.most == 0 else 1 / x.most
    return Range(least, inf if x.least == 0 else 1 / x.least)


def divided(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x / y."""
    return multiplied(x, inverted(y))


def floored(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x // y."""
    found = divided(x, y)
    return found and Range(whole(math.floor)(found.least), whole(math.floor)(found.most))


def remaining(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x % y, for a number y and an x that covers its whole period."""
    if y is None or y.least != y.most or y.least == 0:
        return None
    covers = x is None or x.most - x.least >= abs(y.least)
    return Range(min(y.least, 0), max(y.least, 0)) if covers else None


def raised(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x ** y, where x or y is a number."""
    if x is None or y is None:
        return None
    if y.least == y.most:
        return _power(x, y.least)
    if x.least == x.most and x.least > 0:
        base = x.least
        return turning(lambda v: base**v, most=inf if base > 1 else 0, least=inf)(y)
    return None


def _power(x: Range, exponent: float) -> Range | None:
    if exponent < 0:
        return inverted(_power(x, -exponent))
    if exponent == 0:
        return Range(1, 1)
    domain = ANY if exponent == int(exponent) else Range(0, inf)
    even = exponent % 2 == 0
    places = (0.0,) if even else ()
    return turning(lambda v: v**exponent, *places, domain=domain, least=inf if even else -inf)(x)


def smaller(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of the smaller of x and y."""
    return x and y and Range(min(x.least, y.least), min(x.most, y.most))


def larger(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of the larger of x and y."""
    return x and y and Range(max(x.least, y.least), max(x.most, y.most))


def clamped(x: Range | None, least: Range | None, most: Range | None = None) -> Range | None:
    """Return the range of x between two bounds; an unbounded side has the range of infinity."""
    found = larger(x, least)
    return smaller(found, most) if most else found


def chosen(_: Range | None, x: Range | None, y: Range | None) -> Range | None:
    """Return the range of x or y."""
    return x and y and Range(min(x.least, y.least), max(x.most, y.most))


def distance(x: Range | None, y: Range | None) -> Range | None:
    """Return the range of √(x² + y²)."""
    square = turning(lambda v: v * v, 0.0, least=inf)
    root = turning(math.sqrt)
    return root(added(square(x), square(y)))


def whole(function: Callable[[float], float]) -> Value:
    """Return a function that rounds, which leaves infinite numbers alone."""
    return lambda x: x if isinf(x) else function(x)


def _known(least: float, most: float) -> Range | None:
    return None if isnan(least) or isnan(most) else Range(least, most)
