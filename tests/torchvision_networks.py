"""Networks as torchvision names their parts, written by hand in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence


def conv(before: int, behind: int, size: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution that keeps height and width, but for its stride."""
    return nn.Conv2d(before, behind, size, stride, size // 2, groups=groups, bias=False)


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


class AlexNet(nn.Module):
    """Krizhevsky 2014."""

    def __init__(self) -> None:
        super().__init__()
        relu, pool = nn.ReLU(), nn.MaxPool2d(3, 2)
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 64, 11, 4, 2), relu, pool),
            *(nn.Conv2d(64, 192, 5, padding=2), relu, pool),
            *(nn.Conv2d(192, 384, 3, padding=1), relu),
            *(nn.Conv2d(384, 256, 3, padding=1), relu),
            *(nn.Conv2d(256, 256, 3, padding=1), relu, pool),
        )
        self.classifier = nn.Sequential(
            *(nn.Dropout(), nn.Linear(256 * 36, 4096), relu),
            *(nn.Dropout(), nn.Linear(4096, 4096), relu, nn.Linear(4096, 1000)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 6)
        return self.classifier(x.flatten(1))


class Fire(nn.Module):
    """One by one convolutions that squeeze, and two kinds that expand side by side."""

    def __init__(self, before: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return both kinds, one behind the other."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], 1)


class SqueezeNet(nn.Module):
    """Iandola et al. 2016: `pools` are the places of its fires before which a pool stands."""

    def __init__(self, channels: int, size: int, pools: Sequence[int]) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(3, channels, size, 2), nn.ReLU()]
        fires = [(16, 64)] * 2 + [(32, 128)] * 2 + [(48, 192)] * 2 + [(64, 256)] * 2
        before = channels
        for place, (squeeze, expand) in enumerate(fires):
            if place in pools:
                parts.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            parts.append(Fire(before, squeeze, expand))
            before = 2 * expand
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 1000, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.features(x)).relu().mean((2, 3))
