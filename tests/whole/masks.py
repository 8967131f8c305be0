"""Inputs that are given by name only: masks, and the lengths of sequences.

From `docs/language.md`, "Masks" and "Lengths".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils import rnn

from tests.whole.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    Masks = dict[str, torch.Tensor]

_OF_A_DECODER = ("tgt_mask", "memory_mask", "tgt_key_padding_mask", "memory_key_padding_mask")
#: The inputs of each layer that are given by name only.
NAMED: dict[str, tuple[str, ...]] = {
    "MultiheadAttention": ("key_padding_mask", "attn_mask"),
    "ScaledDotProductAttention": ("attn_mask",),
    "TransformerEncoderLayer": ("src_mask", "src_key_padding_mask"),
    "TransformerEncoder": ("mask", "src_key_padding_mask"),
    "TransformerDecoderLayer": _OF_A_DECODER,
    "TransformerDecoder": _OF_A_DECODER,
    "Transformer": (
        *("src_mask", "tgt_mask", "memory_mask"),
        *("src_key_padding_mask", "tgt_key_padding_mask", "memory_key_padding_mask"),
    ),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), ("lengths",)),
}
_DECODING = [
    ("tgt_mask", "tgt_key_padding_mask", 0, 0),
    ("memory_mask", "memory_key_padding_mask", 0, 1),
]
#: Of each attention: its mask of queries and keys, its mask of padding, and the inputs that ask and
#: are seen.
ATTENTIONS: dict[str, list[tuple[str, str, int, int]]] = {
    "MultiheadAttention": [("attn_mask", "key_padding_mask", 0, 1)],
    "TransformerEncoderLayer": [("src_mask", "src_key_padding_mask", 0, 0)],
    "TransformerEncoder": [("mask", "src_key_padding_mask", 0, 0)],
    "TransformerDecoderLayer": _DECODING,
    "TransformerDecoder": _DECODING,
    "Transformer": [
        ("src_mask", "src_key_padding_mask", 0, 0),
        ("tgt_mask", "tgt_key_padding_mask", 1, 1),
        ("memory_mask", "memory_key_padding_mask", 1, 0),
    ],
}


def heads(fields: dict[str, Any]) -> int:
    """Return the number of heads of an attention or of a transformer."""
    for name in ("encoder_layer", "decoder_layer"):
        if name in fields:
            return heads(fields[name][1])
    given = fields["num_heads"] if "num_heads" in fields else fields.get("nhead", 8)
    assert isinstance(given, int)
    return given


def laid_out(kind: str, fields: dict[str, Any], x: Sequence[torch.Tensor], masks: Masks) -> Masks:
    """Return masks as torch reads them.

    Raises:
        Refusal: a mask with another shape or dtype.
    """
    found: Masks = {}
    for queries_and_keys, padding, asks, seen in ATTENTIONS[kind]:
        query, key = x[asks], x[min(seen, len(x) - 1)]
        pair = {name: masks[name] for name in (queries_and_keys, padding) if name in masks}
        for mask in pair.values():
            if mask.dtype not in {torch.bool, torch.float32}:
                raise Refusal(f"a mask of {mask.dtype}")
        if padding in pair and pair[padding].shape != key.shape[:2]:
            raise Refusal("a padding mask for another length")
        if queries_and_keys in pair:
            pair[queries_and_keys] = _of_heads(pair[queries_and_keys], heads(fields), query, key)
        if len({mask.dtype for mask in pair.values()}) > 1:
            pair = {name: _added(mask) for name, mask in pair.items()}
        found |= pair
    return found


def _of_heads(
    mask: torch.Tensor, heads: int, query: torch.Tensor, key: torch.Tensor
) -> torch.Tensor:
    """Return a mask with an axis for all samples and heads."""
    pairs = query.shape[1], key.shape[1]
    if mask.shape[1:] == pairs:
        return mask.repeat_interleave(heads, 0)
    if mask.shape[1:] == (heads, *pairs):
        return mask.reshape(-1, *pairs)
    raise Refusal(f"a mask of {tuple(mask.shape)} for {heads} heads and {pairs}")


def _added(mask: torch.Tensor) -> torch.Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape).masked_fill(mask, -torch.inf)


def causal(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
    """Return a mask that hides the later places from each place of each sample."""
    hidden = torch.ones(query.shape[1], key.shape[1], dtype=torch.bool).triu(1)
    return hidden.expand(len(query), *hidden.shape)


def transformer(
    kind: str, module: nn.Module, fields: dict[str, Any], hidden: dict[str, str]
) -> Any:
    """Return what calls a transformer; `hidden` are its causal fields with their masks."""

    def call(*x: torch.Tensor, **masks: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if masks.keys() & set(hidden.values()):
            raise Refusal("is_causal beside a mask")
        places = {name: (asks, seen) for name, _, asks, seen in ATTENTIONS[kind]}
        made = {name: causal(*(x[at] for at in places[name])) for name in hidden.values()}
        masks = laid_out(kind, fields, x, {**masks, **made})
        # In evaluation torch has shortcuts, which give padded places other values.
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            return (module(*x, **masks, **dict.fromkeys(hidden, True)),)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)

    return call


def packed(module: nn.Module, x: torch.Tensor, state: Any, lengths: torch.Tensor) -> Any:
    """Run a recurrent module up to the end of each sample.

    Raises:
        Refusal: the lengths are no whole number for each sample.
    """
    if lengths.dim() != 1 or lengths.dtype != torch.int64:
        raise Refusal("lengths are one int64 for each sample")
    it = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    y, last = module(it, state)
    return rnn.pad_packed_sequence(y, batch_first=True, total_length=x.shape[1])[0], last
