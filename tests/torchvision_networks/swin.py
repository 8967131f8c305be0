"""Swin transformers, of both versions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence


class RowDepth(nn.Module):
    """Leaves out a sample's branch with probability p in training (Huang et al. 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return zeros for some samples, and the others scaled up."""
        if not self.training or not self.p:
            return x
        kept = torch.rand(len(x), *[1] * (x.dim() - 1)) >= self.p
        return x * kept / (1 - self.p)


def pairs(window: int) -> torch.Tensor:
    """Return for each pair of places of a window how far apart they are, as one number."""
    row, column = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    down = row.flatten()[:, None] - row.flatten()
    right = column.flatten()[:, None] - column.flatten()
    return ((down + window - 1) * (2 * window - 1) + right + window - 1).flatten()


def regions(size: int, window: int, shift: int) -> torch.Tensor:
    """Return which places of a shifted row of windows were neighbours before it was shifted."""
    place = torch.arange(size)
    return (place >= size - window).int() + (place >= size - shift).int()


class WindowAttention(nn.Module):
    """Attention within windows, with a learned bias for each distance."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("relative_position_index", pairs(window))
        self.distances()

    def distances(self) -> None:
        """Make what the bias comes from."""
        table = torch.empty((2 * self.window - 1) ** 2, self.heads)
        self.relative_position_bias_table = nn.Parameter(nn.init.trunc_normal_(table, std=0.02))

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """Return the scores of all pairs, without bias."""
        return (q * q.shape[-1] ** -0.5) @ k.mT

    def bias(self) -> torch.Tensor:
        """Return the bias of each pair, (heads, N, N)."""
        places = self.window**2
        found = self.relative_position_bias_table[self.relative_position_index]
        return found.view(places, places, self.heads).permute(2, 0, 1)

    def projected(self, x: torch.Tensor) -> torch.Tensor:
        """Return queries, keys and values, in a row."""
        return self.qkv(x)

    def forward(self, x: torch.Tensor, shift: int) -> torch.Tensor:
        """Return what each place sees in its window; `x` is (B, H, W, C)."""
        batch, high, wide, width = x.shape
        window, rows, columns = self.window, high // self.window, wide // self.window
        shift = 0 if high <= window else shift
        x = x.roll((-shift, -shift), (1, 2))
        x = x.view(batch, rows, window, columns, window, width).transpose(2, 3)
        x = x.reshape(batch * rows * columns, window**2, width)
        q, k, v = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in self.projected(x).chunk(3, -1)
        )
        scores = self.scores(q, k) + self.bias()
        if shift:
            down, right = regions(high, window, shift), regions(wide, window, shift)
            region = (3 * down[:, None] + right).view(rows, window, columns, window)
            region = region.transpose(1, 2).reshape(rows * columns, window**2)
            apart = torch.where(region[:, None] == region[:, :, None], 0.0, -100.0)
            scores = (scores.unflatten(0, (batch, -1)) + apart[:, None]).flatten(0, 1)
        y = self.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        y = y.view(batch, rows, columns, window, window, width).transpose(2, 3)
        return y.reshape(batch, high, wide, width).roll((shift, shift), (1, 2))


class WindowAttentionV2(WindowAttention):
    """The same with cosines, and with the bias of a small network of log distances."""

    def distances(self) -> None:
        """Make the network, and the table of distances that it reads."""
        self.logit_scale = nn.Parameter(torch.full((self.heads, 1, 1), math.log(10)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, self.heads, bias=False)
        )
        apart = torch.arange(1 - self.window, self.window) * 8 / (self.window - 1)
        apart = apart.sign() * (apart.abs() + 1).log2() / 3
        table = torch.stack(torch.meshgrid(apart, apart, indexing="ij"), -1)
        self.register_buffer("relative_coords_table", table[None])

    def scores(self, q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        """Return the cosines, times a learned scale of at most 100."""
        cosines = normalize(q, dim=-1) @ normalize(k, dim=-1).mT
        return cosines * self.logit_scale.clamp(max=math.log(100)).exp()

    def bias(self) -> torch.Tensor:
        """Return the bias of each pair, between 0 and 16."""
        places = self.window**2
        found = self.cpb_mlp(self.relative_coords_table).view(-1, self.heads)
        found = found[self.relative_position_index].view(places, places, self.heads)
        return 16 * found.permute(2, 0, 1).sigmoid()

    def projected(self, x: torch.Tensor) -> torch.Tensor:
        """The keys have no bias."""
        width = x.shape[-1]
        with torch.no_grad():
            self.qkv.bias[width : 2 * width] = 0
        return self.qkv(x)


class Block(nn.Module):
    """Attention and a perceptron, each adding its input; the norm is before or behind."""

    def __init__(
        self, width: int, heads: int, window: int, shift: int, p: float, *, second: bool
    ) -> None:
        super().__init__()
        self.shift, self.second = shift, second
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn = (WindowAttentionV2 if second else WindowAttention)(width, heads, window)
        self.stochastic_depth = RowDepth(p)
        self.mlp = nn.Sequential(
            *(nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(0)),
            *(nn.Linear(4 * width, width), nn.Dropout(0)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is seen at each place."""
        if self.second:
            x = x + self.stochastic_depth(self.norm1(self.attn(x, self.shift)))
            return x + self.stochastic_depth(self.norm2(self.mlp(x)))
        x = x + self.stochastic_depth(self.attn(self.norm1(x), self.shift))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class Merging(nn.Module):
    """Four neighbours become one place with twice the width."""

    def __init__(self, width: int, *, second: bool) -> None:
        super().__init__()
        self.second = second
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)
        self.norm = nn.LayerNorm((2 if second else 4) * width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return half the height and width."""
        places = [x[:, down::2, right::2] for right in (0, 1) for down in (0, 1)]
        x = torch.cat(places, -1)
        return self.norm(self.reduction(x)) if self.second else self.reduction(self.norm(x))


class Channels(nn.Module):
    """The channels last, as these networks have them."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, H, W, C) of (B, C, H, W)."""
        return x.permute(0, 2, 3, 1)


class Swin(nn.Module):
    """Liu et al. 2021, and 2022 for the second version."""

    def __init__(
        self, width: int, depths: Sequence[int], heads: Sequence[int], p: float, *, second: bool
    ) -> None:
        super().__init__()
        window, number = 8 if second else 7, 0
        parts = [nn.Sequential(nn.Conv2d(3, width, 4, 4), Channels(), nn.LayerNorm(width))]
        for stage, (depth, count) in enumerate(zip(depths, heads, strict=True)):
            blocks = nn.Sequential()
            for place in range(depth):
                own, shift = p * number / (sum(depths) - 1), window // 2 if place % 2 else 0
                blocks.append(Block(width, count, window, shift, own, second=second))
                number += 1
            parts.append(blocks)
            if stage < len(depths) - 1:
                parts.append(Merging(width, second=second))
                width *= 2
        self.features = nn.Sequential(*parts)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.head(self.norm(self.features(x)).mean((1, 2)))


TINY = (96, (2, 2, 6, 2), (3, 6, 12, 24))
SMALL = (96, (2, 2, 18, 2), (3, 6, 12, 24))
BASE = (128, (2, 2, 18, 2), (4, 8, 16, 32))
