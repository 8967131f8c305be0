"""`parametrize`: a parameter that is computed from other tensors."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrize import is_parametrized

import netbuild as package
from netbuild import training
from netbuild.builder import first_values
from netbuild.builder import module as builder
from netbuild.checks.optimizers import weights
from netbuild.checks.trace import infer, trace
from netbuild.config.load import read
from netbuild.config.parameter_groups import assigned
from netbuild.config.parametrize import name_in_file
from netbuild.syntax.parser import from_bytes
from netbuild.training.step.ema import Averaged
from netbuild.training.step.nonfinite import culprit
from tests.saved import kept_bytes
from tests.torch_release import of_new_torch

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from tests.conftest import Netbuild

#: A layer, what parametrizes it, and its input.
CASES = [
    ("Conv2d: {out_channels: 8, kernel_size: 3}", "{weight: spectral_norm}", "[3, 6, 6]"),
    ("Conv2d: {out_channels: 8, kernel_size: 3}", "{weight: {weight_norm: {dim: 1}}}", "[3, 6, 6]"),
    ("Conv2d: {out_channels: 8, kernel_size: 3}", "{weight: orthogonal}", "[3, 6, 6]"),
    ("ConvTranspose1d: {out_channels: 5, kernel_size: 2}", "{weight: spectral_norm}", "[3, 6]"),
    ("Linear: 4", "spectral_norm", "[6]"),
    ("Linear: 4", "{weight_norm: {dim: 1}}", "[6]"),
    ("Linear: 4", "{weight: {spectral_norm: {n_power_iterations: 2, dim: -1}}}", "[6]"),
    ("Linear: 4", "{weight: weight_norm, bias: weight_norm}", "[6]"),
    ("Linear: 4", "{weight: {weight_norm: {dim: null}}}", "[6]"),
    ("Linear: 4", "{weight: orthogonal}", "[6]"),
    ("Linear: 6", "{weight: orthogonal}", "[6]"),
    ("Linear: 8", "{weight: {orthogonal: {orthogonal_map: cayley}}}", "[6]"),
    ("Linear: 8", "{weight: {orthogonal: {use_trivialization: false}}}", "[6]"),
    (
        "Linear: 6",
        "{weight: {orthogonal: {orthogonal_map: matrix_exp, use_trivialization: false}}}",
        "[6]",
    ),
    ("LSTM: 8", "{weight_hh_l0: orthogonal, weight_ih_l0: weight_norm}", "[5, 6]"),
    (
        "MultiheadAttention: {num_heads: 2}",
        "{in_proj_weight: spectral_norm, out_proj.weight: weight_norm}",
        "[5, 6]",
    ),
]


def graph(text: str) -> Graph:
    """Return the network of a text."""
    return trace(read(from_bytes("net.yaml", text.encode())))


def of_case(layer: str, parametrize: str, input_: str) -> Graph:
    """Return a network of one layer."""
    return graph(f"input: {input_}\nlayers:\n  a: {{{layer}, parametrize: {parametrize}}}\n")


@pytest.mark.parametrize(("layer", "parametrize", "input_"), CASES)
def test_names_shapes_and_first_values(layer: str, parametrize: str, input_: str) -> None:
    """They are known without torch; on the meta device, and for parts, they are the same."""
    found = of_case(layer, parametrize, input_)
    torch.manual_seed(0)
    module = builder.module(found)
    after = torch.get_rng_state()
    state = module.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    assert found.tensors == shapes
    buffers = {name: tuple(buffer.shape) for name, buffer in module.named_buffers()}
    assert {f"a.{name}": buffer.shape for name, buffer in found.rows[0].buffers.items()} == buffers
    assert found.params == sum(p.numel() for p in module.parameters())
    assert found.weights_bytes == 4 * found.params
    torch.manual_seed(0)
    values = dict(first_values.values(found))
    assert torch.equal(after, torch.get_rng_state())
    assert values.keys() == state.keys()
    assert all(torch.equal(values[name], tensor) for name, tensor in state.items())
    with torch.device("meta"):
        shapeless = builder.module(found)
    assert {name: tuple(tensor.shape) for name, tensor in shapeless.state_dict().items()} == shapes


@of_new_torch
@pytest.mark.parametrize(
    ("layer", "parametrize", "input_"), [one for one in CASES if "LSTM" not in one[0]]
)
def test_the_kept_bytes_are_those_of_torch(layer: str, parametrize: str, input_: str) -> None:
    """What is computed once a batch does not grow with it."""
    found = of_case(layer, parametrize, input_)
    module = builder.module(found)
    (x,) = found.config.inputs.values()
    assert x is not None
    fewer, more = (kept_bytes(module, torch.randn(n, *x.shape))[0] for n in (16, 32))
    assert 16 * found.activations_bytes == more - fewer


def test_torchs_own_functions_by_hand() -> None:
    """After the same random numbers, a training step gives the same weights and buffers."""
    text = """\
