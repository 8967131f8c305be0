"""ViT, and ConvNeXt, which follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


class EncoderLayer(nn.Module):
    """Attention and a perceptron, each behind a norm and each adding its input."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            *(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(0)),
            *(nn.Linear(hidden, width), nn.Dropout(0)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is seen at each place."""
        y = self.ln_1(x)
        x = x + self.self_attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The layers, with a position for each place."""

    def __init__(self, length: int, depth: int, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, length, width).normal_(std=0.02))
        self.layers = nn.Sequential()
        for number in range(depth):
            self.layers.add_module(f"encoder_layer_{number}", EncoderLayer(width, heads, hidden))
        self.ln = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is seen at each place."""
        return self.ln(self.layers(x + self.pos_embedding))


class ViT(nn.Module):
    """Dosovitskiy et al. 2021, for pictures of 224×224."""

    def __init__(
        self,
        patch: int,
        depth: int = 12,
        heads: int = 12,
        width: int = 768,
        hidden: int = 3072,
    ) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = nn.Conv2d(3, width, patch, patch)
        self.encoder = Encoder((224 // patch) ** 2 + 1, depth, width, heads, hidden)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(width, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.heads(self.encoder(x)[:, 0])


class ChannelNorm(nn.LayerNorm):
    """A layer norm over channels, which stand first."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Put the channels last, and first again."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Permute(nn.Module):
    """Another order of the axes."""

    def __init__(self, *dims: int) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the axes in that order."""
        return x.permute(self.dims)


class NextBlock(nn.Module):
    """The block of ConvNeXt."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *(nn.Conv2d(width, width, 7, padding=3, groups=width), Permute(0, 2, 3, 1)),
            *(nn.LayerNorm(width, eps=1e-6), nn.Linear(width, 4 * width), nn.GELU()),
            *(nn.Linear(4 * width, width), Permute(0, 3, 1, 2)),
        )
        self.layer_scale = nn.Parameter(torch.full((width, 1, 1), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add what is found, first very little of it."""
        return x + self.layer_scale * self.block(x)


class ConvNeXt(nn.Module):
    """Liu et al. 2022."""

    def __init__(self, depths: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        parts: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, widths[0], 4, 4), ChannelNorm(widths[0], eps=1e-6))
        ]
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True)):
            if number:
                norm = ChannelNorm(widths[number - 1], eps=1e-6)
                parts.append(nn.Sequential(norm, nn.Conv2d(widths[number - 1], width, 2, 2)))
            parts.append(nn.Sequential(*(NextBlock(width) for _ in range(depth))))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(
            ChannelNorm(widths[-1], eps=1e-6), nn.Flatten(), nn.Linear(widths[-1], 1000)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.features(x).mean((2, 3), keepdim=True))
