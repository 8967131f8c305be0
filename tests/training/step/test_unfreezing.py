"""Layers that are frozen at first: what changes in which epoch, and what a resumed run does."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.builder import module as builder
from netbuild.checks.trace import infer, trace, trainable
from netbuild.config.load import load, read
from netbuild.diagnostics.diagnostic import errors
from netbuild.reports.summary import memory
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted
from netbuild.training.progress import Silent
from netbuild.training.step.unfreezing import Unfreezing
from tests.components.schedulers.test_training import Stopping
from tests.training.step.test_players import GAN
from tests.training_configs import outcome, text, write

if TYPE_CHECKING:
    from pathlib import Path

#: The trunk learns from epoch 3 on, its first layer from epoch 2 on.
LAYERS = {
    "trunk": {"layers": [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}], "freeze": True},
    "head": {"Linear": 3},
}
TRAIN = {
    "epochs": 3,
    "batch_size": 16,
    "device": "cpu",
    "unfreeze": {"trunk.0": 2, "trunk": 3},
}


class Watching(Silent):
    """Keeps the tensors of a network after each epoch."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.found = [self._now()]

    def _now(self) -> dict[str, torch.Tensor]:
        return {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def epoch(self, metrics: dict[str, Any]) -> None:  # noqa: ARG002  as progress calls it
        """Keep the tensors after an epoch."""
        self.found.append(self._now())


def changes(found: list[dict[str, torch.Tensor]]) -> list[set[str]]:
    """Return the names of the tensors that each epoch changes."""
    return [
        {name for name in new if not torch.equal(old[name], new[name])}
        for old, new in pairwise(found)
    ]


@pytest.mark.parametrize("optimizer", ["AdamW", {"SGD": {"momentum": 0.9, "weight_decay": 0.1}}])
def test_epochs(tmp_path: Path, optimizer: Any) -> None:
    """A frozen layer keeps its weights and its statistics until its epoch begins."""
    file = write(tmp_path, layers=LAYERS, train=TRAIN, optimizer=optimizer)
    trainer = training.prepare(trainable(load(file)), tmp_path)
    watching = Watching(trainer.learner.module)
    training.fit(trainer, watching)
    head = {"head.weight", "head.bias"}
    first = head | {"trunk.0.weight", "trunk.0.bias"}
    statistics = {f"trunk.1.{n}" for n in ("running_mean", "running_var", "num_batches_tracked")}
    every = first | {"trunk.1.weight", "trunk.1.bias"} | statistics
    assert changes(watching.found) == [head, first, every]


def test_against_a_loop_by_hand(tmp_path: Path) -> None:
    """The weights are those of a loop that freezes with `requires_grad` and `eval`."""
    layers = {"trunk": {"layers": [{"Linear": 8}, "ReLU"], "freeze": True}, "head": {"Linear": 3}}
    train = TRAIN | {"unfreeze": {"trunk": 2}, "epochs": 2}
    file = write(tmp_path, layers=layers, train=train)
    trainer = training.prepare(trainable(load(file)), tmp_path)
    hand = builder.build(load(file))
    hand.load_state_dict(trainer.learner.module.state_dict())
    adam = torch.optim.Adam(hand.parameters(), lr=0.01)
    batches = [list(trainer.training.shuffled(16, epoch)) for epoch in range(2)]
    for epoch, those in enumerate(batches):
        hand.trunk.requires_grad_(epoch > 0)
        for (x,), (target,) in those:
            adam.zero_grad()
            nn.functional.cross_entropy(hand(x), target).backward()
            adam.step()
    training.fit(trainer, Silent())
    for name, tensor in trainer.learner.module.state_dict().items():
        torch.testing.assert_close(tensor, hand.state_dict()[name], rtol=0, atol=1e-6)


def test_resumed(tmp_path: Path) -> None:
    """Stopped before, within and after the epoch that unfreezes, a run ends with the same bits."""
    file = write(tmp_path, layers=LAYERS, train=TRAIN)
    whole = training.train(file, runs=tmp_path / "whole")
    trainer = training.prepare(trainable(load(file)), tmp_path / "stopped")
    for behind in (2, 2, 3):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(behind))
        trainer = training.resume(trainer.run.folder)
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


