"""From the values of a tensor to a `Constant`: a range, a number that fills it, or all numbers.

A large table is written as what it is made of: a triangle, sums of a column and a row, or a few
different rows and their order.
"""

from __future__ import annotations

from math import isnan, isqrt, prod
from typing import TYPE_CHECKING, Any

import torch

from netbuild.exchange.importer.conversion.layouts import Gap, Sym, plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from netbuild.exchange.importer.conversion.context import Context
    from netbuild.graph.value import Value

#: The most numbers that are written out, and from how many on a shorter way is looked for.
_MOST, _SHORT = 4096, 64


def add(
    converter: Context, tensor: torch.Tensor, path: str | None = None, *, persistent: bool = True
) -> Value:
    """Add the Constant of a tensor. At the path of a buffer it may be in `state_dict()`.

    Raises:
        Gap: it has no values, or too many.
    """
    if not tensor.numel():
        raise Gap("it reads a tensor without values, and a Constant has at least one")
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    made = _made(converter, tensor)
    if made is None:
        kept = {"persistent": True} if path and persistent else {}
        path = path or converter.free("constant")
        dtype = _dtype(tensor)
        return converter.add(
            path, "Constant", values(tensor) | kept, (), tuple(tensor.shape), dtype
        )
    if path and persistent:
        given = {"persistent": True}
        return converter.add(path, "Constant", given, [("input", made)], made.shape, made.dtype)
    return made.value


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _made(converter: Context, tensor: torch.Tensor) -> Sym | None:
    """Add what a table is made of; None if all its numbers are to be written."""
    if tensor.numel() <= _SHORT or len({*values_or_none(tensor)} & {"value"}) == 0:
        return None
    ways: tuple[Callable[[Context, torch.Tensor], Sym | None], ...] = (
        _triangle,
        _sum,
        _grid,
        _regions,
        _rows,
    )
    return next((found for way in ways if (found := way(converter, tensor)) is not None), None)


def values_or_none(tensor: torch.Tensor) -> dict[str, Any]:
    """Return the fields of a Constant, of which only the names count for a large table."""
    return values(tensor) if tensor.numel() <= _MOST else _short(tensor) or {"value": None}


def _constant(converter: Context, tensor: torch.Tensor) -> Sym:
    value = add(converter, tensor)
    shape = tuple(tensor.shape)
    return Sym(value, plain(len(shape) + 1), shape, _dtype(tensor), shared=True)


def _operation(
    converter: Context,
    kind: str,
    given: dict[str, Any],
    x: list[Sym] | dict[str, Sym],
    shape: Any,
) -> Sym:
    return converter.operation(kind, given, x, plain(len(shape) + 1), shape, name="table")


def _triangle(converter: Context, tensor: torch.Tensor) -> Sym | None:
    """A triangle of ones."""
    if tensor.dim() < 2:
        return None
    ones = torch.ones_like(tensor)
    for kind in ("Tril", "Triu"):
        for diagonal in (0, 1, -1):
            if torch.equal(getattr(ones, kind.lower())(diagonal), tensor):
                given = {"diagonal": diagonal} if diagonal else {}
                x = [_constant(converter, ones)]
                return _operation(converter, kind, given, x, tuple(tensor.shape))
    return None


def _sum(converter: Context, tensor: torch.Tensor) -> Sym | None:
    """A column plus a row, as the numbers of the distances between places are."""
    if tensor.is_floating_point() or tensor.dtype == torch.bool or tensor.dim() > 2:
        return None
    side = isqrt(tensor.numel())
    table = (
        tensor
        if tensor.dim() == 2
        else tensor.view(side, side)
        if side**2 == tensor.numel()
        else None
    )
    if table is None or min(table.shape) < 3:
        return None
    column, row = table[:, 0], table[0] - table[0, 0]
    if not torch.equal(column[:, None] + row[None], table):
        return None
    x = _constant(converter, column.contiguous())
    wide = _operation(converter, "Unsqueeze", {"dim": 2}, [x], (len(column), 1))
    both = {"x": wide, "y": _constant(converter, row.contiguous())}
    found = _operation(converter, "Formula", {"formula": "x + y"}, both, tuple(table.shape))
    if tensor.dim() == 2:
        return found
    return _operation(converter, "Flatten", {}, [found], tuple(tensor.shape))


def _grid(converter: Context, tensor: torch.Tensor) -> Sym | None:
    """A number for two rows of an image plus one for two columns, as for distances of pixels."""
    if tensor.is_floating_point() or tensor.dtype == torch.bool or tensor.dim() != 2:
        return None
    (here, there), (n, m) = map(isqrt, tensor.shape), tensor.shape
    if here**2 != n or there**2 != m or min(here, there) < 2:
        return None
    table = tensor.view(here, here, there, there)
    rows, columns = table[:, 0, :, 0] - table[0, 0, 0, 0], table[0, :, 0, :]
    if not torch.equal(rows[:, None, :, None] + columns[None, :, None], table):
        return None
    x, y = (_constant(converter, one.contiguous()) for one in (rows, columns))
    x = _operation(converter, "Unsqueeze", {"dim": 2}, [x], (here, 1, there))
    x = _operation(converter, "Unsqueeze", {"dim": 4}, [x], (here, 1, there, 1))
    y = _operation(converter, "Unsqueeze", {"dim": 2}, [y], (here, 1, there))
    both = {"x": x, "y": y}
    found = _operation(converter, "Formula", {"formula": "x + y"}, both, tuple(table.shape))
    return _operation(converter, "Reshape", {"shape": [n, m]}, [found], (n, m))


