"""The network that predicts: a run's, or a config's with a file of weights. Without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.config.load import load
from netbuild.config.normalize import measures, with_measured
from netbuild.config.pretrained import Pretrained
from netbuild.runs.exported import measured_with, run_with
from netbuild.runs.folder import Run, find

if TYPE_CHECKING:
    from netbuild.config.config import Config


def bare(place: Path | Config) -> tuple[Config, Run] | None:
    """Return a config and a run of nothing; None for the folder of a run.

    Raises:
        ConfigError: the config has faults.
    """
    if not isinstance(place, Path):
        return place, Run(Path(place.document.name))
    return (load(place), Run(place)) if place.is_file() else None


def network(place: Path | Config, weights: str | Path | None) -> tuple[Config, Run]:
    """Return the config of a network and its run. For a config that has no run, a run of nothing.

    Raises:
        ConfigError: the config has faults.
        RunNotFoundError: there is no run.
        TrainingError: what the run has kept of its data was changed.
    """
    if weights is None and isinstance(place, Path):
        run = find(place)
        return run.with_kept(run.config()), run
    given = bare(place)
    if given is None:
        assert isinstance(place, Path)
        run = find(place)
        given = run.config(), run
    config, run = given
    if weights is None:
        return given
    preparation = config.preparation
    if measures(preparation.normalize) and (numbers := measured_with(weights)):
        numbers = with_measured(preparation.normalize, numbers)
        preparation = preparation.model_copy(update={"normalize": numbers})
    config = config.starting_from(Pretrained(file=str(weights)))._replace(preparation=preparation)
    return (run_with(weights) or run).with_kept(config), run
