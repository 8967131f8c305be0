"""Parts of tensors that are written, tables that are long, and what training drops."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from netbuild.exchange.importer.imported import imported


class Changed(nn.Module):
    """It writes parts of tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.scale = nn.Linear(6, 6), nn.Parameter(torch.randn(6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        scale = self.scale.clone()
        scale[2:4].zero_()
        y = nn.functional.linear(x, self.fc.weight, scale) + self.fc.bias
        y[:, 0] += 1
        y = y.clone()
        y[:, 1:3] = y[:, 3:5] * 2
        z = torch.zeros_like(y)
        z[:, 2], z[:, 4:] = y[:, 1], 3.0
        return y + z


class Boxes(nn.Module):
    """It writes boxes of several axes, and whole tensors."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        y = x.clone()
        y[:, :, 1:3, 2:4] = 0
        y[:, 0] = x[:, 1]
        y[:, 2].mul_(2)
        y[..., -1].fill_(0.5)
        return y


@pytest.mark.parametrize(("made", "shape"), [(Changed, (2, 6)), (Boxes, (2, 3, 5, 5))])
def test_changed_in_place(made: type[nn.Module], shape: tuple[int, ...]) -> None:
    """A part that is written is joined with what stands around it."""
    found = imported(made(), torch.randn(shape))
    assert (found.difference, found.training, found.gaps) == (0, True, ())


class ChangedElsewhere(nn.Module):
    """It reads a tensor that was changed through another one, which is no part of it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        y = x * 2
        y.view(-1).zero_()
        return y + 1


def test_changed_elsewhere() -> None:
    """A tensor that was changed through another one is a gap, not an old value."""
    assert imported(ChangedElsewhere(), torch.randn(2, 4)).gaps


class Masked(nn.Module):
    """It hides places of other regions."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        regions = torch.arange(36).div(9, rounding_mode="floor").view(4, 9) % 3
        regions = regions + torch.arange(9).ge(4)
        return x + torch.where(regions[:, None] == regions[:, :, None], 0.0, -100.0)


def test_regions() -> None:
    """A mask is written as the regions of its places."""
    found = imported(Masked(), torch.randn(2, 4, 9, 9))
    assert (found.difference, found.gaps) == (0, ())
    assert "where(x == y, 0.0, -100.0)" in found.text
    assert max(map(len, found.text.splitlines())) < 120


class Distances(nn.Module):
    """It looks numbers up by the distances of pixels."""

    def __init__(self, side: int = 5) -> None:
        super().__init__()
        place = torch.arange(side * side)
        down, right = place // side, place % side
        apart = (down[:, None] - down).abs() * side + (right[:, None] - right).abs()
        self.bias = nn.Parameter(torch.randn(2, side * side))
        self.register_buffer("apart", apart, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        return x + self.bias[:, self.apart]


def test_distances() -> None:
    """A table of distances is a sum of two small ones."""
    found = imported(Distances(), torch.randn(2, 2, 25, 25))
    assert (found.difference, found.gaps) == (0, ())
    assert max(map(len, found.text.splitlines())) < 120


class Counting(nn.Module):
    """It drops values, and counts its batches in training."""

    def __init__(self) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        if self.training:
            x = x.mul(1.0)
        return nn.functional.dropout(self.bn(x), p=0.5, training=self.training)


def test_drops_beside_other_steps() -> None:
    """Training may take further steps: what it drops is a Dropout."""
    found = imported(Counting(), torch.randn(2, 4))
    assert found.gaps == ()
    assert "  - Dropout\n" in found.text or "Dropout" in found.text.splitlines()[-1]


class Products(nn.Module):
    """It adds a product, and a quotient."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Compute what the class says."""
        return torch.addcdiv(torch.addcmul(x, x, y), x, y.exp(), value=0.5)


def test_products_that_are_added() -> None:
    """`addcmul` and `addcdiv` are formulas, which may round once more than torch's kernels."""
    found = imported(Products(), [torch.randn(2, 4), torch.randn(2, 4)])
    assert found.gaps == ()
    assert found.difference is not None
    assert found.difference < 1e-5
