"""`train.monitor`: the value that decides about the best epoch, patience and plateaus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netbuild import training
from netbuild.checks.trace import infer, trainable
from netbuild.components.schedulers.decay import ReduceLROnPlateau
from netbuild.config.load import load, read
from netbuild.config.monitor import rises
from netbuild.diagnostics.diagnostic import errors
from netbuild.runs.position import Position
from netbuild.syntax.parser import from_bytes
from netbuild.training.changes import anew
from netbuild.training.progress import Silent
from tests.training_configs import text, write

if TYPE_CHECKING:
    from pathlib import Path

TRAIN = {"epochs": 4, "batch_size": 16, "device": "cpu"}


@pytest.mark.parametrize("monitor", ["val_accuracy", "train_loss", "val_loss"])
def test_the_best_epoch(tmp_path: Path, monitor: str) -> None:
    """An epoch is best if its monitor is better than in all epochs before."""
    file = write(tmp_path, metrics=["Accuracy"], train=TRAIN | {"monitor": monitor, "epochs": 6})
    run = training.train(file, runs=tmp_path)
    sign = -1 if monitor == "val_accuracy" else 1
    costs = [sign * epoch[monitor] for epoch in run.metrics]
    expected = [cost < min(costs[:n], default=float("inf")) for n, cost in enumerate(costs)]
    assert [epoch["best"] for epoch in run.metrics] == expected
    assert run.best is not None
    assert sign * run.best[monitor] == min(costs)


def test_patience_and_plateau(tmp_path: Path) -> None:
    """Patience and ReduceLROnPlateau follow a metric that rises: its mode is max."""
    train = TRAIN | {"monitor": "val_accuracy", "patience": 2, "epochs": 9}
    plateau = {"ReduceLROnPlateau": {"patience": 0, "factor": 0.5}}
    zero = {"SGD": {"lr": 1e-30}}
    file = write(tmp_path, metrics=["Accuracy"], train=train, scheduler=plateau, optimizer=zero)
    trainer = training.prepare(trainable(load(file)), tmp_path)
    assert trainer.learner.stepping[0].scheduling.scheduler.mode == "max"
    training.fit(trainer, Silent())
    assert trainer.position.epoch < 9
    assert trainer.ending == "val_accuracy has not risen for 2 epochs: patience"


def test_a_monitor_without_a_value(tmp_path: Path) -> None:
    """Until an epoch has a value, the newest one is kept as the best: one sample has no R²."""
    train = TRAIN | {"monitor": "val_r2_score", "epochs": 2}
    data = {"Random": {"samples": 60}, "validation": 0.01}
    sections = {"layers": [{"Linear": 1}], "loss": "MSELoss", "metrics": ["R2Score"]}
    run = training.train(write(tmp_path, **sections, data=data, train=train), runs=tmp_path)
    assert [(epoch["val_r2_score"], epoch["best"]) for epoch in run.metrics] == [(None, True)] * 2
    assert run.checkpoint("best").is_dir()


def test_an_epoch_without_a_cost() -> None:
    """Without a monitor the newest epoch is the best; a worse cost waits."""
    position = Position().after_epoch(None)
    assert (position.best, position.waited) == (float("inf"), 0)
    position = position.after_epoch(0.5).after_epoch(0.7)
    assert (position.best, position.waited) == (0.5, 1)


def test_another_monitor_of_a_run() -> None:
    """A run that continues with another monitor chooses its best epoch anew."""

    def config(**train: Any) -> Any:
        source = text(metrics=["Accuracy"], train=TRAIN | train)
        return read(from_bytes("tiny.yaml", source.encode()))

    assert not anew(config(), config(monitor="val_loss")).best
    changed = anew(config(), config(monitor="val_accuracy"))
    assert changed.best
    assert changed.schedule


@pytest.mark.parametrize(
    ("sections", "up"),
    [
        ({}, False),
        ({"optimizer": {"SGD": {"maximize": True}}}, True),
        ({"train": {"monitor": "val_accuracy"}}, True),
        ({"train": {"monitor": "val_accuracy"}, "optimizer": {"SGD": {"maximize": True}}}, True),
        ({"train": {"monitor": "val_hamming_distance"}, "metrics": ["HammingDistance"]}, False),
    ],
)
def test_direction(sections: dict[str, Any], up: bool) -> None:  # noqa: FBT001
    """A loss falls unless an optimizer maximises it; a metric has a direction of its own."""
    config = read(from_bytes("tiny.yaml", text(**sections).encode()))
    assert config.diagnostics == ()
    assert rises(config) == up


@pytest.mark.parametrize("mode", ["min", "max", None])
@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_a_contradicting_mode(mode: str | None, monitor: str) -> None:
    """A `mode` against the direction of the monitor is a fault."""
    plateau = {"ReduceLROnPlateau": {"mode": mode, "patience": 0}}
    source = text(scheduler=plateau, train=TRAIN | {"monitor": monitor})
    graph = infer(read(from_bytes("tiny.yaml", source.encode())))
    right = "max" if monitor == "val_accuracy" else "min"
    wrong = mode not in {None, right}
    assert [fault.code for fault in errors(graph.diagnostics)] == ["NB403"] * wrong
    assert ReduceLROnPlateau().mode is None
