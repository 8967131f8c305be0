"""Losses of kornia: declared as kornia has them, and taken if and only if kornia computes them."""

import inspect
from contextlib import suppress
from typing import Any

import kornia
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from netbuild.components.losses import LOSSES
from netbuild.components.target import Classes, Labels, Nothing, Signs, Values
from netbuild.components.tensor import Shape, Tensor
from tests.components.losses.cases import (
    REQUIRED,
    Case,
    Strictness,
    accepted,
    case_of,
    computed,
    torchs,
)
from tests.examples import examples

KORNIAS = [name for name, loss in LOSSES.items() if loss.home == "kornia.losses"]

#: kornia's classes that netbuild leaves out: they keep one image with which they compare.
LEFT_OUT = {
    *("MILossFromRef", "MILossFromRef2D", "MILossFromRef3D"),
    *("NMILossFromRef", "NMILossFromRef2D", "NMILossFromRef3D"),
}


def test_every_loss_is_declared() -> None:
    """Every loss that is a module of kornia is declared, and nothing else."""
    modules = inspect.getmembers(kornia.losses, inspect.isclass)
    names = {name for name, kind in modules if issubclass(kind, torch.nn.Module)}
    assert names - LEFT_OUT == set(KORNIAS)


@pytest.mark.parametrize("name", KORNIAS)
def test_fields_are_those_of_kornia(name: str) -> None:
    """Names, order and defaults are kornia's. Its reductions are none; training needs a number."""
    parameters = inspect.signature(torchs(name)).parameters.values()
    wanted = {p.name: p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    fields = LOSSES[name].model_fields
    assert list(fields) == list(wanted)
    for field, parameter in wanted.items():
        if field == "reduction":
            assert fields[field].default == "mean"
        elif parameter.default is parameter.empty:
            assert fields[field].is_required()
        else:
            assert fields[field].default == parameter.default
    forward = list(inspect.signature(torchs(name).forward).parameters)[1:]
    assert LOSSES[name].inputs == (forward[0],)


#: Reasons for which netbuild refuses what kornia computes, each with one case of it.
STRICTNESS = [
    Strictness(
        "without two axes of its own a sample is compared with its neighbour in the batch",
        lambda case: case.kind == "TotalVariation" and len(case.outputs[0].shape) < 2,
        case_of("TotalVariation", (4,), target=Nothing()),
    ),
    Strictness(
        "a softmax over one class is 1",
        lambda case: LOSSES[case.kind].classifies and case.outputs[0].shape[:1] == (1,),
        case_of("DiceLoss", (1, 4, 5), target=Classes(1, (4, 5))),
    ),
    Strictness(
        "a number of a class is no probability",
        lambda case: LOSSES[case.kind].binary and not isinstance(case.target, Values),
        case_of("BinaryFocalLossWithLogits", (2, 4), target=Signs((2, 4)), alpha=0.5),
    ),
    Strictness(
        "a factor, a range or a window below 0, or a window with two middles",
        lambda case: bool(case.fields) and not _fields_fit(case),
        case_of("TverskyLoss", (2, 4, 5), target=Classes(2, (4, 5)), alpha=-1.0, beta=1.0),
    ),
    Strictness(
        "kornia reads values as the numbers of classes, and keeps no numbers apart from classes",
        lambda case: LOSSES[case.kind].classifies,
        case_of("LovaszSoftmaxLoss", (3, 4, 5), target=Values((4, 5))),
    ),
]


def _fields_fit(case: Case) -> bool:
    with suppress(ValidationError):
        LOSSES[case.kind].model_validate(case.fields)
        return True
    return False


sizes = st.sampled_from([1, 2, 3, 3, 4, 5])
shapes = st.lists(sizes, max_size=4).map(tuple)


def _shape(draw: st.DrawFn, kind: str) -> Shape:
    rank = 4 if "3D" in kind else 3
    fitting = st.lists(sizes, min_size=rank, max_size=rank).map(tuple)
    shape: Shape = draw(st.one_of(fitting, fitting, fitting, shapes))
    return (1, *shape[1:]) if kind == "LovaszHingeLoss" and draw(st.booleans()) else shape


def _values(shape: Shape) -> dict[str, st.SearchStrategy[Any]]:
    first = shape[0] if shape else 1
    ones = st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=first, max_size=first)
    weights = st.one_of(st.none(), ones, st.lists(st.just(1.0), min_size=1, max_size=3))
    numbers = st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0, -1.0])
    return {
        "reduction": st.sampled_from(["mean", "sum"]),
        "average": st.sampled_from(["micro", "macro"]),
        "padding": st.sampled_from(["same", "valid"]),
        "weight": weights,
        "pos_weight": weights,
        "ignore_index": st.sampled_from([-100, -1, 0, 1]),
        "window_size": st.sampled_from([1, 3, 3, 5, 2, 9]),
        "k": st.sampled_from([1, 3]),
        "sigmas": st.sampled_from([[0.5], [0.5, 1.0]]),
        "K": st.just([0.01, 0.03]),
        "max_val": st.sampled_from([1.0, 255.0]),
        "data_range": st.sampled_from([1.0, 255.0]),
        "eps": st.sampled_from([1e-8, 1e-4]),
        **dict.fromkeys(("alpha", "beta", "gamma", "compensation"), numbers),
    }


