"""DenseNet and GoogLeNet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from tests.torchvision_networks.convolution import conv

if TYPE_CHECKING:
    from collections.abc import Sequence


class DenseLayer(nn.Module):
    """Two convolutions, whose result comes behind all that is there."""

    def __init__(self, before: int, growth: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = nn.BatchNorm2d(before), conv(before, 4 * growth, 1)
        self.norm2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the input and what is found in it."""
        y = self.conv2(self.norm2(self.conv1(self.norm1(x).relu())).relu())
        return torch.cat([x, y], 1)


class DenseNet(nn.Module):
    """Huang et al. 2017."""

    def __init__(self, depths: Sequence[int], growth: int = 32, first: int = 64) -> None:
        super().__init__()
        self.features = nn.Sequential()
        add = self.features.add_module
        add("conv0", nn.Conv2d(3, first, 7, 2, 3, bias=False))
        add("norm0", nn.BatchNorm2d(first))
        add("relu0", nn.ReLU())
        add("pool0", nn.MaxPool2d(3, 2, 1))
        before = first
        for number, depth in enumerate(depths, start=1):
            block = nn.Sequential()
            for place in range(1, depth + 1):
                block.add_module(f"denselayer{place}", DenseLayer(before, growth))
                before += growth
            add(f"denseblock{number}", block)
            if number < len(depths):
                between = nn.Sequential()
                between.add_module("norm", nn.BatchNorm2d(before))
                between.add_module("relu", nn.ReLU())
                between.add_module("conv", conv(before, before // 2, 1))
                between.add_module("pool", nn.AvgPool2d(2))
                add(f"transition{number}", between)
                before //= 2
        add("norm5", nn.BatchNorm2d(before))
        self.classifier = nn.Linear(before, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.features(x).relu().mean((2, 3)))


class ConvBN(nn.Module):
    """A convolution, its norm and an activation."""

    def __init__(self, before: int, behind: int, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = conv(before, behind, size, stride)
        self.bn = nn.BatchNorm2d(behind, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is found."""
        return self.bn(self.conv(x)).relu()


class Inception(nn.Module):
    """Four branches, one behind the other."""

    def __init__(
        self, before: int, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int
    ) -> None:
        super().__init__()
        self.branch1 = ConvBN(before, c1)
        self.branch2 = nn.Sequential(ConvBN(before, c2[0]), ConvBN(c2[0], c2[1], 3))
        self.branch3 = nn.Sequential(ConvBN(before, c3[0]), ConvBN(c3[0], c3[1], 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), ConvBN(before, c4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what all branches find."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], 1)


class Auxiliary(nn.Module):
    """A classifier in the middle."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.conv = ConvBN(before, 128)
        self.fc1, self.fc2 = nn.Linear(2048, 1024), nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores; dropout is left out, as in evaluation."""
        x = self.conv(nn.functional.adaptive_avg_pool2d(x, 4)).flatten(1)
        return self.fc2(self.fc1(x).relu())


class GoogLeNet(nn.Module):
    """Szegedy et al. 2015, with batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (
            ConvBN(3, 64, 7, 2),
            ConvBN(64, 64),
            ConvBN(64, 192, 3),
        )
        self.inception3a = Inception(192, 64, (96, 128), (16, 32), 32)
        self.inception3b = Inception(256, 128, (128, 192), (32, 96), 64)
        self.inception4a = Inception(480, 192, (96, 208), (16, 48), 64)
        self.inception4b = Inception(512, 160, (112, 224), (24, 64), 64)
        self.inception4c = Inception(512, 128, (128, 256), (24, 64), 64)
        self.inception4d = Inception(512, 112, (144, 288), (32, 64), 64)
        self.inception4e = Inception(528, 256, (160, 320), (32, 128), 128)
        self.inception5a = Inception(832, 256, (160, 320), (32, 128), 128)
        self.inception5b = Inception(832, 384, (192, 384), (48, 128), 128)
        self.aux1, self.aux2 = Auxiliary(512), Auxiliary(528)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the scores, and those of the auxiliary outputs, the later one first."""

        def pool(x: torch.Tensor, size: int = 3) -> torch.Tensor:
            return nn.functional.max_pool2d(x, size, 2, ceil_mode=True)

        x = pool(self.conv3(self.conv2(pool(self.conv1(x)))))
        x = self.inception4a(pool(self.inception3b(self.inception3a(x))))
        aux1 = self.aux1(x)
        x = self.inception4d(self.inception4c(self.inception4b(x)))
        aux2 = self.aux2(x)
        x = self.inception5b(self.inception5a(pool(self.inception4e(x), 2)))
        return self.fc(x.mean((2, 3))), aux2, aux1
