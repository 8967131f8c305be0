"""The folder of a run: what was asked, what was used, where, and what came of it.

runs/<name>/<time>/
    config.yaml         the file as given, byte for byte
    resolved.yaml       what was used: it means the same without base, settings and defaults
    environment.json    versions, device, threads
    classes.json        what the classes are called, in the order of their numbers, where the
                        data says it: a list of names
    metrics.jsonl       one object an epoch
    checkpoints/last/   where to go on
    checkpoints/best/   the lowest validation loss
"""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
import time
import weakref
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError
from netbuild.config.load import load
from netbuild.config.resolved import resolved
from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError
from netbuild.runs.records import best_of, read_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from netbuild.config.config import Config


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
        return read_metrics(self.folder)

    @property
    def best(self) -> dict[str, Any] | None:
        """The metrics of the epoch with the lowest validation loss."""
        return best_of(self.metrics)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """What the classes are called, in the order of their numbers; None where nobody said."""
        try:
            names = json.loads((self.folder / "classes.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        known = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return tuple(names) if known else None

    def config(self, settings: Sequence[str] = ()) -> Config:
        """Return the config that the run used, with the weights of its checkpoints to begin with.

        `settings` change it, as `path=value`.

        Raises:
            ConfigError: the file in the folder was changed, and has faults.
        """
        return load(self.folder / "resolved.yaml", settings)._replace(pretrained=None)

    def change(self, config: Config) -> None:
        """Have the run go on with another config; what was used before is kept beside it."""
        number = 1 + len(list(self.folder.glob("resolved-*.yaml")))
        before = (self.folder / "resolved.yaml").read_bytes()
        _replace(self.folder / f"resolved-{number}.yaml", before)
        _replace(self.folder / "resolved.yaml", resolved(config).encode())
        _write_classes(self.folder, config)

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
            file.write(json.dumps(_finite(epoch), allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def forget_after(self, epochs: int) -> None:
        """Drop the metrics of epochs that a resumed training goes through again."""
        kept = [epoch for epoch in self.metrics if epoch["epoch"] <= epochs]
        text = "".join(json.dumps(epoch) + "\n" for epoch in kept)
        _replace(self.folder / "metrics.jsonl", text.encode())


def _finite(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return metrics without what JSON has no word for: R² of targets that are all the same."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in epoch.items()
    }


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
    _write_classes(folder, config)
    return run


def expect_room(runs: Path, weights: int) -> None:
    """Refuse to begin what the disk has no room for.

    `last`, `best`, and one that is being written each hold the weights and what an optimizer such
    as Adam knows of them, twice as much.

    Raises:
        TrainingError: says how much is there, and how much is needed.
    """
    there = next(folder for folder in (runs, *runs.resolve().parents) if folder.exists())
    free, needed = shutil.disk_usage(there).free, 9 * weights
    if free < needed:
        message = (
            f"{there} has room for {free >> 20:,} MiB, and the checkpoints of this network may "
            f"take {needed >> 20:,}"
        )
        raise TrainingError(message)


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


def _write_classes(folder: Path, config: Config) -> None:
    """Write down what the classes are called, where there are classes and the data names them."""
    names = None
    loss = config.loss
    if config.data is not None and loss is not None and (loss.classifies or loss.binary):
        with suppress(DataError):  # whose files have changed since they were loaded
            names = config.data.names()
    if names is None:
        (folder / "classes.json").unlink(missing_ok=True)
        return
    _replace(folder / "classes.json", (json.dumps(names, ensure_ascii=False) + "\n").encode())


def _environment(device: torch.device) -> dict[str, Any]:
    import numpy as np
    import torch

    return {
        "netbuild": version("netbuild"),
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
