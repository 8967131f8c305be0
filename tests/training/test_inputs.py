"""Networks of several inputs and outputs: their data, their loss, their training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

import netbuild as package
from netbuild import training
from netbuild.checks.trace import infer, trace, trainable
from netbuild.config.load import read
from netbuild.config.resolution import resolved
from netbuild.syntax.parser import from_bytes
from tests.training_configs import in_memory, outcome

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from netbuild.training.loop import Trainer

TEXT = """\
name: pairs
inputs: {{left: [4], right: {{shape: [3], dtype: int64}}}}
layers:
  a: {{Linear: 3, inputs: left}}
  embed: {{Embedding: {{num_embeddings: 5, embedding_dim: 2}}, inputs: right}}
  flat: Flatten
  b: {{Linear: 3}}
  c: {{Linear: 7, inputs: left}}
outputs: {{first: a, second: b, other: c}}
loss: {loss}
optimizer: {{SGD: {{lr: 0.1}}}}
data: {{Random: {{samples: 40, below: 5}}}}
train: {{epochs: 2, batch_size: 16}}
"""


def graph(loss: str) -> Graph:
    """Return the network with a loss."""
    return trainable(read(from_bytes("pairs.yaml", TEXT.format(loss=loss).encode())))


def prepared(loss: str, folder: Path) -> Trainer:
    """Return the training of the network with a loss."""
    return training.prepare(graph(loss), folder)


LOSSES: dict[str, tuple[list[int], Any]] = {
    "{MSELoss, inputs: second}": ([1], nn.MSELoss()),
    "{CrossEntropyLoss, inputs: [other]}": ([2], nn.CrossEntropyLoss()),
    "{CosineEmbeddingLoss, inputs: [second, first]}": ([1, 0], nn.CosineEmbeddingLoss()),
    "{GaussianNLLLoss, inputs: {var: first, input: second}}": ([1, 0], None),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_reads_the_outputs_that_it_names(loss: str, tmp_path: Path) -> None:
    """A loss reads the outputs that it names, in the order of its names."""
    trainer = prepared(loss, tmp_path)
    places, by_torch = LOSSES[loss]
    assert trainer.learner.criterion.first.reads == places
    x, targets = next(trainer.held_out.in_order(5))
    assert [(tuple(part.shape), part.dtype) for part in x] == [
        ((5, 4), torch.float32),
        ((5, 3), torch.int64),
    ]
    y = trainer.learner.module(*x)
    if by_torch is not None:
        wanted = by_torch(*(y[place] for place in places), *targets)
        criterion = trainer.learner.criterion
        found = criterion.total(criterion.losses(x, y, targets), y)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("loss", ["{MSELoss, inputs: second}", "{CrossEntropyLoss, inputs: other}"])
def test_it_trains_and_goes_on(loss: str, tmp_path: Path) -> None:
    """All inputs of a sample stay together, also in a resumed training."""
    whole = prepared(loss, tmp_path / "whole")
    training.fit(whole, training.Silent())
    cut = prepared(loss, tmp_path / "cut")
    cut.epoch(training.Silent())
    assert cut.lock is not None
    cut.lock.release()
    again = training.resume(cut.run.folder)
    training.fit(again, training.Silent())
    assert outcome(again.run) == outcome(whole.run)
    assert training.evaluate(again.run.folder, "last")["val_loss"] == pytest.approx(
        whole.run.metrics[-1]["val_loss"]
    )


def test_what_is_resolved_reads_the_same() -> None:
    """`resolved.yaml` contains the outputs that the loss reads."""
    found = graph("{GaussianNLLLoss, inputs: {var: first, input: second}}")
    again = trace(read(from_bytes("resolved.yaml", resolved(found.config).encode())))
    assert list(again.compared) == list(found.compared) == ["second", "first"]


def test_inputs_of_a_sample_stay_together(tmp_path: Path) -> None:
    """Splits and shuffled batches take the same samples of every input."""
    trainer = prepared("{MSELoss, inputs: second}", tmp_path)
    everything = {
        (tuple(a.tolist()), tuple(b.tolist()), tuple(t.tolist()))
        for split in map(in_memory, (trainer.training, trainer.held_out))
        for a, b, t in zip(*split.inputs, *split.targets, strict=True)
    }
    assert len(everything) == 40
    for (left, right), (target,) in trainer.training.shuffled(7, seed=3):
        for a, b, t in zip(left, right, target, strict=True):
            assert (tuple(a.tolist()), tuple(b.tolist()), tuple(t.tolist())) in everything


def test_a_loss_of_one_output_among_several() -> None:
    """A loss has to name its outputs if the network has several."""
    text = TEXT.format(loss="MSELoss")
    (fault,) = infer(read(from_bytes("pairs.yaml", text.encode()))).diagnostics
    assert fault.help == "name the outputs that it reads: {MSELoss, inputs: [first]}"


def test_an_output_that_is_named_twice() -> None:
    """A loss that names an output twice is a fault."""
    text = TEXT.format(loss="{CosineEmbeddingLoss, inputs: [first, first]}")
    (fault,) = infer(read(from_bytes("pairs.yaml", text.encode()))).diagnostics
    assert (fault.code, fault.label) == ("NB213", "already named")


def test_train_from_python(tmp_path: Path) -> None:
    """`netbuild.train` trains a network with several inputs and outputs."""
    path = tmp_path / "pairs.yaml"
    path.write_text(TEXT.format(loss="{MSELoss, inputs: second}"), encoding="utf-8")
    run = package.train(path, runs=tmp_path / "runs")
    assert len(run.metrics) == 2
