"""Measuring a run again: on another split, on other data, and with the run's own numbers."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

import netbuild as package
from netbuild import TrainingError, training
from netbuild.config.load import load
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

R = np.random.default_rng(0)


def arrays(samples: int, shift: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return samples with their classes."""
    x = R.normal(shift, 3, (samples, 4)).astype("float32")
    return x, R.integers(0, 3, samples)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a config, its data and its runs."""
    return tmp_path_factory.mktemp("evaluated")


@pytest.fixture(scope="module")
def trained(folder: Path) -> Path:
    """Give the folder of a run on arrays that have a split for tests."""
    (x, y), (x_test, y_test) = arrays(60, 5), arrays(30, 9)
    np.savez(folder / "a.npz", x=x, y=y, x_test=x_test, y_test=y_test)
    data = {"Arrays": {"file": str(folder / "a.npz")}, "normalize": True}
    layers = [{"Linear": 8}, "ReLU", {"Linear": 3}]
    return package.train(write(folder, data=data, layers=layers), runs=folder / "runs").folder


def measured(run: Path, weights: Path, x: Any, y: Any) -> tuple[float, float]:
    """Return the loss and the accuracy that torch computes with the numbers of the run."""
    config = training.find(run).config()
    module = package.build(config).eval()
    module.load_state_dict(load_file(weights))
    mean, deviation = (torch.tensor(n) for n in config.preparation.normalize)
    target = torch.from_numpy(y)
    with torch.no_grad():
        scores = module((torch.from_numpy(x) - mean) / deviation)
    right = (scores.argmax(1) == target).double().mean()
    return functional.cross_entropy(scores, target).item(), right.item()


def test_another_split(folder: Path, trained: Path) -> None:
    """The split that `set` names is measured, normalised with the numbers of the run."""
    stored = np.load(folder / "a.npz")
    found = training.evaluate(trained, "last", set=["data.validation=test"])
    weights = trained / "checkpoints/last/model.safetensors"
    loss, right = measured(trained, weights, stored["x_test"], stored["y_test"])
    assert found["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert found["val_accuracy"] == pytest.approx(right)


@pytest.fixture(scope="module")
def tested(folder: Path, trained: Path) -> Path:
    """Give the folder of a run with a test part."""
    assert trained.exists()  # this fixture has written the arrays
    data = {"Arrays": {"file": str(folder / "a.npz")}, "normalize": True, "test": 0.25}
    layers = [{"Linear": 8}, "ReLU", {"Linear": 3}]
    (folder / "tested").mkdir()
    file = write(folder / "tested", data=data, layers=layers)
    return package.train(file, runs=folder / "tested").folder


def test_the_test_part(folder: Path, tested: Path) -> None:
    """`split` measures the test part, which has neither trained nor validated, by its own names."""
    stored = np.load(folder / "a.npz")
    every = training.find(tested).config()
    assert every.preparation.counts(60) == {"test": 15, "validation": 12}
    found = {
        name: training.evaluate(tested, "last", split=name)
        for name in ("validation", "test", "train")
    }
    assert [next(iter(one)) for one in found.values()] == ["val_loss", "test_loss", "train_loss"]
    weights = tested / "checkpoints/last/model.safetensors"
    loss, _ = measured(tested, weights, stored["x"], stored["y"])
    sizes = {"validation": 12, "test": 15, "train": 33}
    each = [next(iter(found[name].values())) * size for name, size in sizes.items()]
    assert sum(each) / 60 == pytest.approx(loss, rel=1e-5)


def test_the_part_that_is_measured(tested: Path) -> None:
    """The test can be measured with another validation, but another test has trained."""
    again = training.evaluate(tested, split="test", set=["data.validation=0.3"])
    assert again == training.evaluate(tested, split="test")
    with pytest.raises(TrainingError, match="samples that have trained"):
        training.evaluate(tested, split="test", set=["data.test=0.3"])
    with pytest.raises(TrainingError, match="samples that have trained"):
        training.evaluate(tested, set=["data.test=null"])


def test_a_split_by_name(netbuild: Netbuild, trained: Path) -> None:
    """Without a test part, `--split test` is the split of the source; an unknown one is a fault."""
    done = netbuild("evaluate", str(trained), "--split", "test", "--format", "json")
    found = training.evaluate(trained, set=["data.validation=test"])
    assert json.loads(done.stdout) == {
        name.replace("val_", "test_"): value for name, value in found.items()
    }
    done = netbuild("evaluate", str(trained), "--split", "exam")
    assert done.returncode == 1
    assert "has no array x_exam" in done.stdout


def test_the_command(netbuild: Netbuild, trained: Path) -> None:
    """The command prints it; a split that the data lacks is a fault."""
    done = netbuild("evaluate", str(trained), "--set", "data.validation=test")
    assert done.returncode == 0
    found = training.evaluate(trained, set=["data.validation=test"])
    assert done.stdout.split()[:2] == ["val_loss", f"{found['val_loss']:.4f}"]
    done = netbuild("evaluate", str(trained), "--set", "data.validation=exam")
    assert done.returncode == 1
    assert "has no array x_exam" in done.stdout


@pytest.mark.parametrize("setting", ["data.validation=0.5", "train.seed=1"])
def test_samples_that_have_trained(trained: Path, setting: str) -> None:
    """Another part of the run's data is refused; the run's own part, and other data, are not."""
    with pytest.raises(TrainingError, match=r"^this would measure samples"):
        training.evaluate(trained, set=[setting])
    training.evaluate(trained, set=["data.validation=0.2"])


def test_weights_of_a_run_have_its_numbers(
    netbuild: Netbuild, tmp_path: Path, folder: Path, trained: Path
) -> None:
    """Other data is normalised with the run's numbers; of other weights, a message says so."""
    x, y = arrays(50, 8)
    np.savez(tmp_path / "b.npz", x=x, y=y, x_all=x, y_all=y)
    weights = trained / "checkpoints/best/model.safetensors"
    file = folder / "tiny.yaml"
    settings = [f"data.Arrays.file={tmp_path / 'b.npz'}", "data.validation=all"]
    found = training.evaluate_weights(load(file, settings), weights)
    assert found["val_loss"] == pytest.approx(measured(trained, weights, x, y)[0], rel=1e-5)
    arguments = [argument for setting in settings for argument in ("--set", setting)]
    done = netbuild("evaluate", str(file), "--weights", str(weights), *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    shutil.copy(weights, tmp_path / "apart.safetensors")
    weights = tmp_path / "apart.safetensors"
    done = netbuild("evaluate", str(file), "--weights", str(weights), *arguments)
    assert done.stderr == (
        f"netbuild: normalize: true has measured the training samples of {file}; if the weights "
        "come from other samples, write their means and deviations\n"
    )
