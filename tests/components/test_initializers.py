"""Initializers: declared as torch has them, and refused where torch refuses."""

import inspect
import warnings
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import init as torch_init

from netbuild.builder.initialise import initialise
from netbuild.checks.init import check
from netbuild.components.initializers import INITIALIZERS
from tests.examples import examples
from tests.init_rules import graph, read_one, row

#: Arguments of torch that are no fields, with the reason.
LEFT_OUT = {
    "tensor": "what is initialized",
    "generator": "the seed of the training decides all that is random",
}

#: What torch runs and netbuild refuses: the reason, and an example.
STRICTNESS: list[tuple[str, str, dict[str, Any]]] = [
    ("trunc_normal_", "torch takes a standard deviation below 0 as its amount", {"std": -1.0}),
    (
        "trunc_normal_",
        "torch warns that the values may be wrong, and may draw for ever",
        {"mean": 5.0},
    ),
    (
        "trunc_normal_",
        "a bound is compared with float32, whose numbers end before",
        {"b": 1e39},
    ),
    ("sparse_", "torch cuts a list with it: −0.1 makes nearly all zero", {"sparsity": -0.1}),
    ("sparse_", "more than all", {"sparsity": 50.0}),
    ("dirac_", "torch counts up to it, and sets nothing", {"groups": -1}),
    (
        "kaiming_normal_",
        "torch squares a slope that it needs",
        {"a": 1e151, "nonlinearity": "relu"},
    ),
    ("kaiming_uniform_", "the annotation has it lower case", {"mode": "FAN_OUT"}),
]

edges = st.sampled_from([0.0, 1.0, -1.0, 3e38, -3e38, 1e39, 1e100])
numbers = st.floats(-3, 3) | edges
near = st.floats(-3, 3)
modes = st.sampled_from(["fan_in", "fan_out", "fan"])

nonlinearities = st.sampled_from(
    [*inspect.signature(torch_init.calculate_gain).parameters["nonlinearity"].annotation.__args__]
) | st.just("gelu")


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw some of the fields."""
    return st.fixed_dictionaries({}, optional=fields)


kaiming = some(a=near, mode=modes, nonlinearity=nonlinearities)

FIELDS: dict[str, Any] = {
    "uniform_": some(a=numbers, b=numbers),
    "normal_": some(mean=numbers, std=numbers),
    "trunc_normal_": some(mean=near, std=st.floats(0.5, 2), a=near, b=near),
    "constant_": some(val=numbers),
    "ones_": some(),
    "zeros_": some(),
    "eye_": some(),
    "dirac_": some(groups=st.integers(0, 4)),
    "xavier_uniform_": some(gain=numbers),
    "xavier_normal_": some(gain=numbers),
    "kaiming_uniform_": kaiming,
    "kaiming_normal_": kaiming,
    "orthogonal_": some(gain=numbers),
    "sparse_": some(sparsity=st.floats(0, 1), std=numbers),
}

shapes = st.lists(st.integers(1, 4), max_size=6).map(tuple)


def torch_runs(name: str, fields: dict[str, Any], shape: tuple[int, ...]) -> torch.Tensor | None:
    """Return what torch makes of a tensor of zeros; None where it refuses."""
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made: torch.Tensor = getattr(torch_init, name)(torch.zeros(shape), **fields)
        except (RuntimeError, ValueError, TypeError, ArithmeticError):
            return None
    return made


def test_all_are_there() -> None:
    """Every function of the installed torch that initializes a tensor is declared.

    Those of the same name without the `_` are deprecated.
    """
    there = {
        name
        for name, value in vars(torch_init).items()
        if inspect.isfunction(value) and name.endswith("_") and not name.startswith("_")
    }
    assert set(INITIALIZERS) == there
    known = there | {name[:-1] for name in there} | {"calculate_gain"}
    assert set(torch_init.__all__) <= known


@pytest.mark.parametrize("name", INITIALIZERS)
def test_names_and_defaults(name: str) -> None:
    """Fields and defaults are the arguments of torch, in their order, less those left out."""
    parameters = inspect.signature(getattr(torch_init, name)).parameters
    expected = {
        n: ... if p.default is p.empty else p.default
        for n, p in parameters.items()
        if n not in LEFT_OUT
    }
    fields = INITIALIZERS[name].model_fields
    assert expected == {n: ... if f.is_required() else f.default for n, f in fields.items()}
    assert list(expected) == list(fields)


@pytest.mark.parametrize("name", INITIALIZERS)
@given(data=st.data())
@examples(40)
def test_acceptance(name: str, data: st.DataObject) -> None:
    """What torch runs is accepted, with the same values; all else is a fault."""
    fields, shape = data.draw(FIELDS[name]), data.draw(shapes)
    if name == "trunc_normal_" and not _within(fields):
        return
    expected = torch_runs(name, fields, shape)
    found, wrong = read_one({name: fields})
    if found is not None:
        wrong += check([row("0", "Layer", found, weight=shape)], [])
    assert (expected is None) == bool(wrong), [d.message for d in wrong]
    if found is not None and expected is not None:
        module = nn.Sequential(nn.Module())
        module[0].weight = nn.Parameter(torch.zeros(shape))
        torch.manual_seed(0)
        initialise(module, graph([row("0", "Layer", found, weight=shape)]))
        same = {"rtol": 0, "atol": 0, "equal_nan": True}
        torch.testing.assert_close(module[0].weight.detach(), expected, **same)


def _within(fields: dict[str, Any]) -> bool:
    """Whether torch's truncated normal ends soon, and without a warning."""
    mean, std, a, b = (
        fields.get(name, default)
        for name, default in zip(("mean", "std", "a", "b"), (0, 1, -2, 2), strict=True)
    )
    return bool(a - 2 * std <= mean <= b + 2 * std)


@pytest.mark.parametrize(("name", "reason", "fields"), STRICTNESS)
def test_strictness(name: str, reason: str, fields: dict[str, Any]) -> None:
    """What torch takes and netbuild refuses is listed with its reason."""
    assert reason
    if "mean" not in fields:
        assert torch_runs(name, fields, (4, 4, 4)[: 2 + (name == "dirac_")]) is not None
    _, wrong = read_one({name: fields})
    assert [d.code for d in wrong] == ["NB106"]
