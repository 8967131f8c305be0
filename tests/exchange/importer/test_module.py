"""Modules of torch become configs that compute the same."""

# ruff: noqa: D102  the docstring of the class says it

from __future__ import annotations

import random

import pytest
import torch
from torch import nn
from torch.nn import functional

import netbuild
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.imported import Imported, imported
from netbuild.exchange.importer.module import read
from tests.networks.by_hand import cases
from tests.tables import over


def exact(module: nn.Module, *shapes: tuple[int, ...]) -> Imported:
    """Return the config of a module, which computes exactly what the module does."""
    found = imported(module, [torch.randn(2, *shape) for shape in shapes])
    assert (found.gaps, found.difference) == ((), 0)
    return found


@over(list(cases()), lambda case: case[0])
def test_networks_written_by_hand(case: tuple) -> None:  # type: ignore[type-arg]
    """They come back without a gap and with a difference of 0."""
    _, make, x = case
    found = imported(make(), x)
    assert (found.gaps, found.difference) == ((), 0)


class Turned(nn.Module):
    """Attention as timm writes it: the batch is not the first axis in between."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, places, width = x.shape
        qkv = self.qkv(x).reshape(batch, places, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        scores = (q @ k.transpose(-2, -1)) * 0.5
        y = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, places, width)
        return self.proj(y)


class Windows(nn.Module):
    """The windows of an image are merged with the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch = len(x)
        x = x.view(batch, 2, 4, 2, 4, 3).transpose(2, 3).reshape(batch * 4, 16, 3)
        x = self.linear(x).softmax(1)
        return x.view(batch, 2, 2, 4, 4, 3).transpose(2, 3).reshape(batch, 8, 8, 3)


class First(nn.Module):
    """A sequence that has the batch on axis 1."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(4, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.gru(x.transpose(0, 1))[0][-1]


class Token(nn.Module):
    """A class token that is expanded to the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 4))
        self.places = nn.Parameter(torch.randn(1, 6, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places


@over([(Turned, (5, 8)), (Windows, (8, 8, 3)), (First, (5, 4)), (Token, (5, 4))], repr)
def test_where_the_batch_is(case: tuple[type[nn.Module], tuple[int, ...]]) -> None:
    """The batch may be on any axis, merged with others, or in the size of an expanded token."""
    kind, shape = case
    exact(kind(), shape)


class Functions(nn.Module):
    """One statement is one formula, and a sum is an Add."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        z = x + y
        w = torch.sigmoid(1.5 * z) * (1 - x) ** 2
        return functional.relu(w)


def test_a_statement_is_a_formula() -> None:
    """What one statement computes element by element is one item."""
    network = read(Functions(), [torch.randn(2, 3), torch.randn(2, 3)])
    assert [(node.type, dict(node.arguments)) for node in network.nodes] == [
        ("Add", {}),
        ("Formula", {"formula": "sigmoid(1.5 * x) * (1 - y) ** 2"}),
        ("ReLU", {}),
    ]
    exact(Functions(), (3,), (3,))


class Tied(nn.Module):
    """The head has the weights of the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.embed(x))


def test_ties_and_frozen_weights() -> None:
    """One tensor under two names is a tie, and weights without a gradient are frozen."""
    module = nn.Sequential(Tied(), nn.Linear(9, 3))
    module[1].requires_grad_(False)
    found = imported(module, torch.randint(0, 9, (2, 5)))
    by_path = {node.path: node.modifiers for node in found.network.nodes}
    assert by_path["0.head"] == {"tie": {"weight": "0.embed.weight"}}
    assert by_path["1"] == {"freeze": True}
    assert (found.gaps, found.difference) == ((), 0)


class Again(nn.Module):
    """An encoder that reads two inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 3), nn.Tanh())

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.encoder(a), self.encoder(b)


def test_reuse() -> None:
    """A module that is called again is a Reuse."""
    assert "Reuse: encoder" in exact(Again(), (4,), (4,)).text


class Skipping(nn.Module):
    """Stochastic depth by hand, and a functional dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.drop_prob = 0.25

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1)) >= self.drop_prob
        return x * kept / (1 - self.drop_prob)


class Drops(nn.Module):
    """A functional dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.skip = Skipping()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.skip(functional.dropout(x, 0.1, self.training))


def test_what_training_drops() -> None:
    """Evaluation does not show what training drops, and the config has it all the same."""
    nodes = read(Drops(), torch.randn(2, 6)).nodes
    assert [(node.type, dict(node.arguments)) for node in nodes] == [
        ("Dropout", {"p": 0.1}),
        ("StochasticDepth", {"p": 0.25, "mode": "row"}),
    ]


class Branching(nn.Module):
    """Its next step depends on a value."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        return y.exp() if (y * y).sum() > 0 else y.sin()


class Fourier(nn.Module):
    """A function that a config does not have, in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.after(torch.fft.fft(self.before(x)).real)


def test_gaps() -> None:
    """A gap is a comment at its place, and the rest is written."""
    found = imported(Fourier(), torch.randn(2, 4))
    assert found.difference is None
    assert found.gaps == ("fft_fft: fft_fft: a config has no counterpart",)
    lines = [line.strip() for line in found.text.splitlines()[2:]]
    assert lines == [
        "layers:",
        "before: {Linear: 4}",
        "# gap: fft_fft: fft_fft: a config has no counterpart",
        "after: {Linear: 2}",
    ]


def test_what_depends_on_values() -> None:
    """A branch on a value is a gap, for a config would follow one side only."""
    gaps = imported(Branching(), torch.randn(2, 4)).gaps
    assert any("what comes next depends on a value" in gap for gap in gaps)


class Rolling(nn.Module):
    """It mixes the samples of a batch."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x - x.mean(0)


def test_samples_that_mix() -> None:
    """What works along the batch is a gap."""
    (gap,) = imported(Rolling(), torch.randn(2, 4)).gaps
    assert gap.endswith("it works along the batch, so it mixes samples")


class Noisy(nn.Module):
    """It draws in training only, in a way of its own."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.exp() + (torch.randn_like(x) if self.training else 0)


def test_what_only_training_computes() -> None:
    """A config that lacks what training draws says so, although evaluation is the same."""
    found = imported(Noisy(), torch.randn(2, 4))
    assert found.difference == 0
    assert found.gaps == (
        "in training the module draws random numbers that the config does not have",
    )


def test_the_module_stays_as_it_is() -> None:
    """Neither its mode, nor its statistics, nor the generator change."""
    module = nn.Sequential(nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    module[0].eval()
    before = {name: one.clone() for name, one in module.state_dict().items()}
    generator = random.getstate()
    text = netbuild.from_module(module, torch.randn(2, 4))
    assert text.startswith("name: sequential\ninput: [4]\n")
    assert (module.training, module[0].training) == (True, False)
    assert all(torch.equal(before[name], one) for name, one in module.state_dict().items())
    assert random.getstate() == generator


def test_inputs_that_do_not_fit() -> None:
    """A module that does not run on the inputs is refused in a sentence."""
    with pytest.raises(ImportedError, match="does not run on the inputs: RuntimeError: mat1"):
        imported(nn.Linear(3, 2), torch.randn(2, 4))
