"""Layers: modules of the catalogue, and the functions of `torch.nn.functional` without weights."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from torch import nn

from netbuild.components.layers import LAYERS
from netbuild.components.tensor import Tensor
from netbuild.exchange.importer import depths, items
from netbuild.exchange.importer.conversion import owners
from netbuild.exchange.importer.conversion.layouts import Axes, Gap, Sym, axis, renumbered
from netbuild.exchange.importer.items import class_of, plain
from netbuild.exchange.importer.recording.functions import name_of
from netbuild.exchange.importer.recording.merging import DROPS, Fixed, Times
from netbuild.exchange.importer.recording.recording import Ref
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.layer import Layer
    from netbuild.exchange.importer.conversion.context import Context

#: Layers that compute along the last axis, wherever the batch is.
_TRAILING = {"Linear", "LayerNorm", "RMSNorm"}
#: Layers whose sequences may have the batch on axis 1.
_SEQUENCES = {
    *("RNN", "LSTM", "GRU", "PackedRNN", "PackedLSTM", "PackedGRU", "MultiheadAttention"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer", "TransformerEncoder"),
    *("TransformerDecoder", "Transformer"),
}
#: Layers along one axis, by the field that names it.
_ALONG = {"Softmax": "dim", "LogSoftmax": "dim", "Softmin": "dim", "GLU": "dim"}
_PORTS = {
    **dict.fromkeys(("RNN", "GRU"), ("output", "h_n")),
    "LSTM": ("output", "h_n", "c_n"),
    "LSTMCell": ("output", "c_1"),
    "MultiheadAttention": ("output", "weights"),
}
_STATES = {"RNN": ("h_0",), "GRU": ("h_0",), "LSTM": ("h_0", "c_0"), "LSTMCell": ("hx", "cx")}


def convert(c: Context) -> Any:
    """Convert the call of a module that the catalogue has."""
    module, call = c.call.target, c.call
    if isinstance(module, items.VIEWS):
        return _view(c, module)
    p = depths.probability(module)
    if p is not None and class_of(module).__name__ not in LAYERS:
        return _skipping(c, p)
    kind = class_of(module).__name__.removeprefix("Packed").removeprefix("Frozen")
    kind = items.packed(class_of(module)) or kind
    given = _bound(module)(*call.args, **call.kwargs)
    inputs, fields = _inputs(c, kind, given)
    fields = items.fields(module, kind) | fields
    if kind in _ALONG:
        fields = _axis(kind, inputs, fields, module)
    beside = items.modifiers(module)
    reason = items.unread_weights(module)
    if reason is not None:
        raise Gap(reason)
    owner = owners.of_module(c, module, beside)
    return emit(c, kind, fields, inputs, owner)


def _skipping(c: Context, p: float) -> Any:
    """Convert a module that skips whole samples in training."""
    x = c.sym(c.call.args[0] if c.call.args else next(iter(c.call.kwargs.values())))
    fields = {"p": p or 0, "mode": "row"}
    return emit(c, "StochasticDepth", fields, {"input": x}, owners.of_module(c, c.call.target, {}))


def _bound(module: nn.Module) -> Any:
    signature = inspect.signature(type(module).forward)

    def bind(*args: Any, **kwargs: Any) -> dict[str, Any]:
        found = signature.bind(module, *args, **kwargs)
        return dict(list(found.arguments.items())[1:])

    return bind


def _view(c: Context, module: Any) -> Any:
    from netbuild.exchange.importer.conversion import views

    c.names.hint(c.call.path)
    try:
        if isinstance(module, nn.Flatten):
            return views.flatten(c, c.call.args[0], module.start_dim, module.end_dim)
        return views.unflatten(c, c.call.args[0], module.dim, module.unflattened_size)
    finally:
        c.names.hint(None)


def _inputs(
    c: Context, kind: str, given: Mapping[str, Any]
) -> tuple[dict[str, Sym], dict[str, Any]]:
    """Return the inputs of an item by name, and the fields that the call gives."""
    layer = LAYERS[kind]
    tensors: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name, value in given.items():
        if name in {"hx", "hidden"} and kind in _STATES and value is not None:
            states = value if isinstance(value, (tuple, list)) else (value,)
            tensors |= dict(zip(_STATES[kind], states, strict=False))
        elif isinstance(value, (Ref, Fixed)):
            tensors[name] = value
        elif name in layer.model_fields and value is not None:
            fields[name] = plain(value)
    for field in [name for name in fields if fields[name] == layer.model_fields[name].default]:
        del fields[field]
    if any(fields.get(name) for name in ("is_causal", "tgt_is_causal", "src_is_causal")):
        for name in ("attn_mask", "mask", "src_mask", "tgt_mask"):
            tensors.pop(name, None)
    return _by_name(layer, {name: c.sym(one) for name, one in tensors.items()}), fields


def _by_name(layer: type[Layer], found: dict[str, Sym]) -> dict[str, Sym]:
    """Return the inputs of a layer by the layer's own names."""
    known = (*layer.inputs, *layer.optional_inputs, *layer.named_inputs)
    if layer.inputs[:1] != (next(iter(found), None),) and found and next(iter(found)) not in known:
        places = zip(known, found.items(), strict=False)
        found = {name if name in known else place: one for place, (name, one) in places}
    attends = layer.__name__ == "MultiheadAttention"
    if attends and found.get("value") == found.get("key"):
        found.pop("value", None)
        if found.get("key") == found["query"]:
            found.pop("key", None)
    return found


