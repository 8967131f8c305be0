"""Operations that choose, copy or sum: `docs/language.md`, "Operations", and torch's pages.

Every function takes torch's tensors with the batch in front, and its fields by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    Values = torch.Tensor


def axis(dim: Any, x: Values) -> int:
    """Return an axis counted from the front, which is not the batch."""
    if isinstance(dim, bool) or not isinstance(dim, int) or not -x.dim() <= dim < x.dim():
        raise Refusal(f"no axis {dim!r}")
    if dim % x.dim() == 0:
        raise Refusal("the batch axis")
    return dim % x.dim()


def _along(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function over one axis, whose other fields are those of torch."""
    return lambda x, dim, **fields: function(x, dim=axis(dim, x), **fields)


def _flip(x: Values, dims: Any) -> Values:
    places = [axis(dim, x) for dim in (dims if isinstance(dims, list) else [dims])]
    if len({*places}) < len(places):
        raise Refusal("an axis twice")
    return torch.flip(x, places)


def _repeat(x: Values, repeats: list[int]) -> Values:
    if len(repeats) != x.dim() - 1:
        raise Refusal("another number of axes")
    return x.repeat(1, *repeats)


def _repeat_interleave(x: Values, repeats: int, dim: int) -> Values:
    return x.repeat_interleave(repeats, axis(dim, x))


def _triangle(function: Callable[..., Values]) -> Callable[..., Values]:
    def run(x: Values, diagonal: int = 0) -> Values:
        if x.dim() < 3:
            raise Refusal("no matrices")
        return function(x, diagonal)

    return run


def _std(x: Values, dim: int, correction: int = 1, keepdim: bool = False) -> Values:  # noqa: FBT001, FBT002
    if x.shape[axis(dim, x)] <= correction:
        raise Refusal("a division by 0")
    return torch.std(x, dim, correction=correction, keepdim=keepdim)


def _vector_norm(x: Values, ord: float = 2, dim: Any = None, keepdim: bool = False) -> Values:  # noqa: A002, FBT001, FBT002
    return torch.linalg.vector_norm(x, ord, axis(dim, x), keepdim)


def _normalize(x: Values, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Values:
    return functional.normalize(x, p, axis(dim, x), eps)


def _topk(x: Values, k: int, dim: int = -1) -> tuple[Values, ...]:
    return tuple(torch.topk(x, k, axis(dim, x)))


def _sort(x: Values, dim: int = -1) -> tuple[Values, ...]:
    return tuple(torch.sort(x, axis(dim, x)))


def _split(x: Values, split_size_or_sections: Any, dim: int = 1) -> tuple[Values, ...]:
    return torch.split(x, split_size_or_sections, axis(dim, x))


def _to(x: Values, dtype: str) -> Values:
    return x.to(getattr(torch, dtype))


#: The functions, with their fields in order.
FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Cumsum": (_along(torch.cumsum), ("dim",)),
    "Cumprod": (_along(torch.cumprod), ("dim",)),
    "Flip": (_flip, ("dims",)),
    "Repeat": (_repeat, ("repeats",)),
    "RepeatInterleave": (_repeat_interleave, ("repeats", "dim")),
    "Tril": (_triangle(torch.tril), ("diagonal",)),
    "Triu": (_triangle(torch.triu), ("diagonal",)),
    "Std": (_std, ("dim", "correction", "keepdim")),
    "Prod": (_along(torch.prod), ("dim", "keepdim")),
    "Logsumexp": (_along(torch.logsumexp), ("dim", "keepdim")),
    "VectorNorm": (_vector_norm, ("ord", "dim", "keepdim")),
    "Normalize": (_normalize, ("p", "dim", "eps")),
    "Topk": (_topk, ("k", "dim")),
    "Sort": (_sort, ("dim",)),
    "Split": (_split, ("split_size_or_sections", "dim")),
    "To": (_to, ("dtype",)),
    "Detach": (torch.Tensor.detach, ()),
}