input: [3, 6, 6]
layers:
  conv: {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: {weight: spectral_norm}}
  relu: ReLU
  flat: Flatten
  head: {Linear: 5, parametrize: {weight: {weight_norm: {dim: 0}}}, init: xavier_uniform_}
"""
    torch.manual_seed(0)
    ours = package.build(graph(text).config)
    torch.manual_seed(0)
    conv, head = nn.Conv2d(3, 4, 3), nn.Linear(64, 5)
    nn.init.xavier_uniform_(head.weight)
    theirs = nn.Sequential()
    theirs.add_module("conv", parametrizations.spectral_norm(conv))
    theirs.add_module("relu", nn.ReLU())
    theirs.add_module("flat", nn.Flatten())
    theirs.add_module("head", parametrizations.weight_norm(head))
    x = torch.randn(2, 3, 6, 6)
    for module in (ours, theirs):
        optimizer = torch.optim.SGD(module.parameters(), 0.1)
        for _ in range(2):
            module(x).square().sum().backward()
            optimizer.step()
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    for name, tensor in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor, rtol=0, atol=0)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=0, atol=0)


def test_only_training_iterates() -> None:
    """A spectral norm keeps its vectors in evaluation, and where it is frozen."""
    layer = "{Linear: 4, parametrize: {weight: spectral_norm}"
    text = f"input: [6]\nlayers:\n  a: {layer}, freeze: true}}\n  r: ReLU\n  b: {layer}}}\n"
    found = graph(text)
    module = package.build(found.config)
    assert [n for n, p in module.named_parameters() if not p.requires_grad] == [
        "a.bias",
        "a.parametrizations.weight.original",
    ]
    module.eval()
    builder.train(module, found)
    before = copy.deepcopy(module.state_dict())
    module(torch.randn(2, 6)).sum().backward()
    changed = {n for n, t in module.state_dict().items() if not torch.equal(t, before[n])}
    assert changed == {f"b.parametrizations.weight.0._{v}" for v in "uv"}
    module.eval()
    before = copy.deepcopy(module.state_dict())
    module(torch.randn(2, 6))
    assert all(torch.equal(t, before[n]) for n, t in module.state_dict().items())


def test_patterns_go_by_the_name_in_the_file() -> None:
    """`conv.weight` is both tensors of a weight norm, in groups as in `init`."""
    text = """\
input: [3, 6, 6]
layers:
  conv: {Conv2d: {out_channels: 4, kernel_size: 3}, parametrize: {weight: weight_norm}}
  flat: Flatten
  head: {Linear: 5}
init: [{match: conv.weight, constant_: 2}]
loss: CrossEntropyLoss
optimizer: {Adam: {lr: 0.1}, groups: [{match: conv.weight, lr: 0.2}]}
"""
    found = graph(text)
    module = package.build(found.config)
    torch.testing.assert_close(module.get_submodule("conv").weight, torch.full((4, 3, 3, 3), 2.0))
    learning = [weight.name for weight in weights(found.config, found.rows, found.outputs)]
    assert sorted(learning) == sorted(name for name, _ in module.named_parameters())
    (group, _) = assigned(learning, found.config.optimizers[0].groups)
    assert group == [f"conv.parametrizations.weight.original{n}" for n in (0, 1)]


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.b.parametrizations.weight.original", "a.b.weight"),
        ("parametrizations.weight.original1", "weight"),
        ("a.parametrizations.weight.0._u", "a.parametrizations.weight.0._u"),
        ("a.weight", "a.weight"),
        ("parametrizations.a.weight", "parametrizations.a.weight"),
    ],
)
def test_names_in_a_file(name: str, file: str) -> None:
    """Only the learned tensors of a parametrization have another name."""
    assert name_in_file(name) == file


def test_copies_averages_and_messages() -> None:
    """A deep copy computes the same; a message names the layer and not its parametrization."""
    found = of_case(*CASES[0])
    module = package.build(found.config)
    x = torch.randn(2, 3, 6, 6)
    for copied in (copy.deepcopy(module), Averaged(module, 0.9).module):
        assert is_parametrized(copied.get_submodule("a"), "weight")
        torch.testing.assert_close(copied.eval()(x), module.eval()(x))
    with torch.no_grad():
        module.get_parameter("a.bias").fill_(torch.nan)
    assert "comes from a, whose bias" in culprit(module, (x,))


def test_a_run_trains_and_evaluates(tmp_path: Path) -> None:
    """Its checkpoints have torch's names."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [1, 8, 8]\nlayers: [Flatten, {Linear: 10, parametrize: {weight: spectral_norm}}]\n"
        "loss: CrossEntropyLoss\noptimizer: Adam\ndata: Digits\n"
        "train: {epochs: 1, batch_size: 400, ema: 0.5}\n",
        encoding="utf-8",
    )
    run = training.train(path, runs=tmp_path / "runs")
    assert training.evaluate(run.folder)["val_loss"] > 0


