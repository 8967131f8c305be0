"""Convolutions as most of these networks have them."""

from __future__ import annotations

from typing import Any

from torch import nn


def conv(before: int, behind: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps height and width, but for its stride."""
    return nn.Conv2d(before, behind, size, stride, size // 2, groups=groups, bias=False)


def conv_norm(before: int, behind: int, size: int = 1, stride: int = 1, groups: int = 1) -> Any:
    """Return a convolution, its norm, and an activation that ends at 6."""
    return nn.Sequential(
        conv(before, behind, size, stride, groups), nn.BatchNorm2d(behind), nn.ReLU6()
    )
