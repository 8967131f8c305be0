"""Callbacks of a training from Python: what they are told, and how they end it."""

from __future__ import annotations

import io
import math
import random
from typing import TYPE_CHECKING, Any

import pytest
import torch
from rich.console import Console

from netbuild import Callback, StopTraining, load, train
from netbuild.training import shown
from tests.training_configs import EPOCHS, SECTIONS, STEPS, TIMES, outcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import nn

    from netbuild import Run

CONFIG = load(SECTIONS)


class Noted(Callback):
    """Notes each call. It raises an exception at one of them, if there is one."""

    def __init__(self, at: str = "", error: Exception | None = None) -> None:
        self.calls: list[str] = []
        self.losses: list[float] = []
        self.metrics: list[Mapping[str, Any]] = []
        self.at, self.error = at, error

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.error and call == self.at:
            raise self.error

    def on_train_begin(self, run: Run, module: nn.Module) -> None:
        """Note the begin."""
        assert (run.folder / "checkpoints/last").is_dir()
        assert module.training
        self._note("begin")

    def on_step_end(self, step: int, loss: float) -> None:
        """Note a step."""
        self.losses.append(loss)
        self._note(f"step {step}")

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, Any]) -> None:
        """Note an epoch."""
        self.metrics.append(metrics)
        self._note(f"epoch {epoch}")

    def on_train_end(self, run: Run) -> None:
        """Note the end."""
        assert run.folder.is_dir()
        self._note("end")


WHOLE = ["begin", "step 1", "step 2", "step 3", "epoch 1", "step 4", "step 5", "step 6"]
WHOLE += ["epoch 2", "end"]


def test_all_calls(tmp_path: Path) -> None:
    """A callback hears of each step and epoch, in their order, with the numbers of the run."""
    assert (STEPS, EPOCHS) == (3, 2)
    noted = Noted()
    run = train(CONFIG, runs=tmp_path, callbacks=[noted, Callback()])
    assert noted.calls == WHOLE
    assert all(map(math.isfinite, noted.losses))
    told = [{n: v for n, v in epoch.items() if n != "best"} for epoch in run.metrics]
    assert noted.metrics == told


class Careless(Callback):
    """Draws random numbers, and leaves the network in evaluation."""

    def __init__(self) -> None:
        self.module: Any = None

    def on_train_begin(self, run: Run, module: nn.Module) -> None:  # noqa: ARG002
        """Keep the network."""
        self.module = module

    def on_step_end(self, step: int, loss: float) -> None:  # noqa: ARG002
        """Measure something, carelessly."""
        self.module.eval()
        torch.rand(3)

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Seed the generators."""
        torch.manual_seed(epoch)
        random.seed(epoch)


def test_a_careless_callback(tmp_path: Path) -> None:
    """Modes and random numbers of the training stay as they are."""
    layers = [{"Linear": 8}, "BatchNorm1d", "Dropout", {"Linear": 3}]
    config = load(SECTIONS | {"layers": layers})
    runs = [train(config, runs=tmp_path, callbacks=calls) for calls in ([], [Careless()])]
    assert outcome(runs[0]) == outcome(runs[1])


@pytest.mark.parametrize("at", ["step 2", "epoch 1", "begin"])
def test_stop_and_resume(tmp_path: Path, at: str) -> None:
    """`StopTraining` ends a training; resumed, it ends as one that was not stopped."""
    whole = train(CONFIG, runs=tmp_path / "whole")
    noted = Noted(at, StopTraining())
    stopped = train(CONFIG, runs=tmp_path / "stopped", callbacks=[noted])
    done = WHOLE.index(at) + 1
    assert noted.calls == [*WHOLE[:done], "end"]
    assert "stopped, " in repr(stopped)
    again = Noted()
    resumed = train(resume=stopped, callbacks=[again])
    assert again.calls == ["begin", *WHOLE[max(done, 1) :]]
    pairs = zip(resumed.metrics, whole.metrics, strict=True)
    for one, other in pairs:
        assert {n: v for n, v in one.items() if n not in TIMES} == {
            n: v for n, v in other.items() if n not in TIMES
        }


@pytest.mark.parametrize("at", ["step 5", "epoch 1", "begin"])
@pytest.mark.parametrize("kind", [RuntimeError, OSError])
def test_an_exception_surfaces(tmp_path: Path, at: str, kind: type[Exception]) -> None:
    """The caller gets the very exception. The run goes on from its last checkpoint."""
    error = kind("mine")
    noted = Noted(at, error)
    with pytest.raises(kind) as caught:
        train(CONFIG, runs=tmp_path, callbacks=[noted])
    assert caught.value is error
    (folder,) = (tmp_path / "tiny").iterdir()
    assert len(train(resume=folder).metrics) == EPOCHS


def test_resume_with_settings(tmp_path: Path) -> None:
    """A finished run continues with more epochs, or with another config."""
    run = train(CONFIG, runs=tmp_path)
    assert len(train(resume=run.folder, set="train.epochs=3").metrics) == 3
    assert len(train(run.config(["train.epochs=4"]), resume=run).metrics) == 4
    with pytest.raises(TypeError, match="name a config to train, or a run to resume"):
        train()
    with pytest.raises(TypeError, match="set changes a file that is read"):
        train(CONFIG, set="train.epochs=3")


def test_progress_in_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`progress=True` prints a line for each epoch; without it, nothing is printed."""
    train(CONFIG, runs=tmp_path)
    assert capsys.readouterr() == ("", "")
    train(CONFIG, runs=tmp_path, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == [*TITLES]
    assert [line.split()[0] for line in lines[1:]] == ["1/2", "2/2"]
    out = io.StringIO()
    real = Console(file=out, force_terminal=True, width=80, highlight=False)
    monkeypatch.setattr("rich.console.Console", lambda **_: real)
    train(CONFIG, runs=tmp_path, progress=True)
    assert "2/2" in out.getvalue()


TITLES = ("epoch", "train", "loss", "accuracy", "val", "loss", "accuracy", "samples/s")


class Handle:
    """The output of a cell, which keeps all that it has shown."""

    shown: list[str]

    def update(self, html: Any) -> None:
        """Keep what is shown next."""
        self.shown.append(html.data)


def test_progress_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook shows one output, which ends with all epochs and the curves."""
    handle = Handle()
    handle.shown = []
    monkeypatch.setattr(shown, "in_notebook", lambda: True)
    monkeypatch.setattr(
        "IPython.display.display", lambda html, **_: (handle.update(html), handle)[1]
    )
    train(CONFIG, runs=tmp_path, progress=True)
    first, last = handle.shown[0], handle.shown[-1]
    assert "tiny: epoch 1/2" in first
    assert "--done: 0.0%" in first
    assert "tiny: epoch 2/2" in last
    assert "--done: 100.0%" in last
    assert last.count("<svg") == 2
    assert last.count("<tr>") == 3
