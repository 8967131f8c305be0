"""The mixture of configs/ learns, and its experts share the load."""

from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.progress import Silent
from tests import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_experts_share_the_load(seed: int, tmp_path: Path) -> None:
    """Each of four experts is among the two chosen for at least 25 % of the digits, fair is 50 %.

    Each has the greater weight for at least 10 %, fair is 25 %. No expert is chosen for all.
    """
    settings = (f"train.seed={seed}", "train.device=cpu")
    config = load(ROOT / "configs/mixture.yaml", settings)
    trainer = training.prepare(trainable(config), tmp_path)
    training.fit(trainer, Silent())
    first, *_, last = trainer.run.metrics
    assert last["val_accuracy"] > 0.9
    assert last["val_undecided"] < first["val_undecided"]
    digits = torch.tensor(load_digits().images / 16, dtype=torch.float32)[:, None]
    with torch.no_grad():
        gates = trainer.learner.module.eval()(digits)[2]
    torch.testing.assert_close(gates.sum(1), torch.ones(len(digits)))
    assert ((gates > 0).sum(1) == 2).all()
    chosen = (gates > 0).float().mean(0)
    ahead = torch.bincount(gates.argmax(1), minlength=4) / len(digits)
    assert 0.25 <= chosen.min() <= chosen.max() <= 0.75, chosen
    assert ahead.min() >= 0.1, ahead
