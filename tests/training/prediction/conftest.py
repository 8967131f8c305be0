"""Runs to predict with, and the command line in this process."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sklearn.datasets import load_digits, load_iris
from typer.testing import CliRunner

from netbuild import training
from netbuild.cli import app
from netbuild.syntax.dump import dump
from netbuild.training import Run

DIGITS: dict[str, Any] = {
    "name": "digits",
    "input": [1, 12, 12],
    "layers": [
        {"Conv2d": {"out_channels": 4, "kernel_size": 3}},
        "ReLU",
        "Flatten",
        {"Linear": 10},
    ],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 0.01}},
    "data": {"Digits": {}, "resize": [12, 12], "normalize": True},
    "train": {"epochs": 2, "batch_size": 64, "device": "cpu", "limit_batches": 12},
}

FEATURES: dict[str, Any] = {
    "name": "features",
    "input": [4],
    "layers": [{"Linear": 8}, "Tanh", {"Linear": 3}],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 0.05}},
    "data": {"Iris": {}, "normalize": True},
    "train": {"epochs": 5, "batch_size": 16, "device": "cpu"},
}

PIXELS = (load_digits().images / 16 * 255).round().astype("uint8")  # (1797, 8, 8)


class Printed(NamedTuple):
    """What the command printed, and the code with which it left."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Printed:
    """Run `netbuild predict` in this process."""
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Printed(result.exit_code, result.stdout, result.stderr)


def trained(folder: Path, sections: dict[str, Any], **more: Any) -> Run:
    """Train a config in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "net.yaml"
    file.write_text(dump(sections | more), encoding="utf-8")
    return training.train(file, runs=folder / "runs")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network of images."""
    return trained(tmp_path_factory.mktemp("digits"), DIGITS).folder


@pytest.fixture(scope="session")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network of four features."""
    return trained(tmp_path_factory.mktemp("iris"), FEATURES).folder


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network that a table with names has trained."""
    folder = tmp_path_factory.mktemp("flowers")
    data, target = load_iris(return_X_y=True)
    names = load_iris().target_names
    rows = [f"{names[t]},{','.join(map(str, x))}" for x, t in zip(data, target, strict=True)]
    (folder / "train.csv").write_text("\n".join(["species,a,b,c,d", *rows]), encoding="utf-8")
    source = {"Csv": {"file": str(folder / "train.csv"), "target": "species"}, "normalize": True}
    return trained(folder, FEATURES, data=source).folder
