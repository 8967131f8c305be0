"""Functions that only move values: other shapes, other orders, parts of an axis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.exchange.importer.conversion import indexing
from netbuild.exchange.importer.conversion.layouts import (
    Gap,
    Sym,
    axis,
    order,
    plain,
    position,
    renumbered,
    split,
    without,
)
from netbuild.exchange.importer.recording.merging import Times, Varying

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.exchange.importer.conversion.context import Context


def _listed(values: Sequence[Any]) -> list[Any]:
    """Return the sizes of `x.view(2, 3)` and of `x.view((2, 3))`."""
    listed = values[0] if len(values) == 1 and isinstance(values[0], (list, tuple)) else values
    if isinstance(listed, Times) or any(isinstance(one, Varying) for one in listed):
        listed = [listed] if isinstance(listed, Times) else listed
    if any(isinstance(one, Varying) for one in listed):
        raise Gap("a size depends on the number of samples")
    return list(listed)


def reshape(c: Context, x: Any, *sizes: Any, shape: Any = None, size: Any = None) -> Sym:
    """Convert `view` and `reshape`."""
    x = c.sym(x)
    given = _listed(sizes or (shape or size,))
    if given and not isinstance(given[0], (int, Times)):
        raise Gap("it reads the same memory as another dtype")
    target = c.sizes(c.call.result)
    batch = next((d for d, n in enumerate(target) if isinstance(n, Times)), None)
    if batch is None:
        return _shared_reshape(c, x, target)
    axes, new = split(x, target, batch, target[batch].factor)
    if len(new) == 1 and len(x.shape) > 1 and axes == plain(2):
        return c.view(x, axes, new, "Flatten")
    written = list(new)
    open_ = [d for d, n in enumerate(given) if n == -1 and d != batch]
    if open_ and axes == plain(len(target)):
        written[open_[0] - 1] = -1
    return c.view(x, axes, new, "Reshape", shape=written)


def _shared_reshape(c: Context, x: Sym, target: tuple[int, ...]) -> Sym:
    if not x.shared:
        raise Gap("its result has no axis of the batch")
    lead = x.batch == 0 and target[:1] == (1,)
    axes = plain(len(target)) if lead else tuple((d + 1,) for d in range(len(target)))
    return c.reshaped(x, axes, target[1:] if lead else target)


def flatten(c: Context, x: Any, start_dim: int = 0, end_dim: int = -1) -> Sym:
    """Convert `flatten`."""
    found = c.sym(x)
    if not found.plain or start_dim in {0, -found.rank}:
        return reshape(c, x, [1])
    first, last = position(start_dim, found.rank), position(end_dim, found.rank)
    if first == last:
        return found
    sizes = c.sizes(c.call.result)
    given = {} if start_dim == 1 else {"start_dim": start_dim}
    given |= {} if last == found.rank - 1 else {"end_dim": end_dim}
    return c.view(found, plain(len(sizes)), sizes[1:], "Flatten", **given)


def unflatten(c: Context, x: Any, dim: int, sizes: Any = None, **named: Any) -> Sym:
    """Convert `unflatten`."""
    found = c.sym(x)
    sizes = _listed([sizes or named["unflattened_size"]])
    if not found.plain or dim in {0, -found.rank}:
        return reshape(c, x, [1])
    new = c.sizes(c.call.result)
    given = {"dim": axis(found, dim), "unflattened_size": sizes}
    return c.view(found, plain(len(new)), new[1:], "Unflatten", **given)


def permute(c: Context, x: Any, *dims: Any, **named: Any) -> Sym:
    """Convert `permute`."""
    y: Sym = c.sym(x)
    listed = [position(d, y.rank) for d in _listed(dims or (named["dims"],))]
    if y.plain and listed[0] == 0:
        if listed == list(range(y.rank)):
            return y
        raw = _listed(dims or (named["dims"],))
        return _ordered(c, y, listed, "Permute", dims=[0, *raw[1:]])
    return _ordered(c, y, listed)


def transpose(c: Context, x: Any, dim0: int, dim1: int) -> Sym:
    """Convert `transpose`."""
    y: Sym = c.sym(x)
    listed = list(range(y.rank))
    a, b = position(dim0, y.rank), position(dim1, y.rank)
    listed[a], listed[b] = b, a
    if a == b:
        return y
    if len(y.axes[a]) == len(y.axes[b]) == 1 and y.batch not in {a, b}:
        given = {"dim0": axis(y, dim0), "dim1": axis(y, dim1)}
        return _ordered(c, y, listed, "Transpose", **given)
    return _ordered(c, y, listed)


def _ordered(c: Context, x: Sym, dims: list[int], kind: str = "", /, **given: Any) -> Sym:
    """Return a value whose torch axes have another order."""
    groups = [x.axes[d] for d in dims]
    moved = order(tuple(groups))
    shape = [x.shape[a - 1] for a in moved]
    axes = renumbered(groups)
    if moved == sorted(moved):
        return x._replace(axes=axes)
    swapped = [d for d, a in enumerate(moved, start=1) if a != d]
    if not kind and len(swapped) == 2:
        kind, given = "Transpose", {"dim0": swapped[0], "dim1": swapped[1]}
    if not kind:
        kind, given = "Permute", {"dims": [0, *moved]}
    return c.view(x, axes, shape, kind, **given)


def movedim(c: Context, x: Any, source: Any, destination: Any) -> Sym:
    """Convert `movedim`."""
    x = c.sym(x)
    one = ([v] if isinstance(v, int) else list(v) for v in (source, destination))
    sources, targets = ([position(d, x.rank) for d in v] for v in one)
    left = [d for d in range(x.rank) if d not in sources]
    for target, moved in sorted(zip(targets, sources, strict=True)):
        left.insert(target, moved)
    return _ordered(c, x, left)


def transposed(c: Context, x: Any) -> Sym:
    """Convert `x.T` and `x.mT`."""
    rank = c.sym(x).rank
    return transpose(c, x, -2, -1) if rank > 1 else c.sym(x)


def squeeze(c: Context, x: Any, dim: Any = None) -> Sym:
    """Convert `squeeze`."""
    y: Sym = c.sym(x)
    sizes = [y.size(d) for d in range(y.rank)]
    if dim is None:
        dims = [d for d in range(y.rank) if sizes[d] == 1 and 0 not in y.axes[d]]
    else:
        listed = [dim] if isinstance(dim, int) else list(dim)
        dims = [p for d in listed if sizes[p := position(d, y.rank)] == 1]
    if not dims:
        return y
    if any(0 in y.axes[d] for d in dims):
        if not y.shared:
            return y
        left = [n for d, n in enumerate(sizes) if d not in dims]
        return c.reshaped(y, tuple((d + 1,) for d in range(len(left))), left)
    own = [axis(y, d) for d in dims]
    if dim is not None and len(dims) == 1:
        own = [axis(y, dim if isinstance(dim, int) else dim[0])]
    gone = {axis(y, d) for d in dims}
    shape = [n for number, n in enumerate(y.shape, start=1) if number not in gone]
    given = own[0] if len(own) == 1 else own
    return c.view(y, without(y, dims), shape, "Squeeze", dim=given)


def unsqueeze(c: Context, x: Any, dim: int) -> Sym:
    """Convert `unsqueeze`."""
    y: Sym = c.sym(x)
    where = position(dim, y.rank + 1)
    groups = list(y.axes)
    if y.shared and y.batch is None and where == 0:
        return y._replace(axes=renumbered([(0,), *groups]))
    before = sum(1 for group in groups[:where] for a in group if a)
    groups.insert(where, (1,))
    shape = [*y.shape[:before], 1, *y.shape[before:]]
    raw = dim if dim < 0 and all(g != (0,) and len(g) == 1 for g in groups[where:]) else before + 1
    return c.view(y, renumbered(groups), shape, "Unsqueeze", dim=raw)


def expand(c: Context, x: Any, *_: Any, **__: Any) -> Sym:
    """Convert `expand`, `expand_as` and `broadcast_to`."""
    y: Sym = c.sym(x)
    given = c.sizes(c.call.result)
    batch = next((d for d, n in enumerate(given) if isinstance(n, Times)), None)
    if batch is not None and given[batch].factor != 1 and y.shared:
        raise Gap("it repeats a tensor with an axis merged with the batch")
    if batch is None and y.batch == 0 and y.shared and given[0] == 1:
        batch = 0
    if y.shared:
        if y.rank < len(given) or y.batch != batch:
            y = c.relabelled(y, len(given), batch)
    elif y.rank != len(given):
        raise Gap("it adds an axis before the batch")
    shape = list(y.shape)
    for d, group in enumerate(y.axes):
        if 0 not in group:
            shape[group[0] - 1] = given[d]
    if tuple(shape) == y.shape:
        return y
    written = [n if n != old else -1 for n, old in zip(shape, y.shape, strict=True)]
    return c.view(y, y.axes, shape, "Expand", sizes=written)


def repeat(c: Context, x: Any, *repeats: Any) -> Sym:
    """Convert `repeat` and `tile`."""
    y: Sym = c.sym(x)
    times = _listed(repeats)
    batch = next((d for d, n in enumerate(times) if isinstance(n, Times)), None)
    if batch is not None or (y.shared and y.rank < len(times)):
        if not y.shared or (batch is not None and times[batch].factor != 1):
            raise Gap("it repeats samples")
        y = c.relabelled(y, len(times), batch if batch is not None else None)
        times = [1 if d == batch else n for d, n in enumerate(times)]
    if len(times) != y.rank or any(0 in g and n != 1 for g, n in zip(y.axes, times, strict=True)):
        raise Gap("it repeats samples")
    own = [times[d] for d, group in enumerate(y.axes) for a in group if a]
    if all(n == 1 for n in own):
        return y
    shape = [n * m for n, m in zip(y.shape, own, strict=True)]
    return c.view(y, y.axes, shape, "Repeat", repeats=own)


def repeat_interleave(c: Context, x: Any, repeats: Any, dim: Any = None, **_: Any) -> Sym:
    """Convert `repeat_interleave` by a number."""
    x = c.sym(x)
    if not isinstance(repeats, int) or dim is None:
        raise Gap("it repeats by a tensor, or all axes at once")
    own = axis(x, dim)
    shape = list(x.shape)
    shape[own - 1 if own > 0 else own] *= repeats
    return c.view(x, x.axes, shape, "RepeatInterleave", repeats=repeats, dim=own)


def chunk(c: Context, x: Any, chunks: int, dim: int = 0) -> Any:
    """Convert `chunk`."""
    return _parts(c, c.sym(x), "Chunk", {"chunks": chunks}, dim)


def divided(c: Context, x: Any, size: Any = None, dim: int = 0, **named: Any) -> Any:
    """Convert `split`."""
    size = named.get("split_size_or_sections", named.get("split_size", size))
    size = list(size) if isinstance(size, (list, tuple)) else size
    return _parts(c, c.sym(x), "Split", {"split_size_or_sections": size}, dim)


def _parts(c: Context, x: Sym, kind: str, given: dict[str, Any], dim: int) -> Any:
    from netbuild.components.tensor import Tensor
    from netbuild.graph.value import Value

    own = axis(x, dim)
    results = list(c.call.result)
    if len(results) == 1:
        return [x]
    given |= {} if own == 1 else {"dim": own}
    outputs = {}
    for number, ref in enumerate(results):
        shape = list(x.shape)
        shape[own - 1 if own > 0 else own] = c.sizes(ref)[dim]
        outputs[str(number)] = Tensor(tuple(shape), x.dtype)
    path = c.free(kind)
    c.add(path, kind, given, [("input", x)], (), x.dtype, others=outputs)
    return [
        Sym(Value(path, port), x.axes, one.shape, one.dtype, x.shared)
        for port, one in outputs.items()
    ]


def unbind(c: Context, x: Any, dim: int = 0) -> Any:
    """Convert `unbind`."""
    found = c.sym(x)
    return [indexing.select(c, found, dim, number) for number in range(len(c.call.result))]


def roll(c: Context, x: Any, shifts: Any, dims: Any = None) -> Sym:
    """Convert `roll`."""
    x = c.sym(x)
    if dims is None or dims == ():
        raise Gap("it rolls all axes as one")
    several = isinstance(dims, (list, tuple))
    own = [axis(x, d) for d in dims] if several else axis(x, dims)
    return c.view(x, x.axes, x.shape, "Roll", shifts=_list(shifts), dims=own)


def _list(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def flip(c: Context, x: Any, *dims: Any, **named: Any) -> Sym:
    """Convert `flip`."""
    x = c.sym(x)
    own = [axis(x, d) for d in _listed(dims or (named["dims"],))]
    return c.view(x, x.axes, x.shape, "Flip", dims=own[0] if len(own) == 1 else own)


def triangle(kind: str) -> Any:
    """Return what converts `tril` or `triu`."""

    def convert(c: Context, x: Any, diagonal: int = 0) -> Sym:
        x = c.sym(x)
        given = {"diagonal": diagonal} if diagonal else {}
        return c.view(x, x.axes, x.shape, kind, **given)

    return convert


def pad(c: Context, x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Sym:
    """Convert `pad`."""
    y: Sym = c.sym(x)
    sides = list(pad)
    if not any(sides):
        return y
    shape = list(y.shape)
    for d in range(len(sides) // 2):
        before, behind = sides[2 * d : 2 * d + 2]
        if before or behind:
            own = axis(y, y.rank - 1 - d)
            shape[own - 1] += before + behind
    while y.rank * 2 > 2 and len(sides) > 2 and sides[-2:] == [0, 0]:
        sides = sides[:-2]
    given = {"pad": sides} | ({"mode": mode} if mode != "constant" else {})
    given |= {"value": value} if value else {}
    return c.view(y, y.axes, shape, "Pad", **given)


TABLE: dict[str, Any] = {
    **dict.fromkeys(("view", "reshape", "view_as", "reshape_as"), reshape),
    "flatten": flatten,
    "ravel": flatten,
    "unflatten": unflatten,
    "permute": permute,
    "transpose": transpose,
    "swapaxes": transpose,
    "swapdims": transpose,
    "movedim": movedim,
    "moveaxis": movedim,
    "T": transposed,
    "mT": transposed,
    "t": transposed,
    "squeeze": squeeze,
    "unsqueeze": unsqueeze,
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), expand),
    "repeat": repeat,
    "tile": repeat,
    "repeat_interleave": repeat_interleave,
    "chunk": chunk,
    "split": divided,
    "unbind": unbind,
    "roll": roll,
    "flip": flip,
    "tril": triangle("Tril"),
    "triu": triangle("Triu"),
    "pad": pad,
    "getitem": indexing.getitem,
    "select": indexing.selected,
    "narrow": indexing.narrowed,
    "index_select": indexing.index_select,
}
