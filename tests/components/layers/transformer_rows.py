"""Transformers by hand: rows with their shapes, weights and multiply-adds."""

from __future__ import annotations

from typing import Any

from tests.components.layers.attention import (
    attention,
)
from tests.components.layers.contract import (
    Case,
    Row,
    Shape,
    Tensor,
    Weights,
    affine,
)

ENCODER, DECODER = "TransformerEncoderLayer", "TransformerDecoderLayer"


def _inside(name: str, weights: Weights) -> Weights:
    return {f"{name}.{weight}": shape for weight, shape in weights.items()}


def _norm(features: int, *, bias: bool) -> Weights:
    return affine(features) if bias else {"weight": (features,)}


def _layer(features: int, *attentions: str, bias: bool = True) -> Weights:
    """Return the weights of a layer with these attentions, and 8 hidden values."""
    weights: Weights = {}
    for name in attentions:
        weights |= _inside(name, attention(features, bias=bias))
    for name, out, of in (("linear1", 8, features), ("linear2", features, 8)):
        weights |= {f"{name}.weight": (out, of)} | ({f"{name}.bias": (out,)} if bias else {})
    for number in range(len(attentions) + 1):
        weights |= _inside(f"norm{number + 1}", _norm(features, bias=bias))
    return weights


def _encoder(features: int, *, bias: bool = True) -> Weights:
    return _layer(features, "self_attn", bias=bias)


def _decoder(features: int, *, bias: bool = True) -> Weights:
    return _layer(features, "self_attn", "multihead_attn", bias=bias)


def _stack(number: int, layer: Weights, norm: Weights | None = None) -> Weights:
    weights: Weights = {}
    for index in range(number):
        weights |= _inside(f"layers.{index}", layer)
    return weights | _inside("norm", norm or {})


def _both(encoder: int, decoder: int, features: int, *, bias: bool = True) -> Weights:
    norm = _norm(features, bias=bias)
    weights = _inside("encoder", _stack(encoder, _encoder(features, bias=bias), norm))
    return weights | _inside("decoder", _stack(decoder, _decoder(features, bias=bias), norm))


def _row(
    kind: str, fields: dict[str, Any], macs: int, weights: Weights, x: Shape, *others: Shape
) -> Row:
    given = tuple(Tensor(shape) for shape in others)
    output = others[0] if kind == "Transformer" else x
    return Row({kind: fields}, x, output, weights, macs, given)


#: Two heads, and 8 hidden values.
SMALL = {"nhead": 2, "dim_feedforward": 8}


FIRST = {"norm_first": True}


GELU = {"activation": "gelu"}


#: All values are kept.
ALL = {"dropout": 0.0}


def _of(kind: str, **fields: Any) -> dict[str, Any]:
    return {kind: {**SMALL, **fields}}


def times(encoder: int, decoder: int) -> dict[str, int]:
    return {"num_encoder_layers": encoder, "num_decoder_layers": decoder}