def test_the_reports(netbuild: Netbuild, tmp_path: Path) -> None:
    """`explain` says what computes the weight, `summary` has torch's names, `diff` the change."""
    path, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    path.write_text(
        "input: [6]\nlayers: [Linear: 4, parametrize: {weight: weight_norm}]\n".replace(
            "Linear: 4, parametrize: {weight: weight_norm}",
            "{Linear: 4, parametrize: {weight: weight_norm}}",
        ),
        encoding="utf-8",
    )
    other.write_text("input: [6]\nlayers: [Linear: 4]\n", encoding="utf-8")
    text = netbuild("explain", path, "0").stdout
    assert "weight_norm computes weight" in text
    assert "weight original0  4, as 4×1" in text
    (layer,) = json.loads(netbuild("summary", path, "--format", "json").stdout)["layers"]
    assert layer["weights"] == {
        "bias": [4],
        "parametrizations.weight.original0": [4, 1],
        "parametrizations.weight.original1": [4, 6],
    }
    (change,) = json.loads(netbuild("diff", path, other, "--format", "json").stdout)["layers"]
    assert change["arguments"] == {"parametrize weight": [{"weight_norm": {"dim": 0}}, None]}


@pytest.mark.parametrize(
    ("layer", "code", "label"),
    [
        (
            "Linear: 4, parametrize: {bias: spectral_norm}",
            "NB220",
            "spectral_norm needs at least two axes: a vector has no spectral norm, and bias is 4",
        ),
        (
            "Linear: 4, parametrize: {bias: orthogonal}",
            "NB220",
            "orthogonal needs at least two axes: a vector is no matrix, and bias is 4",
        ),
        (
            "Linear: 4, parametrize: {weight: {weight_norm: {dim: 2}}}",
            "NB220",
            "weight_norm needs an axis 2, the last axis is 1, and weight is 4×6",
        ),
        (
            "Linear: 4, parametrize: {wait: weight_norm}",
            "NB220",
            "Linear has no parameter wait to parametrize",
        ),
        (
            "Linear: 4, parametrize: {weight: weight_norm}, init: zeros_",
            "NB220",
            "weight_norm divides by a norm, and b.weight begins as zeros",
        ),
        (
            "BatchNorm1d: {eps: 0.1}, parametrize: {bias: weight_norm}",
            "NB220",
            "weight_norm divides by a norm, and b.bias begins as zeros",
        ),
        ("Linear: 4, parametrize: {weight: specral_norm}", "NB103", "unknown type"),
        (
            "Linear: 4, parametrize: {weight: [3]}",
            "NB108",
            "a parametrization is one name with its arguments, not a list",
        ),
        (
            "Linear: 4, parametrize: {weight: weight_norm}, tie: {weight: a.weight}",
            "NB220",
            "weight is also tied to a.weight, and torch cannot do both",
        ),
    ],
)
def test_faults(layer: str, code: str, label: str) -> None:
    """A parametrization fits a parameter of its layer."""
    text = f"input: [6]\nlayers:\n  a: {{Linear: 6}}\n  r: ReLU\n  b: {{{layer}}}\n"
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert [(fault.code, fault.label) for fault in found] == [(code, label)]
