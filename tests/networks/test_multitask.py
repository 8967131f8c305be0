"""The network `multitask` of `configs/`: one trunk, two heads, two columns of one table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sklearn.datasets import load_wine
from torch import nn

import netbuild
from netbuild import training
from tests import ROOT
from tests.networks import compare

if TYPE_CHECKING:
    from pathlib import Path

MULTITASK = ROOT / "configs" / "multitask.yaml"


class Multitask(nn.Module):
    """Two heads on one trunk."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.grower, self.colour = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of the growers, and the colour."""
        x = self.trunk(x)
        return self.grower(x), self.colour(x)


def test_multitask() -> None:
    """The file is the module that a reader would write by hand."""
    compare(MULTITASK.read_text(encoding="utf-8"), Multitask())


@pytest.mark.slow
def test_trained(tmp_path: Path) -> None:
    """Both heads are far above their baselines on wines that the network has not seen.

    Always the most frequent grower is right for 40 % of them, and the mean colour has an error of
    5.4, which is its variance.
    """
    (tmp_path / "multitask.yaml").write_bytes(MULTITASK.read_bytes())
    wine = load_wine(as_frame=True).frame
    wine.to_csv(tmp_path / "wine.csv", index=False)
    assert np.bincount(wine.target).max() / len(wine) == pytest.approx(0.4, abs=0.01)
    assert wine.color_intensity.var() == pytest.approx(5.4, abs=0.05)
    run = netbuild.train(netbuild.load(tmp_path / "multitask.yaml"), runs=tmp_path)
    last = run.metrics[-1]
    assert last["val_grower_accuracy"] >= 0.9
    assert last["val_colour_error"] <= 2.7
    told = training.predict(run.folder, tmp_path / "wine.csv")[0]
    assert {"class", "probability", "outputs"} < set(told)
    assert told["outputs"]["colour"].shape == (1,)
