"""`netbuild evaluate` prints the confusion matrix with the names of the classes."""

import json
from pathlib import Path

from netbuild.training import Run
from tests.training.by_hand import command

NAMES = ["setosa", "versicolor", "virginica"]
METRICS = ("--set", "metrics=[Accuracy, ConfusionMatrix]")


def test_the_matrix_of_a_run_has_names(iris: Path) -> None:
    """Rows and columns have the names that the run holds; JSON has them beside the matrix."""
    code, printed = command("evaluate", iris, *METRICS)
    lines = printed.splitlines()
    assert (code, lines[-4].split()) == (0, NAMES)
    assert [line.split()[0] for line in lines[-3:]] == NAMES
    told = json.loads(command("evaluate", iris, *METRICS, "--format", "json")[1])
    assert told["classes"] == NAMES
    assert len(told["val_confusion_matrix"]) == 3
    assert "classes" not in json.loads(command("evaluate", iris, "--format", "json")[1])


def test_the_matrix_of_a_config_has_names(iris: Path) -> None:
    """For a config with a file of weights, the names are those of its data."""
    weights = Run(iris).checkpoint("best") / "model.safetensors"
    resolved = iris / "resolved.yaml"
    code, printed = command("evaluate", resolved, "--weights", weights, *METRICS)
    assert (code, printed.splitlines()[-4].split()) == (0, NAMES)
