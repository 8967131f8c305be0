"""The batches of `loaders` are those that the training sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from netbuild import ConfigError, load, loaders, train
from netbuild.training.step.learner import Learner
from tests.training_configs import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.training.data.batches import Batch


def same(one: Batch, other: Batch) -> bool:
    """Whether two batches hold the same tensors."""
    pairs = [*zip(one[0], other[0], strict=True), *zip(one[1], other[1], strict=True)]
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"train": {"epochs": 2, "batch_size": 7, "accumulate": 2, "seed": 3, "device": "cpu"}},
        {"train": {"epochs": 2, "batch_size": 16, "limit_batches": 2, "device": "cpu"}},
        {"data": {"Random": {"samples": 60}, "normalize": True, "validation": 0.3}},
    ],
)
def test_as_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    """Each pass is an epoch of the training, batch by batch, and so is the validation."""
    seen: list[Batch] = []
    validated: list[Batch] = []
    step, validate = Learner.step, Learner.validate

    def noting(self: Learner, batches: Any, where: str) -> None:
        seen.extend(batches)
        step(self, batches, where)

    def noting_validation(self: Learner, batches: Any) -> Any:
        validated.extend(given := list(batches))
        return validate(self, given)

    monkeypatch.setattr(Learner, "step", noting)
    monkeypatch.setattr(Learner, "validate", noting_validation)
    config = load(SECTIONS | more)
    train(config, runs=tmp_path)
    given = loaders(config)
    found = [batch for _ in range(2) for batch in given.train]
    assert len(found) == len(seen) == 2 * len(given.train)
    assert all(map(same, found, seen))
    held_out = list(given.validation)
    assert len(held_out) == len(given.validation)
    assert all(map(same, held_out * 2, validated))


def test_another_epoch() -> None:
    """`epoch` chooses the order of the next pass."""
    train_, _ = loaders(load(SECTIONS))
    _, second = [*train_], [*train_]
    train_.epoch = 1
    assert all(map(same, train_, second))


def test_without_data() -> None:
    """A config without data has a fault, as for a training."""
    with pytest.raises(ConfigError, match="training needs data"):
        loaders(load({name: part for name, part in SECTIONS.items() if name != "data"}))


def test_a_loss_over_the_batch() -> None:
    """A loss over the whole batch trains without the smaller last batch."""
    config = load(
        {
            "input": [1, 8, 8],
            "layers": [{"Conv2d": {"out_channels": 1, "kernel_size": 3, "padding": 1}}],
            "loss": {"PSNRLoss": {"max_val": 1.0}, "target": "input"},
            "optimizer": "Adam",
            "data": "Digits",
            "train": {"batch_size": 100, "device": "cpu"},
        }
    )
    given = loaders(config)
    sizes = [len(x) for (x,), _ in given.train]
    assert sizes == [100] * 14
    assert len(given.train) == 14
    assert np.sum([len(x) for (x,), _ in given.validation]) == 359
