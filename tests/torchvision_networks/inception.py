"""Inception v3."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d


class Conv(nn.Module):
    """A convolution without bias, a norm and a ReLU."""

    def __init__(
        self, before: int, behind: int, size: int | tuple[int, int] = 1, **rest: object
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, behind, size, bias=False, **rest)  # type: ignore[arg-type]
        self.bn = nn.BatchNorm2d(behind, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what is found."""
        return self.bn(self.conv(x)).relu()


class Branches(nn.Module):
    """Chains of convolutions, called by their names, and a pooled branch."""

    def __init__(self, before: int, chains: dict[str, tuple[tuple[str, Conv], ...]]) -> None:
        super().__init__()
        self.chains = {name: [part for part, _ in chain] for name, chain in chains.items()}
        for chain in chains.values():
            for name, part in chain:
                self.add_module(name, part)
        self.before = before

    def follow(self, x: torch.Tensor, chain: str) -> torch.Tensor:
        """Return the result of a chain."""
        for name in self.chains[chain]:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the results of all chains, and of the pool."""
        found = []
        for name in self.chains:
            y = x
            if name == "pool":
                y = avg_pool2d(x, 3, 1, 1)
            found.append(self.follow(y, name))
        return torch.cat(found, 1)


def first(before: int, pooled: int) -> Branches:
    """Return a block of 5×5 and 3×3 branches, at 35×35."""
    return Branches(
        before,
        {
            "one": (("branch1x1", Conv(before, 64)),),
            "five": (
                ("branch5x5_1", Conv(before, 48)),
                ("branch5x5_2", Conv(48, 64, 5, padding=2)),
            ),
            "three": (
                ("branch3x3dbl_1", Conv(before, 64)),
                ("branch3x3dbl_2", Conv(64, 96, 3, padding=1)),
                ("branch3x3dbl_3", Conv(96, 96, 3, padding=1)),
            ),
            "pool": (("branch_pool", Conv(before, pooled)),),
        },
    )


def factored(before: int, width: int) -> Branches:
    """Return a block of 7×7 branches, each a row and a column, at 17×17."""
    row = {"size": (1, 7), "padding": (0, 3)}
    column = {"size": (7, 1), "padding": (3, 0)}
    return Branches(
        before,
        {
            "one": (("branch1x1", Conv(before, 192)),),
            "seven": (
                ("branch7x7_1", Conv(before, width)),
                ("branch7x7_2", Conv(width, width, **row)),  # type: ignore[arg-type]
                ("branch7x7_3", Conv(width, 192, **column)),  # type: ignore[arg-type]
            ),
            "double": (
                ("branch7x7dbl_1", Conv(before, width)),
                ("branch7x7dbl_2", Conv(width, width, **column)),  # type: ignore[arg-type]
                ("branch7x7dbl_3", Conv(width, width, **row)),  # type: ignore[arg-type]
                ("branch7x7dbl_4", Conv(width, width, **column)),  # type: ignore[arg-type]
                ("branch7x7dbl_5", Conv(width, 192, **row)),  # type: ignore[arg-type]
            ),
            "pool": (("branch_pool", Conv(before, 192)),),
        },
    )


class Smaller(Branches):
    """Chains with a stride of 2, and a maximum."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the results of all chains, and the maxima of the input."""
        return torch.cat([*(self.follow(x, name) for name in self.chains), max_pool2d(x, 3, 2)], 1)


def smaller_35(before: int) -> Smaller:
    """Return the block between 35×35 and 17×17."""
    return Smaller(
        before,
        {
            "three": (("branch3x3", Conv(before, 384, 3, stride=2)),),
            "double": (
                ("branch3x3dbl_1", Conv(before, 64)),
                ("branch3x3dbl_2", Conv(64, 96, 3, padding=1)),
                ("branch3x3dbl_3", Conv(96, 96, 3, stride=2)),
            ),
        },
    )


def smaller_17(before: int) -> Smaller:
    """Return the block between 17×17 and 8×8."""
    return Smaller(
        before,
        {
            "three": (
                ("branch3x3_1", Conv(before, 192)),
                ("branch3x3_2", Conv(192, 320, 3, stride=2)),
            ),
            "seven": (
                ("branch7x7x3_1", Conv(before, 192)),
                ("branch7x7x3_2", Conv(192, 192, (1, 7), padding=(0, 3))),
                ("branch7x7x3_3", Conv(192, 192, (7, 1), padding=(3, 0))),
                ("branch7x7x3_4", Conv(192, 192, 3, stride=2)),
            ),
        },
    )


class Wide(nn.Module):
    """A block whose branches end in a row beside a column, at 8×8."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.branch1x1 = Conv(before, 320)
        self.branch3x3_1 = Conv(before, 384)
        self.branch3x3_2a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3_2b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = Conv(before, 448)
        self.branch3x3dbl_2 = Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a = Conv(384, 384, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = Conv(384, 384, (3, 1), padding=(1, 0))
        self.branch_pool = Conv(before, 192)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return what all branches find."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        branches = (
            *(self.branch1x1(x), self.branch3x3_2a(three), self.branch3x3_2b(three)),
            *(self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)),
            self.branch_pool(avg_pool2d(x, 3, 1, 1)),
        )
        return torch.cat(branches, 1)


class Auxiliary(nn.Module):
    """A classifier in the middle."""

    def __init__(self, before: int) -> None:
        super().__init__()
        self.conv0, self.conv1 = Conv(before, 128), Conv(128, 768, 5)
        self.fc = nn.Linear(768, 1000)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return 1000 scores."""
        return self.fc(self.conv1(self.conv0(avg_pool2d(x, 5, 3))).mean((2, 3)))


class InceptionV3(nn.Module):
    """Szegedy et al. 2016."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = first(192, 32), first(256, 64), first(288, 64)
        self.Mixed_6a = smaller_35(288)
        self.Mixed_6b, self.Mixed_6c = factored(768, 128), factored(768, 160)
        self.Mixed_6d, self.Mixed_6e = factored(768, 160), factored(768, 192)
        self.AuxLogits = Auxiliary(768)
        self.Mixed_7a = smaller_17(768)
        self.Mixed_7b, self.Mixed_7c = Wide(1280), Wide(2048)
        self.fc = nn.Linear(2048, 1000)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores, and those of the auxiliary output; dropout is left out."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, 2)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(x, 3, 2))))
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x))))
        x = self.Mixed_6e(x)
        auxiliary = self.AuxLogits(x)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return self.fc(x.mean((2, 3))), auxiliary
