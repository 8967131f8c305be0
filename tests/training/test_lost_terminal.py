"""A training whose terminal or reader is gone saves its state, and continues as if it had not."""

import errno
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import train
from netbuild.config.load import load
from netbuild.runs import folder as run
from netbuild.training import Interrupted, Run, signals
from netbuild.training.progress import Silent
from tests.training.runs import Stopping, end, go_on, posix, start
from tests.training_configs import STEPS, outcome, write

#: A longer training, whose samples worker processes read.
LONG = {
    "data": {"Random": {"samples": 60}, "in_memory": False},
    "train": {"epochs": 15, "batch_size": 16, "device": "cpu", "workers": 1},
}


class Unread:
    """Standard output that cannot be written after some writes."""

    encoding = "utf-8"

    def __init__(self, writes: int, number: int) -> None:
        self.left, self.number = writes, number

    def write(self, text: str) -> int:
        """Keep nothing."""
        return len(text)

    def flush(self) -> None:
        """Count a write, and fail if it is one too many."""
        self.left -= 1
        if self.left < 0:
            raise OSError(self.number, os.strerror(self.number))

    def isatty(self) -> bool:
        """Say that this is no terminal."""
        return False

    def fileno(self) -> int:
        """Say that the system does not know this file."""
        raise OSError


def prepared(folder: Path) -> Any:
    """Return a small training."""
    return training.prepare(trainable(load(write(folder))), folder / "runs")


@pytest.mark.parametrize("writes", range(4))
def test_a_closed_pipe(
    tmp_path: Path,
    whole: Run,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    writes: int,
) -> None:
    """Whichever line cannot be written, the state is saved; the result is the same, bit for bit."""
    trainer = prepared(tmp_path)
    monkeypatch.setattr(sys, "stdout", Unread(writes, errno.EPIPE))
    with pytest.raises(typer.Exit) as ended:
        train._fit(trainer)
    more = f"the run {trainer.run.folder} is finished"
    if writes < 3:  # the last line comes when all is done
        resume = f"netbuild train --resume {shlex.quote(str(trainer.run.folder))}"
        more = f"stopped; continue with: {resume}"
    assert ended.value.exit_code == 130
    said = f"netbuild: the output cannot be written: Broken pipe; {more}\n"
    assert capsys.readouterr().err == said
    at = [(0, 0), (1, 0), (1, 0), (2, 0)][writes]  # headline, header, first epoch, second epoch
    assert (trainer.position.epoch, trainer.position.step) == at
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """If the output cannot be written for another reason, the exit code is 2."""
    trainer = prepared(tmp_path)
    monkeypatch.setattr(sys, "stdout", Unread(1, errno.ENOSPC))
    with pytest.raises(typer.Exit) as ended:
        train._fit(trainer)
    assert ended.value.exit_code == 2
    assert "the output cannot be written: No space left on device; stopped" in (
        capsys.readouterr().err
    )


@posix
def test_a_terminal_closes_twice(tmp_path: Path, whole: Run) -> None:
    """A closed terminal sends SIGHUP twice. The training still finishes its step, and saves."""
    trainer = prepared(tmp_path)
    step = trainer.learner.step

    def hung_up(*arguments: Any) -> None:
        step(*arguments)
        if trainer.position.total == STEPS + 1:
            signal.raise_signal(signal.SIGHUP)
            signal.raise_signal(signal.SIGHUP)

    trainer.learner.step = hung_up
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup` would have it ignored
    try:
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Silent())
    finally:
        signal.signal(signal.SIGHUP, before)
    assert (trainer.position.epoch, trainer.position.step) == (1, 2)
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


@posix
def test_nohup(tmp_path: Path, whole: Run) -> None:
    """A training that was started with nohup goes on when the terminal closes."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        trainer = prepared(tmp_path)
        training.fit(trainer, Stopping(signal.SIGHUP, {2}))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert outcome(trainer.run) == outcome(whole)


@posix
def test_ctrl_break(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: Run) -> None:
    """On Windows Ctrl-Break, and closing the window, end a training as Ctrl-C does."""
    monkeypatch.setattr(signal, "SIGBREAK", signal.SIGUSR1, raising=False)
    monkeypatch.delattr(signal, "SIGHUP")
    assert signals.ending() == (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    trainer = prepared(tmp_path)
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Stopping(signal.SIGUSR1, {2}))
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def test_both_signals_before_the_first_checkpoint(tmp_path: Path, whole: Run) -> None:
    """While there is no checkpoint to continue from, a second Ctrl-C does not stop at once."""
    trainer = prepared(tmp_path)
    save = trainer.save

    def twice(which: str) -> None:
        if not trainer.kept:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        save(which)

    trainer.save = twice
    with pytest.raises(Interrupted, match=r"^$"):
        training.fit(trainer, Silent())
    assert (trainer.position.epoch, trainer.position.step) == (0, 0)
    assert outcome(go_on(trainer.run.folder)) == outcome(whole)


def _wait(folder: Path, epochs: int) -> Run:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for found in folder.glob("*/*/metrics.jsonl"):
            if len(Run(found.parent).metrics) >= epochs:
                return Run(found.parent)
        time.sleep(0.005)
    pytest.fail("the training has not come so far")


@pytest.mark.slow
@posix
@pytest.mark.parametrize("whole_group", [False, True])
def test_the_terminal_is_closed(tmp_path: Path, *, whole_group: bool) -> None:
    """A training whose terminal closes, with its readers, saves; it ends the same, bit for bit."""
    file = write(tmp_path, **LONG)
    straight = training.train(file, runs=tmp_path / "straight")
    controller, terminal = os.openpty()
    command = [sys.executable, "-m", "netbuild", "train", str(file), "--runs", "stopped"]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal)
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **streams) as process:
        os.close(terminal)
        stopped = _wait(tmp_path / "stopped", 2)
        os.close(controller)  # from here on each write fails
        for _ in range(2):
            (os.killpg if whole_group else os.kill)(process.pid, signal.SIGHUP)
        assert process.wait(60) == 130
    assert len(stopped.metrics) < 15
    assert outcome(go_on(stopped.folder)) == outcome(straight)


@pytest.mark.slow
@posix
def test_head_has_read_enough(tmp_path: Path) -> None:
    """`netbuild train … | head -3` leaves a run that ends the same, bit for bit."""
    file = write(tmp_path)
    straight = training.train(file, set=["train.epochs=9"], runs=tmp_path / "straight")
    with start(tmp_path, "train", file, "--set", "train.epochs=9") as process:
        for _ in range(3):
            process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        ended = end(process)
    stopped = run.find(tmp_path / "runs" / "tiny")
    assert ended.code == 130
    assert ended.err == (
        "netbuild: the output cannot be written: Broken pipe; stopped; continue with: netbuild "
        f"train --resume {stopped.folder.relative_to(tmp_path)}\n"
    )
    assert len(stopped.metrics) < 9
    assert outcome(go_on(stopped.folder)) == outcome(straight)
