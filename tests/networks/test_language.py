"""The networks `rotary`, `gpt` and `seq2seq` of `configs/`, which read and write sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu

import netbuild
from tests import ROOT
from tests.networks import compare

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

CONFIGS = ROOT / "configs"


def rotated(x: torch.Tensor) -> torch.Tensor:
    """Return queries or keys, of which the pair (i, i + 8) turns by place / 10000^(i / 8)."""
    pairs = torch.complex(*x.chunk(2, -1))
    angles = torch.outer(torch.arange(x.shape[-2]), 10000.0 ** (-torch.arange(8) / 8))
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    return torch.cat([turned.real, turned.imag], -1)


class Attention(nn.Module):
    """Four heads of queries, and two of keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj, self.o_proj = nn.Linear(64, 64, bias=False), nn.Linear(64, 64, bias=False)
        self.k_proj, self.v_proj = nn.Linear(64, 32, bias=False), nn.Linear(64, 32, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each place reads at places up to its own."""
        q, k, v = (
            y.unflatten(2, (-1, 16)).transpose(1, 2)
            for y in (self.q_proj(x), self.k_proj(x), self.v_proj(x))
        )
        k, v = (y.repeat_interleave(2, 1) for y in (rotated(k), v))
        y = scaled_dot_product_attention(rotated(q), k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """SwiGLU."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(64, 128, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(128, 64, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of each place."""
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class Decoder(nn.Module):
    """Attention and a perceptron, each behind a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(), Mlp()
        self.input_layernorm, self.post_attention_layernorm = (
            nn.RMSNorm(64, eps=1e-6) for _ in range(2)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of each place."""
        x = x + self.self_attn(self.input_layernorm(x))
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    """An embedding, two decoders and a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(32, 64)
        self.layers = nn.Sequential(Decoder(), Decoder())
        self.norm = nn.RMSNorm(64, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return features of each place."""
        return self.norm(self.layers(self.embed_tokens(x)))


class Llama(nn.Module):
    """A small decoder, whose head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.model, self.lm_head = Model(), nn.Linear(64, 32, bias=False)
        self.lm_head.weight = self.model.embed_tokens.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores of 32 characters for each place."""
        return self.lm_head(self.model(x)).mT


def test_rotary() -> None:
    """The file is the module that a reader would write by hand."""
    torch.manual_seed(0)
    compare((CONFIGS / "rotary.yaml").read_text(encoding="utf-8"), Llama(), near=1e-4)


def test_scores_of_rotary() -> None:
    """With the weights with which a training begins, the scores differ by less than 1e-6."""
    torch.manual_seed(0)
    built, by_hand = netbuild.build(CONFIGS / "rotary.yaml"), Llama()
    by_hand.load_state_dict(built.state_dict())
    x = torch.randint(32, (4, 64))
    assert (built(x) - by_hand(x)).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["gpt", "rotary"])
def test_places_see_no_later_ones(name: str) -> None:
    """A score knows all characters up to its place and no later one, in evaluation too."""
    torch.manual_seed(0)
    built = netbuild.build(CONFIGS / f"{name}.yaml")
    x = torch.randint(32, (1, 64))
    changed = x.clone()
    changed[:, 30] = (x[:, 30] + 1) % 32
    for training in (True, False):
        scores = []
        for one in (x, changed):
            torch.manual_seed(1)
            with torch.no_grad():
                scores.append(built.train(training)(one))
        moved = (scores[0] - scores[1]).abs().amax(1)[0] > 1e-6
        assert not moved[:30].any()
        assert moved[30:].all()


def test_gpt_without_is_causal(netbuild: Netbuild, tmp_path: Path) -> None:
    """`validate` says that places see what they have to tell, and its fix gives the file back."""
    good = (CONFIGS / "gpt.yaml").read_text(encoding="utf-8")
    path = tmp_path / "gpt.yaml"
    path.write_text(good.replace("      is_causal: true\n", ""), encoding="utf-8")
    found = netbuild("validate", path)
    assert "error[NB410]: TransformerEncoder sees what the network has to tell" in found.stdout
    assert found.stdout.count("error[") == 1
    netbuild("validate", path, "--fix", "--unsafe-fixes")
    assert path.read_text(encoding="utf-8") == good


def pages(folder: Path, name: str, book: str) -> list[dict[str, float]]:
    """Train a network for two epochs on a text; return what each epoch measured."""
    (folder / f"{name}.yaml").write_bytes((CONFIGS / f"{name}.yaml").read_bytes())
    (folder / "book.txt").write_text(book, encoding="utf-8")
    config = netbuild.load(folder / f"{name}.yaml", set=["train.epochs=2"])
    return netbuild.train(config, runs=folder).metrics


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt", "rotary"])
def test_trained_on_text(name: str, tmp_path: Path) -> None:
    """It tells characters of a page better than how often each of them stands there would.

    `benchmarks/language.py` trains `gpt` for longer, beside a GRU.
    """
    book = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
    often = np.unique(list(book), return_counts=True)[1] / len(book)
    often = np.sort(often)[::-1]
    often = np.append(often[:31], often[31:].sum())  # the network knows 31, and calls the rest one
    entropy = -(often * np.log(often)).sum()
    metrics = pages(tmp_path, name, book)
    assert metrics[-1]["val_loss"] < entropy - 0.2


@pytest.mark.slow
def test_gpt_on_noise(tmp_path: Path) -> None:
    """Nothing tells the next of 32 random characters: the network stays at chance."""
    generator = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz012345")
    last = pages(tmp_path, "gpt", "".join(generator.choice(letters, 60_000)))[-1]
    assert last["val_accuracy"] < 1.2 / 32
    assert last["val_loss"] > np.log(32) - 0.01


@pytest.mark.slow
def test_seq2seq(tmp_path: Path) -> None:
    """It writes eight digits in reverse, also when it reads what it has written itself."""
    source = np.random.default_rng(0).integers(0, 10, (4000, 8))
    target = source[:, ::-1].copy()
    given = np.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=10)
    np.savez(tmp_path / "digits.npz", source=source, given=given, reversed=target)
    path = tmp_path / "seq2seq.yaml"
    path.write_bytes((CONFIGS / "seq2seq.yaml").read_bytes())
    run = netbuild.train(netbuild.load(path), runs=tmp_path)
    assert run.metrics[-1]["val_accuracy"] >= 0.99
    module = netbuild.build(path)
    weights = load_file(run.folder / "checkpoints/best/model.safetensors")
    module.load_state_dict(weights)
    module.eval()
    x = torch.randint(10, (500, 8))
    written = torch.full((500, 8), 10)
    with torch.no_grad():
        for place in range(8):
            told = module(x, written).argmax(1)[:, place]
            if place < 7:
                written[:, place + 1] = told
    whole = torch.cat([written[:, 1:], told[:, None]], 1)
    assert (whole == x.flip(1)).float().mean() >= 0.99
