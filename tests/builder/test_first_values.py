"""The values of a network, layer by layer, are those with which the whole network begins."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save_file

from netbuild.builder import first_values, module
from netbuild.checks.trace import trace
from netbuild.config.load import load
from netbuild.syntax.dump import dump
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: Random numbers, buffers, a parameter of a stack, layers in layers, and weights used again.
NETWORKS: dict[str, dict[str, Any]] = {
    "blocks": {
        "input": [4],
        "blocks": {"Twice": {"layers": [{"Linear": 4}, "BatchNorm1d", {"Linear": 4}]}},
        "layers": [{"Twice": None, "repeat": 3}, {"Linear": 4, "name": "a"}, {"Reuse": "a"}],
    },
    "initialised": {
        "input": [1, 8, 8],
        "layers": [
            {"Conv2d": {"out_channels": 4, "kernel_size": 3}},
            "Flatten",
            {"Linear": 4, "init": "orthogonal_"},
        ],
        "init": [{"match": "*.bias", "normal_": None}, {"type": "Conv2d", "xavier_normal_": None}],
    },
    "parameter": {
        "input": [4],
        "layers": {
            "shift": {"Parameter": [4], "init": "normal_"},
            "add": {"Add": None, "inputs": ["input", "shift"]},
            "out": {"Linear": 2},
        },
    },
    "recurrent": {
        "input": [5, 8],
        "layers": [
            {"GRU": {"hidden_size": 8, "batch_first": True}},
            {"TransformerEncoderLayer": {"nhead": 2, "batch_first": True}},
        ],
    },
}


def assert_same(path: Path) -> None:
    """Assert that both ways give the same tensors, and leave the generator in the same state."""
    graph = trace(load(path))
    torch.manual_seed(3)
    whole = module.module(graph).state_dict()
    after = torch.get_rng_state()
    torch.manual_seed(3)
    found = dict(first_values.values(graph))
    assert torch.equal(torch.get_rng_state(), after)
    assert found.keys() == whole.keys()
    for name, tensor in whole.items():
        torch.testing.assert_close(found[name], tensor, atol=0, rtol=0)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_values_of_the_whole_network(tmp_path: Path, network: str) -> None:
    """The same bits for each name, from the same random numbers."""
    file = tmp_path / "net.yaml"
    file.write_text(dump(NETWORKS[network]), encoding="utf-8")
    assert_same(file)


@pytest.mark.parametrize("file", ["lenet", "transformer", "unet"])
def test_the_values_of_a_config(file: str) -> None:
    """So do configs that people train."""
    assert_same(ROOT / "configs" / f"{file}.yaml")


@pytest.mark.parametrize("save", [save_file, torch.save])
def test_the_values_of_a_file(tmp_path: Path, save: Callable[..., None]) -> None:
    """Weights of a file replace random values. What the file leaves out stays random."""
    weights = {"0.weight": torch.ones(3, 4), "0.bias": torch.arange(3.0)}
    save(weights, tmp_path / "weights")
    sections = {
        "input": [4],
        "layers": [{"Linear": 3}, {"Linear": 2}],
        "pretrained": {"file": "weights", "strict": False, "leave_out": ["1"]},
    }
    file = tmp_path / "net.yaml"
    file.write_text(dump(sections), encoding="utf-8")
    assert_same(file)
    assert torch.equal(dict(first_values.values(trace(load(file))))["0.bias"], torch.arange(3.0))


def test_building_without_memory_draws_no_numbers() -> None:
    """A module on the meta device leaves torch's generator alone."""
    graph = trace(load(ROOT / "configs" / "lenet.yaml"))
    before = torch.get_rng_state()
    with torch.device("meta"):
        module.module(graph)
    assert torch.equal(torch.get_rng_state(), before)
