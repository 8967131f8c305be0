"""A run that continues with another config: changes have an effect, and the rest continues."""

from pathlib import Path
from typing import Any

import pytest
import torch

from netbuild import training
from netbuild.runs.records import read
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from tests.training_configs import outcome, write

ADAM = {"Adam": {"lr": 0.01}}
EXPONENTIAL = {"ExponentialLR": {"gamma": 0.5}}
CYCLE = {"OneCycleLR": {"max_lr": 0.1, "cycle_momentum": False}}


def trained(folder: Path, **sections: Any) -> Path:
    """Return the folder of a run of two epochs."""
    sections = {"optimizer": ADAM, "train": {"epochs": 2, "batch_size": 12}} | sections
    return training.train(write(folder, **sections), runs=folder / "runs").folder


def resumed(run: Path, *settings_: str) -> Trainer:
    """Return the trainer of a resumed run with changed settings."""
    return training.resume(run, training.find(run).config(["train.epochs=4", *settings_]))


def rates(run: Path) -> list[float]:
    """Return the rates of the last steps of each epoch."""
    return [epoch["lr"] for epoch in training.find(run).metrics]


def rate(trainer: Trainer) -> float:
    """Return the rate of the next step."""
    return float(trainer.learner.optimizers[0].param_groups[0]["lr"])


def test_another_rate_is_that_of_the_next_step(tmp_path: Path) -> None:
    """A new learning rate has an effect, and Adam keeps its moments."""
    run = trained(tmp_path)
    trainer = resumed(run, "optimizer.Adam.lr=0.002")
    assert rate(trainer) == 0.002
    kept = torch.load(run / "checkpoints/last/state.pt", weights_only=True)["optimizer"]["state"]
    states = trainer.learner.optimizers[0].state_dict()["state"]
    assert torch.equal(states[0]["exp_avg"], kept[0]["exp_avg"])
    training.fit(trainer, Silent())
    assert rates(run) == [0.01, 0.01, 0.002, 0.002]


