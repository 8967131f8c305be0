"""MaxViT."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tests.torchvision_networks.swin import RowDepth, pairs

if TYPE_CHECKING:
    from collections.abc import Sequence


def norm(width: int) -> nn.BatchNorm2d:
    """Return the norm of all convolutions."""
    return nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)


def conv(before: int, behind: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a convolution, its norm and a GELU."""
    return nn.Sequential(
        nn.Conv2d(before, behind, size, stride, size // 2, groups=groups, bias=False),
        norm(behind),
        nn.GELU(),
    )


class Excitation(nn.Module):
    """Scales each channel by what is found in all of them (Hu et al. 2018)."""

    def __init__(self, width: int, narrow: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(width, narrow, 1), nn.Conv2d(narrow, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the channels, each times a number between 0 and 1."""
        y = nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * self.fc2(y).sigmoid()


class MBConv(nn.Module):
    """A wide convolution of each channel between two narrow ones, with a shortcut."""

    def __init__(self, before: int, behind: int, stride: int, p: float) -> None:
        super().__init__()
        wide = 4 * behind
        self.proj: nn.Module = nn.Identity()
        if stride > 1:
            self.proj = nn.Sequential(nn.AvgPool2d(3, stride, 1), nn.Conv2d(before, behind, 1))
        elif before != behind:
            self.proj = nn.Sequential(nn.Conv2d(before, behind, 1))
        self.layers = nn.Sequential()
        self.layers.add_module("pre_norm", norm(before))
        self.layers.add_module("conv_a", conv(before, wide, 1))
        self.layers.add_module("conv_b", conv(wide, wide, 3, stride, wide))
        self.layers.add_module("squeeze_excitation", Excitation(wide, behind // 4))
        self.layers.add_module("conv_c", nn.Conv2d(wide, behind, 1))
        self.stochastic_depth = RowDepth(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the shortcut and what is found."""
        return self.proj(x) + self.stochastic_depth(self.layers(x))


class RelativeAttention(nn.Module):
    """Attention between the places of a partition, with a learned bias for each distance."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.heads, self.scale = width // 32, width**-0.5
        self.to_qkv, self.merge = nn.Linear(width, 3 * width), nn.Linear(width, width)
        table = torch.empty((2 * size - 1) ** 2, self.heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))
        self.register_buffer("relative_position_index", pairs(size).view(size**2, size**2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each place sees; `x` is (B, G, P, C)."""
        q, k, v = (
            part.unflatten(-1, (self.heads, 32)).transpose(2, 3)
            for part in self.to_qkv(x).chunk(3, -1)
        )
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        scores = q @ (k * self.scale).mT + bias
        return self.merge((scores.softmax(-1) @ v).transpose(2, 3).flatten(3))


class Partition(nn.Module):
    """Attention and a perceptron within parts: windows, or places that lie far apart (a grid)."""

    def __init__(self, width: int, size: int, p: float, *, grid: bool) -> None:
        super().__init__()
        self.size, self.grid = size, grid
        self.attn_layer = nn.Sequential(
            nn.LayerNorm(width), RelativeAttention(width, size), nn.Dropout(0)
        )
        self.mlp_layer = nn.Sequential(
            *(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU()),
            *(nn.Linear(4 * width, width), nn.Dropout(0)),
        )
        self.stochastic_dropout = RowDepth(p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what each place sees in its part; `x` is (B, C, H, W)."""
        batch, width, high, wide = x.shape
        parts = (high // self.size, wide // self.size)
        # (B, rows, columns, size, size, C), the axes of a window or of a grid last
        if self.grid:
            x = x.view(batch, width, self.size, parts[0], self.size, parts[1])
            x = x.permute(0, 3, 5, 2, 4, 1)
        else:
            x = x.view(batch, width, parts[0], self.size, parts[1], self.size)
            x = x.permute(0, 2, 4, 3, 5, 1)
        x = x.reshape(batch, parts[0] * parts[1], self.size**2, width)
        x = x + self.stochastic_dropout(self.attn_layer(x))
        x = x + self.stochastic_dropout(self.mlp_layer(x))
        x = x.view(batch, *parts, self.size, self.size, width)
        x = x.permute(0, 5, 3, 1, 4, 2) if self.grid else x.permute(0, 5, 1, 3, 2, 4)
        return x.reshape(batch, width, high, wide)


class Layer(nn.Module):
    """A convolution, attention in windows, and attention in a grid."""

    def __init__(self, before: int, behind: int, stride: int, p: float) -> None:
        super().__init__()
        self.layers = nn.Sequential()
        self.layers.add_module("MBconv", MBConv(before, behind, stride, p))
        self.layers.add_module("window_attention", Partition(behind, 7, p, grid=False))
        self.layers.add_module("grid_attention", Partition(behind, 7, p, grid=True))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is found."""
        return self.layers(x)


class Stage(nn.Module):
    """Layers, of which the first halves height and width."""

    def __init__(self, before: int, behind: int, ps: Sequence[float]) -> None:
        super().__init__()
        self.layers = nn.Sequential(Layer(before, behind, 2, ps[0]))
        for p in ps[1:]:
            self.layers.append(Layer(behind, behind, 1, p))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is found."""
        return self.layers(x)


class MaxViT(nn.Module):
    """Tu et al. 2022: the tiny one, for pictures of 224×224."""

    def __init__(self) -> None:
        super().__init__()
        widths, depths = (64, 64, 128, 256, 512), (2, 2, 5, 2)
        self.stem = nn.Sequential(conv(3, 64, 3, 2), nn.Sequential(nn.Conv2d(64, 64, 3, padding=1)))
        ps = [0.2 * number / (sum(depths) - 1) for number in range(sum(depths))]
        self.blocks = nn.Sequential()
        for place, depth in enumerate(depths):
            begin = sum(depths[:place])
            own = ps[begin : begin + depth]
            self.blocks.append(Stage(widths[place], widths[place + 1], own))
        self.classifier = nn.Sequential(
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(512)),
            *(nn.Linear(512, 512), nn.Tanh(), nn.Linear(512, 1000, bias=False)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.blocks(self.stem(x)))
