"""Masks against a slow computation by hand, in training and in evaluation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.nn import functional

from netbuild.builder.module import module as build
from netbuild.components.tensor import Tensor
from tests.components.layers.contract import graph_of
from tests.components.layers.masks import bools

if TYPE_CHECKING:
    from torch import nn

N, HEADS, L, S, E = 3, 2, 4, 5, 8

Masks = dict[str, torch.Tensor]


def slowly(
    attention: nn.MultiheadAttention,
    x: tuple[torch.Tensor, ...],
    mask: torch.Tensor | None = None,
    padding: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return attention score by score. A mask is (N, L, S), or (N, heads, L, S)."""
    weights, biases = attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3)
    q, k, v = (t @ w.T + b for t, w, b in zip((*x, x[-1], x[-1]), weights, biases, strict=False))
    size = E // HEADS
    found = torch.zeros_like(q)
    for n in range(len(q)):
        for head in range(HEADS):
            part = slice(head * size, head * size + size)
            for place in range(q.shape[1]):
                scores = torch.stack([q[n, place, part] @ key[part] for key in k[n]])
                scores = scores / math.sqrt(size)
                if mask is not None:
                    own = mask[n] if mask.dim() == 3 else mask[n, head]
                    scores = _with(scores, own[place])
                if padding is not None:
                    scores = _with(scores, padding[n])
                found[n, place, part] = scores.softmax(0) @ v[n, :, part]
    return found @ attention.out_proj.weight.T + attention.out_proj.bias


