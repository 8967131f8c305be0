"""Every network under `configs/`: valid, and built as its summary says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch

import netbuild
from netbuild import builder
from netbuild.config import read
from netbuild.source import from_file
from netbuild.tracer import infer

if TYPE_CHECKING:
    from tests.conftest import Netbuild

ROOT = Path(__file__).parent.parent
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
PARAMETERS = {
    "lenet": 61_706,
    "lenet-rgb": 62_006,
    "lenet-sigmoid": 61_706,
    "alexnet": 46_764_746,
}

every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def test_the_plain_networks_are_there() -> None:
    """The seven plain stacks are among the worked networks."""
    plain = {"lenet", "lenet-rgb", "lenet-sigmoid", "lenet-bn", "mlp", "cnn-small", "alexnet"}
    assert plain <= {path.stem for path in CONFIGS}


@every_config
def test_neither_fault_nor_warning(path: Path) -> None:
    """A worked network has no fault, and no lint has anything to say of it."""
    assert infer(read(from_file(path))).diagnostics == ()


@every_config
def test_built_as_summarised(path: Path, netbuild: Netbuild) -> None:
    """`state_dict()` and the output have the names and shapes that the summary's JSON says."""
    said = json.loads(netbuild("summary", path, "--format", "json").stdout)
    with torch.device("meta"):
        module = builder.build(path)
        x = torch.empty(2, *said["inputs"]["input"]["shape"])
    weights = {
        f"{layer['path']}.{name}": shape
        for layer in said["layers"]
        for name, shape in (layer["weights"] | layer["buffers"]).items()
    }
    assert {name: list(t.shape) for name, t in module.state_dict().items()} == weights
    assert list(module(x).shape) == [2, *said["outputs"]["output"]]
    assert said["totals"]["params"] == sum(p.numel() for p in module.parameters())
    for layer in said["layers"]:
        x = module.get_submodule(layer["path"])(x)
        assert list(x.shape) == [2, *layer["outputs"]["output"]]


@every_config
def test_nothing_of_netbuild_is_built(path: Path) -> None:
    """What is built is torch's own classes only."""
    with torch.device("meta"):
        module = builder.build(path)
    assert type(module) is torch.nn.Sequential
    assert {type(part).__module__.partition(".")[0] for part in module.modules()} == {"torch"}


@every_config
def test_runs_forward_and_backward(path: Path) -> None:
    """The network computes a loss and a gradient for each of its weights."""
    config = netbuild.load(path)
    with torch.device("meta"):
        module = builder.build(config)
        assert config.input is not None
        module(torch.empty(2, *config.input.shape)).sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters(name: str, parameters: int) -> None:
    """The known networks have their known number of parameters."""
    assert netbuild.trace(netbuild.load(ROOT / "configs" / f"{name}.yaml")).params == parameters


@pytest.mark.parametrize("path", [p for p in CONFIGS if p.stem != "alexnet"], ids=lambda p: p.stem)
def test_activation_memory(path: Path) -> None:
    """The bytes kept for the backward pass are those that torch saves, a sample more or less.

    Taken between batches of two and three, so that what does not grow with the batch cancels;
    parameters and buffers do not count, and memory that several tensors share counts once.
    """
    graph = netbuild.trace(netbuild.load(path))
    module = builder.module(graph)
    own = {t.untyped_storage().data_ptr() for t in module.state_dict().values()}
    assert graph.config.input is not None

    def saved(batch: int) -> int:
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in own:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        assert graph.config.input is not None
        x = torch.randn(batch, *graph.config.input.shape)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            y = module(x)
        assert y.requires_grad
        return sum(kept.values())

    assert saved(3) - saved(2) == graph.activations_bytes
