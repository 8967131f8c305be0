"""What torch refuses in a step names its layer, its loss or its optimizer, and the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from netbuild import TrainingError, training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.data.batches import Batches
from netbuild.training.progress import Silent

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.training.loop import Trainer

END = """
loss: {loss}
optimizer: {optimizer}
data: {data}
train: {{epochs: 1, batch_size: 8, device: cpu}}
"""


def prepared(folder: Path, network: str, **sections: str) -> Trainer:
    """Return the trainer of a network."""
    given = {"loss": "CrossEntropyLoss", "optimizer": "SGD", "data": "{Random: {samples: 40}}"}
    path = folder / "net.yaml"
    path.write_text(network.strip() + END.format(**given | sections))
    return training.prepare(trainable(load(path)), folder / "runs")


def said(trainer: Trainer, *x: torch.Tensor, target: torch.Tensor | None = None) -> str:
    """Return the message of a step with a batch that does not fit."""
    target = torch.zeros(8, dtype=torch.int64) if target is None else target
    with pytest.raises(TrainingError) as refused:
        trainer.learner.step([(x, (target,))], "in epoch 1")
    return str(refused.value)


def test_indices_in_a_file(tmp_path: Path) -> None:
    """An index without a row of the table names the table, its line and the indices."""
    r = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=r.integers(0, 10, (40, 4)), y=r.integers(0, 3, 40))
    network = """
input: {shape: [4], dtype: int64}
layers:
  words: [Narrow: {dim: 1, start: 0, length: 3}, Embedding: {num_embeddings: 5, embedding_dim: 4}]
  flat: Flatten
  head: {Linear: 3}
"""
    trainer = prepared(tmp_path, network, data="{Arrays: {file: a.npz}}")
    with pytest.raises(TrainingError) as refused:
        training.fit(trainer, Silent())
    assert str(refused.value) == (
        "torch refused the step: index out of range in self; at words.1 (Embedding, line 3 of "
        f"{tmp_path / 'net.yaml'}), which reads 8×3 of int64 from 0 to 9"
    )


def test_lengths_that_do_not_exist(tmp_path: Path) -> None:
    """A length behind the end of a sequence names the layer, its line and the lengths."""
    network = """
inputs: {x: [5, 3], lengths: {shape: [], dtype: int64}}
layers:
  read: {GRU: 4, inputs: {input: x, lengths: lengths}}
  last: {Flatten, inputs: read.h_n}
  head: {Linear: 2}
"""
    arrays = {"x": np.zeros((40, 5, 3), "float32"), "y": np.arange(40) % 2}
    np.savez(tmp_path / "a.npz", **arrays, lengths=np.arange(40) % 5 + 1)
    data = "{Arrays: {file: a.npz, inputs: [x, lengths]}}"
    trainer = prepared(tmp_path, network, data=data)
    lengths = torch.tensor([5, 1, 2, 3, 4, 5, 6, 1])
    assert said(trainer, torch.randn(8, 5, 3), lengths).startswith(
        "torch refused the step: lengths are from 1 to 6, and a sequence has 1 to 5 steps; "
        "at read (GRU, line 3 of "
    )


BRANCHES = """
inputs: {a: [4], b: [4]}
layers:
  trunk: {Linear: {out_features: 4}, inputs: a}
  inner:
    inputs: {x: trunk, y: b}
    layers:
      gate: {Multiply, inputs: [x, x]}
      join: {Add, inputs: [gate, y]}
  again: {Reuse: trunk}
  head: {Linear: 3}
"""


@pytest.mark.parametrize(
    ("sizes", "at"),
    [
        ((5, 4), "trunk (Linear, line 3 of FILE), which reads 8×5 of float32"),
        ((4, 5), "inner.join (Add, line 8 of FILE)"),
    ],
)
def test_layers_and_operations(tmp_path: Path, sizes: tuple[int, int], at: str) -> None:
    """A layer is named with what it reads, an operation by the member of its stack."""
    trainer = prepared(tmp_path, BRANCHES)
    message = said(trainer, *(torch.zeros(8, size) for size in sizes))
    assert message.startswith("torch refused the step: ")
    assert message.endswith(f"; at {at.replace('FILE', str(tmp_path / 'net.yaml'))}")


def test_a_module_within_a_layer(tmp_path: Path) -> None:
    """What fails inside a module of several parts is that layer's, with the layer's input."""
    network = "input: [3, 4]\nlayers: [{TransformerEncoderLayer: {nhead: 2}}, Flatten, {Linear: 3}]"
    message = said(prepared(tmp_path, network), torch.zeros(8, 3, 6))
    at = f"0 (TransformerEncoderLayer, line 2 of {tmp_path / 'net.yaml'})"
    assert message.endswith(f"; at {at}, which reads 8×3×6 of float32")


def test_the_loss(tmp_path: Path) -> None:
    """A loss is named with its line."""
    network = "input: [4]\nlayers: [{Linear: 3}]"
    message = said(prepared(tmp_path, network), torch.zeros(8, 4), target=torch.full((8,), 9))
    assert message == (
        "torch refused the step: Target 9 is out of bounds.; at CrossEntropyLoss "
        f"(line 3 of {tmp_path / 'net.yaml'})"
    )


def test_the_optimizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An optimizer is named with its line."""

    def step(self: Any, _: Any = None) -> None:  # noqa: ARG001  a frame of the optimizer
        raise RuntimeError("no kernel")

    monkeypatch.setattr(torch.optim.Adam, "step", step)
    trainer = prepared(tmp_path, "input: [4]\nlayers: [{Linear: 3}]", optimizer="Adam")
    message = said(trainer, torch.zeros(8, 4))
    place = f"line 4 of {tmp_path / 'net.yaml'}"
    assert message == f"torch refused the step: no kernel; at Adam ({place})"


def test_the_backward_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no layer calls is named by what the step does."""
    trainer = prepared(tmp_path, "input: [4]\nlayers: [{Linear: 3}]")

    def backward(*_: Any, **__: Any) -> None:
        raise RuntimeError("no gradient")

    monkeypatch.setattr(torch.Tensor, "backward", backward)
    message = said(trainer, torch.zeros(8, 4))
    assert message == "torch refused the step: no gradient; at the backward pass"


def test_the_validation(tmp_path: Path) -> None:
    """The network that is validated, an average too, names its layers."""
    network = "input: [4]\nlayers: {body: [ReLU], head: {Linear: 3}}"
    path = tmp_path / "net.yaml"
    trainer = prepared(tmp_path, network)
    path.write_text(path.read_text().replace("epochs: 1", "epochs: 1, ema: 0.9"))
    trainer = training.prepare(trainable(load(path)), tmp_path / "runs")
    batches = Batches((torch.zeros(8, 5),), (torch.zeros(8, dtype=torch.int64),))
    with pytest.raises(TrainingError, match=r"^torch refused the validation: .*; at head \(Linear"):
        trainer.learner.validate(batches.in_order(8))
