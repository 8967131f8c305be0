"""Errors of a training give one sentence."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training import TrainingError
from tests.training.runs import assert_plain, command, end, go_on, posix, start
from tests.training_configs import (
    STATE,
    WEIGHTS,
    write,
)

_FLAT = ["Flatten"]
_TOO_LARGE = 2**31 - 1

#: Sections, and what is said of them; all leave with 1 and with no run that could be mistaken.
FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no loss": ({"loss": None}, "training needs a loss"),
    "no optimizer": ({"optimizer": None}, "training needs an optimizer"),
    "no data": ({"data": None}, "training needs data"),
    "unknown loss": ({"loss": "CrosEntropyLoss"}, "CrosEntropyLoss"),
    "no weights": (
        {"layers": ["Identity"], "loss": "MSELoss"},
        r"NB402(?s:.*)no layer has weights",
    ),
    "no gradient through a Detach": (
        {"layers": [{"Linear": 3}, "Detach"], "loss": "MSELoss"},
        r"NB402(?s:.*)no gradient comes from the loss to a weight",
    ),
    "no gradient through a comparison": (
        {"layers": [{"Linear": 3}, {"Formula": "where(x > 0, 1.0, 0.5)"}], "loss": "MSELoss"},
        r"NB402(?s:.*)no gradient comes from the loss to a weight",
    ),
    "none to validate with": (
        {"data": {"Random": {"samples": 2}}},
        "2 samples with validation 0.2 leave none to validate with",
    ),
    "none to train on": (
        {"data": {"Random": {"samples": 2}, "validation": 0.9}},
        "2 samples with validation 0.9 leave none to train on",
    ),
    "one sample": ({"data": {"Random": {"samples": 1}}}, "leave none"),
    "no probabilities": (
        {"layers": [{"Linear": 3}], "loss": "BCELoss"},
        "torch refused the step: .*between 0 and 1",
    ),
    "a batch of one": (
        {"train": {"batch_size": 47}},
        "train.batch_size 47 gives a batch of one sample",
    ),
    "nan in a step": (
        {"optimizer": {"SGD": {"lr": 1e30}}, "loss": "MSELoss"},
        r"the loss is (nan|inf) in epoch 1, step \d: the first output .* from [04].*; a lower",
    ),
    "nan in validation": (
        {
            "optimizer": {"SGD": {"lr": 1e30}},
            "loss": "MSELoss",
            "train": {"epochs": 1, "batch_size": 48},
        },
        "the loss is (nan|inf) in the validation of epoch 1\n",
    ),
    "a rate too large for torch": (
        {"optimizer": {"Adam": {"lr": 1e300}}},
        "torch refuse|the loss is",
    ),
    "refused by the optimizer": (
        {"optimizer": {"Adam": {"capturable": True, "fused": False}}},
        "torch refuse[sd] ",
    ),
    "a step that records gradients for itself": (
        {"optimizer": {"SGD": {"differentiable": True}}},
        "torch cannot change weights in place while it records gradients for them",
    ),
    "data that no memory holds": (
        {"input": [_TOO_LARGE, _TOO_LARGE], "layers": [{"Linear": 3}], "loss": "MSELoss"},
        "memory|too large|refuse",
    ),
    "weights that no memory holds": (
        {
            "input": [1, 8, 8],
            "data": "Digits",
            "layers": [
                {"Conv2d": {"out_channels": _TOO_LARGE, "kernel_size": 1001, "padding": 500}},
                *_FLAT,
            ],
        },
        "memory|too large|refuse|overflow",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told(tmp_path: Path, name: str) -> None:
    """A training that cannot start or continue exits with 1, and one sentence or diagnostics."""
    sections, said = FAULTS[name]
    printed = command("train", write(tmp_path, **sections), "--runs", tmp_path / "runs")
    assert printed.code == 1
    assert re.search(said, printed.out + printed.err), printed
    if printed.err:
        assert re.fullmatch(r"netbuild: [^\n]{10,}\n", printed.err)
    assert_plain(printed.out + printed.err)


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    """Without loss, optimizer and data, a training names all three, and writes no run."""
    file = write(tmp_path, loss=None, optimizer=None, data=None)
    printed = command("train", file, "--runs", tmp_path / "runs")
    assert printed.code == 1
    assert len(re.findall("error.NB102.: training needs ", printed.out)) == 3
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_a_device_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str
) -> None:
    """A device that torch does not find is named, and no run is written."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    runs = tmp_path / "runs"
    printed = command("train", write(tmp_path), "--runs", runs, "--set", f"train.device={device}")
    said = f"netbuild: train.device is {device}, but torch finds no such device\n"
    assert (printed.code, printed.out, printed.err) == (1, "", said)
    assert not runs.exists()


