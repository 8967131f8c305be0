"""The records of runs: the state of each run, its metrics and its environment."""

from __future__ import annotations

import json
import math
import os
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.files import kind
from netbuild.components.files import read as read_bytes
from netbuild.runs import layout
from netbuild.runs.numbers import is_number
from netbuild.runs.position import Limits, Position

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from netbuild.runs.folds import Folds

#: The most bytes of the files of a run: of its metrics, and of its environment.
_MOST_METRICS, _MOST = 1 << 28, 1 << 20
#: What the metrics of every epoch have.
_NEEDED = ("epoch", "val_loss")
#: The depth of runs in a folder: NAME/TIME.
_DEPTH = 2


class Record(NamedTuple):
    """The record of a run: its state, a problem with its folder if there is one, and its epochs."""

    folder: Path
    state: str
    problem: str | None = None
    epochs: int = 0  # finished
    of: int | None = None
    metrics: tuple[dict[str, Any], ...] = ()  # only numbers
    best: dict[str, Any] | None = None  # the metrics of the best epoch
    seconds: float = 0.0
    monitor: str = "val_loss"  # what decides which epoch is the best
    environment: dict[str, Any] = {}  # noqa: RUF012  never changed
    #: The folds of a folder of folds. `best` is then the mean of their results, `epochs` the number
    #: of folds that have ended, and `of` the number of all.
    folds: Folds | None = None
    #: The sections of the complete config, as plain values; empty if it cannot be read.
    sections: Mapping[str, Any] = {}  # never changed

    @property
    def name(self) -> str:
        """The network's name."""
        return self.folder.resolve().parent.name

    @property
    def started(self) -> str:
        """The time of the start, in the form of the folder's name."""
        said = str(self.environment.get("started", ""))
        return said[:19].replace(":", "-") or self.folder.name

    @property
    def metric(self) -> str | None:
        """The metric that decides the best epoch; if the loss does, the first that is a number."""
        name = self.monitor.removeprefix("val_")
        shown = shown_metrics(self.best or {}, "val")
        return name if name in shown else next(iter(shown), None)


# Metrics.


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the metrics of each finished epoch. Damaged lines are skipped.

    Raises:
        OSError: the file exists but cannot be read.
    """
    path = folder / layout.METRICS
    if kind(path) is None:
        return []
    found = []
    for line in read_bytes(path, _MOST_METRICS).decode("utf-8", "replace").splitlines():
        try:
            epoch = json.loads(line)
        except (ValueError, RecursionError):
            continue
        known = isinstance(epoch, dict) and all(map(is_number, map(epoch.get, _NEEDED)))
        if known and math.isfinite(epoch["epoch"]):
            found.append(epoch)
    return found


def best_of(metrics: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the metrics of the epoch with the lowest validation loss.

    After a change of the config, only later epochs count if losses cannot be compared.
    """
    marked = [epoch for epoch in metrics if epoch.get("best") is True]
    return marked[-1] if marked else min(metrics, key=lambda epoch: epoch["val_loss"], default=None)


def shown_metrics(metrics: dict[str, Any], prefix: str) -> list[str]:
    """Return the metrics that are single numbers and fit into a line, without the prefix."""
    names = (name.removeprefix(f"{prefix}_") for name in metrics if name.startswith(f"{prefix}_"))
    return [n for n in names if n != "loss" and is_number(metrics[f"{prefix}_{n}"])]


def shown_metric(metrics: dict[str, Any], prefix: str) -> str | None:
    """Return the first metric that is a single number and fits into a line."""
    return next(iter(shown_metrics(metrics, prefix)), None)


# Folders.


def listed(folder: Path, name: str | None = None, order: str = "time") -> list[Record]:
    """Return the runs in a folder and in its subfolders.

    Args:
        folder: the folder of runs, with subfolders `TIME` or `NAME/TIME`.
        name: a pattern for the name of the network.
        order: `time`, the newest last; `loss`, the lowest first; or `name`.
    """
    records = [read(path) for path in _folders(folder, _DEPTH)]
    records = [r for r in records if name is None or fnmatchcase(r.name, name)]
    return sorted(records, key=ORDERS[order])


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    try:
        inside = sorted(p for p in folder.iterdir() if p.name[0] != "." and os.path.isdir(p))  # noqa: PTH112
    except OSError:
        return
    for path in inside:
        if layout.is_run(path):
            yield path
        elif depth > 1:
            yield from _folders(path, depth - 1)


def _loss(record: Record) -> tuple[float, str]:
    loss = record.best["val_loss"] if record.best else math.inf
    return (math.inf if math.isnan(loss) else loss), record.started


