"""`netbuild predict --weights`: a checkpoint of a run, or a file of weights."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from netbuild.syntax.dump import dump
from netbuild.training import Run, predict
from tests.training.prediction.conftest import FEATURES, command

SAMPLE = np.array([5.1, 3.5, 1.4, 0.2], "float32")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Write the config of the run on irises; it measures its samples."""
    path = tmp_path / "features.yaml"
    path.write_text(dump(FEATURES), encoding="utf-8")
    np.save(tmp_path / "x.npy", SAMPLE)
    return path


def test_checkpoints_and_files(iris: Path, config: Path) -> None:
    """`best` and `last` are checkpoints; a file gives what its checkpoint gives."""
    x, run = config.with_name("x.npy"), Run(iris)
    best = command(iris, x)
    assert best.code == 0
    assert command(iris, x, "--weights", "best") == best
    last = command(iris, x, "--weights", "last")
    assert command(iris, x, "--checkpoint", "last") == last
    for which, printed in (("best", best), ("last", last)):
        file = run.checkpoint(which) / "model.safetensors"
        assert command(iris, x, "--weights", file) == printed
        assert command(config, x, "--weights", file) == printed  # with its numbers and names
    assert "name" in json.loads(best.out)[0]


def test_other_weights(iris: Path, config: Path, tmp_path: Path) -> None:
    """Weights of another file replace those of the run."""
    weights = load_file(Run(iris).checkpoint("best") / "model.safetensors")
    bias = next(name for name in reversed(weights) if name.endswith("bias"))
    weights[bias] = torch.tensor([-99.0, -99.0, 99.0])
    save_file(weights, tmp_path / "other.safetensors")
    (told,) = predict(iris, SAMPLE, weights=tmp_path / "other.safetensors")
    assert (told["class"], told["probability"]) == (2, 1.0)
    said = command(config, tmp_path / "x.npy", "--weights", tmp_path / "other.safetensors")
    assert said.code == 1  # the config alone does not know the means of the samples
    assert "normalize wants the numbers" in said.err


def test_weights_that_do_not_fit(iris: Path, config: Path, tmp_path: Path) -> None:
    """Tensors of another network are a fault; a file that is missing is a sentence."""
    x = config.with_name("x.npy")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors")
    said = command(iris, x, "--weights", tmp_path / "other.safetensors")
    assert (said.code, said.out.startswith("error[NB503]")) == (1, True), said
    for arguments, sentence in (
        ((iris, x, "--weights", "lost"), "lost is neither best nor last, nor a file of weights"),
        ((config, x), f"{config} is a config: name its weights with --weights FILE"),
        (
            (iris, x, "--weights", "last", "--checkpoint", "best"),
            "--checkpoint best and --weights last exclude each other",
        ),
    ):
        assert command(*arguments) == (2, "", f"netbuild: {sentence}\n")


def test_a_table(iris: Path, config: Path) -> None:
    """A table has the run as its title; a terminal gets it without --format."""
    x = config.with_name("x.npy")
    lines = command(iris, x, "--format", "table").out.splitlines()
    assert lines[0] == str(iris)
    assert lines[2].split() == ["input", "class", "probability"]
    assert lines[4].split()[1:2] == ["setosa"]
    assert lines[-1].strip() == "1 sample"
