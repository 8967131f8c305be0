"""Every layer, written wrongly: the fault names the field or the input, and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic_core import PydanticUndefined
from torch import nn
from torch.nn import modules

from netbuild.builder.module import module as build
from netbuild.components.layers import LAYERS
from netbuild.components.layers._spatial import Spatial
from netbuild.components.tensor import Tensor
from netbuild.reports.catalogue.entries import fields
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import Row, graph_of, graph_of_case
from tests.tables import over

CONTAINERS = {"Container", "Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"}
#: What `torch.nn` exports beside its layers.
NO_LAYERS = {
    *CONTAINERS,
    "Sequential",
    "LinearCrossEntropyOptions",  # options of a loss
    "NLLLoss2d",  # a loss
    "RNNBase",  # the base of RNN, LSTM and GRU
    "RNNCellBase",  # the base of their cells
}
FIRST = {row.type: row for family in FAMILIES.values() for row in reversed(family.rows)}
FIELDS = [(kind, field) for kind in READERS for field in LAYERS[kind].model_fields]


def faults(row: Row, **changed: Any) -> list[Any]:
    """Return the faults of a row with some fields changed, or other inputs."""
    case = row.case._replace(fields={**row.fields, **changed})
    return list(graph_of_case(case).diagnostics)


def test_every_layer_of_torch_is_declared() -> None:
    """All layer classes of the installed torch are there, 129 in torch 2.13."""
    torchs = {n for n in modules.__all__ if not n.endswith("Loss") and n not in NO_LAYERS}
    assert torchs - set(LAYERS) == set()
    assert len(torchs) >= 129


@over(READERS)
def test_unknown_field(kind: str) -> None:
    """A field that a layer does not have is told from those it has."""
    (fault,) = faults(FIRST[kind], colour=1)
    assert (fault.code, fault.title) == ("NB104", f"{kind} has no field colour")
    assert fault.help is not None
    for name in LAYERS[kind].model_fields:
        assert name in fault.help or fault.help.startswith("did you mean")


@over(FIELDS, ".".join)
def test_value_of_another_type(named: tuple[str, str]) -> None:
    """A mapping where no field takes one is named with the field and what it wants."""
    kind, field = named
    found = faults(FIRST[kind], **{field: {"a": 1}})
    nested = {"encoder_layer", "decoder_layer", "norm"}
    (fault,) = [f for f in found if f.code == ("NB103" if field in nested else "NB106")]
    if field not in nested:
        assert fault.title == f"a value that {kind}.{field} does not take"
        wanted = next(f.wanted for f in fields(LAYERS[kind]) if f.name == field)
        assert fault.label == f"{field} wants {wanted}, not {{a: 1}}"


@over([k for k, c in LAYERS.items() if issubclass(c, Spatial)])
def test_wrong_rank(kind: str) -> None:
    """An input with too few axes is refused with the axes that are needed, and what came."""
    row = FIRST[kind]
    found = graph_of_case(
        row.case._replace(x=(4,), others=tuple(Tensor((4,), o.dtype) for o in row.others))
    )
    (fault,) = found.diagnostics
    assert fault.code == "NB201"
    assert "and the input has 1: 4" in fault.label


@over(READERS)
def test_wrong_dtype(kind: str) -> None:
    """An input of another dtype is taken, or refused with the dtype that came."""
    row = FIRST[kind]
    dtype = "int64" if row.dtype == "float32" else "float32"
    found = graph_of_case(row.case._replace(dtype=dtype)).diagnostics
    refused = [fault for fault in found if fault.severity == "error"]
    assert {fault.code for fault in refused} <= {"NB207"}
    assert all(dtype in fault.label for fault in refused)


def test_a_float_into_an_embedding_is_refused() -> None:
    """An embedding looks up whole numbers, and says so."""
    for kind in ("Embedding", "EmbeddingBag"):
        (fault,) = graph_of_case(FIRST[kind].case._replace(dtype="float32")).diagnostics
        assert fault.code == "NB207"
        assert "int64" in fault.label
        assert "float32" in fault.label


def test_defaults_are_in_the_catalogue() -> None:
    """A page shows a default for each field that has one."""
    for component in LAYERS.values():
        for field in fields(component):
            info = component.model_fields[field.name]
            assert (field.default is None) == (info.default is PydanticUndefined)


@pytest.mark.parametrize(
    "above",
    [
        [{"Chunk": 2}],
        [{"Chunk": 2}, {"Unsqueeze": 2}],
        [{"Unsqueeze": 2}, {"Expand": {"sizes": [4, 3]}}],
    ],
    ids=str,
)
def test_what_torch_lets_nothing_overwrite(above: list[Any]) -> None:
    """One of several views, and one value at several positions, are refused where torch does."""
    layers = [{"Linear": 4}, *above, {"ReLU": {"inplace": True}}]
    (fault,) = graph_of(layers, Tensor((4,))).diagnostics
    assert (fault.code, fault.label) == (
        "NB211",
        "the layer overwrites a view of another tensor, which torch forbids",
    )
    y = build(graph_of(layers[:-1], Tensor((4,))))(torch.rand(2, 4))
    with pytest.raises(RuntimeError, match=r"inplace|single memory location"):
        nn.ReLU(inplace=True)(y)
