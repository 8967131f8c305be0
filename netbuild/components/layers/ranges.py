"""Ranges of values: what a layer can give, and what a loss takes."""

from math import inf
from typing import NamedTuple


class Range(NamedTuple):
    """The range of values; values come close to both bounds."""

    least: float
    most: float

    def within(self, other: "Range") -> bool:
        """Whether the other range contains this one."""
        return other.least <= self.least and self.most <= other.most

    def meets(self, other: "Range") -> bool:
        """Whether both ranges share more than a bound."""
        return max(self.least, other.least) < min(self.most, other.most)

    def with_(self, *values: float) -> "Range":
        """Return the range extended to contain these values."""
        return Range(min(self.least, *values), max(self.most, *values))


ANY = Range(-inf, inf)
POSITIVE = Range(0, inf)
PROBABILITIES = Range(0, 1)
#: Logarithms of probabilities.
LOGARITHMS = Range(-inf, 0)
SIGNED = Range(-1, 1)


def hull(x: tuple[Range | None, ...]) -> Range | None:
    """Return the smallest range that contains all ranges; None if one of them is unknown."""
    known = [one for one in x if one is not None]
    if not known or len(known) < len(x):
        return None
    return Range(min(one.least for one in known), max(one.most for one in known))


def product_of(x: Range | None) -> Range | None:
    """Return the range of products of any number of values; None if it is unknown."""
    if x is None:
        return None
    if x.least >= 0:
        return Range(0, x.most) if x.most <= 1 else POSITIVE
    return SIGNED if x.within(SIGNED) else None
