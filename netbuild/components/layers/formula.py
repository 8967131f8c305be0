"""How the numbers of a layer come about: rules in the names of its fields, and what these are."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.components.layers._sizes import DOT, MINUS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: What stands for a name of a rule; several after `∏` or `Σ`, a text for a rule filled in already.
Number: TypeAlias = "float | str | Sequence[int]"

#: The numbers of a rule, by its names.
Numbers: TypeAlias = "dict[str, Number]"

#: The rule of a size that the input has as well.
AS_INPUT = "as the input"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class Formula(NamedTuple):
    """A rule, and the numbers for its names.

    >>> Formula("out_channels·∏ kernel_size", {"out_channels": 6, "kernel_size": (5, 5)}).filled
    '6·5·5'
    """

    rule: str
    numbers: Mapping[str, Number] = _NOTHING

    @property
    def filled(self) -> str:
        """The rule with its numbers put in."""
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
    """How the numbers of a layer come about; a test holds every one against the layer's rules.

    `sizes` has a formula for each axis of the result that is passed on; without them it has the
    shape of the input. `results` has those of other results, which else have that same shape.
    The formulas of `weights` add up to the parameters, and those of `macs` to the MACs. `terms`
    says what names in the rules mean that are no fields.
    """

    sizes: Mapping[str, Formula] | None = None
    weights: Mapping[str, Formula] = _NOTHING
    macs: Mapping[str, Formula] = _NOTHING
    results: Mapping[str, Mapping[str, Formula]] = _NOTHING
    workspace: Formula | None = None
    terms: Mapping[str, str] = _NOTHING


def formula(rule: str, **numbers: Number) -> Formula:
    """Return a rule with the numbers of its names."""
    return Formula(rule, numbers)


def unchanged(size: int) -> Formula:
    """Return the formula of an axis that has the size of the input's."""
    return Formula(AS_INPUT, {AS_INPUT: size})


def by_axis(formulas: Iterable[Formula]) -> dict[str, Formula]:
    """Return formulas by torch's numbers of the axes, of which 0 is the batch."""
    return {f"axis {number}": size for number, size in enumerate(formulas, start=1)}


def without(x: Sequence[int], places: Iterable[int]) -> dict[str, Formula]:
    """Return the formulas of the axes of an input that stay where others go."""
    gone = set(places)
    return by_axis(axis_of_input(place, n) for place, n in enumerate(x) if place not in gone)


def axis_of_input(place: int, size: int) -> Formula:
    """Return the formula of an axis that is another one of the input."""
    name = f"axis {place + 1} of the input"
    return Formula(name, {name: size})


def biased(weight: Formula, bias: Formula, weights: Mapping[str, Any]) -> dict[str, Formula]:
    """Return the formulas of a weight and a bias, as far as there are such weights."""
    both = {"weight": weight, "bias": bias}
    return {name: both[name] for name in both if name in weights}


def added(formulas: Iterable[Formula]) -> Formula:
    """Return the sum of formulas; names that they share mean the same."""
    parts = list(formulas)
    numbers: dict[str, Number] = {}
    for part in parts:
        numbers |= part.numbers
    return Formula(" + ".join(part.rule for part in parts), numbers)
