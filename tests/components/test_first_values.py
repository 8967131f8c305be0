"""What layers and initializers say of the first values of weights: torch draws such values."""

from __future__ import annotations

from math import isclose, sqrt
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn

from netbuild.components.initializers import INITIALIZERS
from netbuild.reports.explanation.first_values import Beginning
from tests.components.layers import FAMILIES
from tests.components.layers.contract import graph_of_case, torch_layer, torch_may_warn
from tests.reports.test_explain import value

if TYPE_CHECKING:
    from netbuild.components.first_values import FirstValues
    from tests.components.layers.contract import Row

#: Up to four rows of each layer that has weights.
ROWS = [
    row
    for kind, family in FAMILIES.items()
    for row in [row for row in family.rows if row.type == kind and row.weights][:4]
]
CASES: list[tuple[str, dict[str, Any]]] = [
    ("uniform_", {"a": -0.1, "b": 0.3}),
    ("normal_", {"mean": 2.0, "std": 0.5}),
    ("trunc_normal_", {"std": 0.5, "a": -0.6, "b": 0.6}),
    ("constant_", {"val": 0.25}),
    ("ones_", {}),
    ("zeros_", {}),
    ("eye_", {}),
    ("dirac_", {}),
    ("dirac_", {"groups": 2}),
    ("xavier_uniform_", {}),
    ("xavier_uniform_", {"gain": 2.0}),
    ("xavier_normal_", {}),
    ("xavier_normal_", {"gain": 0.5}),
    *((name, {}) for name in ("kaiming_uniform_", "kaiming_normal_")),
    *(
        (name, {"nonlinearity": nonlinearity, "mode": mode})
        for name in ("kaiming_uniform_", "kaiming_normal_")
        for nonlinearity in ("linear", "conv2d", "sigmoid", "tanh", "relu", "selu")
        for mode in ("fan_in", "fan_out")
    ),
    ("kaiming_normal_", {"a": 0.5}),
    ("kaiming_uniform_", {"a": 2.0, "mode": "fan_out"}),
    ("orthogonal_", {"gain": 2.0}),
    ("sparse_", {"sparsity": 0.5}),
]


def check(first: FirstValues, drawn: torch.Tensor) -> None:
    """Compare a distribution with values that torch has drawn."""
    values, drawn = dict(first.values), drawn.double()
    if first.distribution == "constant":
        assert bool((drawn == torch.tensor(values["value"]).double()).all())
        return
    if first.distribution == "uniform":
        low, high = values["low"], values["high"]
        assert low * (1 + 1e-6) <= float(drawn.min())
        assert float(drawn.max()) <= high * (1 + 1e-6)
        values = {"mean": (low + high) / 2, "deviation": (high - low) / sqrt(12)}
    elif first.distribution != "normal":
        assert first.distribution in {"identity", "orthogonal", "sparse", "truncated normal"}
        return
    error = values["deviation"] * 6 / sqrt(drawn.numel())
    assert abs(float(drawn.mean()) - values["mean"]) <= error
    assert (
        abs(float((drawn - values["mean"]).square().mean().sqrt()) - values["deviation"]) <= error
    )


def check_formula(first: FirstValues) -> None:
    """Compare the printed formula with its result."""
    said = Beginning("", first, "")
    assert said.words
    if said.result is not None:
        assert isclose(value(said.numbers), said.result)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.type)
def test_torch_begins_so(row: Row) -> None:
    """Each parameter of each layer has a distribution, and torch's own values follow it."""
    found = graph_of_case(row.case).rows[-1]
    said = found.layer.first_values(*found.shapes)
    assert {*said} == {*found.layer.weights(*found.shapes)}
    torch.manual_seed(0)
    drawn: dict[str, list[torch.Tensor]] = {}
    for _ in range(20):
        with torch_may_warn():
            module = torch_layer(FAMILIES[row.type], row.case)
        if not isinstance(module, nn.Module) or any(p.is_meta for p in module.parameters()):
            pytest.skip("torch makes its weights at the first call")
        for name, tensor in module.named_parameters():
            first = tensor.detach()
            if said[name].note.startswith("row"):
                row_ = int(said[name].note.split(",")[0].removeprefix("row "))
                assert not first[row_].any()
                first = torch.cat((first[:row_], first[row_ + 1 :]))
            drawn.setdefault(name, []).append(first.flatten())
        if sum(tensor.numel() for tensor in drawn[name]) > 5_000:
            break
    for name, tensors in drawn.items():
        check(said[name], torch.cat(tensors))
        check_formula(said[name])


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_an_initializer_draws_so(name: str, fields: dict[str, Any]) -> None:
    """Torch's function draws values of the distribution, and the formula has its value."""
    torch.manual_seed(0)
    shape = (40, 60) if name in {"eye_", "sparse_"} else (40, 20, 3)
    drawn = getattr(nn.init, name)(torch.empty(shape), **fields)
    first = INITIALIZERS[name](**fields).first_values(shape)
    check(first, drawn)
    check_formula(first)


def test_every_initializer_is_tried() -> None:
    """There is a case of each initializer."""
    assert {name for name, _ in CASES} == {*INITIALIZERS}
