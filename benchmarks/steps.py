"""The time of a training step of a built graph, against the same network written by hand.

    python -m benchmarks.steps --rounds 200

The two networks have the same weights. They take their steps (forward, backward, SGD) in turn, so
that a slow moment of the machine affects both. The benchmark prints the ratio of netbuild's graph
to the module, as minimum, median and maximum over groups of rounds. The networks are ResNet-18 on 8
pictures of 32×32, and two branches of 16 features. In the second, only the calls take time.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from netbuild.builder import module as builder
from netbuild.checks.trace import trace
from netbuild.config.load import read
from netbuild.syntax import parser as source
from tests.torchvision_networks.residual import ResNet

ROOT = Path(__file__).parent.parent
GROUPS = 9

BRANCHES = b"""
input: [16]
layers:
  left: {Linear: 16}
  right: {Linear: 16, inputs: input}
  add: {Add, inputs: [left, right]}
  relu: ReLU
  head: {Linear: 4}
"""


class Branches(nn.Module):
    """Two branches, written by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(16, 16), nn.Linear(16, 16)
        self.relu, self.head = nn.ReLU(), nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 16) to (N, 4)."""
        return self.head(self.relu(torch.add(self.left(x), self.right(x))))


class Steps:
    """A network and its optimizer, which takes steps on one batch."""

    def __init__(self, module: nn.Module, x: Tensor, classes: int) -> None:
        self.module, self.x = module, x
        self.y = torch.arange(len(x)) % classes
        self.loss = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(module.parameters(), lr=1e-4)

    def seconds(self) -> float:
        """Take a step, and return its time in seconds."""
        start = time.perf_counter()
        self.optimizer.zero_grad()
        self.loss(self.module(self.x), self.y).backward()
        self.optimizer.step()
        return time.perf_counter() - start


def ratios(built: nn.Module, by_hand: nn.Module, x: Tensor, rounds: int) -> list[float]:
    """Return the ratio of the medians of each group of rounds. Both sides step in turn."""
    by_hand.load_state_dict(built.state_dict())
    classes = built(x).shape[1]
    ours, theirs = Steps(built, x, classes), Steps(by_hand, x, classes)
    for steps in (ours, theirs) * 5:
        steps.seconds()
    found = []
    for _ in range(GROUPS):
        pairs = [(ours.seconds(), theirs.seconds()) for _ in range(rounds)]
        one, other = map(statistics.median, zip(*pairs, strict=True))
        found.append(one / other)
    return found


def main() -> None:
    """Time both networks, and print their comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=200, help="the number of steps of the small network"
    )
    rounds: int = parser.parse_args().rounds
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two on a shared machine wait for each other
    resnet = source.from_file(ROOT / "configs" / "torchvision" / "resnet18.yaml")
    small = builder.module(trace(read(resnet, shape=(3, 32, 32))))
    branches = builder.module(trace(read(source.from_bytes("branches.yaml", BRANCHES))))
    for what, found in (
        ("ResNet-18", ratios(small, ResNet((2, 2, 2, 2)), torch.randn(8, 3, 32, 32), rounds // 10)),
        ("two branches", ratios(branches, Branches(), torch.randn(8, 16), rounds * 5)),
    ):
        low, middle, high = min(found), statistics.median(found), max(found)
        print(f"{what:14} min {low:6.3f}  median {middle:6.3f}  max {high:6.3f}")


if __name__ == "__main__":
    main()
