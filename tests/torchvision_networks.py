"""Networks as torchvision names their parts, written by hand in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


class VGG(nn.Module):
    """Simonyan and Zisserman 2015: `depths` are the convolutions before each pool."""

    def __init__(self, depths: Sequence[int], *, norm: bool = False) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        before = 3
        for depth, channels in zip(depths, (64, 128, 256, 512, 512), strict=True):
            for _ in range(depth):
                parts.append(nn.Conv2d(before, channels, 3, padding=1))
                parts += [nn.BatchNorm2d(channels)] if norm else []
                parts.append(nn.ReLU())
                before = channels
            parts.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*parts)
        self.classifier = nn.Sequential(
            *(nn.Linear(512 * 49, 4096), nn.ReLU(), nn.Dropout()),
            *(nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 1000)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 7)
        return self.classifier(x.flatten(1))


def conv_norm(before: int, behind: int, size: int = 1, stride: int = 1, groups: int = 1) -> Any:
    """Return a convolution, its norm, and an activation that ends at 6."""
    return nn.Sequential(
        conv(before, behind, size, stride, groups), nn.BatchNorm2d(behind), nn.ReLU6()
    )


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
