"""The trainings of all folds, one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.trace import trainable
from netbuild.runs import folds as folders
from netbuild.runs.folder import Run, is_run
from netbuild.runs.records import read
from netbuild.training import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netbuild.config.config import Config
    from netbuild.runs.folds import Folds
    from netbuild.training.loop import Trainer


def trainings(config: Config, runs: Path, of: int) -> Iterator[tuple[int, Folds, Trainer]]:
    """Yield the number of each fold, the folds so far, and the fold's training.

    Whoever receives a training has to `fit` it. The folder is made when the first training can
    start.

    Raises:
        ConfigError: the data cannot be read.
        TrainingError: a training cannot start.
        OSError: the folder cannot be written.
    """
    made: list[Folds] = []

    def folder() -> Path:
        made.append(folders.begin(config, runs, of))
        return made[0].fold(1)

    graph = trainable(folders.of_fold(config, 1, of))
    trainer = session.prepare(graph, runs, folder)
    folds = made[0]
    yield 1, folds, trainer
    folds = folds.ended(1, trainer.run.best)
    del trainer
    yield from _others(config, folds)


def resumed(folder: Path) -> Iterator[tuple[int, Folds, Trainer]]:
    """Yield the trainings of the folds that have not ended, as `trainings` does.

    Raises:
        ConfigError, TrainingError, OSError: as `trainings` does, and for a damaged folder.
    """
    yield from _others(folders.config(folder), folders.read(folder))


def _others(config: Config, folds: Folds) -> Iterator[tuple[int, Folds, Trainer]]:
    for number in range(1, folds.of + 1):
        if number in folds.results:
            continue
        place = folds.fold(number)
        if not is_run(place) or read(place).state != "finished":
            trainer = _trainer(config, folds, number)
            yield number, folds, trainer
            del trainer
        folds = folds.ended(number, Run(place).best)


def _trainer(config: Config, folds: Folds, number: int) -> Trainer:
    """Return the training of a fold: from its last checkpoint, or from the start without one."""
    place = folds.fold(number)
    if is_run(place) and read(place).problem is None:
        return session.resume(place)
    graph = trainable(folders.of_fold(config, number, folds.of))
    return session.prepare(graph, folds.folder, lambda: place)
