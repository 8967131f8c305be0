"""A run that was not interrupted."""

import pytest

from netbuild import training
from netbuild.training import Run
from tests.training_configs import write


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return the run of a training that was not interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    return training.train(write(folder), runs=folder / "runs")
