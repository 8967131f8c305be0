"""Parts of a tensor that are written: `x[:, :8] = y`, `x[2:4].zero_()`.

A config changes nothing in place, so the result is what stands before the part, the part and what
stands behind it, joined.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netbuild.exchange.importer.conversion import indexing
from netbuild.exchange.importer.conversion.joins import joined
from netbuild.exchange.importer.conversion.layouts import Gap, Sym
from netbuild.exchange.importer.recording.merging import Fixed, Times, Varying
from netbuild.exchange.importer.recording.recording import Ref

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.exchange.importer.conversion.context import Context

#: An axis of torch, and the first and the last place of a part of it, exclusive.
_Range = tuple[int, int, int]


def setitem(c: Context, x: Any, index: Any, value: Any) -> Sym:
    """Convert `x[index] = value`."""
    found = c.sym(x)
    ranges, gone = _ranges(found, indexing.parts(index, found.rank))
    return _set(c, found, ranges, _value(c, found, value, gone))


def zero(c: Context, x: Any) -> Sym:
    """Convert `zero_`."""
    return fill(c, x, 0)


def fill(c: Context, x: Any, value: Any) -> Sym:
    """Convert `fill_`."""
    found = c.sym(x)
    return _filled(c, found, _number(value))


def copy(c: Context, x: Any, value: Any, non_blocking: Any = None) -> Sym:
    """Convert `copy_`."""
    del non_blocking
    return setitem(c, x, Ellipsis, value)


def _ranges(x: Sym, parts: list[Any]) -> tuple[list[_Range], list[int]]:
    """Return the parts of axes that an index names, and the axes that it selects from."""
    ranges: list[_Range] = []
    gone: list[int] = []
    if any(part is None for part in parts):
        raise Gap("it writes through an axis that it adds")
    for d, part in enumerate(parts):
        if isinstance(part, int) and not isinstance(part, bool) and x.axes[d] != (0,):
            start = part % x.size(d)
            gone.append(d)
            ranges.append((d, start, start + 1))
        elif isinstance(part, slice):
            bounds = (part.start, part.stop, part.step)
            if bounds in {(None, None, None), (0, Times(1), None), (None, Times(1), None)}:
                continue
            if any(isinstance(one, (Times, Varying, Ref, Fixed)) for one in bounds):
                raise Gap("a slice depends on the number of samples, or on values")
            start, stop, step = slice(*bounds).indices(x.size(d))
            if step != 1 or stop <= start:
                raise Gap("it writes every nth place of an axis")
            if (start, stop) != (0, x.size(d)) and x.axes[d] != (0,):
                ranges.append((d, start, stop))
        else:
            raise Gap("it writes to places that depend on the number of samples, or on values")
    return ranges, gone


def _value(c: Context, x: Sym, value: Any, gone: list[int]) -> Sym | float:
    """Return what is written: a number, or a value with as many axes as the tensor."""
    if isinstance(value, Fixed) and value.tensor.dim() == 0:
        value = value.tensor.item()
    if not isinstance(value, (Ref, Fixed)):
        return _number(value)
    found = c.sym(value)
    if found.rank + len(gone) != x.rank:
        raise Gap("it writes a tensor of fewer axes to several places")
    for d in gone:
        found = indexing.inserted(c, found, d)
    return found


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise Gap("it writes a number that depends on something")
    return value


def _set(c: Context, x: Sym, ranges: list[_Range], value: Sym | float) -> Sym:
    """Return a tensor with other values in a box."""
    if not ranges:
        if not isinstance(value, Sym):
            return _filled(c, x, value)
        if value.shared and not x.shared:
            raise Gap("it writes a tensor that all samples share over all of another one")
        if value.shape != x.shape or value.axes != x.axes:
            raise Gap("it writes a tensor of another shape")
        return value
    (d, start, stop), *others = ranges
    pieces = []
    if start:
        pieces.append(indexing.narrow(c, x, d, 0, start))
    inside = indexing.narrow(c, x, d, start, stop - start) if others else _sized(x, d, stop - start)
    if others or not isinstance(value, Sym):
        pieces.append(_set(c, inside, others, value))
    else:
        pieces.append(_fitting(inside, value))
    if stop < x.size(d):
        pieces.append(indexing.narrow(c, x, d, stop, x.size(d) - stop))
    return joined(c, pieces, d, x.dtype)


def _sized(x: Sym, d: int, size: int) -> Sym:
    """Return how a part of a tensor lies; it is not read."""
    shape = list(x.shape)
    if len(x.axes[d]) != 1:
        raise Gap("it writes along an axis in which the batch is merged with others")
    shape[x.axes[d][0] - 1] = size
    return x._replace(shape=tuple(shape))


def _fitting(inside: Sym, value: Sym) -> Sym:
    if [value.size(n) for n in range(value.rank)] != [inside.size(n) for n in range(inside.rank)]:
        raise Gap("it writes a tensor of another shape")
    return value


def _filled(c: Context, x: Sym, value: float) -> Sym:
    """Return a Constant that lies as a tensor does."""
    if any(len(group) > 1 for group in x.axes):
        raise Gap("it fills a tensor in which the batch is merged with others")
    sizes = [1 if d == x.batch else x.size(d) for d in range(x.rank)]
    full = torch.full(sizes, value, dtype=getattr(torch, x.dtype))
    return c.constant(Fixed(full, x.batch))


TABLE: dict[str, Callable[..., Any]] = {
    "setitem": setitem,
    "zero": zero,
    "fill": fill,
    "copy": copy,
}
