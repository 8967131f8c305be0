"""Schedulers: declared as torch has them, accepted as torch accepts them, and stepped as torch."""

import inspect
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from netbuild import training
from netbuild.checks.trace import trainable
from netbuild.components.component import bare_field
from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.schedulers import SCHEDULERS
from netbuild.config.load import load, read
from netbuild.config.preparation import Preparation
from netbuild.config.resolved import resolved
from netbuild.config.scheduler import Schedule, Training, misfits
from netbuild.config.train import Train
from netbuild.syntax.dump import dump
from netbuild.syntax.parser import from_bytes
from netbuild.training import Interrupted, TrainingError
from netbuild.training.progress import Silent
from netbuild.training.step.scheduler import made
from tests.training_configs import STEPS, outcome, write

#: What torch has and netbuild has not, with the reason.
ABSENT = {
    "LRScheduler": "the base of all",
    "LambdaLR": "its learning rate is a Python function",
    "MultiplicativeLR": "its factor is a Python function",
}
#: Arguments of torch that are no fields, with the reason.
LEFT_OUT = {
    "optimizer": "the file has one, in its own section",
    "last_epoch": "a checkpoint holds where a scheduler stands",
    "scale_fn": "a Python function",
}
#: What torch takes and netbuild does not: the type, a reason, and an example.
STRICTNESS: list[tuple[str, str, dict[str, Any]]] = [
    ("StepLR", "a whole number by torch's documentation, which computes on", {"step_size": 2.5}),
    ("ReduceLROnPlateau", "the same", {"patience": 0.5}),
    (
        "CyclicLR",
        "a momentum is checked though it is not cycled",
        {"base_lr": 0.1, "max_lr": 0.2, "cycle_momentum": False, "base_momentum": []},
    ),
    (
        "SequentialLR",
        "a part is checked as if its turn never ended",
        {"schedulers": [{"StepLR": {"step_size": 0}}, {"LinearLR": {}}], "milestones": [0]},
    ),
]
#: Enough to meet everything that the strategies below can draw.
HORIZON = 60

numbers = st.floats(-2, 2) | st.sampled_from([0, 0.5, 1])
small = st.integers(-4, 12)
fractions = st.floats(-0.5, 1.5) | st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.55, 1.0])
per_group = numbers | st.lists(numbers, min_size=0, max_size=2)
momenta = numbers | st.lists(numbers, min_size=1, max_size=1)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


def with_(required: st.SearchStrategy[Any], name: str, **fields: Any) -> Any:
    """Draw a field in most cases, and some of the others."""
    return st.builds(lambda value, rest: {name: value} | rest, required, some(**fields)) | some(
        **fields
    )


FIELDS: dict[str, Any] = {
    "StepLR": with_(small, "step_size", gamma=numbers),
    "MultiStepLR": with_(st.lists(small, max_size=4), "milestones", gamma=numbers),
    "ConstantLR": some(factor=fractions, total_iters=small),
    "LinearLR": some(start_factor=fractions, end_factor=fractions, total_iters=small),
    "ExponentialLR": with_(numbers, "gamma"),
    "PolynomialLR": some(total_iters=small, power=numbers),
    "CosineAnnealingLR": with_(small, "T_max", eta_min=numbers),
    "CosineAnnealingWarmRestarts": with_(small, "T_0", T_mult=small, eta_min=numbers),
    "CyclicLR": with_(
        per_group,
        "max_lr",
        base_lr=per_group,
        step_size_up=small,
        step_size_down=st.none() | small,
        mode=st.sampled_from(["triangular", "triangular2", "exp_range", "round"]),
        gamma=numbers,
        scale_mode=st.sampled_from(["cycle", "iterations"]),
        cycle_momentum=st.booleans(),
        base_momentum=momenta,
        max_momentum=momenta,
    ).map(lambda fields: {"base_lr": 0.1} | fields),
    "OneCycleLR": with_(
        per_group,
        "max_lr",
        total_steps=st.none() | small,
        epochs=st.none() | small,
        steps_per_epoch=st.none() | small,
        pct_start=fractions,
        anneal_strategy=st.sampled_from(["cos", "linear", "round"]),
        cycle_momentum=st.booleans(),
        base_momentum=momenta,
        max_momentum=momenta,
        div_factor=numbers,
        final_div_factor=numbers,
        three_phase=st.booleans(),
    ),
    "ReduceLROnPlateau": some(
        mode=st.sampled_from(["min", "max", "mean"]),
        factor=numbers,
        patience=small,
        threshold=numbers,
        threshold_mode=st.sampled_from(["rel", "abs", "both"]),
        cooldown=small,
        min_lr=per_group,
        eps=numbers,
    ),
}
simple = st.sampled_from(sorted(FIELDS)).flatmap(
    lambda name: FIELDS[name].map(lambda fields: {name: fields})
)
ordered = st.lists(st.integers(-2, 15), max_size=3).map(sorted) | st.lists(small, max_size=3)