ROWS = [
    # 4·5·6² to project, 2·5²·6 to attend, 2·5·6·8 behind.
    _row(ENCODER, SMALL, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **ALL}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **FIRST, **ALL}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, "is_causal": True}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **ALL, "is_causal": True}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, **ALL, "dropout": 0}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, **FIRST, "dropout": 0.5}, 1_500, _encoder(6), (5, 6)),
    _row(ENCODER, {**SMALL, **GELU, "dropout": 1.0}, 1_500, _encoder(6), (5, 6)),
    _row(
        ENCODER,
        {**SMALL, "nhead": 3, "bias": False, "d_model": 6},
        1_500,
        _encoder(6, bias=False),
        (5, 6),
    ),
    # A length of 1: 4·4² + 2·4 + 2·4·8.
    _row(ENCODER, {**SMALL, **ALL}, 136, _encoder(4), (1, 4)),
    _row(ENCODER, {**SMALL, **FIRST, "dropout": 1.0}, 136, _encoder(4), (1, 4)),
    # 4·3·4² + 2·3²·4 + 2·3·4·8 as in an encoder, 2·3·4² + 2·5·4² + 2·3·5·4 for the memory.
    _row(DECODER, SMALL, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **FIRST, **ALL}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, "tgt_is_causal": True}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **ALL, "memory_is_causal": True}, 832, _decoder(4), (3, 4), (5, 4)),
    _row(DECODER, {**SMALL, **GELU, **ALL}, 832, _decoder(4), (3, 4), (5, 4)),
    # A memory of length 1: 456 as in an encoder, 2·3·4² + 2·4² + 2·3·4.
    _row(DECODER, {**SMALL, "bias": False}, 608, _decoder(4, bias=False), (3, 4), (1, 4)),
    # Both of length 1: 136 as in an encoder, 4·4² + 2·4.
    _row(DECODER, {**SMALL, **ALL, "layer_norm_eps": 0.1}, 208, _decoder(4), (1, 4), (1, 4)),
    _row(
        "TransformerEncoder",
        {"encoder_layer": _of(ENCODER), "num_layers": 2},
        2 * 1_500,
        _stack(2, _encoder(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {"encoder_layer": _of(ENCODER, **ALL), "num_layers": 2, "is_causal": True},
        2 * 1_500,
        _stack(2, _encoder(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {
            "encoder_layer": _of(ENCODER, **ALL, **FIRST, **GELU),
            "num_layers": 2,
            "norm": "LayerNorm",
            "mask_check": False,
        },
        2 * 1_500,
        _stack(2, _encoder(6), affine(6)),
        (5, 6),
    ),
    _row(
        "TransformerEncoder",
        {
            "encoder_layer": {ENCODER: {"nhead": 1, "dim_feedforward": 8, "bias": False}},
            "num_layers": 1,
            "norm": {"RMSNorm": {"eps": 0.001}},
            "enable_nested_tensor": False,
        },
        136,
        _stack(1, _encoder(4, bias=False), {"weight": (4,)}),
        (1, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER), "num_layers": 2, "norm": {"LayerNorm": {"bias": False}}},
        2 * 832,
        _stack(2, _decoder(4), {"weight": (4,)}),
        (3, 4),
        (5, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **ALL), "num_layers": 2, "tgt_is_causal": True},
        2 * 832,
        _stack(2, _decoder(4)),
        (3, 4),
        (5, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **ALL, bias=False), "num_layers": 3},
        3 * 608,
        _stack(3, _decoder(4, bias=False)),
        (3, 4),
        (1, 4),
    ),
    _row(
        "TransformerDecoder",
        {"decoder_layer": _of(DECODER, **FIRST), "num_layers": 2, "norm": "RMSNorm"},
        2 * 208,
        _stack(2, _decoder(4), {"weight": (4,)}),
        (1, 4),
        (1, 4),
    ),
    # 4·5·4² + 2·5²·4 + 2·5·4·8 for an encoder layer, 832 for a decoder layer.
    _row("Transformer", {**SMALL, **times(2, 1)}, 2 * 840 + 832, _both(2, 1, 4), (5, 4), (3, 4)),
    _row(
        "Transformer",
        {**SMALL, **times(2, 1), **ALL, "tgt_is_causal": True, "src_is_causal": True},
        2 * 840 + 832,
        _both(2, 1, 4),
        (5, 4),
        (3, 4),
    ),
    _row(
        "Transformer",
        {**SMALL, **times(1, 1), **ALL, "memory_is_causal": True, "src_is_causal": True},
        840 + 832,
        _both(1, 1, 4),
        (5, 4),
        (3, 4),
    ),
    # A source of length 1: 136 for an encoder layer, 608 for a decoder layer.
    _row(
        "Transformer",
        {**SMALL, **times(1, 2), **ALL, **GELU, **FIRST, "bias": False},
        136 + 2 * 608,
        _both(1, 2, 4, bias=False),
        (1, 4),
        (3, 4),
    ),
]


EDGES = [
    *[
        Case(ENCODER, {"dim_feedforward": 3, **fields}, x)
        for fields, x in (
            ({"nhead": 4}, (3, 6)),
            ({"nhead": 2, "d_model": 4}, (3, 6)),
            ({"nhead": 2}, (2, 3, 6)),
            ({"nhead": 2, "activation": "tanh"}, (3, 6)),
            ({"nhead": 2, "dropout": 1.5}, (3, 6)),
            ({"nhead": 1}, (1, 1)),
        )
    ],
    *[
        Case(DECODER, {"nhead": 2, "dim_feedforward": 3}, x, (Tensor(memory),))
        for x, memory in (((3, 4), (3, 6)), ((3, 4), (4,)), ((4,), (3, 4)), ((3, 4), (2, 3, 4)))
    ],
    *[
        Case("TransformerEncoder", {"encoder_layer": _of(ENCODER, **fields), **stack}, (3, 6))
        for fields, stack in (
            ({}, {"num_layers": 0}),
            ({"nhead": 4}, {"num_layers": 1}),
            ({"d_model": 4}, {"num_layers": 1}),
            ({}, {"num_layers": 1, "norm": {"LayerNorm": {"normalized_shape": 4}}}),
            ({}, {"num_layers": 1, "norm": {"LayerNorm": {"normalized_shape": [3, 6]}}}),
            ({}, {"num_layers": 1, "norm": {"RMSNorm": {"elementwise_affine": False}}}),
        )
    ],
    *[
        Case("Transformer", {**SMALL, **fields}, x, (Tensor(tgt),))
        for fields, x, tgt in (
            (times(0, 1), (3, 4), (3, 4)),
            (times(1, 0), (3, 4), (3, 4)),
            (times(1, 1), (3, 4), (3, 6)),
            (times(1, 1), (3, 4), (4,)),
            ({**times(1, 1), "nhead": 4}, (3, 6), (3, 6)),
        )
    ],
]
