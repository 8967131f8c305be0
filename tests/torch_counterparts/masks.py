"""Masks and lengths that do not fit, as one writes them in torch."""

from __future__ import annotations

import torch
from torch import nn, zeros


def _attention() -> nn.MultiheadAttention:
    return nn.MultiheadAttention(16, 2, batch_first=True)


def mask_of_another_size() -> None:
    """Scores of 10 queries and 10 keys."""
    x = zeros(2, 10, 16)
    _attention()(x, x, x, attn_mask=zeros(10, 8, dtype=torch.bool))


def mask_by_position() -> None:
    """The fourth argument is the mask, and the layer is called with one too many."""
    x = zeros(2, 10, 16)
    hidden = zeros(2, 10, dtype=torch.bool)
    _attention()(x, x, x, hidden, True, hidden, True, False, hidden)  # type: ignore[call-arg]


def mask_of_whole_numbers() -> None:
    """A mask is bool or floating."""
    x = zeros(2, 10, 16)
    _attention()(x, x, x, key_padding_mask=zeros(2, 10, dtype=torch.int64))


def lengths_of_floats() -> None:
    """A length of half a step."""
    rnn = nn.utils.rnn
    rnn.pack_padded_sequence(zeros(2, 10, 16), torch.tensor([0.0, 0.5]), batch_first=True)
