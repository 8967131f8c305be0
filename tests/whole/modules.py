"""Layers that are modules of torch: their names, what the input decides, and how they are called.

From `docs/language.md`, Items and Inputs and outputs, and torch's own signatures.
"""

from __future__ import annotations

import inspect
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tests.whole import masks
from tests.whole.operations import axis
from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
_FIELDS = {
    "RNN": (*_RECURRENT[:3], "nonlinearity", *_RECURRENT[3:], "bidirectional"),
    "LSTM": (*_RECURRENT, "bidirectional", "proj_size"),
    "GRU": (*_RECURRENT, "bidirectional"),
}
#: Arguments of torch's `forward` that are fields.
_FORWARD = {
    "MultiheadAttention": ("need_weights", "average_attn_weights", "is_causal"),
    "TransformerEncoderLayer": ("is_causal",),
    "TransformerEncoder": ("is_causal",),
    "TransformerDecoderLayer": ("tgt_is_causal", "memory_is_causal"),
    "TransformerDecoder": ("tgt_is_causal", "memory_is_causal"),
    "Transformer": ("src_is_causal", "tgt_is_causal", "memory_is_causal"),
    "MaxUnpool1d": ("output_size",),
    "MaxUnpool2d": ("output_size",),
    "MaxUnpool3d": ("output_size",),
}
_NORMS = [f"{kind}{n}d" for kind in ("BatchNorm", "InstanceNorm") for n in (1, 2, 3)]
_CONVOLUTIONS = [f"Conv{kind}{n}d" for kind in ("", "Transpose") for n in (1, 2, 3)]
_TRANSFORMERS = ("TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer")
_BATCH_FIRST = ("RNN", "LSTM", "GRU", "MultiheadAttention", *_TRANSFORMERS)
_OF_A_DECODER = {"tgt_is_causal": "tgt_mask", "memory_is_causal": "memory_mask"}
#: The masks that fields make.
_CAUSAL: dict[str, dict[str, str]] = {
    "TransformerEncoderLayer": {"is_causal": "src_mask"},
    "TransformerEncoder": {"is_causal": "mask"},
    "TransformerDecoderLayer": _OF_A_DECODER,
    "TransformerDecoder": _OF_A_DECODER,
    "Transformer": {"src_is_causal": "src_mask", **_OF_A_DECODER},
}
#: The names of the inputs of layers that read more than one: those that must be there, and others.
READS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "Subtract": (("input", "other"), ()),
    "Divide": (("input", "other"), ()),
    "MatMul": (("input", "other"), ()),
    "Bilinear": (("input1", "input2"), ()),
    "CosineSimilarity": (("x1", "x2"), ()),
    "PairwiseDistance": (("x1", "x2"), ()),
    "MaxUnpool1d": (("input", "indices"), ()),
    "MaxUnpool2d": (("input", "indices"), ()),
    "MaxUnpool3d": (("input", "indices"), ()),
    "EmbeddingBag": (("input",), ("per_sample_weights",)),
    "RNN": (("input",), ("h_0",)),
    "GRU": (("input",), ("h_0",)),
    "LSTM": (("input",), ("h_0", "c_0")),
    "RNNCell": (("input",), ("hx",)),
    "GRUCell": (("input",), ("hx",)),
    "LSTMCell": (("input",), ("hx", "cx")),
    "MultiheadAttention": (("query",), ("key", "value")),
    "TransformerEncoderLayer": (("src",), ()),
    "TransformerEncoder": (("src",), ()),
    "TransformerDecoderLayer": (("tgt", "memory"), ()),
    "TransformerDecoder": (("tgt", "memory"), ()),
    "Transformer": (("src", "tgt"), ()),
    "Gather": (("input", "index"), ()),
    "TakeAlongDim": (("input", "indices"), ()),
    "Einsum": (("input",), ("other",)),
    "ScaledDotProductAttention": (("query", "key", "value"), ()),
    "Parameter": ((), ()),
    "Constant": ((), ()),
}
MANY = ("Add", "Multiply", "Maximum", "Concat", "Stack")
#: The ranks of inputs with a batch, from torch's pages: "(N, C, L)"; (lowest, highest).
_RANKS: dict[str, tuple[int, int]] = {
    **{f"Conv{kind}{n}d": (n + 2, n + 2) for kind in ("", "Transpose") for n in (1, 2, 3)},
    **{
        f"{kind}{n}d": (n + 2, n + 2)
        for kind in (
            *("MaxPool", "AvgPool", "LPPool", "MaxUnpool", "AdaptiveAvgPool", "AdaptiveMaxPool"),
            *("FractionalMaxPool", "InstanceNorm", "BatchNorm"),
        )
        for n in (1, 2, 3)
    },
    **{
        f"{kind}{n}d": (n + 1, n + 2)  # with or without channels
        for kind in ("ReflectionPad", "ReplicationPad", "CircularPad")
        for n in (1, 2, 3)
    },
    "BatchNorm1d": (2, 3),
    "GroupNorm": (2, 9),
    "LocalResponseNorm": (3, 9),
    "CrossMapLRN2d": (4, 4),
    **dict.fromkeys(_BATCH_FIRST, (3, 3)),
    "TransformerEncoder": (3, 3),
    "TransformerDecoder": (3, 3),
    **dict.fromkeys(("RNNCell", "GRUCell", "LSTMCell", "EmbeddingBag"), (2, 2)),
    **dict.fromkeys(("Linear", "Bilinear", "LayerNorm", "RMSNorm", "PairwiseDistance"), (2, 9)),
    "Fold": (3, 3),
    "Unfold": (4, 4),
    "PixelShuffle": (4, 9),
    "PixelUnshuffle": (4, 9),
    "ChannelShuffle": (3, 9),
    "Upsample": (3, 5),
    "UpsamplingNearest2d": (4, 4),
    "UpsamplingBilinear2d": (4, 4),
    "Softmax2d": (4, 4),
    "Dropout1d": (3, 3),
    "Dropout2d": (4, 4),
    "Dropout3d": (5, 5),
    "FeatureAlphaDropout": (2, 9),
    **{f"{kind}Pad{n}d": (n + 1, 9) for kind in ("Zero", "Constant") for n in (1, 2, 3)},
}