def sequential(parts: Any) -> Any:
    """Draw a SequentialLR, mostly with as many milestones as it needs."""
    fitting = st.lists(parts, min_size=1, max_size=3).flatmap(
        lambda p: st.lists(st.integers(-2, 15), min_size=len(p) - 1, max_size=len(p) - 1).map(
            lambda m: {"schedulers": p, "milestones": sorted(m)}
        )
    )
    wild = st.fixed_dictionaries({"schedulers": st.lists(parts, max_size=3), "milestones": ordered})
    return (fitting | wild).map(lambda fields: {"SequentialLR": fields})


def chained(parts: Any) -> Any:
    """Draw a ChainedScheduler."""
    return st.lists(parts, max_size=3).map(lambda p: {"ChainedScheduler": {"schedulers": p}})


ANY = simple | sequential(simple) | chained(simple) | sequential(simple | chained(simple))


def optimizer(name: str = "SGD", **fields: Any) -> torch.optim.Optimizer:
    """Return an optimizer of one weight, with its gradient."""
    weight = torch.nn.Parameter(torch.ones(1))
    weight.grad = torch.zeros(1)
    if name == "SGD":
        fields = {"lr": 0.1, "momentum": 0.9} | fields
    made: torch.optim.Optimizer = getattr(torch.optim, name)([weight], **fields)
    return made


def built(item: dict[str, Any], optimizer: torch.optim.Optimizer, total: int = HORIZON) -> Any:
    """Build an item with torch alone; OneCycleLR gets the total that nothing else gives."""
    ((name, fields),) = item.items()
    fields = dict(fields)
    if "schedulers" in fields:
        fields["schedulers"] = [built(part, optimizer, total) for part in fields["schedulers"]]
    steps = [fields.get(n) for n in ("total_steps", "epochs", "steps_per_epoch")]
    if name == "OneCycleLR" and steps == [None] * 3:
        fields["total_steps"] = total
    if isinstance(fields.get("pct_start"), int):
        fields["pct_start"] = float(fields["pct_start"])
    return getattr(lr_scheduler, name)(optimizer=optimizer, **fields)


