"""Functions of several tensors: cat, stack, matrix products, attention."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import torch

from netbuild.exchange.importer.conversion import formulas
from netbuild.exchange.importer.conversion.layouts import Gap, Sym, axis, position, renumbered
from netbuild.exchange.importer.recording.merging import DROPS, Fixed, Varying
from netbuild.exchange.importer.recording.recording import Ref

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.exchange.importer.conversion.context import Context


def _together(c: Context, tensors: Sequence[Any]) -> list[Sym]:
    """Return tensors of the same number of axes that lie in the same way."""
    found = [c.sym(one) for one in tensors]
    first = next((one for one in found if not one.shared), found[0])
    return [_like(c, one, first) for one in found]


def _like(c: Context, x: Sym, first: Sym) -> Sym:
    if x.axes == first.axes:
        return x
    if not x.shared or x.rank != first.rank or any(len(g) > 1 for g in first.axes):
        raise Gap("it joins tensors that have the batch on different axes")
    return c.relabelled(x, first.rank, first.batch)


def cat(c: Context, tensors: Any, dim: int = 0, **named: Any) -> Sym:
    """Convert `cat`."""
    dim = named.get("axis", dim)
    full = [one for one in tensors if not _is_empty(c, one)]
    if not full:
        raise Gap("it joins tensors without values")
    return joined(c, [c.sym(one) for one in full], dim, c.dtype(c.call.result))


def _is_empty(c: Context, tensor: Any) -> bool:
    """Whether a tensor has no values, as one that a cache of keys begins with."""
    if isinstance(tensor, Fixed):
        return not tensor.tensor.numel()
    if isinstance(tensor, Varying):
        return not any(one.numel() for one in tensor.values if isinstance(one, torch.Tensor))
    return isinstance(tensor, Ref) and 0 in c.recorded.shapes[tensor]


def joined(c: Context, tensors: Sequence[Sym], dim: int, dtype: str) -> Sym:
    """Return values one behind the other, along an axis of torch."""
    first = next((one for one in tensors if not one.shared), tensors[0])
    found = [_like(c, one, first) for one in tensors]
    if len(found) == 1:
        return found[0]
    first = found[0]
    own = axis(first, dim)
    number = own - 1 if own > 0 else len(first.shape) + own
    shape = list(first.shape)
    shape[number] = sum(one.shape[number] for one in found)
    given = {} if own == 1 else {"dim": own}
    return c.operation("Concat", given, found, first.axes, shape, dtype)


def stack(c: Context, tensors: Any, dim: int = 0) -> Sym:
    """Convert `stack`."""
    found = _together(c, tensors)
    first = found[0]
    where = position(dim, first.rank + 1)
    groups = list(first.axes)
    before = sum(1 for group in groups[:where] for a in group if a)
    groups.insert(where, (1,))
    shape = (*first.shape[:before], len(found), *first.shape[before:])
    if len(found) == 1:
        return c.view(first, renumbered(groups), shape, "Unsqueeze", dim=before + 1)
    given = {} if before == 0 else {"dim": before + 1}
    return c.operation("Stack", given, found, renumbered(groups), shape, c.dtype(c.call.result))


def matmul(c: Context, x: Any, other: Any) -> Sym:
    """Convert `matmul`, `bmm` and `@`."""
    return product(c, c.sym(x), c.sym(other))


def product(c: Context, a: Sym, b: Sym) -> Sym:
    """Multiply two values as matrices."""
    if a.rank < 2 or b.rank < 2:
        raise Gap("it multiplies by a vector")
    for one in (a, b):
        if any(0 in group for group in one.axes[-2:]) and not one.shared:
            return _of_rows(c, a, b)
    found, axes = stacked(c, a, b)
    shape = [*_leading([one.shape for one in found]), found[0].shape[-2], found[1].shape[-1]]
    return c.operation("MatMul", {}, found, axes, shape, c.dtype(c.call.result))


def _leading(shapes: list[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, shapes)) - 2
    full = [((1,) * (rank + 2 - len(shape)) + shape)[:rank] for shape in shapes]
    return tuple(max(sizes) for sizes in zip(*full, strict=True))


def stacked(c: Context, a: Sym, b: Sym) -> tuple[list[Sym], Any]:
    """Return two stacks of matrices whose leading axes fit."""
    if a.shared and b.shared:
        rank = max(a.rank, b.rank)
        batch = 0 if all(one.batch == 0 for one in (a, b) if one.rank == rank) else None
        batch = batch if rank > 2 else None
        found = [c.relabelled(one, rank, batch) for one in (a, b)]
        return found, found[0].axes
    if not a.shared and not b.shared:
        if a.axes != b.axes:
            raise Gap("it multiplies tensors that have the batch on different axes")
        return [a, b], a.axes
    whole = b if a.shared else a
    found = []
    for one in (a, b):
        if not one.shared:
            found.append(one)
            continue
        shape: list[int] = []
        for d in range(one.rank):
            group = whole.axes[whole.rank - one.rank + d]
            if 0 not in group:
                shape.append(one.size(d))
            elif one.size(d) == 1:
                shape += [1] * (len(group) - 1)
            else:
                raise Gap("it multiplies the batch with another axis")
        groups = whole.axes[whole.rank - one.rank :]
        found.append(c.reshaped(one, renumbered(groups), shape))
    if whole.rank < max(a.rank, b.rank):
        raise Gap("it multiplies with a tensor of more axes that all samples share")
    return found, whole.axes


def _of_rows(c: Context, a: Sym, b: Sym) -> Sym:
    """Multiply rows of (batch, features) by a matrix that all samples share."""
    if a.rank != 2 or a.axes[0][0] != 0 or not b.shared or b.rank != 2 or b.batch is not None:
        raise Gap("it multiplies along the batch, so it mixes samples")
    if len(a.axes[0]) > 1:
        wide = (*a.shape[:-1], b.shape[-1])
        return c.operation("MatMul", {}, [a, b], a.axes, wide, c.dtype(c.call.result))
    row = c.operation("Unsqueeze", {"dim": 1}, [a], renumbered([(0,), (1,), (1,)]), (1, *a.shape))
    matrix = c.reshaped(b, ((1,), (2,)), [b.size(0), b.size(1)])
    wide = (1, matrix.shape[1])
    product = c.operation("MatMul", {}, [row, matrix], row.axes, wide, c.dtype(c.call.result))
    return c.view(product, a.axes, wide[1:], "Squeeze", dim=1)


def addition_of_product(c: Context, bias: Any, x: Any, other: Any, **named: Any) -> Sym:
    """Convert `addmm` and `baddbmm`."""
    if any(one != 1 for one in named.values()):
        raise Gap("it scales the terms of a sum of a product")
    product = matmul(c, x, other)
    found, axes, shape = formulas.aligned(c, [product, c.sym(bias)])
    return c.operation("Add", {}, found, axes, shape)


def einsum(c: Context, equation: Any, *operands: Any) -> Sym:
    """Convert `einsum` where the batch is the first letter of each term."""
    listed = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    )
    found = [c.sym(one) for one in listed]
    text = equation.replace(" ", "")
    if "->" not in text or "..." in text or len(found) > 2:
        raise Gap("it is an einsum without ->, with ... or of three tensors")
    terms, _, result = text.partition("->")
    letters = {
        term[one.batch]
        for term, one in zip(terms.split(","), found, strict=True)
        if one.batch is not None and not one.shared
    }
    if len(letters) != 1 or any(len(group) > 1 for one in found for group in one.axes):
        raise Gap("it is an einsum in which the batch has no letter of its own")
    batch = letters.pop()
    written = []
    for term, one in zip(terms.split(","), found, strict=True):
        if one.shared:
            found[found.index(one)] = c.relabelled(one, one.rank, one.batch)
        if term.count(batch) > 1 or (one.shared and batch in term and one.batch is None):
            raise Gap("it is an einsum over the batch")
        written.append(batch + term.replace(batch, ""))
    if batch not in result:
        raise Gap("it sums over the batch")
    at = result.index(batch)
    sizes = c.sizes(c.call.result)
    groups = [(0,) if d == at else (1,) for d in range(len(result))]
    shape = [n for d, n in enumerate(sizes) if d != at]
    given = {"equation": f"{','.join(written)}->{batch}{result.replace(batch, '')}"}
    return c.operation("Einsum", given, found, renumbered(groups), shape)


def attention(  # noqa: PLR0913, PLR0917  as in torch's function
    c: Context,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002  as in torch's function
    scale: float | None = None,
    enable_gqa: bool = False,  # noqa: FBT001, FBT002  the same
) -> Sym:
    """Convert `scaled_dot_product_attention`."""
    q, k, v = c.sym(query), c.sym(key), c.sym(value)
    leading = {one.axes[:-2] for one in (q, k, v)}
    if len(leading) > 1 or any(0 in g for one in (q, k, v) for g in one.axes[-2:]):
        raise Gap("its query, key and value have the batch on different axes")
    inputs = {"query": q, "key": k, "value": v}
    if attn_mask is not None:
        mask = c.sym(attn_mask)
        fitted = formulas.aligned(c, [q, mask])[0][1] if mask.shared else mask
        inputs["attn_mask"] = fitted
    if dropout_p and c.call.drops:
        raise Gap(f"its call drops values in evaluation too (dropout_p={dropout_p}), {DROPS}")
    given = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale}
    given |= {"enable_gqa": enable_gqa}
    given = {name: one for name, one in given.items() if one}
    if scale is not None and scale == q.shape[-1] ** -0.5:
        del given["scale"]
    shape = (*q.shape[:-1], v.shape[-1])
    return c.operation("ScaledDotProductAttention", given, inputs, q.axes, shape, name="attention")


def distance(kind: str, **defaults: Any) -> Any:
    """Return what converts `cosine_similarity` or `pairwise_distance`."""

    def convert(c: Context, x1: Any, x2: Any, *values: Any, **named: Any) -> Sym:
        given = dict(zip(defaults, values, strict=False)) | named
        given = {key: one for key, one in given.items() if one != defaults[key]}
        a, b = c.sym(x1), c.sym(x2)
        if not a.plain or not b.plain:
            raise Gap("the batch is not its first axis")
        dim = position(given.get("dim", defaults.get("dim", -1)), a.rank)
        keep = given.get("keepdim", False)
        shape = [1 if d == dim and keep else n for d, n in enumerate(a.shape, start=1)]
        shape = shape if keep else [n for d, n in enumerate(a.shape, start=1) if d != dim]
        axes = renumbered([(0,), *[(1,)] * len(shape)])
        return c.operation(kind, given, {"x1": a, "x2": b}, axes, shape)

    return convert


def outer(c: Context, x: Any, other: Any) -> Sym:
    """Convert `outer` of two vectors that all samples share."""
    a, b = c.sym(x), c.sym(other)
    if not (a.shared and b.shared):
        raise Gap("it multiplies each sample by each other")
    column = c.reshaped(a, ((1,), (2,)), [prod(a.shape), 1])
    row = c.reshaped(b, ((1,), (2,)), [1, prod(b.shape)])
    return c.operation("Multiply", {}, [column, row], row.axes, (prod(a.shape), prod(b.shape)))


TABLE: dict[str, Any] = {
    **dict.fromkeys(("cat", "concat", "concatenate"), cat),
    "stack": stack,
    "matmul": matmul,
    "bmm": matmul,
    "mm": matmul,
    "addmm": addition_of_product,
    "baddbmm": addition_of_product,
    "einsum": einsum,
    "scaled_dot_product_attention": attention,
    "outer": outer,
    "cosine_similarity": distance("CosineSimilarity", dim=1, eps=1e-8),
    "pairwise_distance": distance("PairwiseDistance", p=2.0, eps=1e-6, keepdim=False),
}
