"""MobileNetV2, MNASNet and ShuffleNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tests.torchvision_networks.convolution import conv, conv_norm

if TYPE_CHECKING:
    from collections.abc import Sequence


class InvertedResidual(nn.Module):
    """A block that widens, looks at each channel by itself, and makes narrow."""

    def __init__(self, before: int, channels: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = before * expand
        self.same = stride == 1 and before == channels
        self.conv = nn.Sequential(
            *([conv_norm(before, inner)] if expand > 1 else []),
            conv_norm(inner, inner, 3, stride, inner),
            conv(inner, channels, 1),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input where it has the same shape."""
        return x + self.conv(x) if self.same else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al. 2018."""

    def __init__(self) -> None:
        super().__init__()
        parts, before = [conv_norm(3, 32, 3, 2)], 32
        for expand, channels, count, first in (
            *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
            *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
        ):
            for place in range(count):
                stride = first if place == 0 else 1
                parts.append(InvertedResidual(before, channels, stride, expand))
                before = channels
        self.features = nn.Sequential(*parts, conv_norm(320, 1280))
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.features(x).mean((2, 3)))


class Searched(nn.Module):
    """The block of MNASNet: an inverted residual of one list of layers."""

    def __init__(self, before: int, channels: int, size: int, stride: int, expand: int) -> None:
        super().__init__()
        inner = before * expand
        self.same = stride == 1 and before == channels
        self.layers = nn.Sequential(
            *(conv(before, inner, 1), nn.BatchNorm2d(inner), nn.ReLU()),
            *(conv(inner, inner, size, stride, inner), nn.BatchNorm2d(inner), nn.ReLU()),
            *(conv(inner, channels, 1), nn.BatchNorm2d(channels)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input where it has the same shape."""
        return x + self.layers(x) if self.same else self.layers(x)


class MNASNet(nn.Module):
    """Tan et al. 2019: `alpha` times as wide, in whole eights."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        wide = []
        for width in (32, 16, 24, 40, 80, 96, 192, 320):
            rounded = max(8, int(width * alpha + 4) // 8 * 8)
            wide.append(rounded if rounded >= 0.9 * width * alpha else rounded + 8)
        groups = []
        for number, (size, stride, expand, count) in enumerate(
            ((3, 2, 3, 3), (5, 2, 3, 3), (5, 2, 6, 3), (3, 1, 6, 2), (5, 2, 6, 4), (3, 1, 6, 1)),
            start=2,
        ):
            blocks = [Searched(wide[number - 1], wide[number], size, stride, expand)]
            blocks += [
                Searched(wide[number], wide[number], size, 1, expand) for _ in range(count - 1)
            ]
            groups.append(nn.Sequential(*blocks))
        self.layers = nn.Sequential(
            *(conv(3, wide[0], 3, 2), nn.BatchNorm2d(wide[0]), nn.ReLU()),
            *(conv(wide[0], wide[0], 3, 1, wide[0]), nn.BatchNorm2d(wide[0]), nn.ReLU()),
            *(conv(wide[0], wide[1], 1), nn.BatchNorm2d(wide[1]), *groups),
            *(conv(wide[7], 1280, 1), nn.BatchNorm2d(1280), nn.ReLU()),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.layers(x).mean((2, 3)))


class Shuffled(nn.Module):
    """The unit of ShuffleNetV2: one half, or a copy, is changed, and both are mixed."""

    def __init__(self, before: int, channels: int, stride: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(
                *(conv(before, before, 3, stride, before), nn.BatchNorm2d(before)),
                *(conv(before, half, 1), nn.BatchNorm2d(half), nn.ReLU()),
            )
        self.branch2 = nn.Sequential(
            *(conv(before if stride > 1 else half, half, 1), nn.BatchNorm2d(half), nn.ReLU()),
            *(conv(half, half, 3, stride, half), nn.BatchNorm2d(half)),
            *(conv(half, half, 1), nn.BatchNorm2d(half), nn.ReLU()),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both halves, their channels in turn."""
        one, two = (x, x) if len(self.branch1) else x.chunk(2, 1)
        y = torch.stack([self.branch1(one), self.branch2(two)], 2)
        return y.flatten(1, 2)


class ShuffleNet(nn.Module):
    """Ma et al. 2018."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(conv(3, 24, 3, 2), nn.BatchNorm2d(24), nn.ReLU())
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 24
        for number, (width, count) in enumerate(zip(widths, (4, 8, 4), strict=False), start=2):
            units = [Shuffled(before, width, 2)]
            units += [Shuffled(width, width, 1) for _ in range(count - 1)]
            self.add_module(f"stage{number}", nn.Sequential(*units))
            before = width
        last = widths[3]
        self.conv5 = nn.Sequential(conv(before, last, 1), nn.BatchNorm2d(last), nn.ReLU())
        self.fc = nn.Linear(last, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        x = self.maxpool(self.conv1(x))
        x = self.conv5(self.stage4(self.stage3(self.stage2(x))))  # type: ignore[operator]
        return self.fc(x.mean((2, 3)))
