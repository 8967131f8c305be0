"""Functions along an axis: means, sums, softmax, order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.tensor import Tensor
from netbuild.exchange.importer.conversion.layouts import Gap, Sym, axis, position, without
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from netbuild.exchange.importer.conversion.context import Context


def _reduced(x: Sym, dims: list[int], *, keep: bool) -> tuple[Any, tuple[int, ...]]:
    """Return the axes and the shape of a reduction over some of torch's axes."""
    own = {position(axis(x, d), len(x.shape) + 1) for d in dims}
    if keep:
        return x.axes, tuple(1 if d in own else n for d, n in enumerate(x.shape, start=1))
    shape = tuple(n for d, n in enumerate(x.shape, start=1) if d not in own)
    return without(x, [position(d, x.rank) for d in dims]), shape


def reduction(kind: str, *order: str, **defaults: Any) -> Any:
    """Return what converts a reduction; `order` is torch's order of arguments after the input."""

    def convert(c: Context, x: Any, *values: Any, **named: Any) -> Sym:
        found = c.sym(x)
        given = dict(zip(order or ("dim", "keepdim"), values, strict=False)) | named
        dim = given.pop("dim", given.pop("axis", None))
        keep = bool(given.pop("keepdim", False))
        if given.pop("dtype", None) is not None and c.dtype(c.call.result) != found.dtype:
            raise Gap("it computes in another dtype")
        if given.pop("unbiased", True) is False:
            given["correction"] = 0
        if dim is None or dim in ((), []):
            raise Gap("it works along the batch, so it mixes samples")
        dims = [dim] if isinstance(dim, int) else list(dim)
        axes, shape = _reduced(found, dims, keep=keep)
        own = [axis(found, d) for d in dims]
        fields = {"dim": own[0] if len(own) == 1 else own} | ({"keepdim": True} if keep else {})
        fields |= {key: one for key, one in given.items() if one != defaults.get(key, one)}
        fields |= {key: one for key, one in given.items() if key not in defaults}
        return c.operation(kind, fields, [found], axes, shape, c.dtype(c.call.result))

    return convert


def extreme(c: Context, x: Any, dim: Any = None, keepdim: bool = False) -> Any:  # noqa: FBT001, FBT002
    """Convert `max` along an axis, or of two tensors."""
    if dim is None or not isinstance(dim, int):
        raise Gap("it is the largest value of all samples, or of two tensors")
    found = c.sym(x)
    axes, shape = _reduced(found, [dim], keep=keepdim)
    given = {"dim": axis(found, dim)} | ({"keepdim": True} if keepdim else {})
    largest = c.operation("Amax", given, [found], axes, shape)
    places = c.operation("Argmax", given, [found], axes, shape, "int64")
    return [largest, places]


def along(kind: str, default: int | None = None) -> Any:
    """Return what converts a function along an axis that keeps the shape."""

    def convert(c: Context, x: Any, dim: Any = None, *_: Any, **named: Any) -> Sym:
        found = c.sym(x)
        dim = default if dim is None else dim
        if dim is None:
            raise Gap("it guesses its axis")
        fields = {"dim": axis(found, dim)}
        dtype = named.get("dtype")
        if dtype is not None and str(dtype) != "torch.float32":
            raise Gap("it computes in another dtype")
        return c.operation(kind, fields, [found], found.axes, found.shape, c.dtype(c.call.result))

    return convert


def glu(c: Context, x: Any, dim: int = -1) -> Sym:
    """Convert `glu`."""
    found = c.sym(x)
    own = axis(found, dim)
    shape = list(found.shape)
    shape[own - 1 if own > 0 else own] //= 2
    return c.operation("GLU", {} if dim == -1 else {"dim": own}, [found], found.axes, shape)


def ordered(kind: str, *order: str) -> Any:
    """Return what converts `topk` or `sort`."""
    defaults = {"dim": -1, "largest": True, "sorted": True, "descending": False, "stable": False}

    def convert(c: Context, x: Any, *values: Any, **named: Any) -> Any:
        found = c.sym(x)
        given = dict(zip(order, values, strict=False)) | named
        dim = given.get("dim", -1)
        fields = {key: one for key, one in given.items() if one != defaults.get(key)}
        own = axis(found, dim)
        if "dim" in fields:
            fields["dim"] = own
        shape = list(found.shape)
        if "k" in given:
            shape[own - 1 if own > 0 else own] = given["k"]
        size = tuple(shape)
        outputs = {"values": Tensor(size, found.dtype), "indices": Tensor(size, "int64")}
        path = c.free(kind)
        c.add(path, kind, fields, [("input", found)], (), found.dtype, others=outputs)
        return [
            Sym(Value(path, port), found.axes, one.shape, one.dtype, found.shared)
            for port, one in outputs.items()
        ]

    return convert


