"""A dry run, a changed split, and the reason for the end of a training."""

import re
import signal
from pathlib import Path

import pytest
import torch

from netbuild import training
from tests.training.by_hand import command
from tests.training_configs import (
    Moment,
    ending,
    files,
    write,
)


def test_other_samples_have_their_own_best(tmp_path: Path) -> None:
    """A validation loss on other samples is not compared with earlier losses."""
    done = training.train(write(tmp_path), runs=tmp_path / "runs")
    more = ["--set", "data.validation=0.5", "--set", "train.epochs=3", "--allow-changes"]
    code, printed = command("train", "--resume", done.folder, *more)
    assert code == 0
    assert "the samples or the loss have changed: the best epoch is chosen anew" in printed
    state = torch.load(done.folder / "checkpoints" / "best" / "state.pt", weights_only=True)
    assert state["position"]["epoch"] == 3


def test_why_it_ends_is_said(tmp_path: Path) -> None:
    """The command names the limit that ended a training, if it is not the number of epochs."""
    for setting, said in (
        ("train.max_steps=4", "ended after epoch 2: 4 steps are done: max_steps"),
        ("train.max_time=0.000001", "ended after epoch 1: the time is used up: max_time"),
    ):
        code, printed = command("train", write(tmp_path), "--set", setting)
        assert code == 0
        assert said in printed


def test_a_dry_run_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dry run takes one step, validates one batch, and leaves no folder."""
    monkeypatch.chdir(tmp_path)
    file = write(tmp_path)
    with ending(None) as moments:
        code, printed = command("train", file, "--dry-run")
    assert code == 0
    numbers = (
        r"train_loss \d\.\d{4}, train_accuracy [\d.]+%, val_loss \d\.\d{4}, val_accuracy [\d.]+%"
    )
    said = rf"dry run: {numbers}; no files are kept\n"
    assert re.fullmatch(said, printed), printed
    assert files(tmp_path) == {file.name}
    assert [m for m in moments if m.operation == "step"] == [Moment("step")]


def test_a_dry_run_that_is_stopped(tmp_path: Path) -> None:
    """Ctrl-C ends a dry run without a traceback."""
    with ending(Moment("step"), lambda: signal.raise_signal(signal.SIGINT)):
        code, printed = command("train", write(tmp_path), "--dry-run")
    assert (code, "Traceback" in printed) == (130, False)


def test_a_dry_run_goes_through_everything(tmp_path: Path) -> None:
    """An error of a training stops a dry run with the same sentence."""
    sections = {"layers": [{"Linear": 3}], "loss": "BCELoss"}
    code, printed = command("train", write(tmp_path, **sections), "--dry-run")
    assert code == 1
    assert printed.startswith("netbuild: torch refused the step: ")
