"""A loss that is not finite gives a message with its first cause."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from netbuild import training
from netbuild.runs import folder as run
from netbuild.training import TrainingError
from netbuild.training.progress import Silent
from tests.training.by_hand import CLASSES, arrays, command, prepared, trained
from tests.training_configs import (
    outcome,
    write,
)


def test_the_first_layer_that_is_not_finite_is_named(tmp_path: Path) -> None:
    """A loss that is not finite ends the training, and the message names the layer."""
    x = np.random.default_rng(0).standard_normal((60, 4)) * 1e30
    layers = {
        "first": {"Linear": 8},
        "apart": {"Unflatten": {"dim": 1, "unflattened_size": [1, 8]}},
        "norm": {"LPPool1d": {"norm_type": 4, "kernel_size": 2}},
        "together": "Flatten",
        "last": {"Linear": 3},
    }
    data = arrays(tmp_path, x, CLASSES)
    with pytest.raises(TrainingError, match=r"^the loss is (nan|inf) in epoch 1, step 1") as info:
        trained(tmp_path, layers=layers, data=data)
    assert ": the first output that is not finite comes from norm; a lower" in str(info.value)
    folder = run.find(tmp_path / "runs" / "tiny")
    assert not folder.checkpoint("best").exists()


def test_weights_on_disk_stay_those_before(tmp_path: Path) -> None:
    """If the loss of a later epoch is not finite, both checkpoints stay unchanged."""
    trainer = prepared(tmp_path, "train.epochs=5")
    trainer.epoch(Silent())
    before = outcome(trainer.run)
    with torch.no_grad():
        trainer.learner.module.get_parameter("2.weight")[0, 0] = math.nan
    said = (
        r"^the loss is nan in epoch 2, step 1: the first output that is not finite comes from 2, "
        r"whose weight is not finite; a lower learning rate often helps$"
    )
    with pytest.raises(TrainingError, match=said):
        training.fit(trainer, Silent())
    assert outcome(trainer.run) == before
    again = training.resume(trainer.run.folder)
    assert again.position.epoch == 1
    training.fit(again, Silent())
    assert len(again.run.metrics) == 5


def test_a_loss_that_makes_it_is_named(tmp_path: Path) -> None:
    """If the outputs are finite, the message blames the loss: the log of a negative number."""
    loss = {"PoissonNLLLoss": {"log_input": False}}
    why = "the outputs of the network are finite, so the loss itself computes this value"
    said = f"^the loss is nan in epoch 1, step 1: {why}; a lower learning rate often helps$"
    with pytest.raises(TrainingError, match=said):
        trained(tmp_path, loss=loss)


def test_what_overflows_with_half_the_bits_is_named(tmp_path: Path) -> None:
    """The message names the layer whose output is too large for fp16."""
    x = np.random.default_rng(0).standard_normal((60, 4)) * 1e6
    sections = {"data": arrays(tmp_path, x, CLASSES), "layers": {"only": {"Linear": 3}}}
    with pytest.raises(TrainingError, match="first output that is not finite comes from only"):
        trained(tmp_path, "train.precision=fp16", **sections)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_data_that_is_not_finite_is_told_before(tmp_path: Path, value: float) -> None:
    """A sample with NaN is a fault of the data, and no run is made."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    x[17, 2] = value
    file = write(tmp_path, data=arrays(tmp_path, x, CLASSES))
    code, printed = command("train", file, "--runs", tmp_path / "runs")
    assert code == 1
    assert f"x is {value} at index 17, and a network cannot compute with it" in printed
    assert not (tmp_path / "runs").exists()


def test_targets_that_are_not_finite_are_told_before(tmp_path: Path) -> None:
    """A target with NaN is a fault of the data."""
    x, y = np.random.default_rng(0).standard_normal((2, 60, 4))
    y[17, 2] = math.nan
    sections = {"layers": [{"Linear": 4}], "loss": "MSELoss", "data": arrays(tmp_path, x, y)}
    code, printed = command("train", write(tmp_path, **sections), "--runs", tmp_path / "runs")
    assert code == 1
    assert "y is nan at index 17, and a loss cannot compute with it" in printed
    assert not (tmp_path / "runs").exists()
