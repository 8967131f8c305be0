"""The output of a training without a terminal."""

import re
import shlex
import signal
from pathlib import Path

import pytest

from netbuild import training
from netbuild.runs import folder as run
from tests.training.runs import _layers, assert_plain, command, posix
from tests.training_configs import (
    EPOCHS,
    Moment,
    ending,
    write,
)

HEAD = ["epoch", "train", "loss", "accuracy", "val", "loss", "accuracy", "samples/s"]
LINE = r" +(\d+)/(\d+) +\d+\.\d{4} +\d+\.\d\d% +\d+\.\d{4} +\d+\.\d\d% +[\d,]+"


def test_lines_without_a_terminal(tmp_path: Path) -> None:
    """Without a terminal there is a header, one plain line for each epoch, and two final lines."""
    runs = tmp_path / "a folder [with] :cat: a rather long name, as a path may well have one" / "r"
    file = write(tmp_path)
    printed = command("train", file, "--runs", runs, "--set", "train.epochs=10")
    assert (printed.code, printed.err) == (0, "")
    assert_plain(printed.out)
    head, *epochs, best, folder = printed.out.splitlines()
    assert head.split() == HEAD
    assert {len(line) for line in epochs} == {len(head)}
    for number, line in enumerate(epochs, 1):
        said = re.fullmatch(LINE, line)
        assert said is not None, line
        assert said.groups() == (str(number), "10")
    assert len(epochs) == 10
    done = run.find(runs / "tiny")
    found = done.best
    assert found is not None
    metrics = f"val loss {found['val_loss']:.4f}, accuracy {found['val_accuracy']:.2%}"
    assert best == f"best epoch {found['epoch']}: {metrics}"
    assert folder == f"run {done.folder}"


def test_lines_without_classes(tmp_path: Path) -> None:
    """If the targets are not classes, no line has an accuracy."""
    printed = command("train", write(tmp_path, loss="MSELoss"), "--runs", tmp_path / "runs")
    assert printed.code == 0
    assert len(printed.out.splitlines()) == EPOCHS + 3
    assert "accuracy" not in printed.out
    assert command("evaluate", tmp_path / "runs" / "tiny").out.startswith("val_loss ")


def test_columns_stay_apart(tmp_path: Path) -> None:
    """Numbers of any size are separated by a space."""
    sections = {"loss": "MSELoss", "optimizer": {"SGD": {"lr": 300}}, "layers": [{"Linear": 3}]}
    runs = tmp_path / "runs"
    printed = command("train", write(tmp_path, **sections), "--runs", runs)
    assert printed.code == 0
    assert max(epoch["val_loss"] for epoch in run.find(runs / "tiny").metrics) > 1e12
    for line in printed.out.splitlines()[1 : EPOCHS + 1]:
        assert len(line.split()) == 4, line


def test_silence_in_a_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A training that a program starts prints nothing."""
    training.train(write(tmp_path), runs=tmp_path / "runs")
    assert capfd.readouterr() == ("", "")


@posix
def test_the_command_to_go_on_can_be_pasted(tmp_path: Path) -> None:
    """The printed command works in a shell, even if the path contains a space."""
    runs = tmp_path / "my runs"
    with ending(Moment("step", 1), lambda: signal.raise_signal(signal.SIGINT)):
        printed = command("train", write(tmp_path), "--runs", runs)
    assert printed.code == 130
    said = printed.out.strip().partition("continue with: netbuild ")[2]
    assert command(*shlex.split(said)).code == 0


def test_evaluation_leaves_the_data_alone(tmp_path: Path) -> None:
    """A first layer that works in place overwrites a copy of each batch."""
    layers = [{"Hardswish": {"inplace": True}}, *_layers(10)]
    file = write(tmp_path, data="Digits", input=[1, 8, 8], layers=["Flatten", *layers])
    done = training.train(file, runs=tmp_path / "runs")
    best = min(epoch["val_loss"] for epoch in done.metrics)
    assert training.evaluate(done.folder)["val_loss"] == pytest.approx(best, abs=1e-6)
