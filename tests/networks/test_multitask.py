"""The network `multitask` of `configs/`: one trunk, two heads, numbers and words of one table."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
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
        self.scaled = nn.BatchNorm1d(3)
        self.where, self.which = nn.Embedding(4, 4), nn.Embedding(3, 4)
        layers = [nn.Linear(11, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.species, self.bill = nn.Linear(32, 3), nn.Linear(32, 1)

    def forward(
        self, numbers: torch.Tensor, island: torch.Tensor, sex: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of the species, and the length of the bill."""
        words = self.where(island), self.which(sex)
        x = self.trunk(torch.cat([self.scaled(numbers), *words], 1))
        return self.species(x), self.bill(x)


def test_multitask() -> None:
    """The file is the module that a reader would write by hand."""
    compare(MULTITASK.read_text(encoding="utf-8"), Multitask())


@pytest.mark.slow
def test_trained(tmp_path: Path) -> None:
    """Both heads are far above their baselines on penguins that the network has not seen.

    Always the most frequent species is right for 44 % of them, and the mean length has an error of
    29.8, which is its variance.
    """
    for name in ("multitask.yaml", "penguins.csv"):
        shutil.copy(MULTITASK.parent / name, tmp_path)
    penguins = pd.read_csv(tmp_path / "penguins.csv").dropna(subset="body_mass_g")
    assert penguins.species.value_counts(normalize=True).max() == pytest.approx(0.44, abs=0.005)
    assert penguins.bill_length_mm.var() == pytest.approx(29.8, abs=0.05)
    run = netbuild.train(netbuild.load(tmp_path / "multitask.yaml"), runs=tmp_path)
    assert run.best is not None
    assert run.best["val_species_accuracy"] >= 0.8
    assert run.best["val_bill_error"] <= 18
    kept = run.kept["source"]
    assert kept["categories"]["island"] == ["Biscoe", "Dream", "Torgersen"]
    assert kept["classes"]["species"] == ["Adelie", "Chinstrap", "Gentoo"]
    # The same file without its targets, with its columns in another order, and an unknown island.
    inputs = penguins.iloc[:40, ::-1].drop(columns=["species", "bill_length_mm"])
    inputs.to_csv(tmp_path / "new.csv", index=False)
    told = training.predict(run.folder, tmp_path / "new.csv")
    whole = training.predict(run.folder, _complete(penguins[:40], tmp_path / "all.csv"))
    assert [one["probability"] for one in told] == [one["probability"] for one in whole]
    assert told[0]["outputs"]["bill"].shape == (1,)
    right = np.mean([one["name"] for one in told] == penguins.species[:40])
    assert right >= 0.7


def _complete(penguins: pd.DataFrame, path: Path) -> Path:
    penguins.to_csv(path, index=False)
    return path
