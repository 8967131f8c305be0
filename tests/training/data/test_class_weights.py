"""`class_weights`: balanced weights, given weights, and faults."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from netbuild import training
from netbuild.training.progress import Silent
from tests.training.by_hand import CLASSES, arrays, batches, command, prepared, same, trained
from tests.training_configs import (
    in_memory,
    write,
)


def test_class_weights_are_balanced(tmp_path: Path) -> None:
    """`balanced` gives the same weights as scikit-learn, for the training split."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    data = {**arrays(tmp_path, x, CLASSES), "class_weights": "balanced"}
    trainer = prepared(tmp_path, data=data)
    targets = in_memory(trainer.training).targets[0].numpy()
    expected = compute_class_weight("balanced", classes=np.arange(3), y=targets)
    torch.testing.assert_close(
        trainer.learner.criterion.module.weight, torch.tensor(expected, dtype=torch.float32)
    )
    weight = trainer.learner.criterion.module.weight
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (inputs,), (target,) in batches(trainer):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(inputs), target, weight))
        optimizer.step()
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    last = trainer.run.metrics[-1]["val_loss"]
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == pytest.approx(last)


def test_class_weights_leave_out_what_does_not_count(tmp_path: Path) -> None:
    """Samples of the ignored class do not change the weights of other classes."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    data = {**arrays(tmp_path, x, CLASSES), "class_weights": "balanced"}
    loss = {"CrossEntropyLoss": {"ignore_index": 2}}
    trainer = prepared(tmp_path, data=data, loss=loss)
    targets = in_memory(trainer.training).targets[0].numpy()
    kept = targets[targets != 2]
    expected = compute_class_weight("balanced", classes=np.arange(2), y=kept)
    weight = trainer.learner.criterion.module.weight
    # The mean divides by the weights, so that only their proportion counts.
    assert (weight[1] / weight[0]).item() == pytest.approx(expected[1] / expected[0])


@pytest.mark.parametrize("ignored", [255, -100, -3])
def test_class_weights_of_numbers_that_are_no_class(tmp_path: Path, ignored: int) -> None:
    """`balanced` counts as scikit-learn does over the samples that the loss does not ignore."""
    x = np.random.default_rng(0).standard_normal((60, 4))
    labels = np.where(np.arange(60) % 5 == 0, ignored, CLASSES)
    data = {**arrays(tmp_path, x, labels), "class_weights": "balanced"}
    trainer = prepared(tmp_path, data=data, loss={"CrossEntropyLoss": {"ignore_index": ignored}})
    targets = in_memory(trainer.training).targets[0].numpy()
    kept = targets[targets != ignored]
    expected = compute_class_weight("balanced", classes=np.arange(3), y=kept)
    weight = trainer.learner.criterion.module.weight
    torch.testing.assert_close(weight, torch.tensor(expected, dtype=torch.float32))
    training.fit(trainer, Silent())
    assert math.isfinite(trainer.run.metrics[-1]["val_loss"])


def test_class_weights_are_given(tmp_path: Path) -> None:
    """Given weights become the weights of the loss."""
    data = {"Random": {"samples": 60}, "class_weights": [0.5, 1, 4]}
    given = trained(tmp_path, data=data)
    weighted = trained(tmp_path, loss={"CrossEntropyLoss": {"weight": [0.5, 1.0, 4.0]}})
    assert same(given.learner.module, weighted.learner.module)


CLASS_WEIGHTS: dict[str, tuple[dict[str, Any], Any, str]] = {
    "values": ({"loss": "MSELoss"}, "balanced", "MSELoss takes no class weights"),
    "number": ({}, [1.0, 2.0], "there are 3 classes, but it gives numbers for 2"),
}


@pytest.mark.parametrize("name", CLASS_WEIGHTS)
def test_class_weights_are_refused(tmp_path: Path, name: str) -> None:
    """Weights that the loss does not take, or of the wrong number, are a fault; no run is made."""
    sections, weights, said = CLASS_WEIGHTS[name]
    data = {"Random": {"samples": 60}, "class_weights": weights}
    code, printed = command(
        "train", write(tmp_path, data=data, **sections), "--runs", tmp_path / "runs"
    )
    assert code == 1
    assert said in printed
    assert not (tmp_path / "runs").exists()
