"""`freeze`: weights that keep their initial values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file, save_file

import netbuild as package
from netbuild.checks.trace import infer, trace, trainable
from netbuild.config.load import read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.syntax.parser import from_bytes
from tests.saved import kept_bytes
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

TEXT = """\
input: [3, 8, 8]
blocks:
  Body: {params: {channels}, layers: [Conv2d: {out_channels: $channels, kernel_size: 1}, ReLU]}
layers:
  stem: {Conv2d: {out_channels: 4, kernel_size: 3}, freeze: true}
  norm: BatchNorm2d
  body: {Body: 4, freeze: true}
  stages: {Body: 4, repeat: 2, freeze: $(1 < 2)}
  again: {Reuse: body}
  flatten: Flatten
  head: {freeze: true, layers: [Linear: 8, {layers: [ReLU, Linear: 6]}]}
  last: {Linear: {out_features: 5}, freeze: false}
"""
FROZEN = {"stem", "body.0", "stages.0.0", "stages.1.0", "head.0", "head.1.1"}


def graph(text: str) -> Graph:
    """Return the network of a text."""
    return trace(read(from_bytes("net.yaml", text.encode())))


def test_layers_stacks_and_blocks() -> None:
    """What is frozen has no gradient, all that is within too, and nothing else."""
    found = graph(TEXT)
    module = package.build(found.config)
    frozen = {name for name, p in module.named_parameters() if not p.requires_grad}
    assert frozen == {f"{path}.{name}" for path in FROZEN for name in ("weight", "bias")}
    assert {row.path for row in found.rows if row.frozen and row.weights} == FROZEN
    learned = sum(p.numel() for p in module.parameters() if p.requires_grad)
    assert found.trainable == learned < found.params


def test_the_summary_says_it(netbuild: Netbuild) -> None:
    """The summary shows frozen weights: in each layer of the JSON, in totals, below the table."""
    said = json.loads(netbuild("summary", "-", "--format", "json", text=TEXT).stdout)
    trainable_ = {layer["path"]: layer["trainable"] for layer in said["layers"]}
    assert trainable_["stem"] == 0
    assert trainable_["norm"] == 8
    assert said["totals"]["trainable"] == sum(trainable_.values()) == 43
    lines = netbuild("summary", "-", text=TEXT).stdout.splitlines()
    assert any(line.startswith("43 params learn · weights") for line in lines)


@pytest.mark.parametrize(
    "layers",
    [
        "[{layers: [$conv], freeze: true}, ReLU, Flatten, Linear: 3]",
        "[$conv, BatchNorm2d, Flatten, {Linear: 3, freeze: true}]",
        "[{layers: [Flatten, Linear: 9, Tanh], freeze: true}, Linear: 3, {Linear: 4, freeze: $on}]",
        "[$conv, {BatchNorm2d: {}, freeze: true}, {layers: [$conv], freeze: true}]",
    ],
)
def test_memory_is_what_torch_keeps(layers: str) -> None:
    """Up to the first weight that learns no files are kept, nor the input of a frozen Linear."""
    names = "vars: {conv: {Conv2d: {out_channels: 4, kernel_size: 3}}, on: true}"
    found = graph(f"input: [3, 8, 8]\n{names}\nlayers: {layers}\n")
    module = package.build(found.config)
    more, less = (kept_bytes(module, torch.randn(batch, 3, 8, 8))[0] for batch in (3, 2))
    assert more - less == found.activations_bytes


def test_training_leaves_them_alone(tmp_path: Path) -> None:
    """Frozen weights stay, bit for bit, with weight decay and momentum; the others change."""
    layers = [{"Linear": 8, "freeze": True}, "Tanh", {"Linear": 3}]
    optimizer = {"SGD": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}}
    path = write(tmp_path, layers=layers, optimizer=optimizer)
    torch.manual_seed(0)
    before = package.build(path).state_dict()
    run = package.train(path, runs=tmp_path / "runs")
    after = load_file(run.checkpoint("last") / "model.safetensors")
    assert torch.equal(after["0.weight"], before["0.weight"])
    assert not torch.equal(after["2.weight"], before["2.weight"])


def test_nothing_left_to_train(tmp_path: Path) -> None:
    """A network in which all weights are frozen is a fault before the training."""
    path = write(tmp_path, layers=[{"Linear": 3, "freeze": True}])
    message = "NB402 a network without weights to train: all weights are frozen"
    with pytest.raises(ConfigError, match=message):
        trainable(package.load(path))


def test_a_module_is_frozen_where_it_stands() -> None:
    """A Reuse has no weights of its own to freeze."""
    text = "input: [4]\nlayers: {a: {Linear: 4}, b: {Reuse: a, freeze: true}}\n"
    (fault,) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert (fault.code, fault.title) == ("NB104", "Reuse has no field freeze")


@pytest.mark.parametrize(
    ("rest", "warned"),
    [
        ("", ["trunk.0"]),
        ("init: [{match: '*', zeros_}]", ["trunk.0"]),
        ("pretrained: {file: FILE, strict: false, leave_out: [head]}", []),
        ("pretrained: {file: FILE, strict: false, leave_out: [trunk]}", ["trunk.0"]),
    ],
)
def test_weights_that_nothing_trains(rest: str, warned: list[str], tmp_path: Path) -> None:
    """Frozen weights get a warning, unless a file sets them."""
    trunk = "{freeze: true, layers: [Linear: 4, ReLU]}"
    text = f"input: [4]\nlayers: {{trunk: {trunk}, head: {{Linear: 2}}}}\n"
    save_file(package.build(graph(text).config).state_dict(), tmp_path / "weights")
    text += rest.replace("FILE", str(tmp_path / "weights")) + "\n"
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert [fault.layer for fault in found if fault.code == "NB316"] == warned
