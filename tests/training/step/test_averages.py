"""The average of the weights: the same as torch's, also after a resumption."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from netbuild import training
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training.by_hand import (
    PLAIN,
    by_hand,
    command,
    prepared,
    resumed,
    same,
    stopped,
    trained,
)
from tests.training_configs import (
    EPOCHS,
    STATE,
    STEPS,
    WEIGHTS,
    in_memory,
    outcome,
)


def averaged_by_hand(trainer: Trainer, decay: float) -> tuple[nn.Module, list[nn.Module]]:
    """Return the network trained in plain torch, and the average of its weights at each epoch."""

    def average(kept: torch.Tensor, new: torch.Tensor, number: torch.Tensor | int) -> torch.Tensor:
        steps = int(number) - 1
        return torch.lerp(kept, new, 1 - min(decay, (1 + steps) / (10 + steps)))

    averaged = AveragedModel(trainer.learner.module, avg_fn=average)
    averaged.n_averaged.fill_(1)  # or the first update would be a copy
    epochs: list[nn.Module] = []

    def behind(module: nn.Module, _: torch.optim.Optimizer) -> None:
        averaged.update_parameters(module)
        if int(averaged.n_averaged - 1) % STEPS == 0:
            epochs.append(copy.deepcopy(averaged.module))

    return by_hand(trainer, behind=behind), epochs


@pytest.mark.parametrize("decay", [0.15, 0.9])
def test_ema_is_torchs(tmp_path: Path, decay: float) -> None:
    """The average equals torch's AveragedModel. It is validated and saved."""
    sections = {"layers": [PLAIN[0], "BatchNorm1d", "Tanh", PLAIN[2]]}
    trainer = prepared(tmp_path, f"train.ema={decay}", **sections)
    module, averages = averaged_by_hand(trainer, decay)
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    assert trainer.learner.averaged is not None
    assert same(trainer.learner.averaged.module, averages[-1])
    assert not same(trainer.learner.module, averages[-1])
    (x,), (target,) = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    for average, epoch in zip(averages, trainer.run.metrics, strict=True):
        with torch.no_grad():
            loss = nn.functional.cross_entropy(average.eval()(x), target)
        assert epoch["val_loss"] == pytest.approx(loss.item(), abs=1e-7)
    best = trainer.run.best
    assert best is not None
    for which, average in (("best", averages[best["epoch"] - 1]), ("last", averages[-1])):
        weights = load_file(trainer.run.checkpoint(which) / WEIGHTS)
        expected = average.state_dict()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
        assert training.evaluate(trainer.run.folder, which)["val_loss"] == pytest.approx(
            trainer.run.metrics[-1 if which == "last" else best["epoch"] - 1]["val_loss"]
        )
    state = torch.load(trainer.run.checkpoint("last") / STATE, weights_only=True)
    assert state["averaged"] == {"steps": STEPS * EPOCHS}
    expected = module.state_dict()
    assert all(torch.equal(state["model"][name], expected[name]) for name in expected)


def test_ema_resumes(tmp_path: Path) -> None:
    """A training that is stopped after any step continues with its weights and their average."""
    layers = [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}, {"Linear": 3}]
    sections: dict[str, Any] = {"layers": layers, "optimizer": {"Adam": {"lr": 0.01}}}
    whole = trained(tmp_path, "train.ema=0.9", **sections)
    for step in range(1, STEPS * EPOCHS + 1):
        again = resumed(stopped(prepared(tmp_path, "train.ema=0.9", **sections), step))
        assert outcome(again.run) == outcome(whole.run)
        assert same(again.learner.module, whole.learner.module)


def test_an_average_can_begin_later(tmp_path: Path) -> None:
    """A resumed run may add an average, which begins with the current weights, or remove it."""
    first = stopped(prepared(tmp_path), 2)
    ema = ["--set", "train.ema=0.9", "--allow-changes"]
    assert command("train", "--resume", first.folder, *ema)[0] == 0
    weights = load_file(first.folder / "checkpoints" / "last" / "model.safetensors")
    state = torch.load(first.folder / "checkpoints" / "last" / "state.pt", weights_only=True)
    assert any(not torch.equal(state["model"][name], weights[name]) for name in weights)
    more = ["--set", "train.ema=null", "--set", "train.epochs=3", "--allow-changes"]
    assert command("train", "--resume", first.folder, *more)[0] == 0
