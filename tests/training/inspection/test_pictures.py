"""What a page shows: feature maps, filters, and attention, which is that of torch."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

import netbuild
from netbuild.reports.inspection import raster
from netbuild.reports.inspection.page import page
from netbuild.training.inspection.looking import look
from tests import ROOT
from tests.training.inspection.networks import config, looked

ATTENDING = """
name: attending
input: [5, 8]
layers:
  heads: {MultiheadAttention: {num_heads: 2, is_causal: true}}
  split: {Unflatten: {dim: 2, unflattened_size: [2, 4]}, inputs: heads}
  apart: {Transpose: {dim0: 1, dim1: 2}}
  plain: {ScaledDotProductAttention: {is_causal: true}, inputs: [apart, apart, apart]}
"""


def test_attention() -> None:
    """The weights are those of the heads; attention without weights is computed again."""
    seen = looked(ATTENDING, pictures=True, input="random")
    assert seen.pictures is not None
    torch.manual_seed(0)
    module = netbuild.build(config(ATTENDING)).eval()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    mask = torch.ones(5, 5, dtype=torch.bool).triu(1)
    with torch.no_grad():
        heads = module.get_submodule("heads")
        y, weights = heads(x, x, x, attn_mask=mask, average_attn_weights=False)
    found = seen.pictures.attention
    assert np.allclose(found["heads"], weights[0], atol=1e-6)
    apart = y.unflatten(2, (2, 4)).transpose(1, 2)[0]
    scores = (apart @ apart.mT / 2).masked_fill(mask, -torch.inf)
    assert np.allclose(found["plain"], scores.softmax(-1), atol=1e-6)


def test_a_page_of_digits() -> None:
    """A page shows the input, the target, filters, maps and numbers, and loads nothing."""
    seen = look(ROOT / "configs/lenet-bn.yaml", pictures=True, backward=True, batch=4)
    assert seen.pictures is not None
    assert {p: x.shape for p, x in seen.pictures.filters.items()} == {"features.0": (6, 1, 5, 5)}
    assert seen.pictures.maps["features.4"].shape == (16, 8, 8)
    made = page(seen)
    assert len(made) < 300_000
    loaded = re.findall(r'(?:src|href)="(?!data:)[^"]*"|url\(|@import|<script', made)
    assert loaded == []
    for said in ("Filters of the first convolutions", "features.4 Conv2d, 16×8×8", "Gradients"):
        assert said in made


@pytest.mark.slow
def test_a_page_of_each_kind_of_input() -> None:
    """Tokens, masks, series, several inputs and networks without data have a page."""
    names = {"bert": "random", "packed-lstm": "random", "forecast": ()}
    for name, given in names.items():
        seen = look(ROOT / f"configs/{name}.yaml", pictures=True, input=given)
        assert seen.name in page(seen)


def test_colours() -> None:
    """0 has the middle colour of numbers with signs; a number that is not finite has its own."""
    x = np.array([[-2.0, 0.0], [2.0, np.nan]])
    by = raster.scale(x)
    assert (by.least, by.largest) == (-2.0, 2.0)
    assert raster.coloured(x, by).tolist() == [[2, 128], [255, 1]]
    assert raster.palette(by)[128].min() > 240
    positive = raster.scale(np.array([1.0, 3.0]))
    assert (positive.least, positive.largest) == (1.0, 3.0)