@st.composite
def cases(draw: st.DrawFn, kind: str) -> Case:
    """Return any case of a loss."""
    shape = _shape(draw, kind)
    values, fields = _values(shape), {}
    for name, info in LOSSES[kind].model_fields.items():
        if info.is_required() or draw(st.booleans()):
            fields[name] = draw(values[name])
    outputs = (Tensor(shape),)
    with suppress(ValidationError, IndexError):
        if draw(st.booleans()):
            return Case(kind, fields, outputs, LOSSES[kind].model_validate(fields).target(outputs))
    near = draw(st.sampled_from([shape, shape[1:], (), (1, *shape[1:])]))
    count = draw(st.integers(1, 4))
    target = st.sampled_from(
        [Classes(count, near), Values(near), Signs(near), Labels(count, 2), Nothing()]
    )
    return Case(kind, fields, outputs, draw(target))


@pytest.mark.parametrize("kind", KORNIAS)
def test_netbuild_takes_what_kornia_computes(kind: str) -> None:
    """For any fields, outputs and targets, netbuild accepts exactly what kornia computes."""
    seen: set[bool] = set()

    @examples(60, least=40)
    @given(case=cases(kind))
    def compare(case: Case) -> None:
        ours, theirs = accepted(case), computed(case)
        seen.add(ours)
        if ours != theirs:
            assert theirs, f"netbuild takes what kornia refuses: {case}"
            assert any(rule.applies(case) for rule in STRICTNESS), f"kornia computes {case}"

    compare()
    assert seen == {True, False}


@pytest.mark.parametrize("rule", STRICTNESS, ids=lambda rule: rule.example.kind)
def test_each_strictness_is_one(rule: Strictness) -> None:
    """Each reason for which netbuild refuses more has a case that kornia computes."""
    assert rule.applies(rule.example)
    assert computed(rule.example)
    assert not accepted(rule.example)


@pytest.mark.parametrize("kind", [kind for kind in KORNIAS if LOSSES[kind].applies])
def test_applies(kind: str) -> None:
    """A loss that applies a softmax sees differences only; with a sigmoid it is like BCE."""
    torch.manual_seed(0)
    y, target = torch.randn(8, 5, 4, 4), torch.randint(5, (8, 4, 4))
    if LOSSES[kind].applies == "softmax":
        loss = torchs(kind)(**REQUIRED.get(kind, {}))
        torch.testing.assert_close(loss(y, target), loss(y + 7, target))
    else:
        yes = (y > 0.3).float()
        loss = torchs(kind)(alpha=None, gamma=0.0, reduction="mean")
        torch.testing.assert_close(loss(y, yes), torch.nn.BCEWithLogitsLoss()(y, yes))
