"""Masks in the check for a network that sees what it has to tell."""

from __future__ import annotations

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

NETWORK = """
inputs: {{tokens: {{shape: [16], dtype: int64}}, mask: {{shape: {shape}, dtype: bool}}}}
layers:
  embed: {{Embedding: {{num_embeddings: 30, embedding_dim: 8}}, inputs: tokens}}
  attend: {layer}
  scores: {{Linear: 30}}
  places: {{Transpose: {{dim0: 1, dim1: 2}}}}
"""
QKV = "query: embed, key: embed, value: embed"
DOT_PRODUCT = f"{{ScaledDotProductAttention, inputs: {{{QKV}, attn_mask: mask}}}}"
ATTENTION = "MultiheadAttention: {num_heads: 2, need_weights: false"


def codes(text: str) -> set[str]:
    """Return the codes that a file gets."""
    return {fault.code for fault in infer(read(from_bytes("net.yaml", text.encode()))).diagnostics}


@pytest.mark.parametrize(
    ("layer", "shape", "looks_ahead"),
    [
        (f"{{{ATTENTION}}}, inputs: {{query: embed, attn_mask: mask}}}}", "[16, 16]", False),
        (f"{{{ATTENTION}}}, inputs: {{query: embed, key_padding_mask: mask}}}}", "[16]", True),
        (
            f"{{{ATTENTION}, is_causal: true}}, inputs: {{query: embed, key_padding_mask: mask}}}}",
            "[16]",
            False,
        ),
        (
            DOT_PRODUCT,
            "[16, 16]",
            False,
        ),
        (
            "{TransformerEncoderLayer: 2, inputs: {src: embed, src_mask: mask}}",
            "[16, 16]",
            False,
        ),
    ],
)
def test_sights(layer: str, shape: str, looks_ahead: bool) -> None:  # noqa: FBT001
    """An unknown mask of scores may hide what comes later; a mask of padding hides no past."""
    graph = infer(read(from_bytes("net.yaml", NETWORK.format(layer=layer, shape=shape).encode())))
    assert graph.block is not None, graph.diagnostics
    row = next(row for row in graph.rows if row.path == "attend")
    sight = row.layer.sees(0, *row.shapes, source=0)
    key = row.layer.sees(0, *row.shapes, source=1) if row.type.startswith("Scaled") else sight
    assert key is not None
    assert (key.last > 0 and not key.loose) is looks_ahead


PADDED = """
inputs: {{x: [10, 16], padding: {{shape: [10], dtype: bool}}, seen: [10, 1]}}
layers:
  attend: {{MultiheadAttention: 2, inputs: {{query: x, key_padding_mask: padding}}}}
{more}
"""


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("  pool: {Mean: 1}", {"NB329"}),
        ("  pool: {Amax: 1}", {"NB329"}),
        ("  norm: LayerNorm\n  wide: {Linear: 8}\n  pool: {Mean: 1}", {"NB329"}),
        ("  norm: {LayerNorm: {normalized_shape: [10, 16]}}", {"NB329"}),
        ("  turn: {Transpose: {dim0: 1, dim1: 2}}\n  pool: {AdaptiveAvgPool1d: 1}", {"NB329"}),
        ("  turn: {Transpose: {dim0: 1, dim1: 2}}\n  norm: BatchNorm1d", {"NB329"}),
        ("  norm: LayerNorm", set()),
        ("  first: {Select: {dim: 1, index: 0}}", set()),
        ("  sum: {Sum: 1}", set()),
    ],
)
def test_padded_places(more: str, expected: set[str]) -> None:
    """What counts padded places is found behind layers that keep places apart."""
    text = PADDED.format(more=more).replace(", seen: [10, 1]", "")
    assert codes(text) == expected


def test_a_layer_that_knows_the_mask() -> None:
    """A mean of what was multiplied by something of the mask gives no warning."""
    more = """
  number: {Unsqueeze: -1, inputs: padding}
  part: {Multiply, inputs: [attend, number]}
  pool: {Mean: 1}
"""
    text = PADDED.format(more=more).replace(", seen: [10, 1]", "")
    assert codes(text) == set()