def _axis(
    kind: str, inputs: Mapping[str, Sym], fields: Mapping[str, Any], module: Any = None
) -> dict[str, Any]:
    """Return the fields of a layer along an axis, with the axis of the config."""
    x = next(iter(inputs.values()))
    dim = getattr(module, "dim", None) if module is not None else fields.get("dim")
    dim = fields.get("dim", dim)
    if dim is None:
        return dict(fields)
    own = axis(x, dim)
    default = LAYERS[kind].model_fields["dim"].default
    return {**fields, "dim": own} if own != default else {}


def emit(
    c: Context,
    kind: str,
    fields: Mapping[str, Any],
    inputs: Mapping[str, Sym],
    owner: owners.Owner,
) -> Any:
    """Add a layer, and return its results."""
    x = next(iter(inputs.values()))
    _expect(kind, inputs)
    refs = _flat(c.call.result)
    ports = _PORTS.get(kind, ("output", "indices"))[: len(refs)]
    outputs, found = {}, []
    shared = all(one.shared for one in inputs.values())
    for port, ref in zip(ports, refs, strict=False):
        axes, shape = _result(c, kind, x, ref)
        dtype = c.dtype(ref)
        outputs[port] = Tensor(shape, dtype)
        found.append((port, axes))
    first = outputs[ports[0]]
    wires = list(inputs.items())
    if owner.path is None:
        path = c.free(kind)
    else:
        path = owner.path
        c.names.check(path)
    c.add(
        path,
        kind,
        fields,
        wires,
        first.shape,
        first.dtype,
        owner.modifiers,
        reuses=owner.reuses,
        others=outputs,
    )
    c.names.take(path)
    values = [
        Sym(Value(path, port), axes, outputs[port].shape, outputs[port].dtype, shared)
        for port, axes in found
    ]
    return _nested(c.call.result, iter(values))


def _flat(refs: Any) -> list[Ref]:
    if isinstance(refs, Ref):
        return [refs]
    return [one for part in refs or () for one in _flat(part)]


def _nested(refs: Any, values: Any) -> Any:
    if isinstance(refs, Ref):
        return next(values)
    return [_nested(one, values) for one in refs] if refs is not None else None


def _expect(kind: str, inputs: Mapping[str, Sym]) -> None:
    """Refuse an input whose batch is not where the layer wants it."""
    layer = LAYERS[kind]
    if layer.drops and all(x.shared for x in inputs.values()):
        raise Gap("all samples share what it drops, and a config draws for each sample")
    for name, x in inputs.items():
        if kind in _SEQUENCES:
            if any(len(group) > 1 for group in x.axes) and "mask" not in name:
                raise Gap("its batch is merged with another axis")
            continue
        if kind in _ALONG or layer.activates or layer.drops or kind in {"Identity", "Embedding"}:
            if not (layer.drops and not x.plain):
                continue
            if kind == "Dropout":
                continue
        if kind in _TRAILING and x.axes and len(x.axes[-1]) == 1 and x.axes[-1] != (0,):
            continue
        if not x.plain:
            raise Gap("the batch is not its first axis, or is merged with another one")


def _result(c: Context, kind: str, x: Sym, ref: Ref) -> tuple[Axes, tuple[int, ...]]:
    """Return the axes and the shape of a result."""
    sizes = c.sizes(ref)
    if kind in _SEQUENCES or (any(len(sizes) != x.rank + extra for extra in (0,)) and x.plain):
        if kind == "Embedding":
            return _longer(x, sizes)
        batch = next((d for d, n in enumerate(sizes) if isinstance(n, Times)), None)
        if batch is None and x.shared:
            batch = 0 if x.batch is not None else None
        groups = [(0,) if d == batch else (1,) for d in range(len(sizes))]
        return renumbered(groups), tuple(n for d, n in enumerate(sizes) if d != batch)
    if kind == "Embedding":
        return _longer(x, sizes)
    shape = list(x.shape)
    for d, group in enumerate(x.axes):
        if len(group) == 1 and group[0]:
            shape[group[0] - 1] = sizes[d]
    return x.axes, tuple(shape)


