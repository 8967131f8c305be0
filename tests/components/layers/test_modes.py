"""What layers say of training and evaluation is what torch does in `train()` and `eval()`."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.components.layers import LAYERS
from netbuild.components.layers.operation import Operation
from netbuild.reports.catalogue import entries as catalogue
from tests.components.layers import FAMILIES
from tests.components.layers.contract import (
    Case,
    graph_of_case,
    results,
    tensors,
    torch_layer,
    torch_may_warn,
)
from tests.tables import over

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Layer

#: What makes a layer that has two modes switch.
SWITCHES: dict[str, Any] = {
    "p": 0.5,
    "dropout": 0.5,
    "num_layers": 2,
    "track_running_stats": True,
}
#: What draws in evaluation too.
RANDOM = {"FractionalMaxPool2d", "FractionalMaxPool3d", "RandnLike", "RandLike"}

CASES = [row.case for kind, family in FAMILIES.items() for row in family.rows if row.type == kind]
SWITCHING = [
    case._replace(fields=case.fields | {n: SWITCHES[n] for n in SWITCHES if n in fields})
    for case in CASES
    for fields in [LAYERS[case.kind].model_fields]
    if LAYERS[case.kind].modes and not (case.others and "num_layers" in fields)
]


def declared(case: Case) -> Layer:
    """Return the layer that a case declares."""
    return graph_of_case(case).rows[-1].layer


def computed(
    case: Case, module: Any, x: list[torch.Tensor], *, training: bool, seed: int
) -> list[torch.Tensor]:
    """Return what a copy of a module, as it is before any step, computes in a mode."""
    copy = deepcopy(module).train(training) if isinstance(module, nn.Module) else module
    torch.manual_seed(seed)
    with torch.no_grad(), torch_may_warn():
        found = results(FAMILIES[case.kind], case.kind, copy, [tensor.clone() for tensor in x])
    return [tensor.clone() for tensor in found]


def differ(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    """Tell whether results differ by more than the order of sums."""
    return not all(
        torch.allclose(a.double(), b.double(), rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(one, other, strict=True)
    )


def inputs(case: Case) -> list[torch.Tensor]:
    """Return inputs of a case, floats of both signs."""
    torch.manual_seed(0)
    x = tensors(FAMILIES[case.kind], case)
    if case.kind in FAMILIES[case.kind].data:
        return x
    return [4 * tensor - 2 if tensor.is_floating_point() else tensor for tensor in x]


@over(CASES + SWITCHING, lambda case: f"{case.kind}-{case.fields}")
def test_modes(case: Case) -> None:
    """Training and evaluation differ in torch where the layer says so, and only there."""
    torch.manual_seed(0)
    with torch_may_warn():
        module = torch_layer(FAMILIES[case.kind], case)
    x = inputs(case)
    train, again, evaluated = (
        computed(case, module, x, training=training, seed=1) for training in (True, True, False)
    )
    assert not differ(train, again)
    assert differ(train, evaluated) == declared(case).switches
    other = computed(case, module, x, training=False, seed=2)
    assert not differ(evaluated, other) or case.kind in RANDOM


@over([name for name, layer in LAYERS.items() if layer.modes])
def test_each_switches(name: str) -> None:
    """Each layer that declares two modes has them with some fields of the tables."""
    assert any(declared(case).switches for case in CASES + SWITCHING if case.kind == name)


def test_operations_have_one_mode() -> None:
    """A function of torch knows no modes."""
    assert not any(layer.modes for layer in LAYERS.values() if issubclass(layer, Operation))


def test_alpha_dropout() -> None:
    """The formula of AlphaDropout is torch's."""
    p, x = 0.3, torch.linspace(-2, 2, 1000)
    torch.manual_seed(0)
    y = nn.functional.alpha_dropout(x, p, training=True)
    a = ((1 - p) * (1 + 1.7581**2 * p)) ** -0.5
    kept, dropped = a * (x + 1.7581 * p), torch.full_like(x, a * 1.7581 * (p - 1))
    near = [torch.isclose(y, one, atol=1e-3) for one in (kept, dropped)]
    assert (near[0] | near[1]).all()
    assert catalogue.description(LAYERS["AlphaDropout"])
