"""Small networks that train quickly, and helpers for their runs."""

import hashlib
import os
import pathlib
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file

from netbuild import training
from netbuild.runs.folder import Run
from netbuild.syntax.dump import dump
from netbuild.training import checkpoint
from netbuild.training.data.batches import Batches
from netbuild.training.progress import Silent
from netbuild.training.step.learner import Learner
from tests.processes import forkserver

#: All that is random or remembered counts here: dropout, batch norms and the optimizer's means.
#: 48 samples to train on in 3 steps an epoch, and 12 to validate with.
SECTIONS: dict[str, Any] = {
    "name": "tiny",
    "input": [4],
    "layers": [{"Linear": 8}, "BatchNorm1d", "ReLU", {"Dropout": 0.3}, {"Linear": 3}],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 0.01}},
    "data": {"Random": {"samples": 60}},
    "train": {"epochs": 2, "batch_size": 16, "device": "cpu"},
}
STEPS = 3
EPOCHS = 2

WEIGHTS, STATE = "model.safetensors", "state.pt"
#: Every file of a finished run.
FILES = {
    "config.yaml",
    "resolved.yaml",
    "environment.json",
    "data.json",
    "metrics.jsonl",
    *(f"checkpoints/{which}/{file}" for which in ("last", "best") for file in (WEIGHTS, STATE)),
}
#: The metrics that a clock decides.
TIMES = {"seconds", "samples_per_second"}


def text(**sections: Any) -> str:
    """Return the small config with other sections; None leaves one out."""
    merged = SECTIONS | sections
    return dump({name: value for name, value in merged.items() if value is not None})


def write(folder: Path, **sections: Any) -> Path:
    """Write the small config, with other sections, into a folder."""
    path = folder / "tiny.yaml"
    path.write_text(text(**sections), encoding="utf-8")
    return path


def files(folder: Path) -> set[str]:
    """Return the paths of all files in a folder."""
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def outcome(run: Run) -> dict[str, Any]:
    """Return all that a training has to give again, bit for bit: weights and metrics."""
    found: dict[str, Any] = {
        "metrics": [{k: v for k, v in epoch.items() if k not in TIMES} for epoch in run.metrics]
    }
    for which in ("last", "best"):
        for name, tensor in load_file(run.checkpoint(which) / WEIGHTS).items():
            bits = hashlib.sha256(tensor.numpy().tobytes()).hexdigest()
            found[f"{which} {name}"] = (tensor.dtype, tuple(tensor.shape), bits)
    return found


def in_memory(split: Any) -> Batches:
    """Return a split that is held in memory, as all are that are small."""
    assert isinstance(split, Batches)
    return split


class Moment(NamedTuple):
    """A moment of the writing: before the call of an operation, or halfway through it."""

    operation: str
    call: int = 0
    halfway: bool = False


class Killed(BaseException):
    """Stands for the end of the process; nothing catches it."""


def killed() -> None:
    """End, as far as a test can within its own process."""
    raise Killed


def _half_written(_: Any, path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _half_removed(path: Path, **_: Any) -> None:
    for file in sorted(path.glob("*"))[:1]:
        file.unlink()


#: What changes the disk, and what the disk looks like halfway through it.
_OPERATIONS: list[tuple[Any, str, Callable[..., None] | None]] = [
    (checkpoint, "save_file", _half_written),
    (torch, "save", _half_written),
    (shutil, "rmtree", _half_removed),
    (os, "fsync", None),
    (pathlib.Path, "mkdir", None),
    (pathlib.Path, "rename", None),
    (pathlib.Path, "replace", None),
    (Learner, "step", None),
]


@contextmanager
def ending(at: Moment | None, end: Callable[[], None] = killed) -> Iterator[list[Moment]]:
    """Have `end` called at a moment; gives the list of all moments, which fills as they come."""
    calls: Counter[str] = Counter()
    moments: list[Moment] = []

    def counted(name: str, do: Callable[..., Any], half: Callable[..., None] | None) -> Any:
        def operation(*args: Any, **kwargs: Any) -> Any:
            call = calls[name]
            calls[name] += 1
            moments.append(Moment(name, call))
            if at == moments[-1]:
                end()
            if half is None:
                return do(*args, **kwargs)
            moments.append(Moment(name, call, halfway=True))
            if at == moments[-1]:
                if half is _half_written:
                    do(*args, **kwargs)
                half(*args, **kwargs)
                end()
            return do(*args, **kwargs)

        return operation

    with pytest.MonkeyPatch.context() as patch:
        # Nothing is synced: a process that ends leaves the disk to the system, and it takes long.
        patch.setattr(os, "fsync", lambda _: None)
        for home, name, half in _OPERATIONS:
            patch.setattr(home, name, counted(name, getattr(home, name), half))
        yield moments


def _train_and_die(config: Path, runs: Path, at: Moment) -> None:
    with ending(at, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        training.train(config, runs=runs)


def go_on_and_be_killed(run: Path, seconds: float) -> int | None:
    """Resume a run in another process, kill it after a time, and return its exit code."""
    process = forkserver().Process(target=_go_on, args=(run,))
    process.start()
    process.join(seconds)
    if process.is_alive():
        process.kill()
        process.join(60)
    code: int | None = process.exitcode
    return code


def _go_on(run: Path) -> None:
    training.fit(training.resume(run), Silent())


class _Telling(Silent):
    """Progress that tells another process of each step."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection

    def step(self, *_: object, **__: object) -> None:
        """Tell of the step."""
        self.connection.send("stepped")


def _go_on_and_tell(run: Path, connection: Any) -> None:
    training.fit(training.resume(run), _Telling(connection))


def step_and_be_killed(run: Path, steps: int, seconds: float) -> int | None:
    """Resume a run in another process, and kill it a time after some steps; return its exit code.

    A kill before the first step would leave the run as it was.
    """
    here, there = forkserver().Pipe(duplex=False)
    process = forkserver().Process(target=_go_on_and_tell, args=(run, there))
    process.start()
    there.close()
    for _ in range(steps):
        here.recv()
    time.sleep(seconds)
    process.kill()
    process.join(60)
    return process.exitcode


def train_and_die(config: Path, runs: Path, at: Moment) -> int | None:
    """Train in another process that kills itself at a moment, and return its exit code."""
    process = forkserver().Process(target=_train_and_die, args=(config, runs, at))
    process.start()
    process.join(60)
    return process.exitcode
