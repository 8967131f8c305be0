"""The network `classify-text` of `configs/`: the mood of a sentence from its words."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import netbuild
from netbuild import training
from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.delimited import Csv
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
from netbuild.diagnostics.exceptions import InputError
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

CLASSIFY = ROOT / "configs" / "classify-text.yaml"


class Classify(nn.Module):
    """A GRU in both directions over the words that are there, and the maximum over the places."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(2000, 32, padding_idx=0)
        self.body = nn.GRU(32, 32, bidirectional=True, batch_first=True)
        self.mood = nn.Linear(64, 2)

    def forward(self, words: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
        """Return the scores of both moods."""
        packed = pack_padded_sequence(
            self.embed(words), count, batch_first=True, enforce_sorted=False
        )
        states, _ = pad_packed_sequence(self.body(packed)[0], batch_first=True, total_length=32)
        return self.mood(states.amax(1))


@torch.no_grad()
def test_classify() -> None:
    """The file is the module that a reader would write by hand."""
    built, by_hand = netbuild.build(CLASSIFY).eval(), Classify()
    by_hand.load_state_dict(built.state_dict())
    config = netbuild.load(CLASSIFY)
    assert config.data is not None
    inputs = tuple(x for x in config.inputs.values() if x is not None)
    assert config.data.bounds(inputs) == ((0, 1999), (1, 32))
    words, count = torch.randint(2000, (5, 32)), torch.tensor([32, 1, 7, 30, 2])
    torch.testing.assert_close(built(words, count), by_hand(words, count))
    words[2, 7:] = 5  # what stands behind the last word changes nothing
    torch.testing.assert_close(built(words, count), by_hand(words, count))


@torch.no_grad()
def test_predicted(tmp_path: Path) -> None:
    """Weights without a run number the tokens of a table by the file of the config."""
    built = netbuild.build(CLASSIFY).eval()
    save_file(built.state_dict(), tmp_path / "x.safetensors")
    table = tmp_path / "x.csv"
    table.write_text("other,review\n1,the camera\n2,\n3,zyzzyva the\n")
    given = {"weights": tmp_path / "x.safetensors", "raw": True}
    with pytest.raises(InputError, match="review has no value in line 3"):
        training.predict(CLASSIFY, table, **given)
    table.write_text(table.read_text().replace("2,", "2,!"))
    told = [one["output"] for one in training.predict(CLASSIFY, table, **given)]
    data = netbuild.load(CLASSIFY).data
    assert isinstance(data, Csv)
    wanted = Sample((Tensor((32,), "int64"), Tensor((), "int64")), {"target": Classes(2)})
    known = data.of_its_file(wanted).kept()["tokens"]["words of review, 2000"]
    words = torch.zeros(3, 32, dtype=torch.int64)
    the, camera, mark = (known.index(part) + 2 for part in ("the", "camera", "!"))
    words[0, :2] = torch.tensor([the, camera])
    words[1, 0] = mark
    words[2, :2] = torch.tensor([1, the])
    torch.testing.assert_close(
        torch.from_numpy(np.stack(told)), built(words, torch.tensor([2, 1, 2]))
    )


@pytest.mark.slow
def test_trained(tmp_path: Path) -> None:
    """It is far above the baseline on sentences that it has not seen, and reads others."""
    for name in ("classify-text.yaml", "reviews.csv"):
        shutil.copy(CLASSIFY.with_name(name), tmp_path)
    with (tmp_path / "reviews.csv").open(encoding="utf-8", newline="") as file:
        moods = Counter(row["mood"] for row in csv.DictReader(file))
    assert max(moods.values()) / moods.total() == pytest.approx(0.64, abs=0.005)
    config = netbuild.load(tmp_path / "classify-text.yaml", set=["train.epochs=8"])
    run = netbuild.train(config, runs=tmp_path)
    assert run.best is not None
    assert run.best["val_accuracy"] >= 0.75
    (tmp_path / "told.csv").write_text(
        "review\nthis is a great camera!\nit does not work and the support is terrible\n"
    )
    told = [one["name"] for one in training.predict(run.folder, tmp_path / "told.csv")]
    assert told == ["good", "bad"]