def _regions(converter: Context, tensor: torch.Tensor) -> Sym | None:
    """One number for two places of the same region and another one for the rest, as in masks."""
    side = tensor.shape[-1]
    floats = tensor.is_floating_point()
    if tensor.dim() < 2 or tensor.shape[-2] != side or not (floats or tensor.dtype == torch.bool):
        return None
    same = tensor.reshape(-1, side, side) == tensor.flatten()[0]
    region = same.int().argmax(-1)
    if not torch.equal(region[:, :, None] == region[:, None], same):
        return None
    others = tensor.reshape(same.shape)[~same]
    if bool((others != others[:1]).any()):
        return None
    count = len(region)
    first = _rows(converter, region, always=True) if count > 1 else _constant(converter, region)
    if first is None:
        return None
    row = _operation(converter, "Unsqueeze", {"dim": 2}, [first], (count, 1, side))
    column = _operation(converter, "Unsqueeze", {"dim": 3}, [first], (count, side, 1))
    text = "x == y" if bool(tensor.flatten()[0]) else "x != y"
    if floats:
        one, other = _written([float(tensor.flatten()[0]), float(others[0])], floats=True)
        text = f"where(x == y, {one}, {other})"
    both = {"x": row, "y": column}
    found = converter.operation(
        "Formula",
        {"formula": text},
        both,
        plain(4),
        (count, side, side),
        _dtype(tensor),
        name="table",
    )
    if tuple(tensor.shape) == found.shape:
        return found
    shape = tuple(tensor.shape)
    return _operation(converter, "Reshape", {"shape": list(shape)}, [found], shape)


def _rows(converter: Context, tensor: torch.Tensor, *, always: bool = False) -> Sym | None:
    """A few different rows, and their order."""
    if tensor.dim() < 2:
        return None
    rows = tensor.reshape(-1, tensor.shape[-1])
    different, index = torch.unique(rows, dim=0, return_inverse=True)
    if len(different) * 2 > len(rows) and not always:
        return None
    order = _constant(converter, index.reshape(tensor.shape[:-1]))
    table = _constant(converter, different)
    count = prod(order.shape)
    order = _operation(converter, "Reshape", {"shape": [count, 1]}, [order], (count, 1))
    found = _operation(
        converter, "TakeAlongDim", {"dim": 1}, [table, order], (count, tensor.shape[-1])
    )
    if tensor.dim() == 2:
        return found
    shape = tuple(tensor.shape)
    return _operation(converter, "Reshape", {"shape": list(shape)}, [found], shape)


def _short(tensor: torch.Tensor) -> dict[str, Any] | None:
    """Return the fields of a tensor that is filled by one number, or is a range."""
    shape, flat = list(tensor.shape), tensor.flatten()
    dtype = _dtype(tensor)
    typed = {} if dtype in {"float32", "int64", "bool"} else {"dtype": dtype}
    if flat.numel() > 1 and bool((flat == flat[0]).all()):
        one = flat[0].item()
        if one in {0, 1} and dtype == "float32":
            return {("ones" if one else "zeros"): shape}
        return {"full": [shape, one], **typed}
    if tensor.dim() != 1 or flat.numel() < 3 or dtype == "bool":
        return None
    whole = flat.long()
    step = int(whole[1] - whole[0])
    if not torch.equal(whole.to(flat.dtype), flat) or not step:
        return None
    first, end = int(whole[0]), int(whole[0]) + step * len(whole)
    if not torch.equal(torch.arange(first, end, step), whole):
        return None
    short: Any = [first, end] if step == 1 else [first, end, step]
    typed |= {"dtype": "float32"} if dtype == "float32" else {}
    return {"arange": end if short == [0, end] else short, **typed}


def values(tensor: torch.Tensor) -> dict[str, Any]:
    """Return the fields of a Constant.

    Raises:
        Gap: it has too many numbers.
    """
    short = _short(tensor)
    if short is not None:
        return short
    if tensor.numel() > _MOST:
        message = f"it reads a table of {tensor.numel():,} numbers that no parameter holds"
        raise Gap(message)
    dtype = _dtype(tensor)
    typed = {} if dtype in {"float32", "int64", "bool"} else {"dtype": dtype}
    return {"value": _written(tensor.tolist(), floats=dtype == "float32"), **typed}


def _written(value: Any, *, floats: bool) -> Any:
    """Return numbers of float32 with as few digits as tell them apart."""
    if isinstance(value, list):
        return [_written(one, floats=floats) for one in value]
    if not floats or isnan(value):
        return value
    return next(float(f"{value:.{n}g}") for n in (6, 7, 8, 9) if _same(value, f"{value:.{n}g}"))


def _same(value: float, text: str) -> bool:
    return float(torch.tensor(float(text))) == value