#: The orders of runs.
ORDERS: dict[str, Any] = {
    "time": lambda record: (record.started, record.folder.name),
    "loss": _loss,
    "name": lambda record: (record.name, record.started, record.folder.name),
}


# One folder.


def read(folder: Path) -> Record:
    """Return the record of a run. A damaged folder is a `problem` of the record, no exception."""
    if layout.is_folds(folder):
        return _of_folds(folder)
    from netbuild.diagnostics.wording import reason
    from netbuild.runs.checkpoint_folder import read_position
    from netbuild.runs.lock import is_locked

    record = _measured(folder)
    try:
        sections = _sections(folder / layout.RESOLVED)
    except (OSError, ValueError) as error:
        return record._replace(problem=f"{layout.RESOLVED} cannot be read: {reason(error)}")
    train, record = _train_section(sections), record._replace(sections=sections)
    if train is None:
        return record._replace(problem=f"{layout.RESOLVED} has no valid train.epochs")
    limits = _limits(train)
    record = record._replace(of=limits.epochs, monitor=str(train.get("monitor")))
    position = read_position(layout.checkpoint(folder, "last"))
    if position:
        spent = position.spent + position.seconds
        record = record._replace(epochs=position.epoch, seconds=spent)
    if (position or _position(record)).is_finished(limits):
        return record._replace(state="finished")
    if is_locked(folder):
        return record._replace(state="running")
    if position is None:
        return record._replace(problem="the run has no checkpoint to continue from")
    return record._replace(state="stopped")


def _of_folds(folder: Path) -> Record:
    """Return the record of a folder of folds."""
    from netbuild.diagnostics.exceptions import TrainingError
    from netbuild.runs import folds

    try:
        found = folds.read(folder)
    except TrainingError as error:
        return Record(folder, "damaged", str(error))
    each = _each(found)
    running = any(record.state == "running" for record in each)
    return Record(
        folder,
        "finished" if found.finished else "running" if running else "stopped",
        epochs=len(found.results),
        of=found.of,
        best=found.mean or None,
        seconds=sum(record.seconds for record in each),
        environment=_environment(found.fold(1)),
        folds=found,
        sections=_sections_of_folds(folder),
    )


def _each(folds: Folds) -> list[Record]:
    every = (folds.fold(number) for number in range(1, folds.of + 1))
    return [read(fold) for fold in every if layout.is_run(fold)]


def folds_of(record: Record) -> list[Record]:
    """Return the record of each fold that has begun; none for a run without folds."""
    return _each(record.folds) if record.folds else []


def _measured(folder: Path) -> Record:
    """Return a record with only the metrics and the environment."""
    epochs = _epochs(folder)
    metrics, best = tuple(map(_numbers, epochs)), best_of(epochs)
    return Record(
        folder,
        "damaged",
        epochs=len(metrics),
        metrics=metrics,
        best=_numbers(best) if best else None,
        seconds=sum(epoch.get("seconds", 0.0) for epoch in metrics),
        environment=_environment(folder),
    )


def _sections(path: Path) -> dict[str, Any]:
    """Return the sections of a complete config, as plain values; none of a file with faults.

    Raises:
        OSError, ValueError: the file cannot be read.
    """
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.syntax.node import plain
    from netbuild.syntax.parser import from_file

    source = from_file(path)
    sections = {} if source.root is None or errors(source.diagnostics) else plain(source.root)
    return sections if isinstance(sections, dict) else {}


def _train_section(sections: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the section `train:`; None if it has no epochs."""
    train = sections.get("train")
    return train if isinstance(train, dict) and isinstance(train.get("epochs"), int) else None


def _sections_of_folds(folder: Path) -> dict[str, Any]:
    try:
        return _sections(folder / layout.FOLDS_CONFIG)
    except (OSError, ValueError):  # the results are there all the same
        return {}


def _limits(train: dict[str, Any]) -> Limits:
    written = {name: train.get(name) for name in Limits._fields}
    return Limits(**{n: v for n, v in written.items() if isinstance(v, int | float)})  # type: ignore[arg-type]


def _environment(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_bytes(folder / layout.ENVIRONMENT, _MOST))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _epochs(folder: Path) -> list[dict[str, Any]]:
    try:
        return read_metrics(folder)
    except OSError:
        return []


def _numbers(epoch: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of an epoch that are single numbers."""
    return {name: value for name, value in epoch.items() if is_number(value)}


def _position(record: Record) -> Position:
    """Return the position, computed from the metrics only."""
    last = record.metrics[-1]["epoch"] if record.metrics else 0
    waited = last - record.best["epoch"] if record.best else 0
    return Position(epoch=last, waited=waited, spent=record.seconds)
