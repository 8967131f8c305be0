"""A training with any optimizer resumes."""

import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.config.load import load
from netbuild.training.progress import Silent
from tests.components.optimizers.cases import WORDS, layers
from tests.training_configs import STEPS, in_memory, outcome, write

#: The sections with which an optimizer trains.
SECTIONS: dict[str, dict[str, Any]] = {
    "Muon": {"layers": layers(bias=False)},
    "SparseAdam": WORDS,
}

#: More fields than the defaults, so that all that an optimizer can remember is remembered.
FIELDS: dict[str, list[dict[str, Any]]] = {
    "SGD": [{"momentum": 0.9}],
    "RMSprop": [{"momentum": 0.9, "centered": True}],
    "Adam": [{"amsgrad": True, "weight_decay": 0.1}, {"fused": True}],
    "ASGD": [{"t0": 2.0}],
    "LBFGS": [{"line_search_fn": "strong_wolfe", "history_size": 2}],
    "Adagrad": [{"initial_accumulator_value": 0.1, "lr_decay": 0.1}],
}

#: What is not torch's default with any of them.
OWN: dict[str, dict[str, Any]] = {"LBFGS": {"lr": 0.1, "max_iter": 4}}


class Stopping(Silent):
    """Stops a training behind a step whose number counts from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count, and stop."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(
    ("name", "fields"),
    [
        *((name, {}) for name in OPTIMIZERS),
        *((name, more) for name in FIELDS for more in FIELDS[name]),
    ],
)
def test_a_training_resumes(tmp_path: Path, name: str, fields: dict[str, Any]) -> None:
    """With any optimizer a training learns, and one that stopped ends with the same, bit by bit."""
    fields = {"lr": 0.01} | OWN.get(name, {}) | fields
    sections = {"layers": layers()} | SECTIONS.get(name, {})
    file = write(tmp_path, optimizer={name: fields}, **sections)
    whole = training.train(file, runs=tmp_path / "whole")
    graph = trainable(load(file))
    trainer = training.prepare(graph, tmp_path / "stopped")
    before = {key: tensor.clone() for key, tensor in trainer.learner.module.state_dict().items()}
    with pytest.raises(training.Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(STEPS + 1))
    after = trainer.learner.module.state_dict()
    assert all(not torch.equal(before[key], after[key]) for key in before)
    torch.manual_seed(1)  # whatever else the process does with torch
    resumed = training.resume(trainer.run.folder)
    training.fit(resumed, Silent())
    assert outcome(resumed.run) == outcome(whole)


def test_the_loss_of_a_step_that_searches(tmp_path: Path) -> None:
    """LBFGS computes the loss many times; that of the step is the one before any search."""
    plain = [{"Linear": 8}, "Tanh", {"Linear": 3}]
    file = write(tmp_path, layers=plain, optimizer={"LBFGS": {"lr": 0.1, "max_iter": 5}})
    settings_ = ["train.epochs=1", "train.batch_size=48"]
    trainer = training.prepare(trainable(load(file, settings_)), tmp_path / "runs")
    split = in_memory(trainer.training)
    x, (target,) = split.inputs, split.targets
    with torch.no_grad():
        y = trainer.learner.module(*x)
    training.fit(trainer, Silent())
    (epoch,) = trainer.run.metrics
    assert epoch["train_loss"] == pytest.approx(nn.CrossEntropyLoss()(y, target).item())
    assert epoch["train_accuracy"] == pytest.approx((y.argmax(1) == target).float().mean().item())
    with torch.no_grad():
        y = trainer.learner.module(*x)
    assert nn.CrossEntropyLoss()(y, target).item() < epoch["train_loss"]
