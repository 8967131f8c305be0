"""The time of `netbuild summary` as a process, against torchinfo and against its own imports.

    python -m benchmarks.processes --runs 15

Each row is a pair of commands. They run in turn, so that a slow moment of the machine affects both.
The summaries of LeNet and of ResNet-50 run against programs that build the same network in torch
and print it with torchinfo. The summary of LeNet also runs against importing its libraries.
There are two times: the processor time of all threads and children of a process, and clock time.
The ratio is the speed of netbuild over the speed of torchinfo, or its time over the time of the
imports.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from benchmarks.startup import LIBRARIES, PYTHON, ROOT

LENET = """
import torchinfo
from torch import nn
network = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
print(torchinfo.summary(network, input_size=(1, 1, 28, 28), verbose=0))
"""
RESNET50 = """
import torchinfo
from tests.torchvision_networks.residual import ResNet
network = ResNet((3, 4, 6, 3), width=64)
print(torchinfo.summary(network, input_size=(1, 3, 224, 224), verbose=0))
"""


class Spent(NamedTuple):
    """The times of a process, in seconds."""

    processor: float
    clock: float


class Row(NamedTuple):
    """A pair of commands, the name of the second one, and the target for their ratio."""

    what: str
    command: list[str]
    called: str
    other: list[str]
    wanted: str

    def ratio(self, ours: float, theirs: float) -> float:
        """Return the speed ratio if the target is a lower limit, else the ratio of times."""
        return theirs / ours if self.wanted.startswith("at least") else ours / theirs


def summary(file: str) -> list[str]:
    """Return the command that summarises a file."""
    return [sys.executable, "-m", "netbuild", "summary", file]


SUMMARY = summary("configs/lenet.yaml")
RESNET = summary("configs/torchvision/resnet50.yaml")
ROWS = (
    Row("LeNet", SUMMARY, "torchinfo", [*PYTHON, LENET], "at least 5.5"),
    Row("ResNet-50", RESNET, "torchinfo", [*PYTHON, RESNET50], "at least 8"),
    Row("LeNet, its imports", SUMMARY, "imports", LIBRARIES, "at most 1.6"),
)


def spent(command: list[str]) -> Spent:
    """Run a command, and return its times."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return Spent(user + system, clock)


def show(row: Row, what: str, ours: list[float], theirs: list[float]) -> None:
    """Print the comparison of two commands, for one kind of time."""
    least = row.ratio(min(ours), min(theirs))
    middle = statistics.median(map(row.ratio, ours, theirs))
    print(
        f"{f'{row.what}, {what} s':30}  netbuild min {min(ours):.3f} median"
        f" {statistics.median(ours):.3f}, {row.called} min {min(theirs):.3f} median"
        f" {statistics.median(theirs):.3f}, ratio of minima {least:.2f} median {middle:.2f},"
        f" wanted {row.wanted}"
    )


def main(arguments: list[str] | None = None) -> None:
    """Time all pairs, and print their comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs: int = parser.parse_args(arguments).runs
    # An installed package has its bytecode; a checkout may not.
    compileall.compile_dir(ROOT / "netbuild", quiet=1)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for row in ROWS:
        spent(row.command), spent(row.other)  # the first runs read the disk
        ours, theirs = [], []
        for _ in range(runs):
            ours.append(spent(row.command))
            theirs.append(spent(row.other))
        for what in Spent._fields:
            show(row, what, [getattr(s, what) for s in ours], [getattr(s, what) for s in theirs])


if __name__ == "__main__":
    main()
