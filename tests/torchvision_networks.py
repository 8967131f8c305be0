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
