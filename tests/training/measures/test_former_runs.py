"""Runs of earlier releases are listed, evaluated and resumed with the names of their metrics."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.cli import app
from netbuild.config.load import load
from netbuild.training.progress import Silent
from tests.training_configs import write

#: Names of earlier releases, with the items that give the same numbers under the same names.
NAMES = {
    "accuracy": "Accuracy",
    "macro_f1": {"F1Score": {"average": "macro"}, "name": "macro_f1"},
    "confusion_matrix": "ConfusionMatrix",
    "top_5_accuracy": {"Accuracy": {"top_k": 5}, "name": "top_5_accuracy"},
}


def stopped(folder: Path, epochs: int) -> Path:
    """Return a run that was stopped in its first epoch, as an earlier release has left it."""
    data = {"Random": {"samples": 60, "classes": 7}}
    folder.mkdir()
    file = write(folder, metrics=[*NAMES.values()], data=data, layers=[{"Linear": 7}])
    settings = [f"train.epochs={epochs}", "train.batch_size=5"]
    trainer = training.prepare(trainable(load(file, settings)), folder / "runs")
    stopping = Silent()
    stopping.step = lambda *_, **__: trainer.stop()  # type: ignore[method-assign]
    with pytest.raises(training.Interrupted):
        training.fit(trainer, stopping)
    run = trainer.run.folder
    text = (run / "resolved.yaml").read_text()
    before, _, after = text.partition("metrics:\n")
    rest = after[after.index("\noptimizer:") + 1 :]
    names = "".join(f"- {name}\n" for name in NAMES)
    (run / "resolved.yaml").write_text(f"{before}metrics:\n{names}{rest}")
    state = torch.load(run / "checkpoints/last/state.pt")
    sums = state["measures"]
    sums |= {"told_of_five": sums.pop("told_of_5"), "among_five": sums.pop("among_5")}
    torch.save(state, run / "checkpoints/last/state.pt")
    return run


def finished(run: Path) -> dict[str, Any]:
    """Resume a run, and return its last epoch."""
    trainer = training.resume(run)
    training.fit(trainer, Silent())
    return trainer.run.metrics[-1]


def test_a_former_run_goes_on(tmp_path: Path) -> None:
    """Sums of before the stop count; the numbers are those of a run that was never stopped."""
    run = stopped(tmp_path / "former", 1)
    epoch = finished(run)
    data = {"Random": {"samples": 60, "classes": 7}}
    (tmp_path / "new").mkdir()
    file = write(tmp_path / "new", metrics=[*NAMES.values()], data=data, layers=[{"Linear": 7}])
    settings = ["train.epochs=1", "train.batch_size=5"]
    whole = training.prepare(trainable(load(file, settings)), tmp_path / "runs")
    training.fit(whole, Silent())
    clock = {"seconds", "samples_per_second"}
    (other,) = whole.run.metrics
    assert {k: v for k, v in epoch.items() if k not in clock} == {
        k: v for k, v in other.items() if k not in clock
    }
    assert "val_macro_f1" in epoch
    assert "- macro_f1" in (run / "resolved.yaml").read_text()
    printed = CliRunner().invoke(app, ["evaluate", str(run), "--format=json"])
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout) == {k: v for k, v in epoch.items() if k.startswith("val_")}
    for command in (["runs", str(run)], ["validate", str(run)], ["summary", str(run)]):
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
