"""The units of a network whose weights are divided among processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import distributed as dist
from torch import nn
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor
from torch.testing._internal.distributed.fake_pg import FakeStore

from netbuild.builder import module as builder
from netbuild.checks.trace import trace
from netbuild.config.load import load
from netbuild.syntax.dump import dump
from netbuild.training.parallel import units

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netbuild.graph.graph import Graph

CPU = torch.device("cpu")
#: Two repetitions of a block, a stack and a loose layer.
SECTIONS: dict[str, Any] = {
    "name": "net",
    "input": [8],
    "blocks": {"Wide": {"layers": [{"Linear": 6}, "Tanh", {"Linear": 8}]}},
    "layers": {
        "body": {"Wide": None, "repeat": 2},
        "tail": [{"Linear": 8}, "BatchNorm1d", "Tanh"],
        "head": {"Linear": 4},
    },
}


@pytest.fixture
def two() -> Iterator[None]:
    """Be the second of two processes. The first one is not there."""
    dist.init_process_group("fake", rank=1, world_size=2, store=FakeStore())
    yield
    dist.destroy_process_group()


def traced(folder: Path, **sections: Any) -> Graph:
    """Return the graph of the network, with other sections."""
    file = folder / "net.yaml"
    file.write_text(dump(SECTIONS | sections), encoding="utf-8")
    return trace(load(file))


def names(module: nn.Module) -> list[str]:
    """Return the names of the modules that are units."""
    return [name for name, part in module.named_modules() if isinstance(part, FSDPModule)]


@pytest.mark.usefixtures("two")
def test_each_block_and_each_repeat_is_a_unit(tmp_path: Path) -> None:
    """And so is each other stack, and the network itself."""
    graph = traced(tmp_path)
    assert names(units.divided(graph, CPU, None)) == ["", "body", "body.0", "body.1", "tail"]


@pytest.mark.usefixtures("two")
def test_large_layers_are_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack holds the smallest layers together, up to a limit. The others are units."""
    monkeypatch.setattr(units, "MOST_OF_A_STACK", 4 * (8 * 8 + 8) - 1)
    layers = [{"Linear": 8, "repeat": 3}, {"Linear": 1}]
    found = names(units.divided(traced(tmp_path, layers=layers), CPU, None))
    assert found == ["", "0", "1", "2"]


@pytest.mark.usefixtures("two")
def test_both_modules_of_a_tied_weight_are_in_one_unit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds one of them inside the stack around both is no unit."""
    monkeypatch.setattr(units, "MOST_OF_A_STACK", 0)
    embed = {"Linear": {"out_features": 8, "bias": False}}
    layers = {
        "model": {"embed": embed, "body": [{"Linear": 8}]},
        "head": {"Linear": 8, "tie": {"weight": "model.embed.weight"}},
    }
    module = units.divided(traced(tmp_path, layers=layers), CPU, None)
    assert names(module) == ["", "model.body", "model.body.0"]
    assert module.get_parameter("head.weight") is module.get_parameter("model.embed.weight")


@pytest.mark.usefixtures("two")
def test_a_process_holds_its_part_of_the_first_values(tmp_path: Path) -> None:
    """Half of the network, and half of the values that one process begins with."""
    graph = traced(tmp_path)
    torch.manual_seed(0)
    whole = builder.module(graph)
    after = torch.get_rng_state()
    torch.manual_seed(0)
    module = units.divided(graph, CPU, None)
    assert torch.equal(torch.get_rng_state(), after)
    for (name, part), all_ in zip(module.named_parameters(), whole.parameters(), strict=True):
        assert isinstance(part, DTensor), name
        assert torch.equal(part.to_local(), all_.chunk(2)[1]), name
    held = sum(p.to_local().numel() for p in module.parameters())
    assert held == sum(p.numel() for p in whole.parameters()) / 2
    for (name, buffer), all_ in zip(module.named_buffers(), whole.buffers(), strict=True):
        assert torch.equal(buffer, all_), name


@pytest.mark.usefixtures("two")
def test_frozen_weights_stay_frozen(tmp_path: Path) -> None:
    """They are divided too, and get no gradient."""
    layers = {"body": {"layers": [{"Linear": 8}], "freeze": True}, "head": {"Linear": 4}}
    module = units.divided(traced(tmp_path, layers=layers), CPU, None)
    learns = {name: p.requires_grad for name, p in module.named_parameters()}
    assert learns == {
        "body.0.weight": False,
        "body.0.bias": False,
        "head.weight": True,
        "head.bias": True,
    }


@pytest.mark.usefixtures("two")
def test_half_precision_is_a_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights travel with 16 bits if autocast computes with them so; the sums have 32 bits."""
    monkeypatch.setattr(units, "MOST_OF_A_STACK", 0)
    module = units.divided(traced(tmp_path), CPU, torch.bfloat16)
    policies = {
        name: part._get_fsdp_state()._mp_policy
        for name, part in module.named_modules()
        if isinstance(part, FSDPModule)
    }
    halves = {name for name, policy in policies.items() if policy.param_dtype == torch.bfloat16}
    linears = {name for name, part in module.named_modules() if isinstance(part, nn.Linear)}
    assert halves == linears
    assert {policies[name].reduce_dtype for name in halves} == {torch.float32}
    assert not any(policy.cast_forward_inputs for policy in policies.values())


def test_gradients_of_parts_and_of_whole_weights_are_clipped_together() -> None:
    """The norm counts both kinds once."""
    one, two = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    one.grad, two.grad = torch.tensor([3.0, 0.0]), torch.tensor([4.0])
    units.clip_norm([one, two, nn.Parameter(torch.zeros(1))], 1.0)
    torch.testing.assert_close(one.grad, torch.tensor([0.6, 0.0]))
    torch.testing.assert_close(two.grad, torch.tensor([0.8]))
