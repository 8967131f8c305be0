"""Networks of `configs/` that need masks or lengths, trained on tasks that need them too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional

import netbuild
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = 12


def marked(count: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return sentences that hold the word 11 or not; behind their ends it stands half the time."""
    tokens = torch.randint(1, 11, (count, PLACES))
    tokens[:, 0] = 0
    ends = torch.randint(4, PLACES, (count,))
    place = torch.arange(PLACES)
    padding = place >= ends[:, None]
    tokens[padding & (torch.rand(count, PLACES) < 0.3)] = 11
    holds = torch.rand(count) < 0.5
    at = 1 + (torch.rand(count) * (ends - 1)).long()
    tokens[holds, at[holds]] = 11
    return [tokens, padding], holds.long()


def last_of(count: int) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Return sentences of several lengths with their last word; noise follows it."""
    tokens = torch.randint(0, 10, (count, PLACES))
    lengths = torch.randint(1, PLACES + 1, (count,))
    return [tokens, lengths], tokens[torch.arange(count), lengths - 1]


def accuracy(name: str, draw: Callable[[int], tuple[list[torch.Tensor], torch.Tensor]]) -> float:
    """Train a network for some hundred steps, and return its accuracy on new samples."""
    torch.manual_seed(0)
    module = netbuild.build(ROOT / "configs" / f"{name}.yaml")
    optimizer = torch.optim.Adam(module.parameters(), 3e-3)
    for _ in range(500):
        x, y = draw(64)
        loss = functional.cross_entropy(module(*x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, y = draw(1000)
    with torch.no_grad():
        return (module.eval()(*x).argmax(1) == y).float().mean().item()


@pytest.mark.slow
def test_bert() -> None:
    """It tells whether a word stands in a sentence, and not in the noise behind it."""
    assert accuracy("bert", marked) >= 0.95


@pytest.mark.slow
def test_packed_lstm() -> None:
    """It tells the last word of each sentence."""
    assert accuracy("packed-lstm", last_of) >= 0.99
