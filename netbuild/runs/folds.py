"""A folder of folds: one run for each fold, and their results together.

runs/NAME/TIME/
    folds.yaml          the complete config of all folds, as in resolved.yaml
    folds.json          the number of folds, the result of each finished one, mean and deviation
    fold-1/ …           a run for each fold that has begun
"""

from __future__ import annotations

import json
import math
import statistics
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.files import read as read_bytes
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.runs import held, layout
from netbuild.runs.numbers import finite, is_number

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.config.config import Config

#: The most bytes of the file with the results.
_MOST = 1 << 24
#: The most folds that a file may name.
_MOST_FOLDS = 100_000


class Folds(NamedTuple):
    """The folds of a training: how many there are, and the result of each that has ended.

    A result is the metrics of the best epoch. Their names begin with `val_`; `epoch` is its number.
    """

    folder: Path
    of: int
    results: dict[int, dict[str, Any]]

    def fold(self, number: int) -> Path:
        """Return the folder of the run of a fold, from 1."""
        return self.folder / f"{layout.FOLD}{number}"

    @property
    def finished(self) -> bool:
        """Whether every fold has ended."""
        return len(self.results) == self.of

    @property
    def measured(self) -> list[str]:
        """The names of the numbers that every result has."""
        first, *others = self.results.values() if self.results else ({},)
        return [
            name
            for name in first
            if name.startswith("val_") and all(name in other for other in others)
        ]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each number over the folds that have ended."""
        return {name: statistics.fmean(self._values(name)) for name in self.measured}

    @property
    def deviation(self) -> dict[str, float]:
        """The standard deviation of each number over the folds, with n − 1; NaN for one fold."""
        several = len(self.results) > 1
        return {
            name: _deviation(self._values(name)) if several else math.nan for name in self.measured
        }

    def _values(self, name: str) -> list[float]:
        return [float(result[name]) for result in self.results.values()]

    def ended(self, number: int, best: dict[str, Any] | None) -> Folds:
        """Write the result of a fold, and return the folds with it."""
        numbers = {
            name: value
            for name, value in (best or {}).items()
            if (name == "epoch" or name.startswith("val_")) and is_number(value)
        }
        found = self._replace(results=dict(sorted({**self.results, number: numbers}.items())))
        found.write()
        return found

    def write(self) -> None:
        """Write the results, their mean and their deviation.

        Raises:
            OSError: the folder cannot be written.
        """
        results = [{"fold": n} | _finite(result) for n, result in self.results.items()]
        values = {
            "folds": self.of,
            "results": results,
            "mean": _finite(self.mean),
            "deviation": _finite(self.deviation),
        }
        text = json.dumps(values, indent=1, allow_nan=False) + "\n"
        held.write(self.folder / layout.FOLDS, text.encode())


def _deviation(values: list[float]) -> float:
    return statistics.stdev(values) if all(map(math.isfinite, values)) else math.nan


def _finite(values: dict[str, Any]) -> dict[str, Any]:
    return {name: finite(value) for name, value in values.items()}


def begin(config: Config, runs: Path, of: int) -> Folds:
    """Make the folder of new folds, and write their config.

    Raises:
        OSError: the folder cannot be written.
    """
    from netbuild.config.resolution import resolved

    parent = runs / config.name
    parent.mkdir(parents=True, exist_ok=True)
    folds = Folds(layout.make_folder(parent), of, {})
    held.write(folds.folder / layout.FOLDS_CONFIG, resolved(config).encode())
    folds.write()
    return folds


def read(folder: Path) -> Folds:
    """Return the folds of a folder.

    Raises:
        TrainingError: the file with the results cannot be read.
    """
    path = folder / layout.FOLDS
    try:
        values = json.loads(read_bytes(path, _MOST))
        of, told = values["folds"], {one["fold"]: _numbers(one) for one in values["results"]}
        known = 1 < of <= _MOST_FOLDS and all(type(n) is int and 1 <= n <= of for n in told)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise TrainingError(message) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        known = False
    if not known:
        message = f"{path} cannot be read: it does not hold the results of folds"
        raise TrainingError(message)
    return Folds(folder, of, told)


def _numbers(result: dict[str, Any]) -> dict[str, Any]:
    named = {n: v for n, v in result.items() if n == "epoch" or n.startswith("val_")}
    return {n: math.nan if v is None else v for n, v in named.items() if v is None or is_number(v)}


def config(folder: Path) -> Config:
    """Return the config of all folds.

    Raises:
        ConfigError: the file in the folder was changed, and has faults.
    """
    from netbuild.config.load import load

    return load(folder / layout.FOLDS_CONFIG)


def of_fold(config: Config, number: int, of: int) -> Config:
    """Return the config of a fold: it holds out this fold for validation."""
    preparation = config.preparation
    part = preparation.validation_part
    if part is None:
        message = (
            f"folds divide the samples, but validation is the split {preparation.validation} of "
            "the source: write a part in its place, as in --set data.validation=0.2"
        )
        raise TrainingError(message)
    how = {"by": part.by, "group": part.group}
    held_out = {"fold": number, "of": of} | {name: v for name, v in how.items() if v is not None}
    changed = preparation.model_copy(update={"validation": held_out})
    return config._replace(preparation=changed)
