"""The folder of a run: what was asked, what was used, where, and what came of it.

runs/<name>/<time>/
    config.yaml         the file as given, byte for byte
    resolved.yaml       what was used: it means the same without base, settings and defaults
    environment.json    versions, device, threads
    metrics.jsonl       one object an epoch
    checkpoints/last/   where to go on
    checkpoints/best/   the lowest validation loss
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from netbuild import __version__
from netbuild.config import load, resolved
from netbuild.training.failure import RunNotFoundError, TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from netbuild.config import Config


class Lock:
    """A folder taken by this process, without a file in it; where folders cannot be, nothing."""

    def __init__(self, folder: Path) -> None:
        try:
            import fcntl
        except ModuleNotFoundError:  # Windows
            return
        handle = os.open(folder, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            message = f"{folder} is being trained by another process"
            raise TrainingError(message) from None

    def release(self) -> None:
        """Let go."""
        if hasattr(self, "_close"):
            self._close()


@dataclass(frozen=True)
class Run:
    """A folder with a training in it, running, stopped or finished."""

    folder: Path

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One object for each finished epoch, in their order."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        return [epoch for line in lines if (epoch := _metrics(line)) is not None]

    @property
    def best(self) -> dict[str, Any] | None:
        """The metrics of the epoch with the lowest validation loss."""
        return min(self.metrics, key=lambda epoch: epoch["val_loss"], default=None)

    def config(self) -> Config:
        """Return the config that the run used, with the weights of its checkpoints to begin with.

        Raises:
            ConfigError: the file in the folder was changed, and has faults.
        """
        return load(self.folder / "resolved.yaml")._replace(pretrained=None)

    def checkpoint(self, which: str) -> Path:
        """Return the folder of the checkpoint `last` or `best`."""
        return self.folder / "checkpoints" / which

    def lock(self) -> Lock:
        """Take the run for this process, until it lets go or ends, however it ends.

        Raises:
            TrainingError: another process has it.
        """
        return Lock(self.folder)

    def append(self, epoch: dict[str, Any]) -> None:
        """Add the metrics of an epoch."""
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(epoch) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def forget_after(self, epochs: int) -> None:
        """Drop the metrics of epochs that a resumed training goes through again."""
        kept = [epoch for epoch in self.metrics if epoch["epoch"] <= epochs]
        text = "".join(json.dumps(epoch) + "\n" for epoch in kept)
        _replace(self.folder / "metrics.jsonl", text.encode())


def _metrics(line: str) -> dict[str, Any] | None:
    """Return the metrics that a line holds; None for one that was damaged."""
    try:
        epoch = json.loads(line)
    except ValueError:
        return None
    return epoch if isinstance(epoch, dict) and {"epoch", "val_loss"} <= {*epoch} else None


def create(config: Config, runs: Path, device: torch.device) -> Run:
    """Make the folder of a new run, never over another one, and write down what it will do.

    Raises:
        OSError: the folder cannot be written.
    """
    parent = runs / config.name
    parent.mkdir(parents=True, exist_ok=True)
    folder = _unused(parent / time.strftime("%Y-%m-%dT%H-%M-%S"))
    run = Run(folder)
    _replace(folder / "config.yaml", config.document.data or config.document.text.encode())
    _replace(folder / "resolved.yaml", resolved(config).encode())
    environment = json.dumps(_environment(device), indent=2) + "\n"
    _replace(folder / "environment.json", environment.encode())
    return run


def find(path: Path) -> Run:
    """Return the run at a path, which is its folder, or the newest run of a network's folder.

    Raises:
        RunNotFoundError: there is no run.
    """
    if (path / "resolved.yaml").is_file():
        return Run(path)
    inside = sorted(file.parent for file in path.glob("*/resolved.yaml"))
    if not inside:
        message = f"{path} is no run: it has no resolved.yaml"
        raise RunNotFoundError(message)
    return Run(inside[-1])


def _unused(folder: Path) -> Path:
    """Make and return a folder of this name, or of this name with a number that sorts behind."""
    number = 1
    while True:
        candidate = folder if number == 1 else folder.with_name(f"{folder.name}-{number:03}")
        try:
            candidate.mkdir()
        except FileExistsError:
            number += 1
        else:
            return candidate


def _replace(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _environment(device: torch.device) -> dict[str, Any]:
    import numpy as np
    import torch

    return {
        "netbuild": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        "threads": torch.get_num_threads(),
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
    }