def rates(scheduler: Any, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    """Return the learning rate before and after each of some steps, the loss going up and down."""
    found = [optimizer.param_groups[0]["lr"]]
    plateau = isinstance(scheduler, lr_scheduler.ReduceLROnPlateau)
    for step in range(steps):
        scheduler.step(*([abs(step - 7)] if plateau else []))
        found.append(optimizer.param_groups[0]["lr"])
    return found


def torch_runs(item: dict[str, Any], steps: int) -> list[float] | None:
    """Return torch's learning rates; None where it refuses the item, or one of the steps."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = optimizer()
            return rates(built(item, made, steps), made, steps)
        except (ValueError, TypeError, ArithmeticError, NotImplementedError):
            return None


def has_a_wrong_part(item: dict[str, Any]) -> bool:
    """Whether torch alone refuses a part, which may not go on for long enough to show it."""
    ((_, fields),) = item.items()
    parts = fields.get("schedulers", ())
    return any(has_a_wrong_part(p) or torch_runs(p, HORIZON) is None for p in parts)


def config(scheduler: Any, **sections: Any) -> Any:
    """Read a config with a scheduler."""
    base = {
        "input": [1, 8, 8],
        "layers": ["Flatten", {"Linear": 10}],
        "optimizer": {"SGD": {"momentum": 0.9, "lr": 0.1}},
        "train": {"epochs": HORIZON},
    }
    text = dump(base | sections | {"scheduler": scheduler})
    return read(from_bytes("test.yaml", text.encode()))


# Declared as torch has them.


def test_all_are_there() -> None:
    """Every scheduler of the installed torch is declared, or absent with a reason."""
    there = {n for n in lr_scheduler.__all__ if inspect.isclass(getattr(lr_scheduler, n))}
    assert set(SCHEDULERS) | set(ABSENT) == there


@pytest.mark.parametrize("name", SCHEDULERS)
def test_names_and_defaults(name: str) -> None:
    """Fields and defaults are the arguments of torch, in their order, less those left out."""
    parameters = inspect.signature(getattr(lr_scheduler, name)).parameters
    assert {
        n: ... if p.default is p.empty else p.default
        for n, p in parameters.items()
        if n not in LEFT_OUT
    } == {
        n: ... if f.is_required() else f.default for n, f in SCHEDULERS[name].model_fields.items()
    }
    names = [n for n in parameters if n not in LEFT_OUT]
    assert names == list(SCHEDULERS[name].model_fields)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_momentum(name: str) -> None:
    """An optimizer has the fields of a momentum where torch finds one to cycle."""
    parameters = inspect.signature(getattr(torch.optim, name)).parameters
    fields = {"momentum", "betas"} & set(OPTIMIZERS[name].model_fields)
    assert fields == {"momentum", "betas"} & set(parameters)


# Accepted as torch accepts them.


@given(item=ANY)
@settings(max_examples=100)
def test_acceptance(item: dict[str, Any]) -> None:
    """What torch makes and steps is accepted, with its learning rates; all else is a fault."""
    ((name, fields),) = item.items()
    found = config({name: fields, "step": "epoch"})
    expected = torch_runs(item, HORIZON)
    if found.diagnostics and has_a_wrong_part(item):
        return
    assert (expected is not None) == (found.diagnostics == ()), found.diagnostics
    if expected is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            here = optimizer()
            assert rates(made(found.scheduler.scheduler, here, HORIZON), here, HORIZON) == expected


@pytest.mark.parametrize(("name", "reason", "fields"), STRICTNESS)
def test_strictness(name: str, reason: str, fields: dict[str, Any]) -> None:
    """What torch takes and netbuild refuses is listed with its reason."""
    assert reason
    assert torch_runs({name: fields}, 10) is not None
    assert [d.code for d in config({name: fields}).diagnostics] == ["NB106"]


CYCLIC = {"CyclicLR": {"base_lr": 0.1, "max_lr": 0.2}}
ONE = {"OneCycleLR": {"max_lr": 0.1}}


@pytest.mark.parametrize("item", [CYCLIC, ONE])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_cycled_momentum(item: dict[str, Any], name: str) -> None:
    """A cycle of the momentum goes with the optimizers with which torch makes one."""
    try:
        built(item, getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(2, 2))]))
        expected = []
    except ValueError:
        ((scheduler, _),) = item.items()
        title = f"{scheduler} does not go with the training"
        label = f"cycle_momentum is true, and {name} has neither momentum nor betas"
        expected = [f"{title}: {label}"]
    assert [d.message for d in config(item, optimizer=name).diagnostics] == expected


# Stepped as torch.

EXAMPLES: dict[str, dict[str, Any]] = {
    "StepLR": {"step_size": 3},
    "MultiStepLR": {"milestones": [2, 5, 5, 11], "gamma": 0.5},
    "ConstantLR": {},
    "LinearLR": {"end_factor": 0.5, "total_iters": 4},
    "ExponentialLR": {"gamma": 0.9},
    "PolynomialLR": {"total_iters": 8, "power": 2},
    "CosineAnnealingLR": {"T_max": 7},
    "CosineAnnealingWarmRestarts": {"T_0": 3, "T_mult": 2, "eta_min": 0.001},
    "CyclicLR": {"base_lr": 0.01, "max_lr": [0.1], "step_size_up": 3, "mode": "triangular2"},
    "OneCycleLR": {"max_lr": 0.5, "epochs": 4, "steps_per_epoch": 5, "three_phase": True},
    "ReduceLROnPlateau": {"patience": 2, "cooldown": 1, "min_lr": 1e-4},
    "SequentialLR": {
        "schedulers": [{"LinearLR": {}}, {"CosineAnnealingLR": {"T_max": 10}}],
        "milestones": [5],
    },
    "ChainedScheduler": {
        "schedulers": [{"ConstantLR": {"total_iters": 4}}, {"ExponentialLR": {"gamma": 0.9}}]
    },
}


@pytest.mark.parametrize("name", SCHEDULERS)
def test_rates(name: str) -> None:
    """Over 20 steps the learning rates are those of torch, and they change."""
    item = {name: EXAMPLES[name]}
    expected = torch_runs(item, 20)
    assert expected is not None
    assert len(set(expected)) > 1
    here = optimizer()
    found = config(item, train={"epochs": 20}).scheduler.scheduler
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert rates(made(found, here, 20), here, 20) == expected


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
            assert fault.label == "it reads the validation loss, which is there once an epoch"
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


# With the training.

DATA = {"data": {"Random": {"samples": 60}}, "loss": "CrossEntropyLoss"}


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"total_steps": 5}, "its cycle has 5 steps, and the training makes 6"),
        ({"epochs": 1, "steps_per_epoch": 5}, "its cycle has 5 steps, and the training makes 6"),
        ({"total_steps": 6}, None),
        ({"total_steps": 600}, None),
        ({}, None),
        ({"pct_start": 1}, "one of its phases has no length: pct_start 1.0 of 6 steps"),
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
    kept = samples - Preparation(validation=validation).held_out(samples)
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


SGD = {"SGD": {"lr": 0.1, "momentum": 0.9}}


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


def _step_too_far(trainer: training.loop.Trainer) -> None:
    here = optimizer()
    declared = SCHEDULERS["CyclicLR"](base_lr=0.1, max_lr=0.2, mode="exp_range", gamma=1e200)
    scheduling = trainer.learner.scheduling
    scheduling.made, scheduling.step = made(declared, here, None), "batch"
    for _ in range(3):
        scheduling.after_batch()
