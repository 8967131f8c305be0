"""The time from a file to all its rows, and its growth with the number of layers.

    python -m benchmarks.tracing --rounds 20

Tracing ResNet-152 runs in turn with making the same modules in torch on the meta device. Chains of
10 to 5,000 layers are traced in turn, written out one by one and as a repeated block: the time for
a layer must not depend on the number of layers. Times are processor times of this process. The
garbage collector is off, as in the commands.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax import parser as source
from tests.torchvision_networks.residual import ResNet

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = Path(__file__).parent.parent / "configs" / "torchvision" / "resnet152.yaml"
LENGTHS = (12, 100, 1_000, 5_000)
LINES = ("Conv2d: {out_channels: 8, kernel_size: 3, padding: 1}", "BatchNorm2d", "ReLU")
BLOCK = """
input: [8, 16, 16]
blocks:
  Residual:
    layers:
      conv: {Conv2d: {out_channels: $in_channels, kernel_size: 3, padding: 1}}
      norm: BatchNorm2d
      relu: ReLU
      add: {Add, inputs: [relu, input]}
layers:
  - {Residual, repeat: %d}
"""


def chain(length: int) -> bytes:
    """Return a file with this number of layers, one on each line."""
    lines = (f"  - {LINES[i % len(LINES)]}\n" for i in range(length))
    return ("input: [8, 16, 16]\nlayers:\n" + "".join(lines)).encode()


def blocks(length: int) -> bytes:
    """Return a file with this number of layers, in blocks of four."""
    return (BLOCK % (length // 4)).encode()


def seconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work."""
    start = time.process_time()
    work()
    return time.process_time() - start


def by_hand() -> None:
    """Make ResNet-152 without memory."""
    with torch.device("meta"):
        ResNet((3, 8, 36, 3), width=64)


def main() -> None:
    """Time all comparisons, and print the time for a layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds: int = parser.parse_args().rounds
    gc.disable()
    layers = len(infer(read(source.from_file(FILE))).rows)
    pairs = [
        (seconds(lambda: infer(read(source.from_file(FILE)))), seconds(by_hand))
        for _ in range(rounds)
    ]
    for what, times in zip(("traced", "made by torch"), zip(*pairs, strict=True), strict=True):
        low, middle = min(times) * 1e3, statistics.median(times) * 1e3
        print(f"ResNet-152 {what}, {layers} layers: min {low:.1f} ms, median {middle:.1f} ms")
    for what, make in (("written out", chain), ("as blocks", blocks)):
        texts = {length: make(length) for length in LENGTHS}
        found: dict[int, list[float]] = {length: [] for length in LENGTHS}
        for _ in range(rounds // 4):
            for length, text in texts.items():
                took = seconds(lambda text=text: infer(read(source.from_bytes("chain", text))))
                found[length].append(took / length * 1e6)
        each = ", ".join(f"{min(found[n]):.0f} of {n:,}" for n in LENGTHS)
        print(f"{what}: microseconds a layer {each}")


if __name__ == "__main__":
    main()