def fields(kind: str) -> tuple[str, ...]:
    """Return the fields of a module, in their order."""
    if kind in _FIELDS:
        return _FIELDS[kind]
    found = inspect.signature(getattr(nn, kind).__init__).parameters
    names = [name for name in found if name not in {"self", "device", "dtype", "_weight"}]
    return (*names, *_FORWARD.get(kind, ()))


def decided(kind: str, x: Sequence[torch.Tensor]) -> dict[str, Any]:
    """Return the fields that the inputs decide."""
    first = x[0].shape
    channels = first[1] if len(first) > 1 else None
    last = first[-1]
    if kind in _CONVOLUTIONS:
        return {"in_channels": channels}
    if kind in _NORMS:
        return {"num_features": channels}
    if kind == "MultiheadAttention":
        key = x[1] if len(x) > 1 else x[0]
        value = x[2] if len(x) > 2 else key
        return {"embed_dim": last, "kdim": key.shape[-1], "vdim": value.shape[-1]}
    if kind == "Bilinear":
        return {"in1_features": last, "in2_features": x[1].shape[-1]}
    if kind in _TRANSFORMERS:
        return {"d_model": last}
    if kind in {"RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"}:
        return {"input_size": last}
    single = {"Linear": ("in_features", last), "GroupNorm": ("num_channels", channels)}
    return dict([single[kind]]) if kind in single else {}


def checked_rank(kind: str, x: Sequence[torch.Tensor]) -> None:
    """Refuse an input that torch would take for one without a batch.

    Raises:
        Refusal: another rank.
    """
    low, high = _RANKS.get(kind, (1, 64))
    reads = x[:1] if kind in {*_RECURRENT, "RNN", "LSTM", "GRU", "EmbeddingBag"} else x
    if any(not low <= t.dim() <= high for t in reads):
        raise Refusal(f"{kind} reads another rank than {[t.dim() for t in x]}")


def checked_places(kind: str, y: Sequence[torch.Tensor], pooled: torch.Size | None) -> None:
    """Refuse to unpool into another shape than the one that was `pooled`."""
    if kind.startswith("MaxUnpool") and pooled is not None and pooled[2:] != y[0].shape[2:]:
        raise Refusal(f"indices into {pooled}, and the result is {y[0].shape}")


def checked_values(kind: str, module: nn.Module, x: Sequence[torch.Tensor]) -> None:
    """Refuse a norm of single values (`docs/language.md`, Differences from torch)."""
    if kind == "GroupNorm" and x[0][0].numel() == module.num_groups:
        raise Refusal("each group has one value")


def checked_axes(kind: str, module: nn.Module, x: Sequence[torch.Tensor]) -> None:
    """Refuse a module that works along the batch axis."""
    rank = x[0].dim()
    if kind in {"Softmax", "LogSoftmax", "Softmin", "GLU", "CosineSimilarity", "Unflatten"}:
        axis(module.dim, rank)
    if kind == "Flatten":
        axis(module.start_dim, rank)
        axis(module.end_dim, rank)
    if kind in {"CosineSimilarity", "PairwiseDistance", "Bilinear"} and x[0].dim() != x[1].dim():
        raise Refusal("inputs of different ranks")