def _longer(x: Sym, sizes: tuple[Any, ...]) -> tuple[Axes, tuple[int, ...]]:
    """An embedding adds an axis at the end."""
    return renumbered([*x.axes, (1,)]), (*x.shape, sizes[-1])


def function(kind: str, *order: str, **fixed: Any) -> Any:
    """Return what converts a function that is a layer; `order` names what follows its input."""

    def convert(c: Context, *values: Any, **named: Any) -> Any:
        first = values[0] if values else named.pop("input", named.pop("x", None))
        given = dict(zip(order, values[1:], strict=False)) | named
        for name in ("inplace", "training", "_stacklevel", "_random_samples"):
            given.pop(name, None)
        rank = c.sym(first).rank - 2
        type_ = kind.format(rank=rank)
        layer = LAYERS[type_]
        fields = {}
        for name, value in (fixed | given).items():
            own = plain(value)
            if name in layer.model_fields:
                default = layer.model_fields[name].default
                required = layer.model_fields[name].is_required()
                if (required or own != plain(default)) and own is not None and own != []:
                    fields[name] = own
            elif own not in {None, False}:
                message = f"its argument {name} has no counterpart in a config"
                raise Gap(message)
        if fields.get("stride") == fields.get("kernel_size") and "Pool" in type_:
            fields.pop("stride", None)
        inputs = {layer.inputs[0]: c.sym(first)}
        return emit(c, type_, fields, inputs, owners.NOBODY)

    return convert


def dropout(kind: str) -> Any:
    """Return what converts a functional dropout; one that never drops changes nothing."""

    def convert(
        c: Context,
        input: Any,  # noqa: A002  as in torch's function
        p: float = 0.5,
        training: bool = True,  # noqa: FBT001, FBT002  the same
        inplace: bool = False,  # noqa: FBT001, FBT002  the same
    ) -> Any:
        del inplace
        if c.call.drops:
            name = name_of(c.call.target)
            raise Gap(f"functional.{name} drops values in evaluation too (p={p}), {DROPS}")
        if not training or p == 0:
            return c.sym(input)
        fields = {} if p == 0.5 else {"p": p}
        return emit(c, kind, fields, {"input": c.sym(input)}, owners.NOBODY)

    return convert


_MAX = ("kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("kernel_size", "stride", "padding", "ceil_mode", "count_include_pad")
_SCALED = ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")
TABLE: dict[str, Any] = {
    **{f"max_pool{n}d": function(f"MaxPool{n}d", *_MAX) for n in (1, 2, 3)},
    **{f"max_pool{n}d_with_indices": function(f"MaxPool{n}d", *_MAX) for n in (1, 2, 3)},
    **{f"avg_pool{n}d": function(f"AvgPool{n}d", *_AVERAGE, "divisor_override") for n in (1, 2, 3)},
    **{
        f"adaptive_{way}_pool{n}d": function(f"Adaptive{way.title()}Pool{n}d", "output_size")
        for way in ("avg", "max")
        for n in (1, 2, 3)
    },
    **{
        f"lp_pool{n}d": function(f"LPPool{n}d", "norm_type", "kernel_size", "stride", "ceil_mode")
        for n in (1, 2, 3)
    },
    "interpolate": function("Upsample", *_SCALED),
    "upsample": function("Upsample", *_SCALED),
    "pixel_shuffle": function("PixelShuffle", "upscale_factor"),
    "pixel_unshuffle": function("PixelUnshuffle", "downscale_factor"),
    "channel_shuffle": function("ChannelShuffle", "groups"),
    "unfold": function("Unfold", "kernel_size", "dilation", "padding", "stride"),
    "fold": function("Fold", "output_size", "kernel_size", "dilation", "padding", "stride"),
    "local_response_norm": function("LocalResponseNorm", "size", "alpha", "beta", "k"),
    "hardtanh": function("Hardtanh", "min_val", "max_val"),
    "threshold": function("Threshold", "threshold", "value"),
    "elu": function("ELU", "alpha"),
    "celu": function("CELU", "alpha"),
    "gelu": function("GELU", "approximate"),
    "softsign": function("Softsign"),
    "tanhshrink": function("Tanhshrink"),
    "hardshrink": function("Hardshrink", "lambd"),
    "softshrink": function("Softshrink", "lambd"),
    "logsigmoid": function("LogSigmoid"),
    "log_sigmoid": function("LogSigmoid"),
    "rrelu": function("RReLU", "lower", "upper"),
    "dropout": dropout("Dropout"),
    **{f"dropout{n}d": dropout(f"Dropout{n}d") for n in (1, 2, 3)},
    "alpha_dropout": dropout("AlphaDropout"),
    "feature_alpha_dropout": dropout("FeatureAlphaDropout"),
}
