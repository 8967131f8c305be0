"""Accumulated gradients: several batches make one step, as in loops by hand."""

import math
from pathlib import Path
from typing import Any

import pytest

from netbuild import training
from netbuild.training.progress import Silent
from tests.training.by_hand import PLAIN, apart, by_hand, prepared, resumed, same, stopped, trained
from tests.training_configs import (
    EPOCHS,
    outcome,
)


def test_a_loop_by_hand_gives_the_same(tmp_path: Path) -> None:
    """Without options, a training equals five lines of torch, bit for bit."""
    trainer = prepared(tmp_path)
    module = by_hand(trainer)
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)


_PLACES = [{"Unflatten": {"dim": 1, "unflattened_size": [1, 2, 2]}}]

#: Losses whose mean is over more, or over fewer, than the samples.
ACCUMULATED: dict[str, dict[str, Any]] = {
    "a class": {},
    "weighted": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}}},
    "ignored": {"loss": {"CrossEntropyLoss": {"ignore_index": 1}}},
    "both": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "ignore_index": 0}}},
    "a weight of 0": {"loss": {"CrossEntropyLoss": {"weight": [0, 0, 5.0]}}},
    "smoothed": {"loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "label_smoothing": 0.2}}},
    "summed": {"loss": {"CrossEntropyLoss": {"reduction": "sum"}}, "optimizer": {"SGD": 0.01}},
    "places": {
        "layers": [*_PLACES, {"Conv2d": {"out_channels": 3, "kernel_size": 1}}],
        "loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0], "ignore_index": 1}},
    },
    "values": {"loss": "MSELoss"},
    "places of kornia": {
        "layers": [*_PLACES, {"Conv2d": {"out_channels": 3, "kernel_size": 1}}],
        "loss": [
            {"FocalLoss": {"alpha": None, "weight": [0.1, 1.0, 5.0], "ignore_index": 1}},
            {"DiceLoss": {"ignore_index": 1}},
        ],
    },
    "probabilities": {"data": {"Random": {"samples": 60, "target": [3]}}, "metrics": []},
    "weighted probabilities": {
        "metrics": [],
        "data": {"Random": {"samples": 60, "target": [3]}},
        "loss": {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}},
    },
    "its own weights": {"loss": {"LinearCrossEntropyLoss": {"num_classes": 3}}},
    "a mean and a sum": {
        "loss": [
            {"CrossEntropyLoss": {}},
            {"CrossEntropyLoss": {"reduction": "sum"}, "weight": 0.01},
        ]
    },
    "terms of other proportions": {
        "loss": [
            {"CrossEntropyLoss": {"weight": [0.1, 1.0, 5.0]}},
            {"CrossEntropyLoss": {"label_smoothing": 0.1}, "weight": 0.5},
        ]
    },
}


@pytest.mark.parametrize(("size", "times"), [(16, 3), (10, 2), (7, 4)])
@pytest.mark.parametrize("name", ACCUMULATED)
def test_accumulated_batches_are_one(tmp_path: Path, name: str, size: int, times: int) -> None:
    """Several small batches make the same step as a large one, also in a smaller last group."""
    sections = ACCUMULATED[name]
    small = trained(tmp_path, f"train.batch_size={size}", f"train.accumulate={times}", **sections)
    large = trained(tmp_path, f"train.batch_size={size * times}", **sections)
    assert small.steps == large.steps
    assert small.position.total == large.position.total == EPOCHS * math.ceil(48 / size / times)
    assert apart(small, large) < 1e-6
    for ours, theirs in zip(small.run.metrics, large.run.metrics, strict=True):
        for key in ("train_loss", "val_loss"):
            assert ours[key] == pytest.approx(theirs[key], abs=1e-6)


def test_a_batch_without_a_class_that_counts(tmp_path: Path) -> None:
    """A batch with only ignored classes does not change an accumulated step."""
    sections = {
        "data": {"Random": {"samples": 60, "classes": 2}},
        "loss": {"CrossEntropyLoss": {"ignore_index": 1}},
        "train": {"epochs": 1, "device": "cpu"},
    }
    small = trained(tmp_path, "train.batch_size=1", "train.accumulate=48", **sections)
    large = trained(tmp_path, "train.batch_size=48", **sections)
    assert apart(small, large) < 1e-6


def test_a_batch_that_one_loss_ignores(tmp_path: Path) -> None:
    """Each loss of a list has its own mean: a batch counts for the losses that do not ignore it."""
    loss = [{"CrossEntropyLoss": {"ignore_index": n}, "weight": n + 1} for n in range(2)]
    sections = {
        "data": {"Random": {"samples": 60, "classes": 2}},
        "loss": loss,
        "train": {"epochs": 1, "device": "cpu"},
    }
    small = trained(tmp_path, "train.batch_size=1", "train.accumulate=48", **sections)
    large = trained(tmp_path, "train.batch_size=48", **sections)
    assert apart(small, large) < 1e-6
    for key in ("train_loss", "val_loss"):
        assert small.run.metrics[0][key] == pytest.approx(large.run.metrics[0][key], abs=1e-6)


def test_accumulation_resumes(tmp_path: Path) -> None:
    """A training that is stopped between accumulated steps ends with the same weights."""
    sections = {"layers": [*PLAIN[:2], {"Dropout": 0.3}, PLAIN[2]]}
    options = ("train.batch_size=10", "train.accumulate=2")
    whole = trained(tmp_path, *options, **sections)
    assert whole.steps == 3
    for step in range(1, 6):
        again = resumed(stopped(prepared(tmp_path, *options, **sections), step))
        assert outcome(again.run) == outcome(whole.run)


def test_a_schedule_goes_by_steps(tmp_path: Path) -> None:
    """A scheduler with `step: batch` steps once for each accumulated step."""
    cycle = {"OneCycleLR": {"max_lr": 0.5}}
    trainer = trained(tmp_path, "train.accumulate=3", scheduler=cycle)
    assert trainer.steps == 1
    made = trainer.learner.stepping[0].scheduling.scheduler
    assert (made.total_steps, made.last_epoch) == (EPOCHS, EPOCHS)
