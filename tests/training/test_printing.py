"""The output of a training without a terminal."""

import re
import shlex
import signal
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from netbuild import training
from netbuild.runs import folder as run
from netbuild.training.bar import ProgressBar
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
    """Without a terminal: what trains, a header, a plain line per epoch, and two final lines."""
    runs = tmp_path / "a folder [with] :cat: a rather long name, as a path may well have one" / "r"
    file = write(tmp_path)
    printed = command("train", file, "--runs", runs, "--set", "train.epochs=10")
    assert (printed.code, printed.err) == (0, "")
    assert_plain(printed.out)
    first, head, *epochs, best, folder = printed.out.splitlines()
    assert head.split() == HEAD
    assert {len(line) for line in epochs} == {len(head)}
    for number, line in enumerate(epochs, 1):
        said = re.fullmatch(LINE, line)
        assert said is not None, line
        assert said.groups() == (str(number), "10")
    assert len(epochs) == 10
    done = run.find(runs / "tiny")
    assert first == f"training 83 parameters on cpu with 48 samples, seed 0, in {done.folder}"
    found = done.best
    assert found is not None
    metrics = f"val loss {found['val_loss']:.4f}, accuracy {found['val_accuracy']:.2%}"
    assert best == f"best epoch {found['epoch']}: {metrics}"
    assert folder == f"run {done.folder}"


def test_lines_without_classes(tmp_path: Path) -> None:
    """If the targets are not classes, no line has an accuracy."""
    printed = command("train", write(tmp_path, loss="MSELoss"), "--runs", tmp_path / "runs")
    assert printed.code == 0
    assert len(printed.out.splitlines()) == EPOCHS + 4
    assert "accuracy" not in printed.out
    assert command("evaluate", tmp_path / "runs" / "tiny").out.startswith("val_loss ")


def test_columns_stay_apart(tmp_path: Path) -> None:
    """Numbers of any size are separated by a space."""
    sections = {"loss": "MSELoss", "optimizer": {"SGD": {"lr": 300}}, "layers": [{"Linear": 3}]}
    runs = tmp_path / "runs"
    printed = command("train", write(tmp_path, **sections), "--runs", runs)
    assert printed.code == 0
    assert max(epoch["val_loss"] for epoch in run.find(runs / "tiny").metrics) > 1e12
    for line in printed.out.splitlines()[2 : EPOCHS + 2]:
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


#: Metrics of an epoch of a network whose loss compares a yes or no: there are no more.
METRICS = ("accuracy", "top_5_accuracy", "macro_f1", "mae", "rmse", "r2")
EPOCH = {
    "epoch": 1,
    **{f"{split}_{name}": 0.5 for split in ("train", "val") for name in ("loss", *METRICS)},
    "samples_per_second": 1234567.0,
}


def table(width: int | None, metrics: tuple[str, ...]) -> list[str]:
    """Return the table of an epoch with some metrics, on a terminal of a width or without one."""
    tty = width is not None
    out = Console(file=StringIO(), width=width, force_terminal=tty, soft_wrap=True, no_color=True)
    bar = ProgressBar(out, 1, 3, 0)
    others = set(METRICS) - set(metrics)
    bar.epoch({n: v for n, v in EPOCH.items() if n.partition("_")[2] not in others})
    assert isinstance(out.file, StringIO)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out.file.getvalue())
    return [line.rstrip() for line in plain.splitlines()]


@pytest.mark.parametrize("count", range(len(METRICS) + 1))
@pytest.mark.parametrize("width", [None, 40, 80, 120])
def test_all_metrics_are_in_the_table(width: int | None, count: int) -> None:
    """Every metric of the validation has a column; no line is wider than the terminal."""
    lines = table(width, METRICS[:count])
    half = len(lines) // 2
    header, cells = (" ".join(part).split() for part in (lines[:half], lines[half:]))
    names = [name for name in header if name in METRICS]
    if width is None:
        assert (half, names) == (1, [*METRICS[:count]] * 2)
        assert (header[-1], cells[-1]) == ("samples/s", "1,234,567")
    else:
        assert names[len(names) - count :] == [*METRICS[:count]]
        assert max(map(len, lines)) <= width
    assert len(cells) == len(header) - 2  # `train loss` and `val loss` have two words


def test_the_metrics_of_training_go_first() -> None:
    """At 80 columns two metrics have their column for the validation; one has both."""
    assert table(80, ("accuracy", "macro_f1"))[0].split() == [
        *("epoch", "train", "loss", "accuracy", "val", "loss", "accuracy", "macro_f1"),
        "samples/s",
    ]
    assert table(80, ("accuracy",))[0].split() == HEAD
