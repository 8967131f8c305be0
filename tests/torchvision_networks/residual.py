"""ResNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tests.torchvision_networks.convolution import conv

if TYPE_CHECKING:
    from collections.abc import Sequence


class Residual(nn.Module):
    """A block that adds its input, of two 3×3 convolutions or of a narrow one between 1×1."""

    def __init__(
        self, before: int, channels: int, stride: int, *, groups: int = 1, width: int | None = None
    ) -> None:
        super().__init__()
        after = channels if width is None else channels * 4
        self.narrow = width is not None
        inner = channels if width is None else channels * width // 64 * groups
        if width is None:
            self.conv1, self.bn1 = conv(before, inner, 3, stride), nn.BatchNorm2d(inner)
            self.conv2, self.bn2 = conv(inner, inner, 3), nn.BatchNorm2d(inner)
        else:
            self.conv1, self.bn1 = conv(before, inner, 1), nn.BatchNorm2d(inner)
            self.conv2, self.bn2 = conv(inner, inner, 3, stride, groups), nn.BatchNorm2d(inner)
            self.conv3, self.bn3 = conv(inner, after, 1), nn.BatchNorm2d(after)
        self.downsample = None
        if stride != 1 or before != after:
            self.downsample = nn.Sequential(conv(before, after, 1, stride), nn.BatchNorm2d(after))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input, or what makes it fit, to what the convolutions find."""
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        if self.narrow:
            y = self.bn3(self.conv3(y.relu()))
        return (y + (x if self.downsample is None else self.downsample(x))).relu()


class ResNet(nn.Module):
    """He et al. 2016, with the widths of Wide ResNet and the groups of ResNeXt."""

    def __init__(self, depths: Sequence[int], *, groups: int = 1, width: int | None = None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        before = 64
        for number, depth in enumerate(depths):
            blocks = []
            for place in range(depth):
                stride = 2 if number and not place else 1
                channels = 64 << number
                blocks.append(Residual(before, channels, stride, groups=groups, width=width))
                before = channels if width is None else channels * 4
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        x = self.maxpool(self.bn1(self.conv1(x)).relu())
        for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = stage(x)  # type: ignore[operator]
        return self.fc(x.mean((2, 3)))
