"""The networks `spectral`, `deep` and `ode`: normed, computed again, and called again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.utils.checkpoint import checkpoint

import netbuild
from netbuild.builder.module import module
from tests import ROOT
from tests.networks import compare
from tests.saved import kept_bytes

if TYPE_CHECKING:
    from pathlib import Path

CONFIGS = ROOT / "configs"


class Spectral(nn.Module):
    """A classifier whose scores change at most 16 times as much as its image."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = spectral_norm(nn.Conv2d(1, 32, 2, 2))
        self.conv2 = spectral_norm(nn.Conv2d(32, 64, 2, 2))
        self.head = spectral_norm(nn.Linear(256, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ten scores."""
        x = self.conv2(self.conv1(x).relu()).relu()
        return 16 * self.head(x.flatten(1))


class Residual(nn.Module):
    """A perceptron behind a norm, whose input is added."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(64), nn.Linear(64, 128), nn.Linear(128, 64)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 64 features."""
        return x + self.down(nn.functional.gelu(self.up(self.norm(x))))


class Deep(nn.Module):
    """Forty blocks, each of which is computed again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head, self.norm = nn.Linear(64, 64), nn.Linear(64, 10), nn.LayerNorm(64)
        self.body = nn.Sequential(*(Residual() for _ in range(40)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ten scores."""
        x = self.embed(x.flatten(1))
        for block in self.body:
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(self.norm(x))


class Step(nn.Module):
    """A step of Euler's method."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.slope = nn.Linear(64, 128), nn.Linear(128, 64)

    def forward(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """Return x one step later."""
        return x + self.slope(self.wide(x).tanh()) / steps


class Ode(nn.Module):
    """A differential equation, followed in eight steps with the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.step, self.scores = Step(), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ten scores."""
        x = x.flatten(1)
        for _ in range(8):
            x = self.step(x, 8)
        return self.scores(x)


@pytest.mark.parametrize("by_hand", [Spectral, Deep, Ode])
def test_networks(by_hand: type[nn.Module]) -> None:
    """A file is the module that a reader would write by hand."""
    torch.manual_seed(0)
    path = CONFIGS / f"{by_hand.__name__.lower()}.yaml"
    compare(path.read_text(encoding="utf-8"), by_hand())


def test_scores_change_no_faster_than_the_bound() -> None:
    """The scores of `spectral` change at most 16 times as much as the image."""
    torch.manual_seed(0)
    built = netbuild.build(CONFIGS / "spectral.yaml")
    x = torch.rand(64, 1, 8, 8)
    for _ in range(200):
        built(x)
    built.eval()
    moved = x + 1e-2 * torch.randn_like(x)
    with torch.no_grad():
        change = (built(moved) - built(x)).norm(dim=1)
    assert (change <= 16.01 * (moved - x).flatten(1).norm(dim=1)).all()


def test_kept_bytes_of_deep() -> None:
    """The bytes that `summary` names are those that torch keeps, with and without a checkpoint."""
    kept = {}
    for again in ("true", "false"):
        graph = netbuild.trace(netbuild.load(CONFIGS / "deep.yaml", set=[f"vars.again={again}"]))
        built = module(graph)
        more, less = (kept_bytes(built, torch.randn(n, 1, 8, 8))[0] for n in (3, 2))
        assert more - less == graph.activations_bytes
        kept[again] = graph.activations_bytes
    assert kept == {"true": 11_016, "false": 62_536}


@pytest.mark.parametrize("steps", [8, 64])
def test_more_steps_follow_the_same_equation(steps: int) -> None:
    """The weights of `ode` are those of one step; more steps come closer to the equation."""
    networks = []
    for n in (1024, steps):
        torch.manual_seed(0)
        config = netbuild.load(CONFIGS / "ode.yaml", set=[f"vars.steps={n}"])
        networks.append(module(netbuild.trace(config)))
    exact, found = networks
    found.load_state_dict(exact.state_dict())
    x = torch.rand(16, 1, 8, 8)
    with torch.no_grad():
        assert (exact(x) - found(x)).abs().max() < 0.1 / steps


@pytest.mark.slow
@pytest.mark.parametrize(("name", "epochs", "least"), [("spectral", 8, 0.9), ("ode", 8, 0.9)])
def test_trained(name: str, epochs: int, least: float, tmp_path: Path) -> None:
    """The networks tell handwritten digits that they have not seen."""
    config = netbuild.load(CONFIGS / f"{name}.yaml", set=[f"train.epochs={epochs}"])
    run = netbuild.train(config, runs=tmp_path)
    assert max(epoch["val_accuracy"] for epoch in run.metrics) >= least


@pytest.mark.slow
def test_deep_trained(tmp_path: Path) -> None:
    """Forty blocks learn within two epochs, for the way past them is free."""
    config = netbuild.load(CONFIGS / "deep.yaml", set=["train.epochs=2"])
    run = netbuild.train(config, runs=tmp_path)
    assert run.metrics[-1]["val_accuracy"] >= 0.85
