"""The warnings of torch for layers that netbuild accepts, and for values that it refuses."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import torch

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes
from tests.components.layers import FAMILIES, READERS
from tests.components.layers.contract import Case, graph_of_case, tensors
from tests.components.layers.test_traits import cases
from tests.tables import over

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The beginnings of the warnings that `docs/language.md` names, by the field that causes each.
KNOWN = {
    "padding": "Using padding='same' with even kernel lengths and odd dilation may require",
    "proj_size": "LSTM with projections is not supported with oneDNN",
}


@contextmanager
def noted() -> Iterator[list[str]]:
    """Collect all warnings, also those that torch gives once in a process."""
    said: list[str] = []
    always = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    try:
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            yield said
        said += [str(one.message) for one in found]
    finally:
        torch.set_warn_always(always)


def warned(case: Case, x: list[torch.Tensor]) -> list[str]:
    """Return what torch warns of while a network of one layer is built and runs, in both modes."""
    with noted() as said, torch.no_grad():
        module = build(graph_of_case(case))
        for train in (True, False):
            module.train(train)(*[value.clone() for value in x])
    return said


@over(sorted(READERS))
def test_layers_run_without_other_warnings(kind: str) -> None:
    """Torch warns of no layer but for the reasons that are known."""
    for case in cases(kind):
        for message in warned(case.row.case, tensors(FAMILIES[kind], case.row.case)):
            (field,) = (name for name, start in KNOWN.items() if message.startswith(start))
            assert field in case.row.fields, message


@pytest.mark.parametrize(
    ("dilation", "warns"), [([3, 2], 1), ([1, 1], 1), ([2, 1], 0), ([2, 2], 0)]
)
def test_even_window_of_the_same_size(dilation: list[int], warns: int) -> None:
    """Torch warns if the padding of the first axis is odd; the copy is part of the memory."""
    fields = {"out_channels": 4, "kernel_size": [4, 3], "padding": "same", "dilation": dilation}
    case = Case("Conv2d", fields, (3, 20, 21))
    said = warned(case, [torch.rand(2, 3, 20, 21)])
    assert bool(said) == bool(warns)
    assert all(message.startswith(KNOWN["padding"]) for message in said)
    (row,) = graph_of_case(case).rows
    assert (row.layer.workspace(*row.shapes) > 0) == bool(warns)


#: By code: what torch runs, with a warning that it ignores or guesses a value.
REFUSED = {
    "NB106": "input: [5, 4]\nlayers: [LSTM: {hidden_size: 3, dropout: 0.5}]\n",
    "NB205": "input: [4, 5]\nlayers: [Softmax]\n",
    "NB201": "input: [4, 5]\nlayers: [Dropout2d: 0.5]\n",
}


@pytest.mark.parametrize("code", REFUSED)
def test_values_that_torch_ignores_are_refused(code: str) -> None:
    """Each has its fault."""
    found = infer(read(from_bytes("a.yaml", REFUSED[code].encode()))).diagnostics
    assert [d.code for d in found] == [code]


def test_torch_warns_of_them() -> None:
    """Torch runs these, and warns."""
    with noted() as said:
        torch.nn.LSTM(4, 3, dropout=0.5)
        torch.nn.Softmax()(torch.rand(2, 4, 5))
        torch.nn.Dropout2d()(torch.rand(4, 5))
    assert len(said) == 3