#: A scheduler, how it changes, and the rates of the epochs then, of 0.01 in the beginning.
SCHEDULES: dict[str, tuple[dict[str, Any], list[str], list[float]]] = {
    "as it was": ({"scheduler": EXPONENTIAL}, [], [0.01, 0.005, 0.0025, 0.00125]),
    "another rate": (
        {"scheduler": EXPONENTIAL},
        ["optimizer.Adam.lr=0.1"],
        [0.01, 0.005, 0.025, 0.0125],
    ),
    "another factor": (
        {"scheduler": EXPONENTIAL},
        ["scheduler.ExponentialLR.gamma=0.1"],
        [0.01, 0.005, 1e-4, 1e-5],
    ),
    "another one": (
        {"scheduler": EXPONENTIAL},
        ["scheduler={StepLR: {step_size: 3}}"],
        [0.01, 0.005, 0.01, 0.001],
    ),
    "none": ({"scheduler": EXPONENTIAL}, ["scheduler=null"], [0.01, 0.005, 0.01, 0.01]),
    "a first one": ({}, ["scheduler={ExponentialLR: 0.5}"], [0.01, 0.01, 0.0025, 0.00125]),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_changed_schedule_is_where_it_would_be(tmp_path: Path, name: str) -> None:
    """The remaining rates are the same as in a training from the start."""
    sections, changes, expected = SCHEDULES[name]
    run = trained(tmp_path, **sections)
    training.fit(resumed(run, *changes), Silent())
    assert rates(run) == pytest.approx(expected)


def test_a_cycle_grows_with_the_training(tmp_path: Path) -> None:
    """OneCycleLR uses the steps of all epochs, including additional ones."""
    run = trained(tmp_path, scheduler=CYCLE)
    training.fit(resumed(run), Silent())
    more = {"epochs": 4, "batch_size": 12}
    whole = trained(tmp_path, scheduler=CYCLE, train=more)
    assert rates(run)[2:] == pytest.approx(rates(whole)[2:])
    assert rates(run)[1] != pytest.approx(rates(whole)[1])


def test_more_epochs_are_those_of_a_longer_training(tmp_path: Path) -> None:
    """More epochs give the same weights as a longer training, bit for bit."""
    run = trained(tmp_path, scheduler=EXPONENTIAL)
    training.fit(resumed(run), Silent())
    more = {"epochs": 4, "batch_size": 12}
    whole = trained(tmp_path, scheduler=EXPONENTIAL, train=more)
    assert outcome(training.find(run)) == outcome(training.find(whole))


def test_a_rate_that_losses_have_lowered_stays(tmp_path: Path) -> None:
    """A rate that ReduceLROnPlateau lowered stays until the config changes it."""
    run = trained(tmp_path, scheduler=PLATEAU)
    assert rate(resumed(run)) == pytest.approx(0.001)
    changed = resumed(run, "optimizer.Adam.lr=0.5", "scheduler.ReduceLROnPlateau.factor=0.5")
    assert rate(changed) == 0.5
    made = changed.learner.stepping[0].scheduling.scheduler
    assert made.factor == 0.5
    assert made.best == pytest.approx(training.find(run).metrics[0]["val_loss"])


PLATEAU = {"ReduceLROnPlateau": {"patience": 0, "factor": 0.1, "threshold": 1e9}}
PLATEAU["ReduceLROnPlateau"]["threshold_mode"] = "abs"
GROUPS = [{"match": "0.*", "lr": 0.1}]
#: A change, and the rates of all groups behind it, which losses had lowered from 0.01 and 0.1.
LOWERED: dict[str, tuple[list[str], list[float]]] = {
    "another option": (["optimizer.Adam.eps=1e-7"], [0.001, 0.01]),
    "another factor": (["scheduler.ReduceLROnPlateau.factor=0.5"], [0.001, 0.01]),
    "the rate of a group": (["optimizer.groups.0.lr=0.5"], [0.001, 0.5]),
    "the other rate": (["optimizer.Adam.lr=0.5"], [0.5, 0.01]),
    "no groups": (["optimizer.groups=null"], [0.01]),
    "another optimizer": (["optimizer={SGD: {lr: 0.01}}"], [0.01]),
    "another scheduler": (["scheduler={StepLR: 99}"], [0.01, 0.1]),
}


@pytest.mark.parametrize("name", LOWERED)
def test_rates_that_losses_have_lowered(tmp_path: Path, name: str) -> None:
    """Lowered rates of groups stay until the rate, the optimizer or the groups change."""
    changes, expected = LOWERED[name]
    run = trained(tmp_path, optimizer={**ADAM, "groups": GROUPS}, scheduler=PLATEAU)
    groups = resumed(run, *changes).learner.optimizers[0].param_groups
    assert [group["lr"] for group in groups] == pytest.approx(expected)


@pytest.mark.parametrize("scheduler", [CYCLE, EXPONENTIAL])
def test_what_was_not_lowered_by_losses_does_not_stay(tmp_path: Path, scheduler: Any) -> None:
    """A new ReduceLROnPlateau begins with the rate of the config."""
    run = trained(tmp_path, scheduler=scheduler)
    assert rate(resumed(run, "scheduler={ReduceLROnPlateau: {}}")) == 0.01


@pytest.mark.parametrize(
    "change",
    ["loss=MultiMarginLoss", "data.validation=0.5", "data.class_weights=[1, 2, 3]"],
)
def test_what_is_best_begins_anew(tmp_path: Path, change: str) -> None:
    """Validation losses of other samples, or of another loss, are not compared."""
    run = trained(tmp_path)
    trainer = resumed(run, change)
    assert (trainer.position.best, trainer.position.waited) == (float("inf"), 0)
    training.fit(trainer, Silent())
    best = training.find(run).best
    assert best is not None
    assert best["epoch"] > 2
    shown = read(run).best  # what `netbuild runs` prints
    assert shown is not None
    assert shown["epoch"] == best["epoch"]
    losses = [epoch["val_loss"] for epoch in training.find(run).metrics[2:]]
    assert best["val_loss"] == min(losses)


@pytest.mark.parametrize(
    "change", ["optimizer=SGD", "optimizer={Adam, groups: [{match: '0', lr: 1}]}"]
)
def test_another_optimizer_begins_anew(tmp_path: Path, change: str) -> None:
    """A new optimizer has neither the state nor the options of the former one, and trains."""
    run = trained(tmp_path)
    trainer = resumed(run, change)
    assert trainer.learner.optimizers[0].state_dict()["state"] == {}
    training.fit(trainer, Silent())
    assert len(rates(run)) == 4