def _with(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return scores + mask if mask.is_floating_point() else scores.masked_fill(mask, -torch.inf)


def encoded(layer: nn.TransformerEncoderLayer, x: torch.Tensor, *masks: Any) -> torch.Tensor:
    """Return what an encoder layer gives, by hand."""
    y = layer.norm1(x + slowly(layer.self_attn, (x,), *masks))
    return layer.norm2(y + layer.linear2(functional.relu(layer.linear1(y))))


def decoded(
    layer: nn.TransformerDecoderLayer, x: torch.Tensor, memory: torch.Tensor, *masks: Any
) -> torch.Tensor:
    """Return what a decoder layer gives, by hand: two masks for itself, two for the memory."""
    y = layer.norm1(x + slowly(layer.self_attn, (x,), *masks[:2]))
    y = layer.norm2(y + slowly(layer.multihead_attn, (y, memory), *masks[2:]))
    return layer.norm3(y + layer.linear2(functional.relu(layer.linear1(y))))


def compare(kind: str, fields: dict[str, Any], x: dict[str, torch.Tensor], by_hand: Any) -> None:
    """Compare a network of one layer with a computation by hand, in three modes."""
    tensors = [Tensor(tuple(t.shape[1:]), str(t.dtype).removeprefix("torch.")) for t in x.values()]
    wires = dict(zip(x, (f"in{n}" for n in range(len(x))), strict=True))
    item = {kind: fields, "inputs": wires if len(x) > 1 else "input"}
    graph = graph_of([item], *tensors)
    assert graph.block is not None, graph.diagnostics
    module = build(graph)
    for p in module.parameters():  # torch has no biases at first
        torch.nn.init.normal_(p, std=0.4)
    with torch.no_grad():
        expected = by_hand(module.get_submodule("0"))
        evaluated = module.eval()(*x.values())
        trained = module.train()(*x.values())
    learning = module(*x.values()).detach()
    for y in (evaluated, trained, learning):
        torch.testing.assert_close(y, expected, rtol=1e-4, atol=1e-5)


def padding(length: int) -> torch.Tensor:
    """Return a mask of places behind the end of each sample, and one before its start."""
    hidden = torch.arange(length) >= torch.tensor([[length], [2], [length - 1]])
    hidden[2, 0] = True
    return hidden


def hiding(*shape: int) -> torch.Tensor:
    """Return a mask of bools that leaves each query a key."""
    hidden = torch.rand(N, *shape) < 0.5
    hidden[..., 1] = False
    return hidden


def drawn(*shape: int) -> torch.Tensor:
    """Return a mask of numbers, or an input."""
    return torch.randn(N, *shape)


def causal(queries: int, keys: int) -> torch.Tensor:
    """Return the mask of later keys for each sample."""
    return torch.ones(queries, keys, dtype=torch.bool).triu(1).expand(N, -1, -1)


MASKS = {
    "padding": lambda _, keys: (None, padding(keys)),
    "numbers for keys": lambda _, keys: (None, drawn(keys)),
    "bools of each sample": lambda rows, keys: (hiding(rows, keys), None),
    "numbers of each sample": lambda rows, keys: (drawn(rows, keys), None),
    "bools of each head": lambda rows, keys: (hiding(HEADS, rows, keys), None),
    "numbers of each head": lambda rows, keys: (drawn(HEADS, rows, keys), None),
    "both": lambda rows, keys: (hiding(rows, keys) & ~padding(keys)[:, None, :1], padding(keys)),
    "numbers and padding": lambda rows, keys: (drawn(rows, keys), padding(keys)),
}


def given(**masks: torch.Tensor | None) -> Masks:
    """Return the masks that are there."""
    return {name: mask for name, mask in masks.items() if mask is not None}


@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("weights", [False, True])
def test_attention(kind: str, weights: bool) -> None:  # noqa: FBT001
    """Attention of itself has a fast path in evaluation; attention of another has none."""
    torch.manual_seed(1)
    fields = {"num_heads": HEADS, "need_weights": weights}
    for x in ((drawn(L, E),), (drawn(L, E), drawn(S, E))):
        mask, hidden = MASKS[kind](L, x[-1].shape[1])
        inputs = dict(zip(("query", "key"), x, strict=False))
        masks = given(key_padding_mask=hidden, attn_mask=mask)
        compare(
            "MultiheadAttention",
            fields,
            inputs | masks,
            lambda m, x=x, mask=mask, hidden=hidden: slowly(m, x, mask, hidden),
        )


FIELDS = {"nhead": HEADS, "dim_feedforward": 6, "dropout": 0.0}


@pytest.mark.parametrize("kind", MASKS)
def test_encoders(kind: str) -> None:
    """A layer and a stack: in evaluation, the fused layer and nested tensors keep away."""
    torch.manual_seed(2)
    x = drawn(S, E)
    mask, hidden = MASKS[kind](S, S)
    masks = given(src_mask=mask, src_key_padding_mask=hidden)
    compare(
        "TransformerEncoderLayer", FIELDS, {"src": x} | masks, lambda m: encoded(m, x, mask, hidden)
    )
    masks = given(mask=mask, src_key_padding_mask=hidden)

    def stack(module: Any) -> torch.Tensor:
        y = x
        for layer in module.layers:
            y = encoded(layer, y, mask, hidden)
        return y

    fields = {"encoder_layer": {"TransformerEncoderLayer": FIELDS}, "num_layers": 2}
    compare("TransformerEncoder", fields, {"src": x} | masks, stack)


@pytest.mark.parametrize("kind", MASKS)
def test_whole_transformers(kind: str) -> None:
    """All masks of an encoder and a decoder at once."""
    torch.manual_seed(3)
    src, tgt = drawn(S, E), drawn(L, E)
    sizes = {"src": (S, S), "tgt": (L, L), "memory": (L, S)}
    masks = {name: MASKS[kind](*size) for name, size in sizes.items()}
    inputs = {"src": src, "tgt": tgt}
    inputs |= given(**{f"{name}_mask": mask for name, (mask, _) in masks.items()})
    inputs |= given(**{f"{name}_key_padding_mask": hidden for name, (_, hidden) in masks.items()})

    def by_hand(module: Any) -> torch.Tensor:
        memory = module.encoder.norm(encoded(module.encoder.layers[0], src, *masks["src"]))
        y = decoded(module.decoder.layers[0], tgt, memory, *masks["tgt"], *masks["memory"])
        return module.decoder.norm(y)

    compare(
        "Transformer", {**FIELDS, "num_encoder_layers": 1, "num_decoder_layers": 1}, inputs, by_hand
    )


@pytest.mark.parametrize("numbers", [False, True])
def test_causal_beside_padding(numbers: bool) -> None:  # noqa: FBT001
    """is_causal hides later places, and a mask of padding hides padded ones too."""
    torch.manual_seed(4)
    x = drawn(S, E)
    hidden = torch.arange(S) >= torch.tensor([[S], [2], [3]])
    later = causal(S, S)
    hides = torch.where(hidden, -torch.inf, 0.0) if numbers else hidden
    inputs = {"query": x, "key_padding_mask": hides}
    for weights in (False, True):
        fields = {"num_heads": HEADS, "is_causal": True, "need_weights": weights}
        compare("MultiheadAttention", fields, inputs, lambda m: slowly(m, (x,), later, hidden))
    inputs = {"src": x, "src_key_padding_mask": hides}
    fields = {**FIELDS, "is_causal": True}
    compare("TransformerEncoderLayer", fields, inputs, lambda m: encoded(m, x, later, hidden))


def test_a_reuse_brings_masks() -> None:
    """A module that is made without masks evaluates as it trains where a Reuse gives them."""
    layer = {
        "TransformerEncoder": {
            "encoder_layer": {"TransformerEncoderLayer": FIELDS},
            "num_layers": 1,
        }
    }
    layers = {
        "first": {**layer, "inputs": "in0"},
        "again": {
            "Reuse": "first",
            "inputs": {"src": "first", "mask": "in1", "src_key_padding_mask": "in2"},
        },
    }
    graph = graph_of(layers, Tensor((S, E)), Tensor((S, S)), bools(S))
    assert graph.block is not None, graph.diagnostics
    module = build(graph)
    x = drawn(S, E), drawn(S, S), padding(S)
    with torch.no_grad():
        torch.testing.assert_close(module.eval()(*x), module.train()(*x))
