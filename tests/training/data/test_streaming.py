"""Images that are read during a training give the same result as images in memory."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.training.by_hand import prepared, resumed, stopped, trained
from tests.training_configs import (
    outcome,
)


def folder_of_images(folder: Path) -> dict[str, Any]:
    """Write grey images of two classes, and return the sections that read them."""
    generator = np.random.default_rng(0)
    for number in range(40):
        split = "train" if number < 30 else "test"
        place = folder / "images" / split / "ab"[number % 5 == 0]
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 256, (4, 4), dtype="uint8")
        Image.fromarray(pixels).save(place / f"{number}.png")
    source = {"ImageFolder": {"folder": str(folder / "images")}}
    return {"input": [1, 4, 4], "data": {**source, "validation": "test"}}


READ: dict[str, list[Any]] = {
    "plain": ["Flatten", {"Linear": 8}, "Tanh", {"Linear": 2}],
    "random": ["Flatten", {"Linear": 8}, "Tanh", {"Dropout": 0.4}, {"Linear": 2}],
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("layers", READ)
def test_what_is_read_trains_alike(tmp_path: Path, layers: str, workers: int) -> None:
    """Samples that are read one by one give the same training as samples in memory."""
    sections = folder_of_images(tmp_path) | {"layers": READ[layers]}
    held = trained(tmp_path, "train.batch_size=12", **sections)
    sections["data"] |= {"in_memory": False}
    read_ = trained(tmp_path, "train.batch_size=12", f"train.workers={workers}", **sections)
    assert type(read_.training).__name__ == "ReadBatches"
    assert outcome(read_.run) == outcome(held.run)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_read_is_split_alike(tmp_path: Path) -> None:
    """The split is the same, with all classes, whether samples are in memory or not."""
    sections = folder_of_images(tmp_path) | {"layers": READ["plain"]}
    sections["data"] |= {"validation": 0.2, "class_weights": "balanced"}
    held = prepared(tmp_path, **sections)
    sections["data"] |= {"in_memory": False}
    read_ = prepared(tmp_path, "train.workers=0", **sections)
    targets = [
        torch.cat([target for _, (target,) in trainer.held_out.in_order(99)])
        for trainer in (held, read_)
    ]
    assert targets[0].bincount().tolist() == [5, 1]
    assert torch.equal(*targets)
    weights = [trainer.learner.criterion.module.weight for trainer in (held, read_)]
    assert weights[1].tolist() == pytest.approx([24 / (2 * 19), 24 / (2 * 5)])
    assert torch.equal(*weights)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("layers", READ)
def test_what_is_read_resumes(tmp_path: Path, layers: str) -> None:
    """A training that reads samples and is stopped within an epoch ends with the same weights."""
    sections = folder_of_images(tmp_path) | {"layers": READ[layers]}
    sections["data"] |= {"in_memory": False, "normalize": True, "validation": 0.2}
    options = ("train.batch_size=12", "train.workers=0")
    whole = trained(tmp_path, *options, **sections)
    for step in (1, 4):
        again = resumed(stopped(prepared(tmp_path, *options, **sections), step))
        assert outcome(again.run) == outcome(whole.run)