def test_stilled_modules() -> None:
    """Until its epoch, a recurrent layer drops nothing, and a table keeps its long rows."""
    layers = {
        "table": {"Embedding": {"num_embeddings": 9, "embedding_dim": 4, "max_norm": 1}},
        "memory": {"LSTM": {"hidden_size": 4, "num_layers": 2, "dropout": 0.5}},
    }
    frozen = {name: {**layer, "freeze": True} for name, layer in layers.items()}
    source = text(
        input={"shape": [5], "dtype": "int64"},
        layers=frozen | {"head": {"Linear": 3}},
        data=None,
        train=TRAIN | {"unfreeze": {"table": 2, "memory": 3}},
    )
    graph = infer(read(from_bytes("tiny.yaml", source.encode())))
    assert not errors(graph.diagnostics)
    module = builder.module(graph)
    unfreezing = Unfreezing(module, graph)
    for epoch, kind, dropout in (
        (1, "FrozenEmbedding", 0),
        (2, "Embedding", 0),
        (3, "Embedding", 0.5),
    ):
        builder.train(module, graph)
        unfreezing.begin(epoch)
        assert (type(module.table).__name__, module.memory.dropout) == (kind, dropout)
        assert module.table.weight.requires_grad == (epoch >= 2)
        assert module.memory.weight_hh_l1.requires_grad == (epoch >= 3)
        assert module.memory.training


def test_counts() -> None:
    """A layer that learns later counts as one that learns; the summary says from when on."""
    graph = trace(read(from_bytes("tiny.yaml", text(layers=LAYERS, train=TRAIN).encode())))
    assert graph.trainable == graph.params == 40 + 16 + 27
    assert memory(graph).startswith("56 params learn from epochs 2 to 3 on · weights")


def test_nothing_learns_at_first() -> None:
    """A training in which no weight learns at first is refused."""
    layers = {"trunk": {"layers": [{"Linear": 3}], "freeze": True}}
    source = text(layers=layers, train=TRAIN | {"unfreeze": {"trunk": 2}})
    graph = infer(read(from_bytes("tiny.yaml", source.encode())))
    assert [fault.label for fault in errors(graph.diagnostics)] == [
        "no weight learns before epoch 2"
    ]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_optimizer_that_waits(tmp_path: Path, precision: str) -> None:
    """An optimizer whose weights all learn later takes no step before, also with a scaler."""
    optimizer = [{"SGD": {"lr": 0.1}, "match": "trunk.*"}, {"Adam": {"lr": 0.01}}]
    train = TRAIN | {"unfreeze": {"trunk": 2}, "epochs": 2, "precision": precision}
    file = write(tmp_path, layers=LAYERS, optimizer=optimizer, train=train)
    trainer = training.prepare(trainable(load(file)), tmp_path)
    watching = Watching(trainer.learner.module)
    training.fit(trainer, watching)
    first, second = changes(watching.found)
    assert first == {"head.weight", "head.bias"}
    assert second >= {"trunk.0.weight", "head.weight"}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_player_that_waits(tmp_path: Path, precision: str) -> None:
    """A player whose weights all learn later has losses, and takes no step before."""
    generator = GAN["layers"]["generator"] | {"freeze": True}
    layers = GAN["layers"] | {"generator": generator}
    train = TRAIN | {"unfreeze": {"generator": 2}, "epochs": 2, "precision": precision}
    file = write(tmp_path, **GAN | {"layers": layers, "train": train | {"monitor": None}})
    trainer = training.prepare(trainable(load(file)), tmp_path)
    watching = Watching(trainer.learner.module)
    training.fit(trainer, watching)
    first, second = changes(watching.found)
    assert {name.split(".")[0] for name in first} == {"critic"}
    assert "generator.0.weight" in second
    assert all(epoch["train_fool"] > 0 for epoch in trainer.run.metrics)
