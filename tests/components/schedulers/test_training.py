"""Schedulers in a training: when they step, what they resume, and what they read."""

import inspect
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.components.component import bare_field
from netbuild.components.schedulers import SCHEDULERS
from netbuild.config.load import load, read
from netbuild.config.preparation import Preparation
from netbuild.config.resolution import resolved
from netbuild.config.scheduler import Schedule, misfits
from netbuild.config.train import Train
from netbuild.config.training_length import Training
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, TrainingError
from netbuild.training.loop import Trainer
from netbuild.training.progress import Silent
from netbuild.training.step.scheduler import torch_scheduler
from tests.components.schedulers.cases import EXAMPLES, ONE, SGD, config, optimizer
from tests.training_configs import STEPS, outcome, write


@pytest.mark.parametrize("name", SCHEDULERS)
def test_when_it_steps(name: str) -> None:
    """Only the two that torch documents so step behind a batch, unless the file says otherwise."""
    item = {name: EXAMPLES[name]}
    default = "batch" if name in {"CyclicLR", "OneCycleLR"} else "epoch"
    sections = {"train": {"epochs": 4}}
    assert config(item, **sections).scheduler.step == default
    for step in ("epoch", "batch"):
        found = config(item | {"step": step}, **sections)
        if (name, step) == ("ReduceLROnPlateau", "batch"):
            (fault,) = found.diagnostics
            assert fault.label == (
                "ReduceLROnPlateau reads train.monitor, which is measured once per epoch"
            )
        else:
            assert found.scheduler.step == step


@pytest.mark.parametrize("name", SCHEDULERS)
def test_resolved(name: str) -> None:
    """A resolved config has the scheduler with its defaults, and reads back to the same."""
    first = config({name: EXAMPLES[name]}, train={"epochs": 4})
    assert first.diagnostics == ()
    again = read(from_bytes("again.yaml", resolved(first).encode()))
    assert again.scheduler == first.scheduler
    assert f"step: {first.scheduler.step}" in resolved(first)


def test_bare_values() -> None:
    """A bare value is torch's first argument behind the optimizer."""
    for name, component in SCHEDULERS.items():
        first = list(inspect.signature(getattr(lr_scheduler, name)).parameters)[:2]
        assert bare_field(component) in first


DATA = {"data": {"Random": {"samples": 60}}, "loss": "CrossEntropyLoss"}


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"total_steps": 5}, "its cycle has 5 steps, and the training makes 6"),
        ({"epochs": 1, "steps_per_epoch": 5}, "its cycle has 5 steps, and the training makes 6"),
        ({"total_steps": 6}, None),
        ({"total_steps": 600}, None),
        ({}, None),
        ({"pct_start": 1}, "one of its phases has length 0: pct_start 1.0 of 6 steps"),
        ({"pct_start": 0.5, "total_steps": 6}, None),
    ],
)
def test_length_of_one_cycle(fields: dict[str, Any], label: str | None) -> None:
    """A cycle shorter than the training is a fault where the number of samples is known."""
    item = {"OneCycleLR": {"max_lr": 0.1} | fields}
    found = config(item, train={"epochs": 2, "batch_size": 16}, **DATA)
    assert [d.label for d in found.diagnostics] == ([label] if label else [])


def test_shares_of_parts() -> None:
    """A part of a sequence makes the steps between its milestones, one of a chain all."""
    one = {"OneCycleLR": {"max_lr": 0.1, "total_steps": 5}}
    sequence = {"schedulers": ["ConstantLR", one, "ConstantLR"], "milestones": [4, 10]}
    for last, faults in ((10, 0), (11, 1), (40, 1)):
        sequence["milestones"] = [4, last]
        found = config({"SequentialLR": sequence}, train={"epochs": 20})
        assert len(found.diagnostics) == faults
    chain = {"ChainedScheduler": {"schedulers": ["ConstantLR", one]}}
    for epochs, faults in ((5, 0), (6, 1)):
        assert len(config(chain, train={"epochs": epochs}).diagnostics) == faults


