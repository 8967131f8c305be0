"""Networks that a search has found, as torchvision names their parts, written by hand in torch."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import nn

from tests.torchvision_networks.convolution import conv

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Make = Callable[..., nn.Module]

#: A norm whose running statistics change slowly.
SLOW = partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)


def eights(width: float) -> int:
    """Return the nearest multiple of 8 that is not much less than this."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * width else rounded + 8


def unit(
    before: int,
    behind: int,
    size: int = 1,
    stride: int = 1,
    groups: int = 1,
    *,
    norm: Make = nn.BatchNorm2d,
    act: Make | None = None,
) -> nn.Sequential:
    """Return a convolution, its norm and, if there is one, an activation."""
    parts = [conv(before, behind, size, stride, groups), norm(behind)]
    return nn.Sequential(*parts, *([act()] if act else []))


class Excitation(nn.Module):
    """The mean of each channel decides how much of it goes on (Hu et al. 2018)."""

    def __init__(self, channels: int, narrow: int, act: Make, gate: Make) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Conv2d(channels, narrow, 1), nn.Conv2d(narrow, channels, 1)
        self.act, self.gate = act(), gate()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return each channel times its weight."""
        return x * self.gate(self.fc2(self.act(self.fc1(x.mean((2, 3), keepdim=True)))))


class Inverted(nn.Module):
    """A block of these parts, which adds its input where that has the same shape."""

    def __init__(self, parts: Sequence[nn.Module], *, same: bool) -> None:
        super().__init__()
        self.block, self.same = nn.Sequential(*parts), same

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the parts find, and the input with it."""
        return x + self.block(x) if self.same else self.block(x)


def inverted(
    before: int,
    inner: int,
    channels: int,
    size: int,
    stride: int,
    excite: Make | None,
    *,
    norm: Make,
    act: Make,
) -> Inverted:
    """Return a block that is wide inside, where each channel is looked at by itself."""
    parts = [unit(before, inner, norm=norm, act=act)] if inner != before else []
    parts.append(unit(inner, inner, size, stride, inner, norm=norm, act=act))
    excitation = [excite(inner)] if excite else []
    narrow = unit(inner, channels, norm=norm)
    same = stride == 1 and before == channels
    return Inverted([*parts, *excitation, narrow], same=same)


def fused(
    before: int, inner: int, channels: int, stride: int, *, norm: Make, act: Make
) -> Inverted:
    """Return a block whose first convolution widens and looks around at once."""
    parts = [unit(before, inner, 3, stride, norm=norm, act=act)]
    parts += [unit(inner, channels, norm=norm)] if inner != before else []
    return Inverted(parts, same=stride == 1 and before == channels)


class Pooled(nn.Module):
    """Features, their mean over all places, and scores."""

    def __init__(self, features: Sequence[nn.Module], *classifier: nn.Module) -> None:
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.classifier(self.features(x).mean((2, 3)))


#: Of each block of MobileNetV3: kernel, inner channels, channels, whether it has squeeze and
#: excitation, whether its activation is the hard swish, and its stride.
LARGE = (
    *((3, 16, 16, 0, 0, 1), (3, 64, 24, 0, 0, 2), (3, 72, 24, 0, 0, 1), (5, 72, 40, 1, 0, 2)),
    *[(5, 120, 40, 1, 0, 1)] * 2,
    *((3, 240, 80, 0, 1, 2), (3, 200, 80, 0, 1, 1)),
    *[(3, 184, 80, 0, 1, 1)] * 2,
    *((3, 480, 112, 1, 1, 1), (3, 672, 112, 1, 1, 1), (5, 672, 160, 1, 1, 2)),
    *[(5, 960, 160, 1, 1, 1)] * 2,
)
SMALL = (
    *((3, 16, 16, 1, 0, 2), (3, 72, 24, 0, 0, 2), (3, 88, 24, 0, 0, 1), (5, 96, 40, 1, 1, 2)),
    *[(5, 240, 40, 1, 1, 1)] * 2,
    *((5, 120, 48, 1, 1, 1), (5, 144, 48, 1, 1, 1), (5, 288, 96, 1, 1, 2)),
    *[(5, 576, 96, 1, 1, 1)] * 2,
)


class MobileNetV3(Pooled):
    """Howard et al. 2019."""

    def __init__(self, rows: Sequence[tuple[int, ...]], last: int) -> None:
        parts: list[nn.Module] = [unit(3, 16, 3, 2, norm=SLOW, act=nn.Hardswish)]
        before = 16
        for size, inner, channels, excited, hard, stride in rows:
            excite = partial(Excitation, narrow=eights(inner / 4), act=nn.ReLU, gate=nn.Hardsigmoid)
            parts.append(
                inverted(
                    *(before, inner, channels, size, stride, excite if excited else None),
                    norm=SLOW,
                    act=nn.Hardswish if hard else nn.ReLU,
                )
            )
            before = channels
        wide = 6 * before
        parts.append(unit(before, wide, norm=SLOW, act=nn.Hardswish))
        scores = nn.Linear(wide, last), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(last, 1000)
        super().__init__(parts, *scores)


