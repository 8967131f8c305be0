"""Augmentations in a training: it resumes, and only what trains is augmented."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING, Any

import pytest
import torch
import typer
import yaml
from safetensors.torch import save_file

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import terminal
from netbuild.config.load import load, read
from netbuild.diagnostics.exceptions import ConfigError
from netbuild.syntax.parser import from_bytes
from netbuild.training.data import loading
from netbuild.training.parallel.distributed import World
from netbuild.training.progress import Silent
from tests.components.augmentations.cases import network
from tests.training_configs import outcome

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = [{"Conv2d": {"out_channels": 4, "kernel_size": 3}}, "ReLU", "Flatten", {"Linear": 10}]


def write(folder: Path, augment: Any, **sections: Any) -> Path:
    """Write a small training on images with augmentations into a folder."""
    sections = {
        "layers": LAYERS,
        "optimizer": {"Adam": {"lr": 0.01}},
        "train": {"epochs": 2, "batch_size": 16, "device": "cpu"},
        "data": {"Random": {"samples": 60, "classes": 10}, "normalize": True, "augment": augment},
        **sections,
    }
    path = folder / "net.yaml"
    path.write_text(network(augment, sections.pop("shape", [3, 12, 12]), **sections), "utf-8")
    return path


class Stopping(Silent):
    """Stops a training behind a step whose number counts from 1."""

    def __init__(self, step: int) -> None:
        self.left = step

    def step(self, *_: object, **__: object) -> None:
        """Count, and stop."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


RESUMED = [
    [
        "RandomHorizontalFlip",
        {"RandomRotation": 10},
        {"RandomCrop": {"size": [12, 12], "padding": 2}},
    ],
    [{"RandomGaussianNoise": {"std": 0.1}}, {"ColorJitter": {"brightness": 0.2, "hue": 0.1}}],
    ["RandomErasing", {"RandomSaltAndPepperNoise": {"p": 1}}, "RandomChannelShuffle"],
    [{"RandAugment": {"n": 2, "m": 9}}, "RandomPlasmaShadow", "RandomThinPlateSpline"],
]


@pytest.mark.parametrize("augment", RESUMED, ids=range(len(RESUMED)))
def test_a_training_resumes(tmp_path: Path, augment: Any) -> None:
    """With augmentations a training that stopped anywhere ends with the same, bit by bit."""
    file = write(tmp_path, augment)
    whole = training.train(file, runs=tmp_path / "whole")
    for step in (1, 4):  # within the first epoch, and within the second
        trainer = training.prepare(trainable(load(file)), tmp_path / f"stopped{step}")
        with pytest.raises(training.Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(step))
        torch.manual_seed(1)  # whatever else the process does with torch
        resumed = training.resume(trainer.run.folder)
        training.fit(resumed, Silent())
        assert outcome(resumed.run) == outcome(whole)
    write(tmp_path, None)
    assert outcome(training.train(file, runs=tmp_path / "plain")) != outcome(whole)


def test_resolved(tmp_path: Path) -> None:
    """A run holds the augmentations with all that they were, and it reads as the same config."""
    file = write(tmp_path, ["RandomHorizontalFlip", {"RandomCrop": [12, 12]}])
    run = training.train(file, runs=tmp_path)
    resolved = (run.folder / "resolved.yaml").read_text("utf-8")
    first, second = yaml.safe_load(resolved)["data"]["augment"]
    assert first == {
        "RandomHorizontalFlip": {
            "p": 0.5,
            "p_batch": 1.0,
            "same_on_batch": False,
            "keepdim": False,
        }
    }
    assert second["RandomCrop"]["size"] == [12, 12]
    config = read(from_bytes("resolved.yaml", resolved.encode()))
    assert config.diagnostics == ()
    assert config.preparation.augment == load(file).preparation.augment


@pytest.mark.parametrize("in_memory", [True, False])
def test_only_what_trains(tmp_path: Path, *, in_memory: bool) -> None:
    """Images that train are augmented, anew each time, then normalised; the others only that."""
    images = torch.rand(40, 3, 12, 12)
    save_file({"x": images, "y": torch.arange(40) % 10}, tmp_path / "images.safetensors")
    data = {
        "Arrays": {"file": "images.safetensors"},
        "validation": 0.25,
        "normalize": [[0.5] * 3, [0.25] * 3],
        "in_memory": in_memory,
        "augment": [{"RandomInvert": {"p": 1}}],
    }
    file = write(tmp_path, None, data=data)
    found = loaded(file)
    ((x,), _), *_ = found.training.shuffled(64, 0)
    ((held_out,), _), *_ = found.held_out.in_order(64)
    back = torch.cat([1 - (x * 0.25 + 0.5), held_out * 0.25 + 0.5])
    ours, theirs = (values.flatten(1).sum(1).sort().values for values in (back, images))
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_what_is_learned_by_heart_stays(tmp_path: Path) -> None:
    """A check that a few batches can be learned is one without augmentations."""
    file = write(tmp_path, [{"RandomGaussianNoise": {"p": 1}}])
    graph = trainable(load(file, ["train.overfit_batches=1"]))
    found = loading.load(graph, World(torch.device("cpu")))
    ((first,), _), *_ = found.training.shuffled(64, 0)
    ((second,), _), *_ = found.training.shuffled(64, 0)
    assert torch.equal(first, second)


def test_what_does_not_fit_is_not_trained(tmp_path: Path) -> None:
    """A training begins with no augmentation that does not fit."""
    file = write(tmp_path, [{"RandomCrop": [10, 10]}])
    with pytest.raises(ConfigError, match="RandomCrop does not fit the network"):
        training.train(file, runs=tmp_path)


def loaded(file: Path) -> Any:
    """Return the data of a config, ready to be trained with."""
    return loading.load(trainable(load(file)), World(torch.device("cpu")))


def test_kornia_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without kornia the command says what to install; without augmentations nobody needs it."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "kornia"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    file = write(tmp_path, ["RandomHorizontalFlip"])
    with pytest.raises(ModuleNotFoundError, match="kornia"):
        training.train(file, runs=tmp_path)
    with pytest.raises(typer.Exit), terminal.reported_failures(tmp_path):
        training.train(file, runs=tmp_path)
    said = 'netbuild: the config needs kornia: pip install "netbuild[data]"\n'
    assert capsys.readouterr().err == said
    write(tmp_path, None)
    training.train(file, runs=tmp_path)
    for module, extra in (("torch", "train"), ("datasets.arrow", "data")):
        with pytest.raises(typer.Exit), terminal.needs_torch("train"):
            raise ModuleNotFoundError(name=module)
        name = module.partition(".")[0]
        said = f'netbuild: train needs {name}: pip install "netbuild[{extra}]"\n'
        assert capsys.readouterr().err == said


class Missing:
    """Finds no kornia."""

    def find_spec(self, name: str, *_: object) -> None:
        """Say that it is not installed."""
        if name.partition(".")[0] == "kornia":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
