"""Tied and parametrized weights, and stacks that are computed again, in several processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest
import torch

from tests.training.parallel.digits import assert_same, trained, weights, write

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="gloo's processes are started by fork")

#: A tied weight in two stacks, one of them a stack with a name.
TIED: dict[str, Any] = {
    "flat": "Flatten",
    "body": {"first": {"Linear": 16}, "tanh": "Tanh", "second": {"Linear": 16}},
    "more": {"Linear": 16, "tie": {"weight": "body.second.weight"}},
    "head": {"Linear": 10},
}


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_tied_weight_trains_as_in_one_process(tmp_path: Path, strategy: str) -> None:
    """Its gradients come from both layers; a checkpoint has it under both names."""
    one = trained(tmp_path, "train", write(tmp_path, layers=TIED))
    one.rename(tmp_path / "one")
    more = ["--processes", 2, "--set", f"train.strategy={strategy}"]
    run = trained(tmp_path, "train", write(tmp_path, layers=TIED), *more)
    assert_same(run, tmp_path / "one")
    for which in ("last", "best"):
        found = weights(run, which)
        assert torch.equal(found["body.second.weight"], found["more.weight"])
    trained(tmp_path, "train", "--resume", run, "--set", "train.epochs=3", "--allow-changes")
    assert torch.equal(weights(run)["body.second.weight"], weights(run)["more.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_parametrized_weights_train_as_in_one_process(tmp_path: Path, strategy: str) -> None:
    """Each process computes the same weights from the whole tensors."""
    layers = [
        "Flatten",
        {"Linear": 16, "parametrize": {"weight": "weight_norm"}},
        "Tanh",
        {"Linear": 16, "parametrize": {"weight": "orthogonal"}},
        "Tanh",
        {"Linear": 10, "parametrize": {"weight": "spectral_norm"}},
    ]
    one = trained(tmp_path, "train", write(tmp_path, layers=layers))
    one.rename(tmp_path / "one")
    more = ["--processes", 2, "--set", f"train.strategy={strategy}"]
    run = trained(tmp_path, "train", write(tmp_path, layers=layers), *more)
    assert_same(run, tmp_path / "one", atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_stacks_that_are_computed_again(tmp_path: Path, strategy: str) -> None:
    """Two processes train as one, also with vectors of a spectral norm."""
    spectral = {"Linear": 16, "parametrize": {"weight": "spectral_norm"}}
    layers = [
        "Flatten",
        {"Linear": 16},
        {"layers": [spectral, "Tanh", {"Linear": 16}], "checkpoint": True, "repeat": 2},
        {"layers": ["Tanh", {"Linear": 16}], "checkpoint": True},
        {"Linear": 10},
    ]
    one = trained(tmp_path, "train", write(tmp_path, layers=layers))
    one.rename(tmp_path / "one")
    more = ["--processes", 2, "--set", f"train.strategy={strategy}"]
    run = trained(tmp_path, "train", write(tmp_path, layers=layers), *more)
    assert_same(run, tmp_path / "one", atol=1e-5)
