"""From the values of a tensor to a `Constant`: a range, a number that fills it, or all numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netbuild.exchange.importer.layouts import Gap
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from netbuild.exchange.importer.converting import Converter

#: The most numbers that are written out.
_MOST = 4096


def add(converter: Converter, tensor: torch.Tensor, path: str | None = None) -> Value:
    """Add the Constant of a tensor; with a path it is a buffer in `state_dict()`."""
    shape = tuple(tensor.shape)
    dtype = "float32" if tensor.is_floating_point() else str(tensor.dtype).removeprefix("torch.")
    kept = {"persistent": True} if path else {}
    path = path or converter.names.free(converter.call.place.path, "constant")
    plain = tensor.float() if tensor.is_floating_point() else tensor
    for diagonal in (0, 1, -1):
        half = _triangle(plain, diagonal)
        if half is not None:
            ones = converter.names.free(converter.call.place.path, "ones")
            given = {"ones": list(shape), "dtype": dtype}
            given = given if dtype != "float32" else {"ones": list(shape)}
            one = converter.add(ones, "Constant", given, (), shape, dtype)
            field = {"diagonal": diagonal} if diagonal else {}
            return _kept(converter, path, half, field, one, shape, dtype, kept)
    return converter.add(path, "Constant", values(plain, dtype) | kept, (), shape, dtype)


def _kept(
    converter: Converter,
    path: str,
    half: str,
    field: dict[str, Any],
    ones: Value,
    shape: tuple[int, ...],
    dtype: str,
    kept: dict[str, Any],
) -> Value:
    """Add a triangle of ones, and keep it as the buffer if it is one."""
    from netbuild.exchange.importer.layouts import Sym, plain

    x = Sym(ones, plain(len(shape) + 1), shape, dtype, shared=True)
    if not kept:
        return converter.add(path, half, field, [("input", x)], shape, dtype)
    name = converter.names.free(converter.call.place.path, half)
    value = converter.add(name, half, field, [("input", x)], shape, dtype)
    x = x._replace(value=value)
    return converter.add(path, "Constant", kept, [("input", x)], shape, dtype)


def _triangle(tensor: torch.Tensor, diagonal: int) -> str | None:
    """Return the operation that makes the tensor of ones."""
    if tensor.dim() < 2 or min(tensor.shape[-2:]) < 4:
        return None
    ones = torch.ones_like(tensor)
    if torch.equal(ones.tril(diagonal), tensor):
        return "Tril"
    return "Triu" if torch.equal(ones.triu(diagonal), tensor) else None


def values(tensor: torch.Tensor, dtype: str) -> dict[str, Any]:
    """Return the fields of a Constant.

    Raises:
        Gap: it has too many numbers.
    """
    shape = list(tensor.shape)
    typed = {} if dtype in {"float32", "int64", "bool"} else {"dtype": dtype}
    flat = tensor.flatten()
    if flat.numel() > 1 and bool((flat == flat[0]).all()):
        one = flat[0].item()
        if one in {0, 1} and dtype == "float32":
            return {("ones" if one else "zeros"): shape}
        return {"full": [shape, one], **typed}
    if (
        tensor.dim() == 1
        and flat.numel() > 2
        and not tensor.is_floating_point()
        and dtype != "bool"
    ):
        steps = {*(flat[1:] - flat[:-1]).tolist()}
        if len(steps) == 1:
            first, step = int(flat[0]), steps.pop()
            end = int(flat[-1]) + (1 if step > 0 else -1)
            short = [first, end] if step == 1 else [first, end, step]
            return {"arange": end if short == [0, end] else short, **typed}
    if flat.numel() > _MOST:
        message = f"it reads a table of {flat.numel():,} numbers that no parameter holds"
        raise Gap(message)
    return {"value": tensor.tolist(), **typed}
