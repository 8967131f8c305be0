"""A training that is stopped at any step continues as if it had not been stopped."""

import re
import shlex
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import typer

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import train
from netbuild.config.load import load
from netbuild.training import Interrupted, Run
from netbuild.training.progress import Silent
from netbuild.training.signals import ending
from tests.training.runs import FORMS, Stopping, _layers, assert_plain, end, go_on, posix, start
from tests.training_configs import (
    EPOCHS,
    FILES,
    STATE,
    STEPS,
    files,
    outcome,
    write,
)

#: The line before a training.
HEADLINE = re.compile(r"training [\d,]+ parameters on cpu with [\d,]+ samples, seed 0, in \S+")


@pytest.mark.parametrize("step", range(1, STEPS * EPOCHS + 1))
@pytest.mark.parametrize("number", ending())
def test_interrupted_at_any_step_and_resumed(
    tmp_path: Path, whole: Run, number: signal.Signals, step: int
) -> None:
    """A training stopped by a signal after any step ends with the same weights, bit for bit."""
    before = signal.getsignal(number)
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(number, {step}))
    assert signal.getsignal(number) is before
    assert trainer.position.epoch * STEPS + trainer.position.step == step
    torch.manual_seed(step)  # whatever else the process does with torch
    finished = go_on(trainer.run.folder)
    assert outcome(finished) == outcome(whole)
    assert files(finished.folder) == FILES


def test_interrupted_at_every_step(tmp_path: Path, whole: Run) -> None:
    """A training stopped after every step ends with the same weights, bit for bit."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    for _ in range(STEPS * EPOCHS):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(signal.SIGINT, {1}))
        trainer = training.resume(tmp_path / "runs" / "tiny")
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


def test_every_kind_of_random_state(tmp_path: Path) -> None:
    """The same is true for other optimizers: a checkpoint holds their state."""
    for name in FORMS:
        folder = tmp_path / name
        folder.mkdir()
        momentum = {"momentum": 0.9} if name in {"SGD", "RMSprop"} else {}
        file = write(folder, optimizer={name: {"lr": 0.01, **momentum}})
        uninterrupted = training.train(file, runs=folder / "whole")
        trainer = training.prepare(trainable(load(file)), folder / "stopped")
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(signal.SIGINT, {STEPS + 1}))
        assert outcome(go_on(trainer.run.folder)) == outcome(uninterrupted), name


@pytest.mark.slow
@posix
def test_ctrl_c_on_the_command_line(tmp_path: Path) -> None:
    """Ctrl-C exits with 130 and says how to continue; the result is the same, bit for bit."""
    write(tmp_path, data="Digits", input=[1, 8, 8], layers=["Flatten", *_layers(10)])
    often = ("--set", "train.epochs=6", "--set", "train.batch_size=6")
    with (
        start(tmp_path, "train", "tiny.yaml", "--runs", "whole", *often) as whole,
        start(tmp_path, "train", "tiny.yaml", "--runs", "stopped", *often) as stopped,
    ):
        _wait_for_epochs(tmp_path / "stopped" / "tiny", 2)
        stopped.send_signal(signal.SIGINT)
        first = end(stopped)
        assert end(whole).code == 0
    assert (first.code, first.err) == (130, "")
    headline, *_, said = first.out.splitlines()
    assert HEADLINE.fullmatch(headline)
    resuming = said.removeprefix("stopped; continue with: netbuild ")
    assert resuming != said
    (folder,) = (tmp_path / "stopped" / "tiny").iterdir()
    position = torch.load(folder / "checkpoints" / "last" / STATE, weights_only=True)["position"]
    with start(tmp_path, *shlex.split(resuming)) as resumed:
        second = end(resumed)
    assert (second.code, second.err) == (0, "")
    if position["step"]:  # not between two epochs
        at = f"continuing in epoch {position['epoch'] + 1}, after step {position['step']}"
        assert second.out.splitlines()[1] == at
    (uninterrupted,) = (tmp_path / "whole" / "tiny").iterdir()
    assert outcome(Run(folder)) == outcome(Run(uninterrupted))
    assert_plain(first.out + second.out)


def _wait_for_epochs(parent: Path, epochs: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(len(Run(folder).metrics) >= epochs for folder in parent.glob("*")):
            return
        time.sleep(0.005)
    pytest.fail("the training has not come so far")


class Told(Stopping):
    """Stopping that counts what it is told."""

    told = 0

    def stopping(self) -> None:
        """Count a message."""
        self.told += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_stops_now(tmp_path: Path, whole: Run, number: signal.Signals) -> None:
    """The first signal is told; a second one in the same step leaves the last checkpoint."""
    before = signal.getsignal(number)
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    step = trainer.learner.step

    def long(*arguments: Any) -> None:
        if trainer.position.total == STEPS + 1:
            signal.raise_signal(number)
            assert progress.told == 1
            signal.raise_signal(number)
        step(*arguments)

    trainer.learner.step = long
    progress = Told(number, set())
    with pytest.raises(KeyboardInterrupt):
        training.fit(trainer, progress)
    assert signal.getsignal(number) is before
    state = torch.load(trainer.run.checkpoint("last") / STATE, weights_only=True)
    assert (state["position"]["epoch"], state["position"]["step"]) == (1, 0)
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def test_a_signal_in_a_validation(tmp_path: Path, whole: Run) -> None:
    """The training stops behind the validation: its epoch is complete."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    validate = trainer.learner.validate

    def signalled(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return validate(*arguments)

    trainer.learner.validate = signalled
    with pytest.raises(Interrupted):
        training.fit(trainer, Silent())
    assert (trainer.position.epoch, trainer.position.step) == (1, 0)
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def test_what_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command says what the first Ctrl-C does, and how to continue after the second."""
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")

    def twice(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    trainer.learner.step = twice
    with pytest.raises(typer.Exit) as ended:
        train._fit(trainer)
    assert ended.value.exit_code == 130
    _, first, second = capsys.readouterr().out.splitlines()
    assert first == "stopping after this step; a second Ctrl-C stops now, at the last checkpoint"
    assert second == (
        "stopped now, at the last checkpoint; continue with: netbuild train --resume "
        f"{shlex.quote(str(trainer.run.folder))}"
    )
