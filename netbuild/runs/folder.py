"""A run: making, writing and finding its folder."""

from __future__ import annotations

import json
import math
import os
import platform
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError
from netbuild.components.files import read, real
from netbuild.config.load import load
from netbuild.config.resolution import resolved
from netbuild.diagnostics.above import above
from netbuild.diagnostics.escapes import one_line
from netbuild.diagnostics.exceptions import RunNotFoundError, TrainingError
from netbuild.runs import held, layout
from netbuild.runs.lock import Lock
from netbuild.runs.numbers import finite
from netbuild.runs.records import best_of, read_metrics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch
    from torch import nn

    from netbuild.config.config import Config


#: The most bytes of a file with the names of the classes, or of a config.
_MOST = 1 << 26


@dataclass(frozen=True, repr=False)
class Run:
    """A training that is running, was stopped or has finished. All its files are in `folder`."""

    folder: Path

    def module(self, checkpoint: str = "best") -> nn.Module:
        """Return the network with the weights of a checkpoint, `best` or `last`, for evaluation.

        It is plain torch on the CPU, and takes inputs that are normalised as in the training.

        Raises:
            ConfigError: the config in the folder was changed, and has faults.
            TrainingError: there is no such checkpoint, or it cannot be read.
        """
        made: nn.Module = above("training.prediction.trained", "module_of")(self, checkpoint)
        return made

    def __repr__(self) -> str:
        line: str = above("reports.showing.run", "line")(self)
        return f"<Run {line}>"

    def __rich__(self) -> Any:
        return above("reports.showing.run", "Table")(self)

    def _repr_html_(self) -> str:
        html: str = above("reports.showing.run", "html")(self)
        return html

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One object for each finished epoch, in their order."""
        return read_metrics(self.folder)

    @property
    def best(self) -> dict[str, Any] | None:
        """The metrics of the best epoch: `train.monitor` has decided which one that is."""
        return best_of(self.metrics)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The names of the classes, in the order of their numbers; None if they have no names."""
        try:
            names = json.loads(read(self.folder / layout.CLASSES, _MOST))
        except (OSError, ValueError, RecursionError):
            return None
        known = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return tuple(names) if known else None

    @property
    def kept(self) -> dict[str, Any]:
        """What the run keeps of its data: the values of its `source`, what its `inputs` were like.

        A run of an older release keeps nothing.

        Raises:
            TrainingError: the file was changed.
        """
        path = self._data
        try:
            values = json.loads(read(path, _MOST)) if path.exists() else {}
        except (OSError, ValueError, RecursionError) as error:
            reason = getattr(error, "strerror", None) or "it is not JSON"
            raise TrainingError(f"{path} cannot be read: {reason}") from error
        if not isinstance(values, dict):
            message = f"{path} cannot be read: it is not an object"
            raise TrainingError(message)
        return values

    @property
    def _data(self) -> Path:
        """The file with what the run keeps of its data."""
        return self.folder / layout.DATA

    @property
    def left_out(self) -> int:
        """How many pictures are left out, because they cannot be read."""
        path = self.folder / layout.BROKEN
        return path.read_text(encoding="utf-8").count("\n") if path.is_file() else 0

    def with_kept(self, config: Config) -> Config:
        """Return a config whose source knows what this run has kept of its data.

        Raises:
            TrainingError: what the run has kept was changed, or belongs to another source.
        """
        kept = self.kept.get("source")
        if kept is None or config.data is None:
            return config
        try:
            source = config.data.with_kept(kept)
        except DataError as error:
            message = f"{self._data} does not fit the data: {error}"
            raise TrainingError(message) from error
        return config._replace(data=source)

    def longer(self, config: Config) -> str:
        """Return the words for a run with more epochs than a config says; else an empty text."""
        metrics = self.metrics
        done, wanted = int(metrics[-1]["epoch"]) if metrics else 0, config.train.epochs
        if done <= wanted:
            return ""
        return f"the run has {done:,} epochs already, and train.epochs is {wanted:,}"

    def config(self, settings: Sequence[str] = ()) -> Config:
        """Return the config that the run uses, changed by `settings`, each a `path=value`.

        It has no `pretrained`: the weights are in the checkpoints.

        Raises:
            ConfigError: the file in the folder was changed, and has faults.
        """
        return load(self.folder / layout.RESOLVED, settings).starting_from()

    def change(self, config: Config) -> None:
        """Continue the run with another config. The former config is kept, with a number."""
        number = 1 + len(list(self.folder.glob(layout.numbered("*"))))
        before = read(self.folder / layout.RESOLVED, _MOST)
        held.write(self.folder / layout.numbered(number), before)
        held.write(self.folder / layout.RESOLVED, resolved(config).encode())
        _write_classes(self.folder, config)

    def checkpoint(self, which: str) -> Path:
        """Return the folder of the checkpoint `last` or `best`."""
        return layout.checkpoint(self.folder, which)

    def lock(self) -> Lock:
        """Lock the run for this process, until the lock is released or the process ends.

        Raises:
            TrainingError: another process has locked it.
        """
        return Lock(self.folder)

    def append(self, epoch: dict[str, Any]) -> None:
        """Add the metrics of an epoch."""
        with (self.folder / layout.METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps({n: finite(v) for n, v in epoch.items()}, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def forget_after(self, epochs: int) -> None:
        """Drop the metrics of later epochs, which a resumed training repeats."""
        kept = [epoch for epoch in self.metrics if epoch["epoch"] <= epochs]
        text = "".join(json.dumps(epoch) + "\n" for epoch in kept)
        held.write(self.folder / layout.METRICS, text.encode())


def create(
    config: Config,
    runs: Path,
    device: torch.device,
    kept: Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> Run:
    """Make the folder of a new run, and write its config and its environment into it.

    The folder is always a new one, unless `folder` names it. `kept` is what the run keeps of its
    data.

    Raises:
        OSError: the folder cannot be written.
    """
    if folder is None:
        parent = runs / config.name
        parent.mkdir(parents=True, exist_ok=True)
        folder = layout.make_folder(parent)
    else:
        folder.mkdir(exist_ok=True)
    held.write(folder / layout.CONFIG, config.document.data or config.document.text.encode())
    held.write(folder / layout.RESOLVED, resolved(config).encode())
    environment = json.dumps(_environment(device), indent=2) + "\n"
    held.write(folder / layout.ENVIRONMENT, environment.encode())
    _write_classes(folder, config)
    if kept:
        held.write(folder / layout.DATA, (json.dumps(kept, ensure_ascii=False) + "\n").encode())
    left_out = _reasons(kept or {})
    if left_out:
        held.write(folder / layout.BROKEN, "".join(f"{line}\n" for line in left_out).encode())
    return Run(folder)


def _reasons(kept: Mapping[str, Any]) -> list[str]:
    """Return the reason for each picture that a source has left out, because it is broken."""
    splits = kept.get("source", {}).get("broken", {})
    return [one_line(reason) for found in splits.values() for reason in found.values()]


def expect_room(runs: Path, weights: int) -> None:
    """Check that the disk has room for the checkpoints.

    There are up to three: `last`, `best`, and the next one during a save. Each holds the weights
    and the state of the optimizer. The state of Adam is twice as large as the weights.

    Args:
        runs: the folder of all runs, which may not exist yet.
        weights: the size of the network's weights, in bytes.

    Raises:
        TrainingError: the disk has too little room.
    """
    there = next(folder for folder in (runs, *Path(real(runs)).parents) if folder.exists())
    free, needed = shutil.disk_usage(there).free, 9 * weights
    if free < needed:
        message = (
            f"{there} has room for {free >> 20:,} MiB, but the checkpoints of this network may "
            f"need {math.ceil(needed / 2**20):,} MiB"
        )
        raise TrainingError(message)


def is_run(folder: Path) -> bool:
    """Whether a folder is the folder of a run."""
    return (folder / layout.RESOLVED).is_file()


def folder_of(run: str | Path | Run) -> Path:
    """Return the folder of a run, or the path itself."""
    return run.folder if isinstance(run, Run) else Path(run)


def find(path: Path) -> Run:
    """Return the run in a folder, or the newest run in a network's folder.

    Raises:
        RunNotFoundError: there is no run.
    """
    if is_run(path):
        return Run(path)
    if folds := newest_folds(path):
        one = folds / f"{layout.FOLD}1"
        message = f"{folds} holds the runs of several folds: name one of them, such as {one}"
        raise RunNotFoundError(message)
    inside = sorted(file.parent for file in path.glob(f"*/{layout.RESOLVED}"))
    if not inside:
        missing = not path.exists()
        message = f"{path} is not a run: " + (
            "there is no such folder" if missing else f"it has no {layout.RESOLVED}"
        )
        raise RunNotFoundError(message)
    return Run(inside[-1])


def newest_folds(path: Path) -> Path | None:
    """Return a folder of folds: this one, or the newest in a network's folder; None for a run."""
    if layout.is_folds(path):
        return path
    inside = [*path.glob(f"*/{layout.RESOLVED}"), *path.glob(f"*/{layout.FOLDS}")]
    newest = max((file.parent for file in inside), default=None)
    return newest if newest and layout.is_folds(newest) else None


def class_names(config: Config) -> tuple[str, ...] | None:
    """Return the names of the classes, if the data has names for what the first loss tells."""
    loss = config.loss
    if config.data is None or loss is None or not (loss.classifies or loss.binary):
        return None
    found = config.against(config.losses[0], ())
    if found is None or found.kind != "target":
        return None
    with suppress(DataError):  # the files have changed after loading, or are missing
        return config.data.names(found.name, getattr(loss, "ignore_index", None))
    return None


def _write_classes(folder: Path, config: Config) -> None:
    names = class_names(config)
    if names is None:
        (folder / layout.CLASSES).unlink(missing_ok=True)
        return
    held.write(folder / layout.CLASSES, (json.dumps(names, ensure_ascii=False) + "\n").encode())


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
