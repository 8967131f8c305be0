"""The network that predicts: a run's, or a config's with a file of weights. Without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.config.load import load
from netbuild.config.normalize import measures, with_measured
from netbuild.config.pretrained import Pretrained
from netbuild.runs.exported import measured_with, run_with
from netbuild.runs.folder import Run, find

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.config.config import Config


def network(place: Path, weights: str | Path | None) -> tuple[Config, Run]:
    """Return the config of a network and its run. For a config that has no run, a run of nothing.

    Raises:
        ConfigError: the config has faults.
        RunNotFoundError: there is no run.
        TrainingError: what the run has kept of its data was changed.
    """
    if weights is None:
        run = find(place)
        return run.with_kept(run.config()), run
    run = Run(place) if place.is_file() else find(place)
    config = load(place) if place.is_file() else run.config()
    preparation = config.preparation
    if measures(preparation.normalize) and (numbers := measured_with(weights)):
        numbers = with_measured(preparation.normalize, numbers)
        preparation = preparation.model_copy(update={"normalize": numbers})
    config = config.starting_from(Pretrained(file=str(weights)))._replace(preparation=preparation)
    return (run_with(weights) or run).with_kept(config), run