def test_nan_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    """A loss that is not finite ends the training, and `last` stays readable and finite."""
    sections, said = FAULTS["nan in a step"]
    runs = tmp_path / "runs"
    with pytest.raises(TrainingError, match=said):
        training.train(write(tmp_path, **sections), runs=runs)
    assert training.evaluate(runs / "tiny", "last")["val_loss"] < 10
    with pytest.raises(TrainingError, match=r"best does not exist: no checkpoint was saved there"):
        training.evaluate(runs / "tiny")
    with pytest.raises(TrainingError, match=said):
        go_on(runs / "tiny")


#: Arguments that make no sense, or name what cannot be used, and what is said of them.
UNUSABLE = {
    "neither": ([], "name a config, or a run to continue: --resume RUN"),
    "runs": (
        ["--resume", "runs", "--runs", "others"],
        "--runs and --dry-run cannot be used with --resume: a run keeps its folder",
    ),
    "dry run": (["--resume", "runs", "--dry-run"], "--runs and --dry-run cannot be used with"),
    "processes": (["-", "--processes", "2"], "several processes cannot read standard input"),
    "no process": (["tiny.yaml", "--processes", "0"], "--processes"),
    "no run": (["tiny.yaml", "--resume", "runs"], "runs is not a run: there is no such folder"),
    "no file": (["none.yaml"], "none.yaml cannot be read: No such file"),
    "folder": (["folder"], "folder cannot be read: "),
    "file for runs": (["tiny.yaml", "--runs", "file"], "file.* cannot be read or written: "),
    "file in runs": (["tiny.yaml", "--runs", "taken"], "taken/tiny cannot be read or written: "),
    "unknown option": (["tiny.yaml", "--epochs", "3"], "--epochs"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_unusable_arguments_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Wrong arguments give exit code 2 and a message on stderr."""
    write(tmp_path)
    for folder in ("folder", "taken"):
        (tmp_path / folder).mkdir()
    for file in ("file", "taken/tiny"):
        (tmp_path / file).write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    arguments, said = UNUSABLE[name]
    printed = command("train", *arguments)
    assert (printed.code, printed.out) == (2, "")
    assert re.search(said, printed.err), printed.err
    assert (tmp_path / "file").read_bytes() == b""


@pytest.mark.parametrize("there", ["nothing", "file", "empty", "no checkpoint", "changed config"])
@pytest.mark.parametrize("name", ["train", "evaluate"])
def test_what_is_no_run_is_told(tmp_path: Path, name: str, there: str) -> None:
    """A path without a run, or a run without a checkpoint, gives a sentence and code 2."""
    path = tmp_path / "it"
    code = 2
    said = "it is not a run: there is no such folder"
    if there == "file":
        path.write_bytes(b"")
        said = "it has no resolved.yaml"
        said = "is a config: name its weights" if name == "evaluate" else said
    elif there == "empty":
        path.mkdir()
        said = "it is not a run: it has no resolved.yaml"
    elif there == "no checkpoint":
        path = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs").run.folder
        said = "does not exist: no checkpoint was saved there"
    elif there == "changed config":
        path.mkdir()
        (path / "resolved.yaml").write_text("input: [4]\nlayers: [Linaer: 3]\n", encoding="utf-8")
        said, code = "no layer is called Linaer", 1
    printed = command(*([name, "--resume", path] if name == "train" else [name, path]))
    assert printed.code == code
    assert re.search(said, printed.out + printed.err), printed
    assert_plain(printed.out + printed.err)


def test_a_damaged_checkpoint_is_told(tmp_path: Path) -> None:
    """Resuming or evaluating a damaged checkpoint gives exit code 1 and a sentence."""
    done = training.train(write(tmp_path), runs=tmp_path / "runs")
    for which in ("last", "best"):
        path = done.checkpoint(which) / WEIGHTS
        path.write_bytes(path.read_bytes()[:100])
    for arguments in (["train", "--resume", done.folder], ["evaluate", done.folder]):
        printed = command(*arguments)
        assert (printed.code, printed.out) == (1, "")
        why = r"its header has \d+ bytes, and the file only 100"
        assert re.fullmatch(rf"netbuild: the checkpoint .* is damaged: {why}\n", printed.err)


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
runpy.run_module("netbuild", run_name="__main__", alter_sys=True)
"""


@posix
@pytest.mark.slow
@pytest.mark.parametrize("wide", [200, 4], ids=[WEIGHTS, STATE])
def test_a_full_disk_is_told(tmp_path: Path, wide: int) -> None:
    """A full disk gives a sentence, not a traceback."""
    write(tmp_path, layers=[{"Linear": wide}, "ReLU", {"Linear": 3}])
    python = ("-B", "-c", LIMITED.format(size=4000))
    with start(tmp_path, "train", "tiny.yaml", python=python) as process:
        printed = end(process)
    assert printed.code in {1, 2}
    assert re.fullmatch(r"netbuild: [^\n]{10,}\n", printed.err), printed.err
