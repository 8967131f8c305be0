"""Attentions and transformers with masks by hand: masks change no weight and no multiply-add."""

from __future__ import annotations

from typing import Any

from tests.components.layers.attention import ROWS as ATTENTIONS
from tests.components.layers.contract import Case, Row, Tensor
from tests.components.layers.masks import bools, masked
from tests.components.layers.transformer_rows import ALL, DECODER, ENCODER, SMALL, times
from tests.components.layers.transformer_rows import ROWS as TRANSFORMERS


def _like(row: Row, **fields: Any) -> Row:
    return row._replace(config={row.type: {**row.fields, **fields}})


def _attention(position: int, **masks: Tensor) -> Row:
    return masked(ATTENTIONS[position], "query key value", **masks)


def _transformer(row: Row, **masks: Tensor) -> Row:
    names = "tgt memory" if "Decoder" in row.type else "src tgt"
    return masked(row, names, **masks)


def _first(kind: str) -> Row:
    return next(row for row in TRANSFORMERS if row.type == kind)


def _stack(kind: str, layer: str, field: str, **fields: Any) -> Row:
    row = _first(kind)
    return _like(row, **{field: {layer: {**SMALL, **ALL, **fields}}})


#: Positions among the rows of MultiheadAttention: with dropout, of itself without weights, causal
#: without weights, with positions that are added, of another, and with one head.
WEIGHTS, BARE, DROPS, CAUSAL, ADDED, OTHER, THREE = 0, 2, 3, 9, 16, 19, 21

ATTENTION_ROWS = [
    *[
        row
        for position in (WEIGHTS, BARE, DROPS)
        for row in (
            _attention(position, key_padding_mask=bools(5)),
            _attention(position, key_padding_mask=Tensor((5,))),
            _attention(position, attn_mask=bools(5, 5)),
            _attention(position, attn_mask=Tensor((5, 5))),
            _attention(position, key_padding_mask=bools(5), attn_mask=bools(2, 5, 5)),
        )
    ],
    _attention(BARE, attn_mask=Tensor((2, 5, 5))),
    _attention(BARE, attn_mask=bools(2, 5, 5)),
    _attention(BARE, key_padding_mask=Tensor((5,)), attn_mask=bools(5, 5)),
    _attention(CAUSAL, key_padding_mask=bools(5)),
    _attention(CAUSAL, key_padding_mask=Tensor((5,))),
    _attention(ADDED, key_padding_mask=bools(2)),
    _attention(ADDED, attn_mask=Tensor((2, 2))),
    _attention(OTHER, key_padding_mask=bools(5)),
    _attention(OTHER, attn_mask=bools(3, 5)),
    _attention(THREE, key_padding_mask=bools(5), attn_mask=Tensor((2, 3, 5))),
    *[
        masked(_like(ATTENTIONS[OTHER], num_heads=1), "query key", **masks)
        for masks in (
            {"key_padding_mask": bools(5)},
            {"key_padding_mask": Tensor((5,))},
            {"attn_mask": Tensor((3, 5))},
            {"attn_mask": bools(1, 3, 5)},
        )
    ],
]

_ENCODER = _like(_first(ENCODER), **ALL)
_DECODER = _like(_first(DECODER), **ALL)
_ENCODERS = _stack("TransformerEncoder", ENCODER, "encoder_layer")
_DECODERS = _stack("TransformerDecoder", DECODER, "decoder_layer")
_BOTH = _like(_first("Transformer"), **ALL)
_PADDED = {"src_key_padding_mask": bools(5)}
_MEMORY = {"memory_key_padding_mask": bools(5)}

TRANSFORMER_ROWS = [
    _transformer(_first(ENCODER), **_PADDED),
    _transformer(_ENCODER, **_PADDED),
    _transformer(_ENCODER, src_mask=Tensor((5, 5))),
    _transformer(_ENCODER, src_mask=Tensor((2, 5, 5))),
    _transformer(_ENCODER, src_mask=bools(2, 5, 5), **_PADDED),
    _transformer(_like(_ENCODER, is_causal=True), **_PADDED),
    _transformer(_DECODER, **_MEMORY),
    _transformer(_DECODER, tgt_mask=bools(3, 3), memory_mask=Tensor((3, 5))),
    _transformer(_like(_DECODER, tgt_is_causal=True), tgt_key_padding_mask=bools(3), **_MEMORY),
    _transformer(_ENCODERS, **_PADDED),
    _transformer(_ENCODERS, mask=bools(5, 5)),
    _transformer(_ENCODERS, mask=Tensor((5, 5))),
    _transformer(_ENCODERS, mask=bools(5, 5), **_PADDED),
    _transformer(_like(_ENCODERS, is_causal=True), **_PADDED),
    _transformer(_first("TransformerEncoder"), mask=Tensor((2, 5, 5)), **_PADDED),
    _transformer(_DECODERS, memory_mask=bools(3, 5)),
    _transformer(_DECODERS, tgt_mask=Tensor((2, 3, 3)), **_MEMORY),
    _transformer(_like(_DECODERS, tgt_is_causal=True), tgt_key_padding_mask=Tensor((3,))),
    _transformer(_BOTH, **_PADDED),
    _transformer(_BOTH, src_mask=Tensor((5, 5)), tgt_mask=bools(3, 3), memory_mask=bools(3, 5)),
    _transformer(
        _like(_BOTH, tgt_is_causal=True),
        **_PADDED,
        tgt_key_padding_mask=bools(3),
        **_MEMORY,
    ),
]

ATTENTION_EDGES = [
    Case(
        "MultiheadAttention",
        {"num_heads": 2, **fields},
        (3, 6),
        tuple(masks.values()),
        names=("query", *masks),
    )
    for fields, masks in (
        ({}, {"key_padding_mask": bools(2)}),
        ({}, {"attn_mask": bools(3, 2)}),
        ({}, {"attn_mask": bools(3, 3, 3)}),
        ({}, {"attn_mask": Tensor((3, 3), "int64")}),
        ({}, {"key_padding_mask": Tensor((3,), "uint8")}),
        ({"is_causal": True}, {"attn_mask": bools(3, 3)}),
    )
]
TRANSFORMER_EDGES = [
    Case(
        "Transformer",
        {**SMALL, **times(1, 1)},
        (3, 4),
        (Tensor((2, 4)), *masks.values()),
        names=("src", "tgt", *masks),
    )
    for masks in (
        {"src_mask": bools(2, 2)},
        {"memory_mask": bools(3, 2)},
        {"memory_key_padding_mask": bools(2)},
        {"tgt_key_padding_mask": Tensor((2,), "int64")},
    )
]
