"""`configs/forecast.yaml` forecasts a real series better than its baselines."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.config.load import load
from netbuild.training.progress import Silent
from tests.training_configs import in_memory

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.slow
def test_sunspots(tmp_path: Path) -> None:
    """The last epoch errs less than half as much as the last value, and less than the cycle."""
    trainer = training.prepare(trainable(load(CONFIGS / "forecast.yaml")), tmp_path)
    training.fit(trainer, Silent())
    normalize: Any = trainer.run.config().preparation.normalize
    assert normalize["inputs"]["input"] == normalize["targets"]["target"]
    (mean,), (deviation,) = normalize["targets"]["target"]
    split = in_memory(trainer.held_out)
    past = split.inputs[0].double().numpy()[:, :, 0] * deviation + mean
    future = split.targets[0].double().numpy()
    again = np.abs(past[:, -1:] - future).mean()
    cycle = np.abs(past[:, -11:-8] - future).mean()
    assert (round(again, 1), round(cycle, 1)) == (47.8, 28.0)
    error = trainer.run.metrics[-1]["val_mean_absolute_error"]
    assert error < 0.5 * again
    assert error < 0.8 * cycle
