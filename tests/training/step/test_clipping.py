"""Clipping of gradients, compared with torch."""

from pathlib import Path

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.training.progress import Silent
from tests.training.by_hand import apart, by_hand, gradients_of, prepared, same, trained


def test_clip_grad_norm(tmp_path: Path) -> None:
    """The norm of all gradients is clipped as by torch's function."""
    trainer = prepared(tmp_path, "train.clip_grad_norm=0.1")
    module = by_hand(trainer, lambda m, _: nn.utils.clip_grad_norm_(m.parameters(), 0.1))
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    gradients = [gradient.flatten() for gradient in gradients_of(trainer.learner.module)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)
    assert apart(trainer, trained(tmp_path)) > 0.01


def test_clip_grad_value(tmp_path: Path) -> None:
    """No gradient is larger than `clip_grad_value`."""
    trainer = prepared(tmp_path, "train.clip_grad_value=0.01")
    module = by_hand(trainer, lambda m, _: nn.utils.clip_grad_value_(m.parameters(), 0.01))
    training.fit(trainer, Silent())
    assert same(trainer.learner.module, module)
    gradients = [gradient.abs().max() for gradient in gradients_of(trainer.learner.module)]
    assert max(gradients).item() == pytest.approx(0.01)
    assert apart(trainer, trained(tmp_path)) > 0.01


@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
def test_what_is_clipped_is_of_all_batches(tmp_path: Path, name: str) -> None:
    """The gradients of a step are clipped once, for any number of batches."""
    small = trained(tmp_path, "train.accumulate=3", f"train.{name}=0.05")
    large = trained(tmp_path, "train.batch_size=48", f"train.{name}=0.05")
    assert apart(small, large) < 1e-6


def test_the_weights_of_the_loss_are_clipped(tmp_path: Path) -> None:
    """Gradients of a loss with learned weights count in the norm."""
    loss = {"LinearCrossEntropyLoss": {"num_classes": 3}}
    trainer = trained(tmp_path, "train.clip_grad_norm=0.1", loss=loss)
    parts = (trainer.learner.module, trainer.learner.criterion.module)
    gradients = [gradient.flatten() for part in parts for gradient in gradients_of(part)]
    assert torch.cat(gradients).norm().item() == pytest.approx(0.1, abs=1e-6)