def made(kind: str, arguments: dict[str, Any]) -> nn.Module:
    """Return the module of torch for its fields."""
    given = {key: value for key, value in arguments.items() if key not in _FORWARD.get(kind, ())}
    if kind in _BATCH_FIRST:
        if given.get("batch_first", True) is not True:
            raise Refusal("axis 0 is always the batch")
        given["batch_first"] = True
    if kind == "TransformerEncoder":
        given["enable_nested_tensor"] = False
    with warnings.catch_warnings():
        if kind == "Transformer":  # torch cannot use nested tensors, and netbuild does not
            warnings.simplefilter("ignore")
        module: nn.Module = getattr(nn, kind)(**given)
    return module


_RECURRENT = {"RNN", "GRU", "LSTM", "LSTMCell"}
#: torch refuses permuted inputs of these: docs/language.md, Differences from torch.
_IN_ORDER = {"LocalResponseNorm", "PixelShuffle", "PixelUnshuffle"}


def call(kind: str, module: nn.Module, arguments: dict[str, Any]) -> Callable[..., Any]:
    """Return what computes all results of a module, as a tuple, from its inputs."""
    if kind in _RECURRENT:
        return _recurrent(kind, module)
    if kind == "MultiheadAttention":
        options = {key: arguments[key] for key in _FORWARD[kind] if key in arguments}
        return partial(_attention, module, options, masks.heads(arguments))
    if kind in _CAUSAL:
        hidden = {key: mask for key, mask in _CAUSAL[kind].items() if arguments.get(key)}
        return masks.transformer(kind, module, arguments, hidden)
    if kind == "EmbeddingBag":
        return lambda x, w=None: (module(x, None, w),)
    if kind.startswith("MaxUnpool"):
        size = arguments.get("output_size")
        return lambda x, indices: (module(x, indices, size),)
    if kind in _IN_ORDER:
        return lambda x: (module(x.contiguous()),)
    return module if arguments.get("return_indices") else lambda *x: (module(*x),)


def _recurrent(kind: str, module: nn.Module) -> Callable[..., Any]:
    """Return what computes the results of a recurrent module; an LSTM has two states."""
    if kind == "LSTMCell":
        return lambda x, h=None, c=None: module(x, None if h is None else (h, c))
    if kind == "LSTM":
        return lambda x, h=None, c=None, lengths=None: _stateful(
            module, x, None if h is None else (_turned(h), _turned(c)), lengths
        )
    return lambda x, h=None, lengths=None: _stateful(
        module, x, None if h is None else _turned(h), lengths
    )


def _turned(state: torch.Tensor) -> torch.Tensor:
    return state.transpose(0, 1).contiguous()


def _stateful(
    module: nn.Module, x: torch.Tensor, state: Any, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, ...]:
    y, last = module(x, state) if lengths is None else masks.packed(module, x, state, lengths)
    states = last if isinstance(last, tuple) else (last,)
    return (y, *(h.transpose(0, 1) for h in states))


def _attention(
    module: nn.Module, options: dict[str, Any], heads: int, *x: torch.Tensor, **hidden: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    query = x[0]
    key = x[1] if len(x) > 1 else query
    value = x[2] if len(x) > 2 else key
    options = dict(options)
    if options.pop("is_causal", False):
        if "attn_mask" in hidden:
            raise Refusal("is_causal beside a mask")
        hidden["attn_mask"] = masks.causal(query, key)
        # torch's own hint would hide the positions that these fields add.
        options["is_causal"] = not (module.add_zero_attn or module.bias_k is not None)
    given = masks.laid_out("MultiheadAttention", {"num_heads": heads}, (query, key), hidden)
    y, weights = module(query, key, value, **given, **options)
    return (y,) if weights is None else (y, weights)


def ports(kind: str, results: int) -> tuple[str, ...]:
    """Return the names of the results of a layer."""
    if kind in {"Chunk", "Split"}:
        return tuple(map(str, range(results)))
    if kind in {"Topk", "Sort"}:
        return ("values", "indices")
    further = {
        "LSTM": ("h_n", "c_n"),
        "RNN": ("h_n",),
        "GRU": ("h_n",),
        "LSTMCell": ("c_1",),
        "MultiheadAttention": ("weights",),
    }.get(kind, ("indices",))
    return ("output", *further[: results - 1])
