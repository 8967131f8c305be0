"""Optimizers: declared as torch has them, and what netbuild takes is what torch takes."""

import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from netbuild.components.optimizers import OPTIMIZERS
from tests.components.optimizers.cases import REFUSALS
from tests.examples import examples
from tests.torch_release import fields_there, there


def signature(name: str) -> dict[str, Any]:
    """Return torch's fields and defaults of an optimizer, without the parameters."""
    parameters = inspect.signature(getattr(torch.optim, name)).parameters.values()
    return {p.name: p.default for p in parameters if p.name != "params"}


def test_every_optimizer_is_declared() -> None:
    """Every optimizer of the installed torch is declared, and nothing else."""
    kinds = {name: getattr(torch.optim, name) for name in dir(torch.optim)}
    names = {
        name
        for name, kind in kinds.items()
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer)
    }
    assert {*there(OPTIMIZERS)} == names - {"Optimizer"}
    assert len(OPTIMIZERS) == 15


@pytest.mark.parametrize("name", there(OPTIMIZERS))
def test_fields_are_those_of_torch(name: str) -> None:
    """The names, the order and the defaults of all fields are torch's."""
    fields = OPTIMIZERS[name].model_fields
    has = fields_there(OPTIMIZERS[name])
    assert has == list(signature(name))
    assert {field: fields[field].default for field in has} == signature(name)


class Case(NamedTuple):
    """An optimizer with its fields."""

    kind: str
    fields: dict[str, Any]


def accepted(case: Case) -> bool:
    """Whether netbuild takes the fields."""
    try:
        OPTIMIZERS[case.kind].model_validate(case.fields)
    except ValidationError:
        return False
    return True


def made(case: Case) -> bool:
    """Whether torch's constructor takes the fields, with lists as tuples and whole numbers real."""
    weight = nn.Parameter(torch.ones(2, 2))
    try:
        getattr(torch.optim, case.kind)([weight], **_arguments(case))
    except REFUSALS:
        return False
    return True


def _arguments(case: Case) -> dict[str, Any]:
    # Adam wants both betas to be of one type; a number of YAML is real where its field is.
    return {
        name: tuple(None if v is None else float(v) for v in value)
        if isinstance(value, list)
        else value
        for name, value in case.fields.items()
    }


class Strictness(NamedTuple):
    """A reason for which netbuild refuses what torch's constructor takes, with one case of it."""

    reason: str
    applies: Callable[[Case], bool]
    example: Case


def _field(name: str, wrong: Callable[[Any], bool]) -> Callable[[Case], bool]:
    return lambda case: name in case.fields and wrong(case.fields[name])


STRICTNESS = [
    Strictness(
        "the first step refuses any search but that of Wolfe",
        _field("line_search_fn", lambda value: value not in {None, "strong_wolfe"}),
        Case("LBFGS", {"line_search_fn": "armijo"}),
    ),
    Strictness(
        "the second step forgets what was never remembered",
        _field("history_size", lambda value: value < 1),
        Case("LBFGS", {"history_size": 0}),
    ),
    Strictness(
        "the first step refuses a hundred iterations",
        _field("ns_steps", lambda value: value >= 100),
        Case("Muon", {"ns_steps": 100}),
    ),
    Strictness(
        "torch 2.15 refuses an lr that rises",
        lambda case: (
            case.kind == "ASGD" and any(case.fields.get(name, 0) < 0 for name in ("lambd", "alpha"))
        ),
        Case("ASGD", {"lambd": -1.0}),
    ),
    Strictness(
        "the step or torch's own text of it wants as many numbers as there are",
        lambda case: any(
            isinstance(value, list) and len(value) != len(signature(case.kind)[name])
            for name, value in case.fields.items()
        ),
        Case("Muon", {"ns_coefficients": [1.0, 2.0]}),
    ),
    Strictness(
        "a number that is none, or without end, leads to no weights",
        lambda case: any(
            isinstance(number, float) and not math.isfinite(number)
            for value in case.fields.values()
            for number in (value if isinstance(value, list) else [value])
        ),
        Case("SGD", {"lr": math.inf}),
    ),
]


def agree(case: Case) -> None:
    """Hold what netbuild says of a case against what torch does with it."""
    netbuild_, torch_ = accepted(case), made(case)
    if netbuild_ == torch_:
        return
    assert torch_, f"netbuild takes what torch refuses: {case}"
    assert any(rule.applies(case) for rule in STRICTNESS), f"torch takes {case}"


numbers = st.one_of(
    st.sampled_from([0.0, 1.0, 0.5, 0.9, 2.0, 1, 0]),
    st.sampled_from([-1.0, -0.5, -1, 1e-300, 1e30, math.inf, math.nan]),
)

booleans = st.sampled_from([None, True, False])

#: Fields that are no number and no boolean.
OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "line_search_fn": st.sampled_from([None, "strong_wolfe", "armijo"]),
    "adjust_lr_fn": st.sampled_from([None, "original", "match_rms_adamw", "other"]),
    "max_eval": st.sampled_from([None, 1, 0, -1, 30]),
    "max_iter": st.integers(-1, 30),
    "history_size": st.integers(-1, 30),
    "ns_steps": st.sampled_from([-1, 0, 5, 99, 100]),
}


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Return an optimizer with any values of the fields' types, mostly near to their defaults."""
    fields: dict[str, Any] = {}
    for name, default in signature(kind).items():
        if not draw(st.sampled_from([True, False, False])):
            continue
        if name in OTHERS:
            fields[name] = draw(OTHERS[name])
        elif default is None or isinstance(default, bool):
            fields[name] = draw(booleans if default is None else st.booleans())
        elif isinstance(default, tuple):
            near = st.tuples(*(st.one_of(st.just(value), numbers) for value in default))
            shorter = near.map(lambda values: values[:-1])
            fields[name] = list(draw(st.one_of(near, near, near, shorter)))
        else:
            fields[name] = draw(numbers)
    return Case(kind, fields)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_netbuild_takes_what_torch_takes(kind: str) -> None:
    """For any values of their types, netbuild accepts exactly the fields that torch accepts."""
    seen: set[bool] = set()

    @examples(200)
    @given(case=cases(kind))
    def compare(case: Case) -> None:
        agree(case)
        seen.add(accepted(case))

    compare()
    assert seen == {True, False}


@pytest.mark.parametrize("rule", STRICTNESS, ids=lambda rule: rule.example.kind)
def test_each_strictness_is_one(rule: Strictness) -> None:
    """Each reason for which netbuild refuses more has a case that torch's constructor takes."""
    assert rule.applies(rule.example)
    assert made(rule.example) or "2.15" in rule.reason
    assert not accepted(rule.example)


COMBINED = ["SGD", "Adam", "AdamW", "Adagrad"]


@pytest.mark.parametrize("kind", COMBINED)
@pytest.mark.parametrize("foreach", [None, True, False])
@pytest.mark.parametrize("fused", [None, True, False])
@pytest.mark.parametrize("differentiable", [True, False])
def test_implementations_that_exclude_each_other(
    kind: str, *, foreach: bool | None, fused: bool | None, differentiable: bool
) -> None:
    """Of foreach, fused and differentiable netbuild takes those together that torch takes."""
    fields = {"foreach": foreach, "fused": fused, "differentiable": differentiable}
    assert accepted(Case(kind, fields)) == made(Case(kind, fields))