def normalize(c: Context, x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Sym:
    """Convert `normalize`."""
    found = c.sym(x)
    given = {} if dim == 1 and found.plain else {"dim": axis(found, dim)}
    more: dict[str, Any] = ({} if p == 2 else {"p": p}) | ({} if eps == 1e-12 else {"eps": eps})
    axis(found, dim)
    return c.operation("Normalize", given | more, [found], found.axes, found.shape)


def norm(c: Context, x: Any, *values: Any, **named: Any) -> Sym:
    """Convert `norm` and `linalg.vector_norm`."""
    first = "p" if "Tensor" in str(c.call.target) or "p" in named else "ord"
    given = dict(zip((first, "dim", "keepdim"), values, strict=False)) | named
    power = given.pop("p", given.pop("ord", 2.0))
    power = 2.0 if power in {None, "fro"} else power
    own = {key: one for key, one in given.items() if key in {"dim", "keepdim"}}
    convert = reduction("VectorNorm", ord=2.0)
    result: Sym = convert(c, x, ord=power, **own)
    return result


def taken_along(c: Context, x: Any, indices: Any, dim: Any = None) -> Sym:
    """Convert `take_along_dim`."""
    a, b = c.sym(x), c.sym(indices)
    if dim is None or a.axes != b.axes:
        raise Gap("it takes from the flat tensor, or its indices have the batch on another axis")
    own = axis(a, dim)
    here = own - 1 if own > 0 else len(a.shape) + own
    sizes = [max(n, m) for n, m in zip(a.shape, b.shape, strict=True)]
    sizes[here] = b.shape[here]
    return c.operation("TakeAlongDim", {"dim": own}, [a, b], a.axes, sizes, a.dtype)


def gathered(c: Context, x: Any, dim: int, index: Any, **_: Any) -> Sym:
    """Convert `gather`."""
    found, places = c.sym(x), c.sym(index)
    if places.axes != found.axes:
        raise Gap("its places have the batch on another axis")
    fields = {"dim": axis(found, dim)}
    return c.operation("Gather", fields, [found, places], found.axes, places.shape)


def one_hot(c: Context, x: Any, num_classes: int = -1) -> Sym:
    """Convert `one_hot`."""
    found = c.sym(x)
    if num_classes < 1:
        raise Gap("the number of its classes depends on values")
    rank = len(found.shape) + 1
    axes = (*found.axes, (rank,))
    fields = {"num_classes": num_classes}
    return c.operation("OneHot", fields, [found], axes, (*found.shape, num_classes))


def cast(c: Context, x: Any, *_: Any, **__: Any) -> Sym:
    """Convert `to`, `float`, `type_as` and others: the recorded dtype says what came."""
    found = c.sym(x)
    dtype = c.dtype(c.call.result)
    if dtype == found.dtype:
        return found
    return c.operation("To", {"dtype": dtype}, [found], found.axes, found.shape, dtype)


def detach(c: Context, x: Any) -> Sym:
    """Convert `detach`."""
    found = c.sym(x)
    return c.operation("Detach", {}, [found], found.axes, found.shape)


def noise(kind: str) -> Any:
    """Return what converts `randn_like` or `rand_like`, and `randn` of a batch."""

    def convert(c: Context, *given: Any, **_: Any) -> Sym:
        from netbuild.exchange.importer.conversion.layouts import plain
        from netbuild.exchange.importer.recording.recording import Ref

        if given and isinstance(given[0], Ref):
            found = c.sym(given[0])
            like = f"{kind}Like"
            return c.operation(like, {}, [found], found.axes, found.shape)
        sizes = c.sizes(c.call.result)
        axes = plain(len(sizes))
        fields = {"shape": list(sizes[1:])}
        return c.operation(kind, fields, [], axes, sizes[1:])

    return convert


_CASTS = ("to", "float", "type_as", "type", "long", "int", "bool", "double", "half", "byte")
TABLE: dict[str, Any] = {
    "mean": reduction("Mean"),
    "sum": reduction("Sum"),
    "amax": reduction("Amax"),
    "var": reduction("Var", correction=1),
    "std": reduction("Std", correction=1),
    "logsumexp": reduction("Logsumexp"),
    "prod": reduction("Prod"),
    "argmax": reduction("Argmax"),
    "norm": norm,
    "vector_norm": norm,
    "linalg_vector_norm": norm,
    "max": extreme,
    "normalize": normalize,
    "gather": gathered,
    "take_along_dim": taken_along,
    "one_hot": one_hot,
    "softmax": along("Softmax"),
    "log_softmax": along("LogSoftmax"),
    "softmin": along("Softmin"),
    "cumsum": along("Cumsum"),
    "cumprod": along("Cumprod"),
    "glu": glu,
    "topk": ordered("Topk", "k", "dim", "largest", "sorted"),
    "sort": ordered("Sort", "dim", "descending", "stable"),
    **dict.fromkeys(_CASTS, cast),
    "detach": detach,
    "randn": noise("Randn"),
    "rand": noise("Rand"),
    "randn_like": noise("Randn"),
    "rand_like": noise("Rand"),
}
