"""What sees what: the positions of an input that a position of the result depends on.

A `Sight` answers for one axis of one input. `Layer.sees` gives it, and sights follow each other
through a network with `after`.
"""

from fractions import Fraction
from math import floor, inf, isinf
from typing import NamedTuple, TypeAlias

from netbuild.components.tensor import Shape, product

#: A bound of positions: a number, or an infinity.
Bound: TypeAlias = Fraction | float


class Sight(NamedTuple):
    """The positions of an axis of an input that a value of the result depends on.

    Position t along `axis` of the result sees the positions ⌊t·stride + first⌋ to
    ⌊t·stride + last⌋ of the input. Without an axis, every value of the result sees the positions
    `first` to `last`. Positions outside of the input do not exist. The few positions at a border
    that padding by reflection or in a circle brings in do not count.
    """

    axis: int | None
    stride: Fraction | int = 1
    first: Bound = 0
    last: Bound = 0
    #: Whether it may see fewer positions than these: an axis was split, and only one part counts.
    loose: bool = False

    def after(self, earlier: "Sight") -> "Sight":
        """Return what is seen through two layers: `earlier` is the sight of the first one.

        `earlier.axis` is the axis of the input to which this sight belongs.
        """
        first = self._through(self.first, earlier, earlier.first)
        last = self._through(self.last, earlier, earlier.last)
        stride = 1 if self.axis is None else self.stride * earlier.stride
        loose = (self.loose or earlier.loose) and last - first >= 1
        return Sight(self.axis, stride, first, last, loose)

    @staticmethod
    def _through(bound: Bound, earlier: "Sight", its: Bound) -> Bound:
        return bound if isinf(bound) else earlier.stride * bound + its

    def seen(self, position: int) -> tuple[Bound, Bound]:
        """Return the first and the last position that a position along `axis` sees."""
        along = 0 if self.axis is None else position * self.stride
        first, last = (b if isinf(b) else floor(along + b) for b in (self.first, self.last))
        return first, last


def every(n: int) -> Sight:
    """Return the sight of a layer that removes or mixes an axis of n without keeping its order."""
    return Sight(None, 1, 0, n - 1)


def across(axis: int, n: int) -> Sight:
    """Return the sight of a layer that keeps an axis of n, and sees all of it everywhere."""
    return Sight(axis, 1, -inf, inf) if n > 1 else Sight(axis)


def repeated(axis: int, n: int, wider: int) -> Sight:
    """Return the sight along an axis of n; an axis of one position is repeated to a wider one."""
    return every(1) if n == 1 < wider else Sight(axis)


def regrouped(axis: int, x: Shape, y: Shape) -> Sight | None:
    """Return the sight along an axis of x after the same values take the shape y; None if unclear.

    It is clear if the same axes still stand before it: it stays, is merged with axes behind it, or
    is split.
    """
    if x[axis] == 1:
        return every(1)
    before, inside = product(x[:axis]), product(x[axis + 1 :])
    for place in range(len(y)):
        if product(y[:place]) == before and y[place] > 1:
            rest = product(y[place + 1 :])
            stride = Fraction(rest, inside)
            if stride <= 1:
                return Sight(place, stride) if inside % rest == 0 else None
            return Sight(place, stride, 0, stride - 1, True) if rest % inside == 0 else None
    return None
