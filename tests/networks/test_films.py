"""The network `film` of `configs/`: a question changes how an image is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import netbuild
from tests import ROOT
from tests.networks import compare

if TYPE_CHECKING:
    from pathlib import Path

FILM = ROOT / "configs" / "film.yaml"
#: The digits for which the answer is yes: odd, at least 5, prime, with a closed loop.
QUESTIONS = ({1, 3, 5, 7, 9}, {5, 6, 7, 8, 9}, {2, 3, 5, 7}, {0, 6, 8, 9})


class Modulate(nn.Module):
    """A convolution whose channels are scaled and shifted by the question."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.table = nn.Embedding(4, 2 * channels)

    def forward(self, x: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        """Return the channels."""
        factor, shift = self.table(question)[:, :, None, None].chunk(2, 1)
        return ((1 + factor) * self.norm(self.conv(x)) + shift).relu()


class Film(nn.Module):
    """Two modulated convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.answer = Modulate(1, 16), Modulate(16, 32), nn.Linear(32, 2)

    def forward(self, image: torch.Tensor, question: torch.Tensor) -> torch.Tensor:
        """Return the scores of no and yes."""
        x = nn.functional.max_pool2d(self.first(image, question), 2)
        return self.answer(self.second(x, question).mean((2, 3)))


def test_film() -> None:
    """The file is the module that a reader would write by hand."""
    compare(FILM.read_text(encoding="utf-8"), Film())


@pytest.mark.slow
def test_trained(tmp_path: Path) -> None:
    """It answers each of four questions about digits that it has not seen.

    An answer without the question is right in 70 % of the cases, and one without the image in 55 %.
    """
    images, digits = load_digits(return_X_y=True)
    question = np.random.default_rng(0).integers(0, len(QUESTIONS), len(digits))
    answer = np.array([d in QUESTIONS[q] for d, q in zip(digits, question, strict=True)])
    (tmp_path / "film.yaml").write_bytes(FILM.read_bytes())
    np.savez(
        tmp_path / "questions.npz",
        image=(images / 16).reshape(-1, 1, 8, 8).astype("float32"),
        question=question,
        answer=answer.astype("int64"),
    )
    run = netbuild.train(netbuild.load(tmp_path / "film.yaml"), runs=tmp_path)
    assert max(epoch["val_accuracy"] for epoch in run.metrics) >= 0.9
