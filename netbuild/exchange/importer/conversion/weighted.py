"""Functions of `torch.nn.functional` that take weights: layers whose names are their weights'."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netbuild.components.layers import LAYERS
from netbuild.exchange.importer.conversion import formulas, joins, layers, owners
from netbuild.exchange.importer.conversion.layouts import Gap, Sym
from netbuild.exchange.importer.items import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.exchange.importer.conversion.context import Context


def _fields(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that differ from their defaults."""
    found = {}
    for name, value in given.items():
        info = LAYERS[kind].model_fields[name]
        own = plain(value)
        if info.is_required() or own != plain(info.default):
            found[name] = own
    return found


def linear(c: Context, input: Any, weight: Any, bias: Any = None) -> Any:  # noqa: A002
    """Convert `linear`; a weight that is computed becomes a matrix product."""
    x = c.sym(input)
    try:
        owner = owners.of_weights(c, weight=weight, bias=bias)
    except Gap:
        matrix = c.sym(weight)
        shape = (*matrix.shape[:-2], matrix.shape[-1], matrix.shape[-2])
        if not matrix.shared or matrix.rank != 2:
            raise
        turned = c.operation("Transpose", {"dim0": -2, "dim1": -1}, [matrix], matrix.axes, shape)
        return _product(c, x, turned, bias)
    fields = _fields("Linear", {"out_features": c.sizes(weight)[0], "bias": bias is not None})
    return layers.emit(c, "Linear", fields, {"input": x}, owner)


def _product(c: Context, x: Sym, matrix: Sym, bias: Any) -> Sym:
    y = joins.product(c, x, matrix)
    if bias is None:
        return y
    both, axes, shape = formulas.aligned(c, [y, c.sym(bias)])
    return c.operation("Add", {}, both, axes, shape)


def convolution(rank: int, *, transposed: bool = False) -> Any:
    """Return what converts a convolution."""
    kind = f"Conv{'Transpose' if transposed else ''}{rank}d"
    names: tuple[str, ...] = ("stride", "padding", "dilation", "groups")
    if transposed:
        names = ("stride", "padding", "output_padding", "groups", "dilation")

    def convert(c: Context, input: Any, weight: Any, *rest: Any, **named: Any) -> Any:  # noqa: A002
        given = dict(zip(("bias", *names), rest, strict=False)) | named
        bias = given.pop("bias", None)
        owner = owners.of_weights(c, weight=weight, bias=bias)
        sizes = c.sizes(weight)
        groups = given.get("groups", 1)
        out = sizes[1] * groups if transposed else sizes[0]
        given = {
            "out_channels": out,
            "kernel_size": list(sizes[2:]),
            "bias": bias is not None,
        } | given
        return layers.emit(c, kind, _fields(kind, given), {"input": c.sym(input)}, owner)

    return convert


def batch_norm(  # noqa: PLR0913, PLR0917  as in torch's function
    c: Context,
    input: Any,  # noqa: A002  as in torch's function
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,  # noqa: FBT001, FBT002  the same
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Any:
    """Convert `batch_norm`."""
    x = c.sym(input)
    if running_mean is None or training:
        raise Gap("it normalises with the statistics of the batch in evaluation too")
    if (weight is None) != (bias is None):
        raise Gap("it has a weight without a bias, or a bias without a weight")
    given = {"running_mean": running_mean, "running_var": running_var}
    owner = owners.of_weights(c, weight=weight, bias=bias, **given)
    kind = f"BatchNorm{max(x.rank - 2, 1)}d"
    fields = _fields(kind, {"eps": eps, "momentum": momentum, "affine": weight is not None})
    return layers.emit(c, kind, fields, {"input": x}, owner)


def layer_norm(
    c: Context,
    input: Any,  # noqa: A002  as in torch's function
    normalized_shape: Any,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Any:
    """Convert `layer_norm`."""
    sizes = list(normalized_shape)
    shape = {} if len(sizes) == 1 else {"normalized_shape": sizes}
    given = {"eps": eps, "elementwise_affine": weight is not None}
    given |= {"bias": bias is not None} if weight is not None else {}
    owner = owners.of_weights(c, weight=weight, bias=bias)
    fields = shape | _fields("LayerNorm", given)
    return layers.emit(c, "LayerNorm", fields, {"input": c.sym(input)}, owner)


def rms_norm(
    c: Context,
    input: Any,  # noqa: A002  as in torch's function
    normalized_shape: Any,
    weight: Any = None,
    eps: Any = None,
) -> Any:
    """Convert `rms_norm`."""
    sizes = list(normalized_shape)
    shape = {} if len(sizes) == 1 else {"normalized_shape": sizes}
    fields = shape | _fields("RMSNorm", {"eps": eps, "elementwise_affine": weight is not None})
    owner = owners.of_weights(c, weight=weight)
    return layers.emit(c, "RMSNorm", fields, {"input": c.sym(input)}, owner)


def group_norm(
    c: Context,
    input: Any,  # noqa: A002  as in torch's function
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    eps: float = 1e-5,
) -> Any:
    """Convert `group_norm`."""
    given = {"num_groups": num_groups, "eps": eps, "affine": weight is not None}
    owner = owners.of_weights(c, weight=weight, bias=bias)
    fields = _fields("GroupNorm", given)
    return layers.emit(c, "GroupNorm", fields, {"input": c.sym(input)}, owner)


def embedding(c: Context, input: Any, weight: Any, *rest: Any, **named: Any) -> Any:  # noqa: A002
    """Convert `embedding`."""
    names = ("padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse")
    given = dict(zip(names, rest, strict=False)) | named
    rows, width = c.sizes(weight)
    given["padding_idx"] = None if given.get("padding_idx") in {None, -1} else given["padding_idx"]
    fields = _fields("Embedding", {"num_embeddings": rows, "embedding_dim": width} | given)
    owner = owners.of_weights(c, weight=weight)
    return layers.emit(c, "Embedding", fields, {"input": c.sym(input)}, owner)


def prelu(c: Context, input: Any, weight: Any) -> Any:  # noqa: A002
    """Convert `prelu`."""
    owner = owners.of_weights(c, weight=weight)
    fields = _fields("PReLU", {"num_parameters": c.sizes(weight)[0]})
    return layers.emit(c, "PReLU", fields, {"input": c.sym(input)}, owner)


TABLE: dict[str, Any] = {
    "linear": linear,
    **{f"conv{rank}d": convolution(rank) for rank in (1, 2, 3)},
    **{f"conv_transpose{rank}d": convolution(rank, transposed=True) for rank in (1, 2, 3)},
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "group_norm": group_norm,
    "embedding": embedding,
    "prelu": prelu,
}
