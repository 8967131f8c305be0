"""`configs/unet-masks.yaml` learns the drawn shapes beside it."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

import netbuild
from netbuild.training import predict
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = ROOT / "configs/shapes"


def test_the_pictures_are_those_that_are_drawn(tmp_path: Path) -> None:
    """draw.py draws the stored pictures again, and the masks hold the classes 0 to 3."""
    spec = importlib.util.spec_from_file_location("draw", SHAPES / "draw.py")
    assert spec is not None
    assert spec.loader is not None
    drawing = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(drawing)
    drawing.main(tmp_path)
    stored = sorted(path.relative_to(SHAPES) for path in SHAPES.glob("*/*.png"))
    assert len(stored) == 320
    for name in stored:
        with Image.open(SHAPES / name) as old, Image.open(tmp_path / name) as new:
            pixels = np.asarray(old)
            assert np.array_equal(pixels, new), name
        assert name.parts[0] != "masks" or pixels.max() <= 3
    assert sum(path.stat().st_size for path in SHAPES.rglob("*.*")) < 200_000


@pytest.mark.slow
def test_unet_finds_the_shapes(tmp_path: Path) -> None:
    """Prediction and mask share more than 0.9 of what is in either."""
    config = netbuild.load(ROOT / "configs/unet-masks.yaml")
    run = netbuild.train(config, runs=tmp_path)
    assert max(epoch["val_jaccard_index"] for epoch in run.metrics) > 0.9
    told = predict(run.folder, SHAPES / "images")
    right = []
    for one in told:
        name = str(one["input"]).replace("images", "masks")
        with Image.open(name) as mask:
            right.append(np.mean(one["class"] == np.asarray(mask)))
    assert np.mean(right) > 0.97
