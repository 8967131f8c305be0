"""A built network begins with the values of the rules."""

import pytest
import torch
from torch import nn
from torch.nn import init as torch_init

import netbuild
from netbuild.builder.initialise import initialise
from netbuild.components.initializers import INITIALIZERS
from netbuild.config.load import read
from netbuild.config.resolution import resolved
from netbuild.syntax.dump import dump
from netbuild.syntax.node import plain
from netbuild.syntax.parser import from_bytes
from tests.init_rules import graph, row, rules_of


def test_initialise() -> None:
    """The parameters of a module get what the rules say, the others keep what torch gave them."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    rows = [
        row("0", "Linear", weight=(6, 4), bias=(6,)),
        row("1", "ReLU"),
        row("2", "Linear", weight=(2, 6), bias=(2,)),
    ]
    rules, _ = rules_of(
        {"match": "2.bias", "constant_": 0.25}, {"match": "0", "normal_": {"mean": 9}}
    )
    torch.manual_seed(5)
    initialise(module, graph(rows, rules))
    after = module.state_dict()
    torch.manual_seed(5)
    expected = torch_init.normal_(torch.empty(6, 4), mean=9.0)
    assert torch.equal(after["0.weight"], expected)
    assert after["2.bias"].tolist() == [0.25, 0.25]
    assert all(torch.equal(after[name], before[name]) for name in ("0.bias", "2.weight"))
    assert all(p.requires_grad and p.grad is None and p.is_leaf for p in module.parameters())


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initialise_without_memory(name: str) -> None:
    """On the meta device there is nothing to do, and no initializer minds."""
    shape = (4, 2, 3) if name == "dirac_" else (4, 3)
    required = {"constant_": {"val": 1}, "sparse_": {"sparsity": 0.5}}.get(name, {})
    rules, wrong = rules_of({"match": "*", name: required})
    assert wrong == []
    module = nn.Sequential(nn.Module())
    module[0].weight = nn.Parameter(torch.empty(shape, device="meta"))
    initialise(module, graph([row("0", "Layer", weight=shape)], rules))
    assert module[0].weight.shape == shape


def test_built() -> None:
    """A built network has the weights that its file asks for, the same ones for the same seed."""
    text = dump(
        {
            "input": [4],
            "layers": [{"Linear": 6, "init": {"bias": "ones_"}}, "ReLU", {"Linear": 2}],
            "init": [{"match": "*.bias", "zeros_": None}, {"type": "Linear", "normal_": None}],
        }
    )
    config = read(from_bytes("test.yaml", text.encode()))
    built = []
    for _ in range(2):
        torch.manual_seed(1)
        built.append(netbuild.build(config).state_dict())
    first, second = built
    assert first["0.bias"].tolist() == [1.0] * 6
    assert first["2.bias"].tolist() == [0.0] * 2
    assert first["2.weight"].abs().max() > 0.5  # torch's own lie within 1 / √6
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_resolved() -> None:
    """Rules and initializers are in a resolved config as they were written."""
    rules = [{"match": "*.bias", "zeros_": None}, {"type": "Linear", "normal_": {"std": 0.02}}]
    layers = [{"Linear": 6, "init": {"bias": "ones_"}}]
    text = dump({"input": [4], "layers": layers, "init": rules})
    again = from_bytes("again.yaml", resolved(read(from_bytes("a.yaml", text.encode()))).encode())
    assert again.root is not None
    assert plain(again.root) | {"layers": layers, "init": rules} == plain(again.root)
