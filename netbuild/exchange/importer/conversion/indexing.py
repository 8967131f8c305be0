"""Parts of a tensor: `x[:, 0]`, `x[..., :8]`, `table[index]`."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

from netbuild.exchange.importer.conversion.layouts import (
    Gap,
    Sym,
    axis,
    plain,
    position,
    renumbered,
    without,
)
from netbuild.exchange.importer.recording.merging import Fixed, Times, Varying
from netbuild.exchange.importer.recording.recording import Ref

if TYPE_CHECKING:
    from netbuild.exchange.importer.conversion.context import Context


def select(c: Context, x: Sym, d: int, index: Any) -> Sym:
    """Return one slice of an axis of torch, without the axis."""
    if not isinstance(index, int) or isinstance(index, bool):
        raise Gap("the number of a slice depends on the number of samples")
    where = position(d, x.rank)
    if x.axes[where] == (0,) and x.shared:
        return c.reshaped(x, without(x, [where]), x.shape)
    own = axis(x, d)
    number = own - 1 if own > 0 else len(x.shape) + own
    shape = (*x.shape[:number], *x.shape[number + 1 :])
    return c.view(x, without(x, [where]), shape, "Select", dim=own, index=index)


def selected(c: Context, x: Any, dim: int, index: Any) -> Sym:
    """Convert `select`."""
    return select(c, c.sym(x), dim, index)


def narrow(c: Context, x: Sym, d: int, start: int, length: int) -> Sym:
    """Return slices of an axis of torch."""
    own = axis(x, d)
    number = own - 1 if own > 0 else len(x.shape) + own
    if (start, length) == (0, x.shape[number]):
        return x
    shape = (*x.shape[:number], length, *x.shape[number + 1 :])
    return c.view(x, x.axes, shape, "Narrow", dim=own, start=start, length=length)


def narrowed(c: Context, x: Any, dim: int, start: int, length: int) -> Sym:
    """Convert `narrow`."""
    return narrow(c, c.sym(x), dim, start, length)


def index_select(c: Context, x: Any, dim: int, index: Any) -> Sym:
    """Convert `index_select`."""
    return _take(c, c.sym(x), position(dim, c.sym(x).rank), index)


def parts(index: Any, rank: int) -> list[Any]:
    """Return the parts of an index: one for each axis, and None for each axis that it adds."""
    found = list(index) if isinstance(index, tuple) else [index]
    named = sum(1 for one in found if one is not None and one is not Ellipsis)
    if not any(one is Ellipsis for one in found):
        found.append(Ellipsis)
    at = next(n for n, one in enumerate(found) if one is Ellipsis)
    found[at : at + 1] = [slice(None)] * (rank - named)
    return found


def getitem(c: Context, x: Any, index: Any) -> Sym:
    """Convert `x[index]`."""
    found = c.sym(x)
    listed = parts(index, found.rank)
    tensors = [one for one in listed if isinstance(one, (Ref, Fixed, Varying, list))]
    if len(tensors) > 1:
        raise Gap("it reads places that several tensors name")
    d = 0
    for part in listed:
        if part is None:
            found = inserted(c, found, d)
            d += 1
        elif isinstance(part, slice):
            found = _sliced(c, found, d, part)
            d += 1
        elif isinstance(part, int) and not isinstance(part, bool):
            found = select(c, found, d, part)
        elif isinstance(part, (Ref, Fixed)):
            before = found.rank
            found = _take(c, found, d, part)
            d += 1 + found.rank - before
        else:
            raise Gap("it reads places that depend on the number of samples, or on values")
    return found


def inserted(c: Context, x: Sym, d: int) -> Sym:
    """Return a value with an axis of 1 at an axis of torch."""
    groups = list(x.axes)
    if x.shared and x.batch is None and d == 0:
        return x._replace(axes=renumbered([(0,), *groups]))
    before = sum(1 for group in groups[:d] for a in group if a)
    groups.insert(d, (1,))
    shape = [*x.shape[:before], 1, *x.shape[before:]]
    return c.view(x, renumbered(groups), shape, "Unsqueeze", dim=before + 1)


def _sliced(c: Context, x: Sym, d: int, part: slice) -> Sym:
    bounds = (part.start, part.stop, part.step)
    whole = bounds[1] is None or (bounds[1] == Times(1) and x.axes[d] == (0,))
    if whole and bounds[0] in {None, 0} and bounds[2] in {None, 1}:
        return x
    if x.axes[d] == (0,) and x.shared:
        return x
    if any(isinstance(one, (Times, Varying, Ref, Fixed)) for one in bounds):
        raise Gap("a slice depends on the number of samples, or on values")
    size = x.size(d)
    start, stop, step = slice(*bounds).indices(size)
    if step == 1:
        if stop <= start:
            raise Gap("it takes no place of an axis")
        return narrow(c, x, d, start, stop - start)
    if step == -1 or size % step or stop != size or start >= step:
        raise Gap("it takes every nth place, and the axis does not divide by n")
    own = axis(x, d)
    number = own - 1 if own > 0 else len(x.shape) + own
    shape = [*x.shape[:number], size // step, step, *x.shape[number + 1 :]]
    groups = list(x.axes)
    groups.insert(d + 1, (1,))
    given = {"dim": own, "unflattened_size": [size // step, step]}
    apart = c.view(x, renumbered(groups), shape, "Unflatten", **given)
    return select(c, apart, d + 1, start)


def _take(c: Context, x: Sym, d: int, index: Any) -> Sym:
    """Return the places of an axis that a tensor names, which all samples share."""
    places = c.sym(index)
    if not places.shared:
        if d == 0 and x.shared and x.axes == ((1,), (2,)) and places.plain:
            return _rows(c, x, places)
        raise Gap("it reads places that differ from sample to sample")
    if places.dtype == "bool":
        raise Gap("it reads the places of a mask, so its size depends on values")
    own = axis(x, d)
    number = own - 1 if own > 0 else len(x.shape) + own
    count = prod(places.shape)
    line = [count if n == number else 1 for n in range(len(x.shape))]
    axes = tuple((0,) if n == 0 else (n,) for n in range(len(line) + 1))
    placed = c.reshaped(places, axes, line)
    shape = [*x.shape[:number], count, *x.shape[number + 1 :]]
    given = {"dim": own} if own != 1 else {"dim": 1}
    taken = c.operation("TakeAlongDim", given, [x, placed], x.axes, shape, x.dtype)
    own_sizes = [places.size(n) for n in range(places.rank)]
    if len(own_sizes) == 1:
        return taken
    groups = [*x.axes[:d], *[(1,)] * len(own_sizes), *x.axes[d + 1 :]]
    shape = [*shape[:number], *own_sizes, *shape[number + 1 :]]
    return c.reshaped(taken, renumbered(groups), shape)


def _rows(c: Context, table: Sym, places: Sym) -> Sym:
    """Return the rows of a table that the places of each sample name."""
    count, width = prod(places.shape), table.shape[1]
    column = c.reshaped(places, plain(3), (count, 1))
    given = [table, column]
    found = c.operation("TakeAlongDim", {"dim": 1}, given, plain(3), (count, width), table.dtype)
    shape = (*places.shape, width)
    return c.reshaped(found._replace(shared=False), plain(len(shape) + 1), shape)
