"""Two processes with optimizers of losses of their own, and with layers that learn later."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from netbuild.training import train
from tests.training.parallel.test_distributed import assert_same, trained, write

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
