"""Masks with known values that hide the wrong places."""

from __future__ import annotations

import pytest
import torch

from netbuild.builder.module import module
from tests.checks.lint.cases import traced

TEXT = """\
input: [4, 8]
layers:
  table: {{Constant: {constant}}}
  mask: {after}
  a: {{{type}: {heads}, inputs: {inputs}}}
"""
ATTENTION = "MultiheadAttention", "2", "{query: input, attn_mask: mask}"
PADDING = "MultiheadAttention", "2", "{query: input, key_padding_mask: mask}"
PRODUCT = (
    "ScaledDotProductAttention",
    "",
    "{query: input, key: input, value: input, attn_mask: mask}",
)
TRUE, LOW = "{full: [[4, 4], true]}", "{full: [[4, 4], -.inf]}"
KEPT = "{Constant, inputs: table}"
PAST, NOTHING = "attn_mask hides the past and shows the future", "hides everything"


def _titles(constant: str, after: str, reader: tuple[str, str, str]) -> list[str]:
    type_, heads, inputs = reader
    text = TEXT.format(constant=constant, after=after, type=type_, heads=heads, inputs=inputs)
    graph = traced(text)
    found = [one for one in graph.diagnostics if one.code == "NB328"]
    result = module(graph)(torch.randn(2, 4, 8))
    if any(NOTHING in one.title for one in found):
        assert bool(result.isnan().any()) or type_ == "ScaledDotProductAttention"
    return [one.title for one in found]


@pytest.mark.parametrize(
    ("constant", "after", "reader", "titles"),
    [
        (TRUE, "{Triu: 1}", ATTENTION, []),
        (TRUE, "Tril", ATTENTION, [PAST]),
        (TRUE, "{Tril: -1}", ATTENTION, [PAST]),
        (TRUE, "Tril", PRODUCT, []),
        (TRUE, "{Triu: 1}", PRODUCT, [PAST]),
        (TRUE, "Triu", PRODUCT, [PAST]),
        (LOW, "{Triu: 1}", ATTENTION, []),
        (LOW, "{Tril: -1}", PRODUCT, [PAST]),
        ("{ones: [4, 4]}", "{To: bool}", ATTENTION, ["attn_mask hides everything"]),
        ("{ones: [4, 4]}", "{To: bool}", PRODUCT, []),
        ("{zeros: [4, 4]}", "{To: bool}", PRODUCT, ["attn_mask hides everything"]),
        (
            "{value: [true, true, true, true]}",
            KEPT,
            PADDING,
            ["key_padding_mask hides everything"],
        ),
        ("{value: [true, true, true, false]}", KEPT, PADDING, []),
        ("{zeros: [4, 4]}", KEPT, ATTENTION, []),
        ("{eye: 4, dtype: bool}", KEPT, ATTENTION, []),
    ],
)
def test_known_masks(
    constant: str, after: str, reader: tuple[str, str, str], titles: list[str]
) -> None:
    """The values of a constant and of its triangles are known, and nothing else is guessed."""
    assert _titles(constant, after, reader) == titles
