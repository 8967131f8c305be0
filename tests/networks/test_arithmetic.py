"""Networks with formulas, each compared with a module that is written by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netbuild.builder.module import module
from tests.components.layers.contract import Tensor as Described
from tests.components.layers.contract import graph_of


class Siren(nn.Module):
    """A sine network for a coordinate (Sitzmann et al. 2020)."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Return the result of the network."""
        x = torch.sin(30 * self.first(x))
        y: Tensor = self.last(torch.sin(30 * self.second(x)))
        return y


SIREN = {
    "first": {"Linear": 16},
    "wave1": {"Formula": "sin(30 * x)"},
    "second": {"Linear": 16},
    "wave2": {"Formula": "sin(30 * x)"},
    "last": {"Linear": 3},
}


class GatedUnit(nn.Module):
    """A gated linear unit with any activation of the gate (Shazeer 2020)."""

    def __init__(self, activation: Any) -> None:
        super().__init__()
        self.value, self.gate, self.out = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        """Return the result of the network."""
        y: Tensor = self.out(self.activation(self.gate(x)) * self.value(x))
        return y


def gated(formula: str) -> dict[str, Any]:
    """Return the layers of a gated unit."""
    return {
        "value": {"Linear": 12},
        "gate": {"Linear": 12, "inputs": "input"},
        "mixed": {"Formula": formula, "inputs": {"g": "gate", "v": "value"}},
        "out": {"Linear": 8},
    }


class ResponseNorm(nn.Module):
    """ConvNeXt V2's global response normalisation (Woo et al. 2023)."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.zeros(1, 6, 1, 1))
        self.beta = nn.Parameter(torch.zeros(1, 6, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return the result of the network."""
        energy = (x**2).sum((2, 3), keepdim=True).sqrt()
        share = energy / (energy.mean(1, keepdim=True) + 1e-6)
        return self.gamma * (x * share) + self.beta + x


NORM = {
    "square": {"Formula": "x ** 2"},
    "sum": {"Sum": {"dim": [2, 3], "keepdim": True}},
    "energy": {"Formula": "sqrt(x)"},
    "mean": {"Mean": {"dim": 1, "keepdim": True}},
    "gamma": {"Parameter": [6, 1, 1]},
    "beta": {"Parameter": [6, 1, 1]},
    "out": {
        "Formula": "gamma * (x * (energy / (mean + 1e-6))) + beta + x",
        "inputs": {name: name for name in ("gamma", "energy", "mean", "beta")} | {"x": "input"},
    },
}

NETWORKS: dict[str, tuple[Any, dict[str, Any], tuple[int, ...]]] = {
    "siren": (Siren, SIREN, (5, 2)),
    "glu": (lambda: GatedUnit(torch.sigmoid), gated("sigmoid(g) * v"), (8,)),
    "swiglu": (lambda: GatedUnit(nn.functional.silu), gated("silu(g) * v"), (8,)),
    "geglu": (lambda: GatedUnit(nn.functional.gelu), gated("gelu(g) * v"), (4, 8)),
    "reglu": (lambda: GatedUnit(torch.relu), gated("relu(g) * v"), (8,)),
    "bilinear": (lambda: GatedUnit(lambda x: x), gated("g * v"), (8,)),
    "response norm": (ResponseNorm, NORM, (6, 5, 5)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str) -> None:
    """Names and shapes of weights, MACs, and scores with the same weights, and their gradients."""
    make, layers, shape = NETWORKS[name]
    torch.manual_seed(0)
    by_hand = make()
    for parameter in by_hand.parameters():
        nn.init.normal_(parameter, std=0.3)
    graph = graph_of(layers, Described(shape))
    assert graph.diagnostics == ()
    built = module(graph)
    built.load_state_dict(by_hand.state_dict())
    x, z = torch.randn(3, *shape, requires_grad=True), None
    for train in (True, False):
        y, z = by_hand.train(train)(x), built.train(train)(x)
        torch.testing.assert_close(z, y)
    for left, right in zip(
        torch.autograd.grad(by_hand(x).sum(), x),
        torch.autograd.grad(built(x).sum(), x),
        strict=True,
    ):
        torch.testing.assert_close(left, right)
    linear = [part for part in by_hand.modules() if isinstance(part, nn.Linear)]
    places = shape[0] if len(shape) == 2 else 1
    assert graph.macs == sum(part.weight.numel() for part in linear) * places
