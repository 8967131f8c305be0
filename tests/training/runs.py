"""Commands that train in this process and in others, and helpers that end and resume them."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from netbuild import training
from netbuild.cli import app
from netbuild.training import Run
from netbuild.training.data.batches import Batches
from netbuild.training.progress import Silent

CPU = torch.device("cpu")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


class Printed(SimpleNamespace):
    """The output and the exit code of a command."""

    code: int
    out: str
    err: str


def command(*arguments: object, stdin: bytes = b"") -> Printed:
    """Run the command line in this process. Exceptions of the command are raised."""
    result = CliRunner().invoke(app, [str(a) for a in arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Printed(code=result.exit_code, out=result.stdout, err=result.stderr)


def start(folder: Path, *arguments: object, python: Sequence[str] = ("-m", "netbuild")) -> Any:
    """Start the command line in its own process, with its output in pipes."""
    plain = {k: v for k, v in os.environ.items() if k not in {"FORCE_COLOR", "TTY_COMPATIBLE"}}
    return subprocess.Popen(
        [sys.executable, *python, *map(str, arguments)],
        cwd=folder,
        env=plain | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )


def end(process: Any) -> Printed:
    """Wait for a process."""
    out, err = process.communicate(timeout=60)
    return Printed(code=process.returncode, out=out, err=err)


def go_on(folder: Path) -> Run:
    """Resume a run, and train to its end."""
    trainer = training.resume(folder)
    training.fit(trainer, Silent())
    return trainer.run


FORMS = ("SGD", "Adam", "RMSprop", "Adagrad")


class Stopping(Silent):
    """Progress that sends a signal to this process at some steps, which count from 1."""

    def __init__(self, number: signal.Signals, steps: set[int]) -> None:
        self.number, self.steps, self.seen = number, steps, 0

    def step(self, *_: object, **__: object) -> None:
        """Count the step, and send the signal at the chosen ones."""
        self.seen += 1
        if self.seen in self.steps:
            signal.raise_signal(self.number)


def _layers(classes: int) -> list[Any]:
    return [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}, {"Linear": classes}]


def samples(split: Batches) -> set[bytes]:
    """Return the samples of a split, each with its target, for sets."""
    return {
        x.numpy().tobytes() + t.numpy().tobytes()
        for x, t in zip(*split.inputs, *split.targets, strict=True)
    }


def assert_plain(printed: str) -> None:
    """Check that a text has only printable lines and no traceback."""
    assert all(character == "\n" or character.isprintable() for character in printed)
    assert "Traceback" not in printed
