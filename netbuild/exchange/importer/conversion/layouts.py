"""Where the axes of a tensor are: in a config the batch is axis 0, in a module it may be anywhere.

A tensor of a module keeps its axes in torch's order. Each of them stands for axes of the config's
value: `((1,), (0,), (2,))` has the batch in the middle, and `((0, 1), (2,))` has it merged with the
axis behind it. The config's axes have the same order as torch's, but for the batch.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.graph.value import Value

#: For each axis of torch, the axes of the config.
Axes = tuple[tuple[int, ...], ...]


class Gap(Exception):  # noqa: N818  it becomes a comment
    """A config cannot hold a call. The message says why."""


class Sym(NamedTuple):
    """A value of the config, and how a tensor of the module lies in it.

    `shape` has no batch axis. All samples share the value if `shared`.
    """

    value: Value
    axes: Axes
    shape: tuple[int, ...]
    dtype: str
    shared: bool = False

    @property
    def rank(self) -> int:
        """The number of torch's axes."""
        return len(self.axes)

    @property
    def batch(self) -> int | None:
        """The axis of torch that has the batch."""
        return next((d for d, group in enumerate(self.axes) if 0 in group), None)

    @property
    def plain(self) -> bool:
        """Whether torch's axes are those of the config."""
        return self.axes == plain(self.rank)

    def size(self, d: int) -> int:
        """Return the size of one of torch's axes, without the batch."""
        return prod(self.shape[axis - 1] for axis in self.axes[d] if axis)


def plain(rank: int) -> Axes:
    """Return the axes of a tensor that has the batch first."""
    return tuple((d,) for d in range(rank))


def renumbered(groups: Iterable[Sequence[int]]) -> Axes:
    """Return axes with new numbers for all but the batch, in their order."""
    found, number = [], 1
    for group in groups:
        new = []
        for axis in group:
            new.append(0 if axis == 0 else number)
            number += axis != 0
        found.append(tuple(new))
    return tuple(found)


def order(axes: Axes) -> list[int]:
    """Return the axes of the config in their order in torch, without the batch."""
    return [axis for group in axes for axis in group if axis]


def without(x: Sym, gone: Iterable[int]) -> Axes:
    """Return the axes that are left without some of torch's."""
    left = {*gone}
    return renumbered(group for d, group in enumerate(x.axes) if d not in left)


def position(d: int, rank: int) -> int:
    """Return the number of an axis, counted from the first."""
    if not -rank <= d < max(rank, 1):
        message = f"axis {d} of {rank}"
        raise Gap(message)
    return d % rank if rank else 0


def axis(x: Sym, d: int) -> int:
    """Return the axis of the config for one of torch's, counted as `d` is where that is the same.

    Raises:
        Gap: it is the batch, or several axes in one.
    """
    where = position(d, x.rank)
    group = x.axes[where]
    if len(group) != 1:
        raise Gap("it works along an axis in which the batch is merged with others")
    if group == (0,):
        raise Gap("it works along the batch, so it mixes samples")
    number = group[0]
    behind = x.axes[where + 1 :]
    if d < 0 and all(len(one) == 1 and one != (0,) for one in behind):
        return d
    return number


def split(x: Sym, sizes: Sequence[int], t: int, factor: int) -> tuple[Axes, tuple[int, ...]]:
    """Return the axes and the shape of a value whose torch tensor gets other sizes.

    Axis `t` is `factor` times the batch; `sizes` are torch's, and that one is not used.

    Raises:
        Gap: axes before and behind the batch would mix.
    """
    before = prod(x.shape[a - 1] for a in _before(x.axes) if a)
    left = prod(sizes[:t])
    inner = before // left if left and before % left == 0 else 0
    if not inner or factor % inner:
        raise Gap("its result mixes axes before the batch with axes behind it")
    outer = factor // inner
    groups: list[tuple[int, ...]] = [(1,)] * t
    groups += [(*((1,) if inner > 1 else ()), 0, *((1,) if outer > 1 else ()))]
    groups += [(1,)] * (len(sizes) - t - 1)
    shape = (*sizes[:t], *(n for n in (inner, outer) if n > 1), *sizes[t + 1 :])
    return renumbered(groups), shape


def _before(axes: Axes) -> list[int]:
    flat = [axis for group in axes for axis in group]
    return flat[: flat.index(0)]
