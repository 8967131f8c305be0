"""Draws one layer for the tensor that arrives: its type and its fields. Most draws fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Shape = list[int]
    Fields = Any
    Draw = Callable[[random.Random, Shape], Any]


def _ints(rng: random.Random, low: int, high: int) -> int:
    return rng.randint(low, high)


def _axis(rng: random.Random, shape: Shape, *, more: int = 0) -> int:
    """Return an axis of a tensor with a batch; now and then one that does not exist."""
    rank = len(shape) + 1 + more
    if rank < 2 or rng.random() < 0.02:
        return rng.choice([0, rank, -rank])
    dim = rng.randrange(1, rank)
    return dim if rng.random() < 0.7 else dim - rank


def _size(rng: random.Random) -> int:
    return rng.choice([1, 2, 2, 3, 4, 4, 6, 8])


def _kernel(rng: random.Random, shape: Shape) -> dict[str, Any]:
    fields: dict[str, Any] = {"kernel_size": rng.choice([1, 2, 2, 3, 3])}
    if rng.random() < 0.4:
        fields["stride"] = rng.choice([1, 2])
    if rng.random() < 0.4:
        fields["padding"] = 1
    del shape
    return fields


def _convolution(rng: random.Random, shape: Shape) -> dict[str, Any]:
    fields = {"out_channels": _size(rng), **_kernel(rng, shape)}
    if rng.random() < 0.15:
        fields["groups"] = rng.choice([1, 2])
    if rng.random() < 0.15:
        fields["bias"] = False
    if rng.random() < 0.1:
        fields["dilation"] = 2
    return fields


def _pool(rng: random.Random, shape: Shape) -> Any:
    fields = _kernel(rng, shape)
    if fields["kernel_size"] < 2:
        fields.pop("padding", None)
    return fields if len(fields) > 1 or rng.random() < 0.5 else fields["kernel_size"]


def _max_pool(rng: random.Random, shape: Shape) -> Any:
    fields = _pool(rng, shape)
    if isinstance(fields, dict) and rng.random() < 0.5:
        fields["return_indices"] = True
    return fields


def _recurrent(rng: random.Random, shape: Shape) -> Any:
    del shape
    fields: dict[str, Any] = {"hidden_size": _size(rng)}
    if rng.random() < 0.3:
        fields["bidirectional"] = True
    if rng.random() < 0.2:
        fields["num_layers"] = 2
    if rng.random() < 0.1:
        fields["bias"] = False
    return fields if len(fields) > 1 else fields["hidden_size"]


def _attention(rng: random.Random, shape: Shape) -> Any:
    fields: dict[str, Any] = {"num_heads": rng.choice([1, 1, 2]) if shape[-1] % 2 == 0 else 1}
    for name in ("need_weights", "average_attn_weights", "bias"):
        if rng.random() < 0.2:
            fields[name] = False
    if rng.random() < 0.25:
        fields["is_causal"] = True
    for name in ("add_bias_kv", "add_zero_attn"):
        if rng.random() < 0.07:
            fields[name] = True
    return fields if len(fields) > 1 else fields["num_heads"]


def _transformer(rng: random.Random, shape: Shape) -> dict[str, Any]:
    heads = 2 if shape[-1] % 2 == 0 else 1
    fields = {"nhead": heads, "dim_feedforward": 4, "dropout": 0.0}
    if rng.random() < 0.3:
        fields["norm_first"] = True
    if rng.random() < 0.3:
        fields["activation"] = "gelu"
    return fields


def _causal(rng: random.Random, fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**fields, **{name: True for name in names if rng.random() < 0.3}}


def _encoder_layer(rng: random.Random, shape: Shape) -> dict[str, Any]:
    return _causal(rng, _transformer(rng, shape), "is_causal")


def _encoder(rng: random.Random, shape: Shape) -> dict[str, Any]:
    layer = {"TransformerEncoderLayer": _transformer(rng, shape)}
    fields = {"encoder_layer": layer, "num_layers": rng.choice([1, 1, 2])}
    return _causal(rng, fields, "is_causal")


def _decoder_layer(rng: random.Random, shape: Shape) -> dict[str, Any]:
    return _causal(rng, _transformer(rng, shape), "tgt_is_causal", "memory_is_causal")


def _decoder(rng: random.Random, shape: Shape) -> dict[str, Any]:
    layer = {"TransformerDecoderLayer": _transformer(rng, shape)}
    fields = {"decoder_layer": layer, "num_layers": rng.choice([1, 1, 2])}
    return _causal(rng, fields, "tgt_is_causal", "memory_is_causal")


def _both(rng: random.Random, shape: Shape) -> dict[str, Any]:
    fields = {"num_encoder_layers": 1, "num_decoder_layers": 1, **_transformer(rng, shape)}
    return _causal(rng, fields, "src_is_causal", "tgt_is_causal", "memory_is_causal")


def _reshape(rng: random.Random, shape: Shape) -> Any:
    sizes = list(shape)
    if len(sizes) > 1 and rng.random() < 0.5:
        at = rng.randrange(len(sizes) - 1)
        sizes[at : at + 2] = [sizes[at] * sizes[at + 1]]
    else:
        sizes.reverse()
    if sizes and rng.random() < 0.5:
        sizes[rng.randrange(len(sizes))] = -1
    return {"shape": sizes} if rng.random() < 0.5 or not sizes else sizes


def _permute(rng: random.Random, shape: Shape) -> Any:
    dims = list(range(1, len(shape) + 1))
    rng.shuffle(dims)
    return [0, *dims]


def _expand(rng: random.Random, shape: Shape) -> Any:
    return [rng.choice([2, 3]) if n == 1 else n for n in shape]


def _unflatten(rng: random.Random, shape: Shape) -> Any:
    at = rng.randrange(len(shape))
    parts = [2, -1] if shape[at] % 2 == 0 else [1, shape[at]]
    return {"dim": at + 1, "unflattened_size": parts}


def _narrow(rng: random.Random, shape: Shape) -> Any:
    at = rng.randrange(len(shape))
    start = rng.randrange(shape[at])
    return {"dim": at + 1, "start": start, "length": rng.randint(1, shape[at] - start)}


def _select(rng: random.Random, shape: Shape) -> Any:
    at = rng.randrange(len(shape))
    return {"dim": at + 1, "index": rng.choice([0, -1, shape[at] - 1])}


def _chunk(rng: random.Random, shape: Shape) -> Any:
    dims = [at + 1 for at, n in enumerate(shape) if n > 1] or [1]
    dim = rng.choice(dims)
    chunks = 2 if rng.random() < 0.8 or shape[dim - 1] != 3 else 3
    return chunks if dim == 1 and rng.random() < 0.6 else {"chunks": chunks, "dim": dim}


def _reduction(rng: random.Random, shape: Shape) -> Any:
    dim: Any = _axis(rng, shape)
    if rng.random() < 0.2 and len(shape) > 1:
        dim = [1, 2]
    return {"dim": dim, "keepdim": True} if rng.random() < 0.4 else dim


def _inplace(rng: random.Random, shape: Shape) -> Any:
    del shape
    return {"inplace": True} if rng.random() < 0.35 else None


def _dropout(rng: random.Random, shape: Shape) -> Any:
    del shape
    fields = {"p": 0.0} if rng.random() < 0.7 else {"p": 0.5}
    return {**fields, "inplace": True} if rng.random() < 0.3 else fields


def _always(fields: Any) -> Draw:
    return lambda *_: fields


def _none(rng: random.Random, shape: Shape) -> None:
    del rng, shape


def _dim(rng: random.Random, shape: Shape) -> Any:
    return _axis(rng, shape)


def _over_dim(rng: random.Random, shape: Shape) -> Any:
    return {"dim": _axis(rng, shape)}


def _norm(rng: random.Random, shape: Shape) -> Any:
    if len(shape) > 1 and rng.random() < 0.3:
        return {"normalized_shape": shape[-2:]}
    return None


def _group_norm(rng: random.Random, shape: Shape) -> Any:
    return rng.choice([n for n in (1, 2, 3, 4) if shape[0] % n == 0])


def _padding(rng: random.Random, shape: Shape) -> Any:
    del shape
    return rng.choice([1, 1, 2])


def _adaptive(rng: random.Random, shape: Shape) -> Any:
    del shape
    return rng.choice([1, 2, 3])


def _batch_norm(rng: random.Random, shape: Shape) -> Any:
    del shape
    return {"affine": False} if rng.random() < 0.1 else None


def _linear(rng: random.Random, shape: Shape) -> Any:
    width = shape[-1] if shape and rng.random() < 0.5 else _size(rng)
    if rng.random() < 0.1:
        return {"out_features": width, "bias": False}
    return {"out_features": width} if rng.random() < 0.2 else width


def _size_draw(rng: random.Random, shape: Shape) -> Any:
    return rng.choice([shape[-1], _size(rng)]) if shape else _size(rng)


_OVER = ["ReLU", "ReLU6", "ELU", "LeakyReLU", "SiLU", "Hardtanh", "SELU", "CELU", "Mish"]
_OVER += ["Hardswish", "Hardsigmoid"]
_PLAIN = ["Sigmoid", "Tanh", "GELU", "Softplus", "Softsign", "Tanhshrink", "Hardshrink"]
_PLAIN += ["Softshrink", "LogSigmoid", "Identity", "PReLU"]

ANY: list[tuple[int, str, Draw]] = [
    *[(3, kind, _inplace) for kind in _OVER],
    *[(2, kind, _none) for kind in _PLAIN],
    (4, "Dropout", _dropout),
    (1, "AlphaDropout", _always({"p": 0.0})),
    (1, "Threshold", _always({"threshold": 0.1, "value": 2.0})),
]
VIEWS: list[tuple[int, str, Draw]] = [
    (5, "Flatten", _none),
    (5, "Reshape", _reshape),
    (5, "Permute", _permute),
    (4, "Transpose", lambda rng, shape: [_axis(rng, shape), _axis(rng, shape)]),
    (2, "Squeeze", _dim),
    (3, "Unsqueeze", lambda rng, shape: _axis(rng, shape, more=1)),
    (4, "Expand", _expand),
    (3, "Unflatten", _unflatten),
    (2, "Roll", lambda rng, shape: {"shifts": 1, "dims": _axis(rng, shape)}),
    (5, "Narrow", _narrow),
    (5, "Chunk", _chunk),
    (3, "Select", _select),
]
AXES: list[tuple[int, str, Draw]] = [
    (20, "Linear", _linear),
    (3, "RMSNorm", _norm),
    (3, "LayerNorm", _norm),
    *[(2, kind, _dim) for kind in ("Softmax", "LogSoftmax", "Softmin", "GLU")],
    (4, "Mean", _reduction),
    (3, "Sum", _reduction),
    (3, "Amax", _reduction),
    *[(1, kind, _over_dim) for kind in ("Prod", "Logsumexp", "VectorNorm", "Std")],
    *[(1, kind, _over_dim) for kind in ("Var", "Argmax", "Cumsum", "Cumprod", "Normalize", "Sort")],
    (1, "Flip", _dim),
    (1, "RepeatInterleave", lambda rng, shape: {"repeats": 2, "dim": _axis(rng, shape)}),
    (1, "Topk", lambda rng, shape: {"k": 1, "dim": _axis(rng, shape)}),
    (1, "Split", lambda rng, shape: [shape[0] - rng.choice([0, 1]), 1]),
    (1, "Tril", _none),
    (1, "Detach", _none),
    (1, "Diagonal", _none),
    (1, "Pad", lambda rng, _: {"pad": rng.choice([[1, 1], [0, 2], [-1, 1], [1, 0, 0, 1]])}),
    (1, "RandnLike", _none),
]
WHOLE: list[tuple[int, str, Draw]] = [
    (3, "Sum", _reduction),
    (2, "Amax", _reduction),
    (1, "ReLU", _none),
    (1, "Identity", _none),
    (1, "Linear", _linear),
]


def _spatial(n: int) -> list[tuple[int, str, Draw]]:
    pads = [(1, f"{kind}Pad{n}d", _padding) for kind in ("Zero", "Reflection", "Replication")]
    return [
        (12, f"Conv{n}d", _convolution),
        (3, f"ConvTranspose{n}d", _convolution),
        (4, f"BatchNorm{n}d", _batch_norm),
        (2, f"InstanceNorm{n}d", _none),
        (5, f"MaxPool{n}d", _max_pool),
        (4, f"AvgPool{n}d", _pool),
        (2, f"AdaptiveAvgPool{n}d", _adaptive),
        (2, f"AdaptiveMaxPool{n}d", _adaptive),
        (1, f"LPPool{n}d", _always({"norm_type": 2, "kernel_size": 2})),
        (3, "GroupNorm", _group_norm),
        (1, "LocalResponseNorm", _always(2)),
        (2, "Upsample", _always({"scale_factor": 2})),
        (1, f"Dropout{n}d", _always(0.0)),
        (2, "ChannelShuffle", _group_norm),
        *pads,
    ]


RANKS: dict[int, list[tuple[int, str, Draw]]] = {
    0: [],
    1: [
        (4, "BatchNorm1d", _batch_norm),
        (3, "RNNCell", _size_draw),
        (3, "GRUCell", _size_draw),
        (3, "LSTMCell", _size_draw),
    ],
    2: [
        *_spatial(1),
        (7, "RNN", _recurrent),
        (7, "LSTM", _recurrent),
        (9, "GRU", _recurrent),
        (9, "MultiheadAttention", _attention),
        (2, "TransformerEncoderLayer", _encoder_layer),
        (1, "TransformerEncoder", _encoder),
        (4, "TransformerDecoderLayer", _decoder_layer),
        (2, "TransformerDecoder", _decoder),
        (2, "Transformer", _both),
    ],
    3: [
        *_spatial(2),
        (2, "PixelShuffle", _always(2)),
        (2, "PixelUnshuffle", _always(2)),
        (2, "Unfold", _always(2)),
        (1, "Softmax2d", _none),
    ],
    4: _spatial(3),
}
#: Joins, and how many they read: the most is drawn.
JOINS: list[tuple[int, str, int]] = [
    (8, "Add", 3),
    (4, "Subtract", 2),
    (7, "Multiply", 3),
    (2, "Divide", 2),
    (2, "Maximum", 3),
    (6, "Concat", 3),
    (3, "Stack", 3),
    (4, "MatMul", 2),
    (1, "Bilinear", 2),
    (1, "CosineSimilarity", 2),
    (1, "PairwiseDistance", 2),
]


def weighted(rng: random.Random, table: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """Return an entry of a table whose entries begin with their weight."""
    return rng.choices(table, [entry[0] for entry in table])[0]


def layer(rng: random.Random, shape: Shape, *, floating: bool, whole: bool) -> tuple[str, Any]:
    """Return the type and the fields of a layer for a tensor; `whole` numbers can be indices."""
    if whole and rng.random() < 0.5:
        kind = "EmbeddingBag" if len(shape) == 1 and rng.random() < 0.3 else "Embedding"
        return kind, {"num_embeddings": 9, "embedding_dim": rng.choice([2, 4])}
    if not floating:
        table = [*VIEWS, *WHOLE] if shape else WHOLE
    elif not shape:
        table = ANY
    elif rng.random() < 0.02:  # a layer of another rank
        table = RANKS[rng.choice([1, 2, 3, 4])]
    else:
        own = RANKS.get(len(shape), []) or AXES
        table = rng.choices([own, AXES, ANY, VIEWS], [5, 3, 4, 3])[0]
    _, kind, draw = weighted(rng, table)
    try:
        return kind, draw(rng, shape)
    except IndexError:  # it draws for more axes
        return "Identity", None


def width(rng: random.Random) -> int:
    """Return a number of features."""
    return _size(rng)