def test_unknown_number_of_samples(tmp_path: Path) -> None:
    """Where only the data knows how long it is, the training refuses to start, and leaves none."""
    config_ = load(write(tmp_path, scheduler=ONE, optimizer={"SGD": {"momentum": 0.9}}))
    scheduler = type(config_.scheduler.scheduler)(max_lr=0.1, total_steps=5)
    blind = config_._replace(scheduler=Schedule(scheduler, "batch"))
    with pytest.raises(TrainingError, match=r"^OneCycleLR .*: its cycle has 5 steps, and .* 6$"):
        training.train(blind, runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    assert list(misfits(blind.scheduler, Training(None, 2, None))) == []


@given(samples=st.integers(2, 400), validation=st.floats(0.01, 0.99), size=st.integers(1, 70))
def test_batches(samples: int, validation: float, size: int) -> None:
    """An epoch has as many batches as the data is split into."""
    held_out = round(samples * Preparation(validation=validation).validation)
    kept = Preparation(validation=validation).training(samples)
    assert kept is not None
    assert Train(batch_size=size).steps(kept) == len(range(0, samples - held_out, size))


class Stopping(Silent):
    """Sends a signal behind a step."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, *_: object, **__: object) -> None:
        """Count down, and send."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("name", SCHEDULERS)
def test_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Stopped in the middle of an epoch or at its end, a training ends with the same bits."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it takes long
    step = "epoch" if name == "ReduceLROnPlateau" else "batch"
    scheduler = {name: EXAMPLES[name], "step": step}
    train = {"epochs": 3, "batch_size": 16, "device": "cpu"}
    file = write(tmp_path, scheduler=scheduler, optimizer=SGD, train=train)
    whole = training.train(file, runs=tmp_path / "whole")
    trainer = training.prepare(trainable(load(file)), tmp_path / "stopped")
    for behind in (1, STEPS - 1, STEPS + 1):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(behind))
        trainer = training.resume(trainer.run.folder)
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


def test_metrics_have_the_rate_that_was_used(tmp_path: Path) -> None:
    """The learning rate of an epoch is that of its last step, before the scheduler moves on."""
    halving = {"StepLR": {"step_size": 1, "gamma": 0.5}}
    for step, expected in (("epoch", [0.1, 0.05]), ("batch", [0.025, 0.003125])):
        folder = tmp_path / step
        folder.mkdir()
        file = write(folder, scheduler=halving | {"step": step}, optimizer=SGD)
        run = training.train(file, runs=folder / "runs")
        assert [epoch["lr"] for epoch in run.metrics] == pytest.approx(expected)


def test_plateau_reads_the_validation_loss(tmp_path: Path) -> None:
    """With no patience the rate falls after each epoch whose loss is not the lowest so far."""
    plateau = {"ReduceLROnPlateau": {"patience": 0, "factor": 0.5, "threshold": 0}}
    train = {"epochs": 6, "batch_size": 16, "device": "cpu"}
    sgd = {"SGD": {"lr": 0.5}}
    file = write(tmp_path, scheduler=plateau, optimizer=sgd, train=train)
    metrics = training.train(file, runs=tmp_path / "runs").metrics
    lr, best, expected = 0.5, float("inf"), []
    for epoch in metrics:
        expected.append(lr)
        lr *= 1 if epoch["val_loss"] < best else 0.5
        best = min(best, epoch["val_loss"])
    assert [epoch["lr"] for epoch in metrics] == expected
    assert len(set(expected)) > 1


def test_what_torch_cannot_compute_is_a_sentence(tmp_path: Path) -> None:
    """A step of the scheduler that torch refuses ends the training in one line."""
    gamma = {"CyclicLR": {"base_lr": 0.1, "max_lr": 0.2, "mode": "exp_range", "gamma": 1e200}}
    found = config(gamma, train={"epochs": 2, "batch_size": 16}, **DATA)
    assert [d.code for d in found.diagnostics] == ["NB403"]
    trainer = training.prepare(trainable(load(write(tmp_path))), tmp_path / "runs")
    with pytest.raises(TrainingError, match=r"^torch refused a step of the scheduler: Numerical"):
        _step_too_far(trainer)


def _step_too_far(trainer: Trainer) -> None:
    here = optimizer()
    declared = SCHEDULERS["CyclicLR"](base_lr=0.1, max_lr=0.2, mode="exp_range", gamma=1e200)
    scheduling = trainer.learner.stepping[0].scheduling
    scheduling.scheduler, scheduling.step = torch_scheduler(declared, here, None), "batch"
    for _ in range(3):
        scheduling.after_batch()