def efficient(
    stages: Sequence[tuple[int, ...]], first: int, last: int, dropout: float, norm: Make
) -> Pooled:
    """Return a network of stages: how much wider inside, kernel, stride, channels, blocks.

    A kernel of 0 is a stage of fused blocks.
    """
    act = nn.SiLU
    parts: list[nn.Module] = [unit(3, first, 3, 2, norm=norm, act=act)]
    before = first
    for expand, size, first_stride, channels, depth in stages:
        blocks = []
        for place in range(depth):
            stride, inner = 1 if place else first_stride, expand * before
            if size:
                excite = partial(Excitation, narrow=before // 4, act=act, gate=nn.Sigmoid)
                shape = before, inner, channels, size, stride
                blocks.append(inverted(*shape, excite, norm=norm, act=act))
            else:
                blocks.append(fused(before, inner, channels, stride, norm=norm, act=act))
            before = channels
        parts.append(nn.Sequential(*blocks))
    parts.append(unit(before, last, norm=norm, act=act))
    return Pooled(parts, nn.Dropout(dropout), nn.Linear(last, 1000))


def efficient_net(
    wide: float, deep: float, dropout: float = 0.2, norm: Make = nn.BatchNorm2d
) -> Pooled:
    """Tan and Le 2019: B0 so many times as wide, and so many times as deep."""
    stages = [
        (expand, size, stride, eights(wide * channels), math.ceil(deep * depth))
        for expand, size, stride, channels, depth in (
            *((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3)),
            *((6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
        )
    ]
    return efficient(stages, eights(wide * 32), 4 * eights(wide * 320), dropout, norm)


def efficient_net_v2(widths: Sequence[int], depths: Sequence[int], dropout: float) -> Pooled:
    """Tan and Le 2021: the first three stages are of fused blocks."""
    forms = [(1, 0, 1), (4, 0, 2), (4, 0, 2), (4, 3, 2), (6, 3, 1), (6, 3, 2), (6, 3, 1)]
    stages = [
        (*form, width, depth)
        for form, width, depth in zip(forms[: len(depths)], widths[1:], depths, strict=True)
    ]
    norm = partial(nn.BatchNorm2d, eps=0.001)
    return efficient(stages, widths[0], 1280, dropout, norm)


class RegNetBlock(nn.Module):
    """A residual block as wide inside as outside, whose 3×3 convolution has groups."""

    def __init__(self, before: int, width: int, stride: int, group: int, *, excited: bool) -> None:
        super().__init__()
        if stride > 1 or before != width:
            self.proj = unit(before, width, 1, stride)
        else:
            self.proj = nn.Sequential()
        self.f = nn.Sequential()
        self.f.add_module("a", unit(before, width, act=nn.ReLU))
        self.f.add_module("b", unit(width, width, 3, stride, width // group, act=nn.ReLU))
        if excited:
            self.f.add_module("se", Excitation(width, round(before / 4), nn.ReLU, nn.Sigmoid))
        self.f.add_module("c", unit(width, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Add the input, or what makes it fit."""
        return (self.proj(x) + self.f(x)).relu()


class RegNet(nn.Module):
    """Radosavovic et al. 2020: Y has squeeze and excitation, X has not.

    The width of block `n` is near the line `start + slope · n`: a power of `factor` times `start`,
    in whole eights, and in whole groups. Blocks of the same width are a stage.
    """

    def __init__(
        self,
        depth: int,
        start: int,
        slope: float,
        factor: float,
        group: int,
        *,
        excited: bool = False,
    ) -> None:
        super().__init__()
        widths = []
        for number in range(depth):
            power = round(math.log(1 + number * slope / start, factor))
            widths.append(round(start * factor**power / 8) * 8)
        self.stem = unit(3, 32, 3, 2, act=nn.ReLU)
        self.trunk_output = nn.Sequential()
        before = 32
        for number, rough in enumerate(sorted(set(widths)), start=1):
            size = min(group, rough)
            width = max(size, int(rough + size / 2) // size * size)
            width += size if width < 0.9 * rough else 0
            stage = nn.Sequential()
            for place in range(widths.count(rough)):
                block = RegNetBlock(before, width, 1 if place else 2, size, excited=excited)
                stage.add_module(f"block{number}-{place}", block)
                before = width
            self.trunk_output.add_module(f"block{number}", stage)
        self.fc = nn.Linear(before, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.fc(self.trunk_output(self.stem(x)).mean((2, 3)))
