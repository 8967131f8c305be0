"""The limits of a training: patience, steps, time, and parts of the data."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from netbuild import training
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from netbuild.training.progress import Silent
from tests.training.by_hand import PLAIN, batches, prepared, resumed, same, stopped, trained
from tests.training_configs import (
    EPOCHS,
    STEPS,
    in_memory,
    outcome,
    text,
)


def test_patience(tmp_path: Path) -> None:
    """A training ends after `patience` epochs without a lower validation loss."""
    still = {"SGD": {"lr": 0}}
    trainer = trained(tmp_path, "train.patience=2", "train.epochs=9", optimizer=still)
    assert len(trainer.run.metrics) == 3
    assert trainer.finished
    assert training.resume(trainer.run.folder).finished


def test_patience_counts_from_the_best(tmp_path: Path) -> None:
    """Only epochs after the best one count, also in a resumed training."""
    options = ("train.patience=3", "train.epochs=60")
    sections: dict[str, Any] = {"data": "Iris", "optimizer": {"Adam": {"lr": 0.1}}}
    whole = trained(tmp_path, *options, **sections)
    steps = whole.steps
    assert steps is not None
    losses = [epoch["val_loss"] for epoch in whole.run.metrics]
    assert 4 < len(losses) < 60
    assert len(losses) - 1 - losses.index(min(losses)) == 3
    again = resumed(
        stopped(prepared(tmp_path, *options, **sections), steps * (len(losses) - 2) + 1)
    )
    assert outcome(again.run) == outcome(whole.run)


@pytest.mark.parametrize("steps", [1, STEPS, STEPS + 1, STEPS * EPOCHS, 99])
def test_max_steps(tmp_path: Path, steps: int) -> None:
    """A training ends after `max_steps` steps, and validates."""
    trainer = prepared(tmp_path, f"train.max_steps={steps}")
    left = iter(range(steps))
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for (x,), (target,) in batches(trainer):
        if next(left, None) is None:
            break
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
        optimizer.step()
    training.fit(trainer, Silent())
    assert trainer.position.total == min(steps, STEPS * EPOCHS)
    assert len(trainer.run.metrics) == math.ceil(min(steps, STEPS * EPOCHS) / STEPS)
    assert same(trainer.learner.module, module)
    assert training.resume(trainer.run.folder).finished


@pytest.mark.parametrize("step", [1, STEPS, STEPS + 1])
def test_max_steps_resumes(tmp_path: Path, step: int) -> None:
    """A training stopped at any step, even the last, validates and saves after a resumption."""
    options = (f"train.max_steps={STEPS + 1}", "train.epochs=9")
    whole = trained(tmp_path, *options)
    again = resumed(stopped(prepared(tmp_path, *options), step))
    assert outcome(again.run) == outcome(whole.run)


def test_max_time(tmp_path: Path) -> None:
    """A training ends after the step at which its time is over, and validates."""
    trainer = trained(tmp_path, "train.max_time=1e-9", "train.epochs=9")
    assert trainer.position.total == 1
    assert [epoch["epoch"] for epoch in trainer.run.metrics] == [1]
    assert trained(tmp_path, "train.max_time=1h").position.total == STEPS * EPOCHS


@pytest.mark.parametrize(("written", "seconds"), [("90", 90), ("1h30m", 5400), ("2m 5s", 125)])
def test_a_time_has_units(written: str, seconds: float) -> None:
    """A time is a number of seconds, or hours, minutes and seconds. It resolves to a number."""
    config = read(from_bytes("a.yaml", text().encode()), [f"train.max_time={written}"])
    assert (config.train.max_time, config.diagnostics) == (seconds, ())


@pytest.mark.parametrize("written", ["0", "0s", "0h 0m"])
def test_no_time_is_a_fault(written: str) -> None:
    """A time without a second is refused in every form: a training takes one step at least."""
    config = read(from_bytes("a.yaml", text().encode()), [f"train.max_time={written}"])
    (fault,) = config.diagnostics
    assert fault.code == "NB106"
    assert "a number of seconds greater than 0, or a time such as 1h30m" in (fault.label or "")


def test_max_time_counts_all_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of all epochs counts, also the time before a resumption."""
    clock = iter(range(10_000))
    monkeypatch.setattr("netbuild.training.loop.time.perf_counter", lambda: float(next(clock)))
    options = ("train.max_time=8", "train.epochs=99")  # one second between two looks at the clock
    assert trained(tmp_path, *options).position.total == 8
    assert resumed(stopped(prepared(tmp_path, *options), 5)).position.total == 8


def test_limit_batches(tmp_path: Path) -> None:
    """An epoch and a validation have `limit_batches` batches at most."""
    trainer = prepared(tmp_path, "train.limit_batches=2", "train.batch_size=5")
    module = copy.deepcopy(trainer.learner.module)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.5)
    for epoch in range(EPOCHS):
        for number, ((x,), (target,)) in enumerate(trainer.training.shuffled(5, epoch)):
            if number < 2:
                optimizer.zero_grad()
                torch.autograd.backward(nn.functional.cross_entropy(module(x), target))
                optimizer.step()
    training.fit(trainer, Silent())
    assert trainer.steps == 2
    assert trainer.position.total == 2 * EPOCHS
    assert same(trainer.learner.module, module)
    (x,), (target,) = in_memory(trainer.held_out).inputs, in_memory(trainer.held_out).targets
    with torch.no_grad():
        expected = nn.functional.cross_entropy(module(x[:10]), target[:10]).item()
    assert trainer.run.metrics[-1]["val_loss"] == pytest.approx(expected, abs=1e-6)
    options = ("train.limit_batches=3", "train.accumulate=2", "train.batch_size=5")
    assert trained(tmp_path, *options).position.total == 2 * EPOCHS


def test_limit_batches_of_what_has_a_single_sample_left(tmp_path: Path) -> None:
    """A last batch of one sample is no fault if `limit_batches` excludes it."""
    sections = {"layers": [PLAIN[0], "BatchNorm1d", PLAIN[2]]}
    options = ("train.batch_size=47", "train.limit_batches=1")
    assert trained(tmp_path, *options, **sections).position.total == EPOCHS


def test_overfit_batches(tmp_path: Path) -> None:
    """With `overfit_batches: 1`, a network reaches a loss near zero, also in validation."""
    options = ("train.overfit_batches=1", "train.epochs=60", "train.batch_size=8")
    trainer = trained(
        tmp_path, *options, layers=[{"Linear": 32}, "Tanh", {"Linear": 3}], optimizer={"Adam": 0.05}
    )
    last = trainer.run.metrics[-1]
    assert trainer.steps == 1
    assert last["train_loss"] < 0.01
    assert last["val_loss"] < 0.01
    assert last["val_accuracy"] == 1
    assert len(in_memory(trainer.training)) == 8
    assert torch.equal(*(in_memory(s).targets[0] for s in (trainer.training, trainer.held_out)))
    assert training.evaluate(trainer.run.folder, "last")["val_loss"] == last["val_loss"]
