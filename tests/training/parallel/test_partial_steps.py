"""Two processes with optimizers of losses of their own, and with layers that learn later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import torch

from netbuild.training import train
from netbuild.training.parallel.distributed import World
from tests.training.parallel.digits import assert_same, trained, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gloo's processes are started by fork")

#: An autoencoder that learns to hide from a classifier what its code says of the digit. It has
#: neither norms nor noise, which see the samples of their own process only.
PLAYERS: dict[str, Any] = {
    "layers": {
        "flat": "Flatten",
        "encoder": {"layers": [{"Linear": 12}, "Tanh"], "inputs": "flat"},
        "decoder": {"layers": [{"Linear": 64}], "inputs": "encoder"},
        "told": {"layers": [{"Linear": 10}], "inputs": "encoder"},
    },
    "outputs": {"copy": "decoder", "digit": "told", "flat": "flat"},
    "loss": [
        {"MSELoss": None, "inputs": "copy", "target": "flat", "name": "same"},
        {"CrossEntropyLoss": None, "inputs": "digit", "name": "seen"},
    ],
    "optimizer": [
        {"Adam": {"lr": 1e-3}, "match": ["encoder.*", "decoder.*"], "losses": "same"},
        {"SGD": {"lr": 0.1}, "losses": "seen", "every": 2},
    ],
    "metrics": [],
    "data": "Digits",
}
#: A trunk that learns from epoch 2 on.
LATER: dict[str, Any] = {
    "layers": {
        "flat": "Flatten",
        "trunk": {"layers": [{"Linear": 16}, "Tanh"], "freeze": True},
        "head": {"Linear": 10},
    },
    "metrics": ["Accuracy", {"F1Score": {"average": "macro"}}],
}


def test_a_weight_without_a_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that no process reaches keeps no gradient: its optimizer would let it decay."""
    world = World(torch.device("cpu"))
    world.size = 2
    monkeypatch.setattr(World, "sum", lambda _, value: value * 2)
    reached, other, frozen = (torch.ones(2, requires_grad=n < 2) for n in range(3))
    reached.grad = torch.tensor([1.0, 2.0])
    world.average_gradients([reached, other, frozen])
    assert reached.grad.tolist() == [1.0, 2.0]
    assert other.grad is None
    assert frozen.grad is None


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_players(tmp_path: Path, accumulate: int) -> None:
    """Two players in two processes come to the weights of one process."""
    few = {"monitor": "val_same", "limit_batches": 8, "accumulate": accumulate, "ema": 0.9}
    few |= {"clip_grad_norm": 0.1}
    file = write(tmp_path, train=few, **PLAYERS)
    one = train(file, runs=tmp_path / "alone").folder
    assert_same(trained(tmp_path, "train", file, "--processes", 2), one)


@pytest.mark.slow
def test_layers_that_learn_later(tmp_path: Path) -> None:
    """A trunk that learns from epoch 2 on has the weights of one process."""
    few = {"unfreeze": {"trunk": 2}, "limit_batches": 8}
    file = write(tmp_path, train=few, **LATER)
    one = train(file, runs=tmp_path / "alone").folder
    assert_same(trained(tmp_path, "train", file, "--processes", 2), one)
