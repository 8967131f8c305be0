"""`marks` of `Arrays`: boxes and points in pixels, which move with their augmented images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from netbuild.checks.trace import infer
from netbuild.config.load import load
from netbuild.syntax.dump import dump
from netbuild.training.data import loading
from netbuild.training.parallel.distributed import World

if TYPE_CHECKING:
    from pathlib import Path

FLIP: list[Any] = [{"RandomHorizontalFlip": {"p": 1}}]


def config(root: Path, numbers: int, augment: Any = FLIP, **fields: Any) -> Path:
    """Write images of 8×8 with the targets 0, 1, 2, … and a network for them."""
    y = np.tile(np.arange(numbers, dtype="float32"), (10, 1))
    np.savez(root / "a.npz", x=np.zeros((10, 1, 8, 8), "float32"), y=y)
    data = {"Arrays": {"file": "a.npz", **fields}, "augment": augment}
    layers = ["Flatten", {"Linear": numbers}]
    given = {"input": [1, 8, 8], "layers": layers, "loss": "MSELoss", "data": data}
    (root / "a.yaml").write_text(dump(given | {"optimizer": "Adam"}))
    return root / "a.yaml"


def faults(path: Path) -> list[tuple[str, str, str]]:
    """Return code, title and label of each fault."""
    return [(d.code, d.title, d.label) for d in infer(load(path)).diagnostics]


@pytest.mark.parametrize(
    ("marks", "expected"),
    [("points", [8, 1, 6, 3]), ("boxes", [6, 1, 8, 3]), (None, [0, 1, 2, 3])],
)
def test_training_gets_moved_targets(tmp_path: Path, marks: str | None, expected: Any) -> None:
    """Points and boxes are mirrored for training, and stay for validation."""
    graph = infer(load(config(tmp_path, 4, marks=marks)))
    assert not graph.diagnostics
    data = loading.load(graph, World(torch.device("cpu")))
    _, (y,) = next(iter(data.training.shuffled(2, seed=0)))
    assert y.tolist() == [expected] * 2
    _, (y,) = next(iter(data.held_out.in_order(2)))
    assert y.tolist() == [[0, 1, 2, 3]] * 2


def test_faults(tmp_path: Path) -> None:
    """Three numbers are no box; elastic moves have no points; one target has no mapping."""
    found = faults(config(tmp_path, 3, marks="boxes"))
    assert found[0][2] == "y has 3 numbers a sample, and boxes are x1, y1, x2, y2"
    elastic = ["RandomElasticTransform", "RandomInvert"]
    (found,) = faults(config(tmp_path, 2, elastic, marks="points"))
    assert found == (
        "NB504",
        "RandomElasticTransform moves the image, and its points stay",
        "its noise tells where each pixel comes from, and not where a point goes",
    )
    assert not faults(config(tmp_path, 2, elastic))
