"""Equations of a layer's numbers: rules that use field names, and the values of these names."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.layers._sizes import DOT, MINUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: The value of a name in a rule: several numbers after `∏` or `Σ`, or text that is already
#: filled in.
Number: TypeAlias = "float | str | Sequence[int]"

#: The numbers of a rule, by its names.
Numbers: TypeAlias = "dict[str, Number]"

#: The rule of an axis that keeps the size of the input.
AS_INPUT = "as the input"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Equation(NamedTuple):
    """A rule, and the numbers for the names in it.

    >>> Equation("out_channels·∏ kernel_size", {"out_channels": 6, "kernel_size": (5, 5)}).filled
    '6·5·5'
    """

    rule: str
    numbers: Mapping[str, Number] = _NOTHING

    @property
    def filled(self) -> str:
        """The rule with its numbers filled in."""
        if not self.numbers:
            return self.rule
        names = "|".join(map(re.escape, sorted(self.numbers, key=len, reverse=True)))
        return re.sub(rf"([∏Σ] )?(?<!\w)({names})(?!\w)", self._number, self.rule)

    def _number(self, match: re.Match[str]) -> str:
        several, value = match[1], self.numbers[match[2]]
        if several and not isinstance(value, (int, float, str)):
            return (DOT if several == "∏ " else " + ").join(f"{one:,}" for one in value) or "1"
        if isinstance(value, str):
            return value
        assert isinstance(value, (int, float))
        return f"{value:,}" if value >= 0 else f"({MINUS}{-value:,})"


class Formulas(NamedTuple):
    """Formulas of the numbers of a layer. A test compares each formula with the layer's rules.

    `sizes` has a formula for each axis of the first result; None means the shape of the input.
    `results` has the formulas of further results, which by default have the first result's shape.
    The formulas of `weights` add up to the parameters, the formulas of `macs` to the MACs. `terms`
    explains the names in the rules that are not fields.
    """

    sizes: Mapping[str, Equation] | None = None
    weights: Mapping[str, Equation] = _NOTHING
    macs: Mapping[str, Equation] = _NOTHING
    results: Mapping[str, Mapping[str, Equation]] = _NOTHING
    workspace: Equation | None = None
    terms: Mapping[str, str] = _NOTHING


def formula(rule: str, **numbers: Number) -> Equation:
    """Return a formula: a rule with the numbers for its names."""
    return Equation(rule, numbers)


def unchanged(size: int) -> Equation:
    """Return the formula of an axis that keeps the size of the input."""
    return Equation(AS_INPUT, {AS_INPUT: size})


def by_axis(formulas: Iterable[Equation]) -> dict[str, Equation]:
    """Return formulas by torch's axis numbers; axis 0 is the batch, so the first is axis 1."""
    return {f"axis {number}": size for number, size in enumerate(formulas, start=1)}


def without(x: Sequence[int], places: Iterable[int]) -> dict[str, Equation]:
    """Return the formulas of an input's remaining axes, when the axes `places` are removed."""
    gone = set(places)
    return by_axis(axis_of_input(place, n) for place, n in enumerate(x) if place not in gone)


def axis_of_input(place: int, size: int) -> Equation:
    """Return the formula of an axis that comes from the input's axis `place`."""
    name = f"axis {place + 1} of the input"
    return Equation(name, {name: size})


def biased(weight: Equation, bias: Equation, weights: Mapping[str, Any]) -> dict[str, Equation]:
    """Return the formulas of a weight and a bias, each only if `weights` has it."""
    both = {"weight": weight, "bias": bias}
    return {name: both[name] for name in both if name in weights}


def added(formulas: Iterable[Equation]) -> Equation:
    """Return the sum of formulas; a shared name must have the same number in all of them."""
    parts = list(formulas)
    numbers: dict[str, Number] = {}
    for part in parts:
        numbers |= part.numbers
    return Equation(" + ".join(part.rule for part in parts), numbers)
