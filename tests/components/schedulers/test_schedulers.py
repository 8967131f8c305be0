"""Schedulers: declared as torch has them, accepted as torch accepts them, with torch's rates."""

import inspect
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from torch.optim import lr_scheduler

from netbuild.components.optimizers import OPTIMIZERS
from netbuild.components.schedulers import SCHEDULERS, Use
from netbuild.config.training_length import Training
from netbuild.training.step.scheduler import torch_scheduler
from tests.components.schedulers.cases import (
    ANY,
    EXAMPLES,
    HORIZON,
    ONE,
    built,
    config,
    has_a_wrong_part,
    optimizer,
    rates,
    torch_runs,
)
from tests.examples import examples
from tests.torch_release import there

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
    "verbose": "deprecated, and gone since torch 2.7",
}

#: Fields that the training decides, with torch's defaults.
DECIDED = {("CosineAnnealingLR", "T_max"): ..., ("ReduceLROnPlateau", "mode"): "min"}

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
        n: ... if f.is_required() else DECIDED.get((name, n), f.default)
        for n, f in SCHEDULERS[name].model_fields.items()
    }
    names = [n for n in parameters if n not in LEFT_OUT]
    assert names == list(SCHEDULERS[name].model_fields)


@pytest.mark.parametrize("name", there(OPTIMIZERS))
def test_momentum(name: str) -> None:
    """An optimizer has the fields of a momentum where torch finds one to cycle."""
    parameters = inspect.signature(getattr(torch.optim, name)).parameters
    fields = {"momentum", "betas"} & set(OPTIMIZERS[name].model_fields)
    assert fields == {"momentum", "betas"} & set(parameters)


@given(item=ANY)
@examples(100)
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
            declared = found.scheduler.decided(Training(None, HORIZON, None))
            assert rates(torch_scheduler(declared, here, HORIZON), here, HORIZON) == expected


@pytest.mark.parametrize(("name", "reason", "fields"), STRICTNESS)
def test_strictness(name: str, reason: str, fields: dict[str, Any]) -> None:
    """What torch takes and netbuild refuses is listed with its reason."""
    assert reason
    assert torch_runs({name: fields}, 10) is not None
    assert [d.code for d in config({name: fields}).diagnostics] == ["NB106"]


CYCLIC = {"CyclicLR": {"base_lr": 0.1, "max_lr": 0.2}}


@pytest.mark.parametrize("item", [CYCLIC, ONE])
@pytest.mark.parametrize("name", there(OPTIMIZERS))
def test_cycled_momentum(item: dict[str, Any], name: str) -> None:
    """A cycle of the momentum goes with the optimizers with which torch makes one."""
    try:
        built(item, getattr(torch.optim, name)([torch.nn.Parameter(torch.ones(2, 2))]))
        expected = []
    except ValueError:
        ((scheduler, _),) = item.items()
        title = f"{scheduler} does not fit the training"
        label = f"cycle_momentum is true, and {name} has neither momentum nor betas"
        expected = [f"{title}: {label}"]
    assert [d.message for d in config(item, optimizer=name).diagnostics] == expected


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
        assert rates(torch_scheduler(found.decided(Use()), here, 20), here, 20) == expected
