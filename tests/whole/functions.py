"""Operations that choose, copy or sum: `docs/language.md`, "Operations", and torch's pages.

Every function takes torch's tensors with the batch in front, and its fields by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from tests.whole.formulas import computed
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


def _diagonal(x: Values, offset: int = 0, dim1: int = 1, dim2: int = 2) -> Values:
    return torch.diagonal(x, offset, axis(dim1, x), axis(dim2, x))


def _pad(x: Values, pad: list[int], mode: str = "constant", value: Any = None) -> Values:
    if len(pad) // 2 >= x.dim():
        raise Refusal("the batch axis")
    return functional.pad(x, pad, mode, value)


def _var(x: Values, dim: int, correction: int = 1, keepdim: bool = False) -> Values:  # noqa: FBT001, FBT002
    if x.shape[axis(dim, x)] <= correction:
        raise Refusal("a division by 0")
    return torch.var(x, dim, correction=correction, keepdim=keepdim)


def _gather(x: Values, index: Values, dim: int) -> Values:
    return torch.gather(x, axis(dim, x), index)


def _take(x: Values, indices: Values, dim: int) -> Values:
    if x.dim() != indices.dim():
        raise Refusal("inputs of different ranks")
    return torch.take_along_dim(x, indices, axis(dim, x))


def _einsum(*x: Values, equation: str) -> Values:
    terms, _, result = equation.partition("->")
    for term in terms.split(","):
        if term.rfind(result[0]) != 0:
            raise Refusal("the batch stands first in each term")
    return torch.einsum(equation, *x)


def _attention(q: Values, k: Values, v: Values, **fields: Any) -> Values:
    if len({x.dim() for x in (q, k, v)}) > 1:
        raise Refusal("inputs of different ranks")
    mask = fields.get("attn_mask")
    if mask is not None and fields.get("is_causal"):
        raise Refusal("is_causal beside a mask")
    if mask is not None and mask.dtype not in {torch.bool, torch.float32}:
        raise Refusal(f"a mask of {mask.dtype}")
    if min(q.dim(), k.dim(), v.dim()) < 3:
        raise Refusal("a sample has places and features; torch would take samples for places")
    return functional.scaled_dot_product_attention(q, k, v, **fields)


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
    "Diagonal": (_diagonal, ("offset", "dim1", "dim2")),
    "Pad": (_pad, ("pad", "mode", "value")),
    "Var": (_var, ("dim", "correction", "keepdim")),
    "Argmax": (_along(torch.argmax), ("dim", "keepdim")),
    "Gather": (_gather, ("dim",)),
    "TakeAlongDim": (_take, ("dim",)),
    "OneHot": (functional.one_hot, ("num_classes",)),
    "Einsum": (_einsum, ("equation",)),
    "RandnLike": (torch.randn_like, ()),
    "RandLike": (torch.rand_like, ()),
    "ScaledDotProductAttention": (_attention, ("is_causal", "scale", "enable_gqa")),
    "Formula": (computed, ("formula",)),
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
