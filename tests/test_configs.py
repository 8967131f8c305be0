"""Every network of `configs/` is valid, and is built as its summary says.

Those of torchvision are compared with it in `tests/test_torchvision.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

import netbuild as package
from netbuild.builder import module as builder
from netbuild.checks.trace import infer
from netbuild.components.layers.recurrent import GRU, LSTM
from netbuild.config.load import read
from netbuild.syntax.parser import from_file
from tests import ROOT
from tests.saved import kept_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
PARAMETERS = {
    "lenet": 61_706,
    "lenet-rgb": 62_006,
    "lenet-sigmoid": 61_706,
    "alexnet": 46_764_746,
    "vgg11": 128_806_154,
    "nin": 1_992_166,
    "googlenet": 5_977_530,
    "resnet18": 11_178_378,
    "densenet": 758_226,
}
PLAIN = {"lenet", "lenet-rgb", "lenet-sigmoid", "lenet-bn", "mlp", "cnn-small", "alexnet"}
BLOCKS = {"vgg11", "nin", "googlenet", "resnet18", "densenet"}
OTHERS = {
    *("rnn", "lstm", "gru", "transformer", "text", "segnet", "unet", "autoencoder", "generator"),
    *("siamese", "bilinear", "superres", "selu", "selu-conv", "norms", "kan"),
    *("bert", "packed-lstm", "spectral", "deep", "film", "ode"),
    *("rotary", "gpt", "seq2seq", "gan", "unet-masks", "classify-text"),
}
#: Those that take more memory, or time for an epoch, than a test should.
LARGE = {"alexnet", "deep", "gan", *BLOCKS}
#: Those whose data a test makes and trains on: `tests/test_mask_networks.py`, `tests/networks/`.
MADE = {
    *("bert", "packed-lstm", "film", "rotary", "gpt", "seq2seq", "unet-masks", "classify-text"),
}

every_config = pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)


def inputs(graph: Graph, batch: int) -> list[torch.Tensor]:
    """Return inputs for a network: random, or zeros where they are no floats; lengths are full."""
    found = [x for x in graph.config.inputs.values() if x is not None]
    has_lengths = any(isinstance(row.layer, GRU | LSTM) for row in graph.rows)
    length = found[0].shape[0] if has_lengths else 0
    return [
        torch.randn(batch, *x.shape)
        if x.floating
        else torch.full((batch, *x.shape), 0 if x.shape else length).to(getattr(torch, x.dtype))
        for x in found
    ]


def results(y: Any) -> tuple[torch.Tensor, ...]:
    """Return what a network gives as a tuple."""
    return y if isinstance(y, tuple) else (y,)


def test_all_networks_are_there() -> None:
    """Plain stacks, networks of blocks, and what is no picture with its class."""
    assert {path.stem for path in CONFIGS} >= PLAIN | BLOCKS | OTHERS


@every_config
def test_neither_fault_nor_warning(path: Path) -> None:
    """A worked network has neither a fault nor a warning."""
    assert infer(read(from_file(path))).diagnostics == ()


@every_config
def test_built_as_summarised(path: Path, netbuild: Netbuild) -> None:
    """`state_dict()` and every result have the names and shapes that the summary's JSON says."""
    said = json.loads(netbuild("summary", path, "--format", "json").stdout)
    graph = package.trace(package.load(path))
    given: dict[str, list[int]] = {}

    def note(name: str, y: Any) -> None:
        given.setdefault(name, list(first(y).shape))

    with torch.device("meta"):
        module = builder.module(graph)
        for name, part in module.named_modules():
            part.register_forward_hook(lambda _, __, y, name=name: note(name, y))  # type: ignore[misc]
        y = results(module(*inputs(graph, 2)))
    weights = {
        f"{layer['path']}.{name}".rstrip("."): shape
        for layer in said["layers"]
        for name, shape in (layer["weights"] | layer["buffers"]).items()
    }
    weights |= {
        f"{layer['path']}.{name}": weights[target]
        for layer in said["layers"]
        for name, target in layer.get("tied", {}).items()
    }
    assert {name: list(t.shape) for name, t in module.state_dict().items()} == weights
    assert [list(part.shape) for part in y] == [[2, *shape] for shape in said["outputs"].values()]
    assert said["totals"]["params"] == sum(p.numel() for p in module.parameters())
    for layer in said["layers"]:
        if layer["path"] in given:  # it has a module, which is called for the first time
            batch = [] if layer["type"] == "Constant" else [2]  # all samples share a Constant
            assert given[layer["path"]] == [*batch, *next(iter(layer["outputs"].values()))]


def first(y: Any) -> torch.Tensor:
    """Return the first result of a module."""
    return first(y[0]) if isinstance(y, tuple) else y


def test_the_inception_block_is_short() -> None:
    """Its four branches take at most 20 lines of the file, its convolutions' block with it."""
    lines = (ROOT / "configs" / "googlenet.yaml").read_text(encoding="utf-8").splitlines()
    assert lines.index("vars:") - lines.index("blocks:") - 1 <= 20


@pytest.mark.parametrize(
    "path",
    [p for p in CONFIGS if p.stem not in {"packed-lstm", "rotary", "classify-text"}],
    ids=lambda p: p.stem,
)
def test_nothing_of_netbuild_is_built(path: Path) -> None:
    """What is built is torch's own classes only, except for an LSTM that packs and Constants."""
    with torch.device("meta"):
        module = builder.build(path)
    assert isinstance(module, torch.nn.Sequential | torch.fx.GraphModule)
    assert {type(part).__module__.partition(".")[0] for part in module.modules()} == {"torch"}


@every_config
def test_runs_forward_and_backward(path: Path) -> None:
    """The network computes a loss and a gradient for each of its weights that learn."""
    graph = package.trace(package.load(path))
    with torch.device("meta"):
        module = builder.module(graph)
        y = results(module(*inputs(graph, 2)))
        sum(part.sum() for part in y if part.requires_grad).backward()
    for parameter in module.parameters():
        assert (parameter.grad is not None) == parameter.requires_grad


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters(name: str, parameters: int) -> None:
    """The known networks have their known number of parameters."""
    assert package.trace(package.load(ROOT / "configs" / f"{name}.yaml")).params == parameters


@pytest.mark.parametrize(
    "path",
    [p for p in CONFIGS if p.stem not in {"alexnet", "vgg11"}],
    ids=lambda p: p.stem,
)
def test_activation_memory(path: Path) -> None:
    """The bytes kept for the backward pass are those that torch saves, a sample more or less.

    Taken between batches of two and three, so that what does not grow with the batch cancels;
    parameters and buffers do not count, and memory that several tensors share counts once.
    """
    graph = package.trace(package.load(path))
    module = builder.module(graph)

    def saved(batch: int) -> int:
        kept, y = kept_bytes(module, *inputs(graph, batch))
        assert results(y)[0].requires_grad
        return kept

    # A recurrent layer's workspace comes in whole pages: their rest is gone over many samples.
    more = 1024 if any(isinstance(row.layer, LSTM) for row in graph.rows) else 1
    assert saved(2 + more) - saved(2) == more * graph.activations_bytes


@pytest.mark.parametrize(
    "path",
    [p for p in CONFIGS if p.stem not in LARGE | MADE],
    ids=lambda p: p.stem,
)
def test_trains(path: Path, tmp_path: Path) -> None:
    """The small networks learn: the loss of the second epoch is below that of the first."""
    run = package.train(package.load(path, set=["train.epochs=2"]), runs=tmp_path)
    assert run.metrics[1]["train_loss"] < run.metrics[0]["train_loss"]
