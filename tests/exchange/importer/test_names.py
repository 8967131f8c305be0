"""The names of operations: variables of a module's source, and numbers in a list."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import rnn

from netbuild.exchange.importer.imported import imported
from netbuild.exchange.importer.module import read
from netbuild.exchange.operation_names import told
from tests.tables import over

needs_places = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10 does not tell where in a line a call stands"
)


class Named(nn.Module):
    """Variables that say what they hold, and others."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a result of which each step has a variable."""
        shifted = self.norm(x) + 1
        halves0, halves1 = shifted.chunk(2, dim=1)
        best_values, _ = torch.topk(halves0, 2)
        again = self.norm(
            torch.cat(
                [best_values, halves1],
                dim=1,
            )
        )
        z = again * x
        y: torch.Tensor = z.reshape(-1, 2, 2).mean(2)
        return y


@needs_places
def test_variables_name_operations() -> None:
    """A result's variable names its operation; one such as `z` does not, unless it has a type."""
    network = read(Named(), [torch.randn(2, 4)])
    paths = ["norm", "shifted", "halves", "best", "concat", "again", "multiply", "reshape", "y"]
    assert [node.path for node in network.nodes] == paths


class Numbered(nn.ModuleDict):
    """Modules with numbers, between which operations stand."""

    def __init__(self) -> None:
        super().__init__({"1": nn.Linear(4, 4), "3": nn.Linear(4, 2)})

    def forward(self, x: torch.Tensor) -> Any:
        """Squeeze, call, add, call, multiply."""
        return self["3"](self["1"](x.squeeze(1)) + 2) * 3


def test_numbers_between_modules() -> None:
    """An operation of a list has the number that no module has."""
    network = read(Numbered(), [torch.randn(2, 1, 4)])
    assert [node.path for node in network.nodes] == ["0", "1", "2", "3", "4"]


class Ends(nn.GRU):
    """A recurrent layer that someone lets read lengths."""

    def forward(self, x: torch.Tensor, hx: Any = None, lengths: Any = None) -> Any:  # type: ignore[override]
        """Return what the layer returns up to the end of each sample."""
        packed = rnn.pack_padded_sequence(x, lengths.cpu(), True, enforce_sorted=False)
        y, last = super().forward(packed, hx)
        return rnn.pad_packed_sequence(y, True, total_length=x.size(1))[0], last


class Reader(nn.Module):
    """Reads sequences with lengths."""

    def __init__(self) -> None:
        super().__init__()
        self.read = Ends(4, 3, batch_first=True)

    def forward(self, x: torch.Tensor, count: torch.Tensor) -> Any:
        """Return the states up to the ends."""
        return self.read(x, lengths=count)[0]


def test_a_layer_with_lengths() -> None:
    """A recurrent layer whose class reads `lengths` is one item with this input."""
    found = imported(Reader(), [torch.randn(2, 5, 4), torch.tensor([3, 5])])
    assert (found.gaps, found.difference) == ((), 0)
    assert "read: {GRU: 3, inputs: {input: x, lengths: count}}" in found.text


@over(
    [
        (("x",), None),
        (("x2",), None),
        (("shortcut",), "shortcut"),
        (("sum_",), "sum"),
        (("halves0", "_"), "halves"),
        (("best_values", "best_indices"), "best"),
        (("values", "indices"), None),
        (("_",), None),
    ],
    repr,
)
def test_what_variables_tell(case: tuple[tuple[str, ...], str | None]) -> None:
    """Generic variables name nothing."""
    variables, name = case
    assert told(variables) == name


class Taken(nn.Module):
    """Takes rows of a table."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the values at the largest places, and repeat them along the last axis."""
        return x.take_along_dim(x.mean(2, keepdim=True).argmax(1, keepdim=True), 1)


def test_take_along_dim() -> None:
    """`take_along_dim` is an item."""
    found = imported(Taken(), [torch.randn(2, 5, 4)])
    assert (found.gaps, found.difference) == ((), 0)
    assert "TakeAlongDim: 1" in found.text
