"""A warm-up before a schedule, and fields that the length of the training decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch.optim import lr_scheduler

from netbuild import training
from netbuild.checks.trace import infer, trainable
from netbuild.components.schedulers.cycle import CosineAnnealingLR
from netbuild.config.load import load
from netbuild.config.training_length import Training
from netbuild.reports import explanation
from netbuild.reports.explanation import formats as render
from netbuild.runs.position import Position
from netbuild.training import Interrupted
from netbuild.training.changes import Anew
from netbuild.training.progress import Silent
from netbuild.training.step.scheduler import Scheduling
from netbuild.training.step.stepping import Stepping
from tests.components.schedulers.cases import config
from tests.components.schedulers.test_training import Stopping
from tests.training_configs import outcome, write

if TYPE_CHECKING:
    from pathlib import Path

#: Three steps in each of four epochs.
TRAINING = Training(None, epochs=4, batches=3)
RATE = 0.8
#: A run that continues with another schedule.
ANEW = Anew(best=False, optimizer=False, schedule=True, lowered=())


def sgd() -> torch.optim.Optimizer:
    """Return an optimizer of one weight."""
    return torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=RATE)


def scheduling(item: dict[str, Any], training: Training = TRAINING) -> Scheduling:
    """Return the schedule of an item for an optimizer of its own."""
    schedule = config(item, train={"epochs": training.epochs}).scheduler
    return Scheduling(schedule, sgd(), training)


def rate(one: Scheduling) -> float:
    """Return the rate of the next step."""
    return one.optimizer.param_groups[0]["lr"]


def rates(one: Scheduling, losses: tuple[float, ...] = (1, 1, 1, 1)) -> list[float]:
    """Return the rates of all steps."""
    found = []
    for loss in losses:
        for _ in range(3):
            found.append(rate(one))
            one.after_batch()
        one.after_epoch(loss)
    return found


@pytest.mark.parametrize(
    ("warmup", "steps"), [(5, 5), ("2 epochs", 6), ("1 epoch", 3), ("25%", 3), ("1%", 1), (12, 12)]
)
def test_after_each_batch(warmup: int | str, steps: int) -> None:
    """The rate rises on a line to its first value; the cosine takes the steps that are left."""
    found = rates(scheduling({"CosineAnnealingLR": None, "step": "batch", "warmup": warmup}))
    assert found[:steps] == [RATE * ((n + 1) / steps) for n in range(steps)]
    alone = sgd()
    torchs = lr_scheduler.CosineAnnealingLR(alone, max(1, 12 - steps))
    for given in found[steps:]:
        assert given == alone.param_groups[0]["lr"]
        alone.step()
        torchs.step()


def test_after_each_epoch() -> None:
    """An epoch in which the warm-up ends is the first one of the schedule."""
    fell = rates(scheduling({"StepLR": {"step_size": 1, "gamma": 0.5}, "warmup": 4}))
    assert fell == pytest.approx([0.2, 0.4, 0.6, 0.8, 0.8, 0.8, *[0.4] * 3, *[0.2] * 3])
    whole = rates(scheduling({"StepLR": {"step_size": 1, "gamma": 0.5}, "warmup": "1 epoch"}))
    assert whole == pytest.approx([0.8 / 3, 1.6 / 3, 0.8, 0.8, 0.8, 0.8, *[0.4] * 3, *[0.2] * 3])


def test_before_a_plateau() -> None:
    """ReduceLROnPlateau sees no loss of an epoch within the warm-up."""
    item = {"ReduceLROnPlateau": {"patience": 0, "factor": 0.5}, "warmup": 3}
    found = rates(scheduling(item), (1, 9, 9, 9))
    assert found == pytest.approx([0.8 / 3, 1.6 / 3, *[0.8] * 7, *[0.4] * 3])


@pytest.mark.parametrize("step", ["batch", "epoch"])
@pytest.mark.parametrize("every", [1, 2])
def test_replayed(step: str, every: int) -> None:
    """A new schedule has, at any position, the rate that it has when it runs from the start."""
    item = {"CosineAnnealingLR": None, "step": step, "warmup": 4}
    training = TRAINING._replace(every=every)
    running, total = scheduling(item, training), 0
    for epoch in range(4):
        for number in range(3):
            again = scheduling(item, training)
            position = Position(epoch=epoch, step=number, total=total)
            Stepping(again.optimizer, again).go_on({}, position, ANEW, ())
            assert rate(again) == rate(running)
            total += 1
            if total % every == 0:
                running.after_batch()
        running.after_epoch(1)


def test_decided_lengths() -> None:
    """T_max is the length of the training, or what its turn in a sequence has."""
    declared = config({"CosineAnnealingLR": None}, train={"epochs": 9}).scheduler
    assert declared.scheduler.T_max is None
    assert declared.decided(TRAINING).T_max == 4
    assert declared._replace(step="batch").decided(TRAINING).T_max == 12
    limited = TRAINING._replace(max_steps=7)
    assert declared._replace(step="batch").decided(limited).T_max == 7
    assert declared.decided(limited).T_max == 3
    parts = {"schedulers": ["LinearLR", "CosineAnnealingLR", "CosineAnnealingLR"]}
    sequence = config({"SequentialLR": parts | {"milestones": [2, 5]}}, train={"epochs": 9})
    assert sequence.diagnostics == ()
    filled = sequence.scheduler.decided(TRAINING._replace(epochs=9))
    lengths = [part.T_max for part in filled.schedulers if isinstance(part, CosineAnnealingLR)]
    assert lengths == [3, 4]


def test_length_of_a_stream() -> None:
    """A stream has a length if max_steps or limit_batches gives it one."""
    stream = {
        "data": {"Hub": {"name": "mnist", "streaming": True}},
        "loss": "CrossEntropyLoss",
    }
    items = [{"CosineAnnealingLR": None, "step": "batch"}, {"StepLR": 9, "warmup": "5%"}]
    for item in items:
        (fault,) = config(item, **stream).diagnostics
        assert fault.label.startswith("nobody knows how many steps a stream has")
        assert fault.help.startswith("write train: {max_steps: …}")
        for limit in ({"max_steps": 90}, {"limit_batches": 20}):
            assert config(item, train=limit, **stream).diagnostics == ()


@pytest.mark.parametrize(
    "scheduler",
    [
        {"CosineAnnealingLR": None, "step": "batch", "warmup": 4},
        {"ReduceLROnPlateau": {"patience": 0, "threshold": 0.5}, "warmup": "50%"},
    ],
)
def test_resumed(tmp_path: Path, scheduler: dict[str, Any]) -> None:
    """Stopped within the warm-up and after it, a training ends with the same bits."""
    train = {"epochs": 3, "batch_size": 16, "device": "cpu"}
    file = write(tmp_path, scheduler=scheduler, train=train)
    whole = training.train(file, runs=tmp_path / "whole")
    trainer = training.prepare(trainable(load(file)), tmp_path / "stopped")
    for behind in (2, 3):
        with pytest.raises(Interrupted, match=r"^$"):
            training.fit(trainer, Stopping(behind))
        trainer = training.resume(trainer.run.folder)
    training.fit(trainer, Silent())
    assert outcome(trainer.run) == outcome(whole)


def test_longer_warmup_of_a_run(tmp_path: Path) -> None:
    """A run that continues with a longer warm-up has the rate of the new one at its step."""
    scheduler = {"ReduceLROnPlateau": {"patience": 9}, "warmup": 2}
    train = {"epochs": 1, "batch_size": 16, "device": "cpu"}
    file = write(tmp_path, scheduler=scheduler, optimizer={"SGD": {"lr": 0.8}}, train=train)
    run = training.train(file, runs=tmp_path)
    for warmup, expected in ((8, 0.4), (2, 0.8)):
        settings = ["train.epochs=4", f"scheduler.warmup={warmup}"]
        trainer = training.resume(run.folder, run.config(settings))
        assert trainer.learner.optimizers[0].param_groups[0]["lr"] == pytest.approx(expected)
        if trainer.lock:
            trainer.lock.release()


def test_explained() -> None:
    """`explain` shows the lengths of a schedule below the totals, each with its formula."""
    item = {"CosineAnnealingLR": None, "step": "batch", "warmup": "10%"}
    sections: dict[str, Any] = {"data": "Digits", "loss": "CrossEntropyLoss"}
    graph = infer(config(item, train={"epochs": 10}, **sections))
    assert graph.diagnostics == ()
    lines = render.text(explanation.explain(graph), 80).plain.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("  rate"))
    assert lines[start:] == [
        "  rate      CosineAnnealingLR, after each batch",
        "    training  epochs · steps of an epoch = 10 · 23 = 230",
        "    warm-up   warmup · training = 10% · 230 = 23",
        "              step n has (n + 1)/23 of the rate",
        "    schedule  training − warm-up = 230 − 23 = 207",
        "              steps, one after each batch",
        "    T_max     schedule = 207",
    ]
