"""Samples per second and the peak memory of a training that reads its samples from disk.

    python -m benchmarks.memory
    python -m benchmarks.memory --sizes 2 --killed

For each size, images of 28 × 28 float32 numbers are generated as `.npy` files. A network of two
Linear layers trains on them in random order, in processes of `netbuild train`: from disk, under a
limit of 600 MB, and in memory without a limit. The network is small, so that reading counts.

The limit is `ulimit -d`, on the memory that a process fills itself. Pages of mapped files do not
count there, because the system takes them back when it needs room. The printed peak does count
them: it is the largest resident memory as the kernel counts it (`ru_maxrss`), with Python and torch
in it. The rate is the best of three epochs. Weights must be the same in both ways.

`--killed` also stops a training from disk within an epoch by SIGTERM, resumes it, kills it within
another epoch by SIGKILL, and resumes it again. Its weights must be the same too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.format import open_memmap

from benchmarks.startup import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 600_000_000
SIZES = (0.25, 0.5, 1, 2)
CLASSES, SIDE = 10, 28
CONFIG = """\
name: images
input: [1, 28, 28]
layers: [Flatten, {Linear: 128}, ReLU, {Linear: 10}]
loss: CrossEntropyLoss
optimizer: {Adam: {lr: 0.001}}
data: {Arrays: {file: images}, normalize: true, in_memory: $where}
train: {epochs: 3, batch_size: 64, limit_batches: $batches, device: cpu}
"""


class Ended(NamedTuple):
    """A process that ended: its exit code, its largest resident memory and its seconds."""

    code: int
    peak: float
    seconds: float


def generate(folder: Path, gigabytes: float) -> int:
    """Write images and their classes, and return how many there are."""
    samples = int(gigabytes * 1e9) // (4 * SIDE * SIDE)
    generator = np.random.default_rng(0)
    folder.mkdir()
    classes = generator.integers(0, CLASSES, samples)
    means = generator.normal(size=(CLASSES, SIDE, SIDE)).astype("float32") / 10
    images = open_memmap(folder / "x.npy", "w+", "float32", (samples, SIDE, SIDE))
    for start in range(0, samples, 8192):
        part = classes[start : start + 8192]
        noise = generator.standard_normal((len(part), SIDE, SIDE), "float32")
        images[start : start + 8192] = noise + means[part]
    np.save(folder / "y.npy", classes)
    return samples


def process(arguments: Sequence[object], folder: Path, limit: int | None) -> subprocess.Popen[str]:
    """Start `netbuild train` in a folder, under a limit of memory if there is one."""

    def limited() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "netbuild", "train", *map(str, arguments)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=limited,  # noqa: PLW1509  this process has one thread
    )


def ended(started: subprocess.Popen[str]) -> Ended:
    """Wait for a process."""
    begin = time.perf_counter()
    _, status, used = os.wait4(started.pid, 0)
    started.returncode = os.waitstatus_to_exitcode(status)
    peak = used.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e6 / 1024)
    return Ended(started.returncode, peak, time.perf_counter() - begin)


def rates(run: Path) -> list[float]:
    """Return the samples per second of each epoch so far."""
    file = run / "metrics.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return [json.loads(line)["samples_per_second"] for line in lines]


def only_run(runs: Path) -> Path:
    """Return the folder of the only run."""
    (folder,) = runs.glob("*/*")
    return folder


def expect(done: Ended, *codes: int) -> Ended:
    """Refuse a process that ended in another way.

    Raises:
        RuntimeError: its exit code is another one.
    """
    if done.code not in codes:
        message = f"a training ended with code {done.code}"
        raise RuntimeError(message)
    return done


def killed(file: Path, runs: Path) -> float:
    """Train from disk with two ends within an epoch, and return the largest peak."""
    peaks = []
    for count, (way, code) in enumerate([(signal.SIGTERM, 130), (signal.SIGKILL, -9), (None, 0)]):
        arguments = ["--resume", only_run(runs)] if count else [file, "--runs", runs]
        started = process(arguments, file.parent, LIMIT)
        before = len(rates(only_run(runs))) if count else 0
        while way and started.poll() is None:
            there = [*runs.glob("*/*")]
            if there and len(rates(there[0])) > before:  # an epoch has ended
                time.sleep(1)  # within the next one
                started.send_signal(way)
                break
            time.sleep(0.1)
        peaks.append(expect(ended(started), code).peak)
    return max(peaks)


def main(arguments: list[str] | None = None) -> None:
    """Measure each size in both ways, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="in GB")
    parser.add_argument("--batches", type=int, default=1500, help="of an epoch")
    parser.add_argument("--killed", action="store_true", help="also end trainings from disk")
    options = parser.parse_args(arguments)
    for size in options.sizes:
        with tempfile.TemporaryDirectory() as name:
            measure(Path(name), size, options.batches, kill=options.killed)


def measure(folder: Path, size: float, batches: int, *, kill: bool) -> None:
    """Measure a size in both ways, and print the figures.

    Raises:
        RuntimeError: a training failed, or the weights differ.
    """
    samples = generate(folder / "images", size)
    found, best = set(), {}
    for where, in_memory, limit in (("disk", "false", LIMIT), ("memory", "true", None)):
        file, runs = folder / f"{where}.yaml", folder / where
        text = CONFIG.replace("$where", in_memory).replace("$batches", str(batches))
        file.write_text(text, encoding="utf-8")
        done = expect(ended(process([file, "--runs", runs], folder, limit)), 0)
        best[where] = max(rates(only_run(runs)))
        found.add((only_run(runs) / "checkpoints/last/model.safetensors").read_bytes())
        said = f"samples/s {best[where]:,.0f}, peak {done.peak:,.0f} MB, {done.seconds:.0f} s"
        print(f"{size:g} GB, {samples:,} samples, {where}: {said}", flush=True)
    ratio = best["disk"] / best["memory"]
    print(f"{size:g} GB, disk over memory: ratio of samples/s {ratio:.2f}", flush=True)
    if kill:
        peak = killed(folder / "disk.yaml", folder / "killed")
        run = only_run(folder / "killed")
        found.add((run / "checkpoints/last/model.safetensors").read_bytes())
        print(f"{size:g} GB, killed and resumed: peak {peak:,.0f} MB", flush=True)
    if len(found) > 1:
        raise RuntimeError("the weights differ")
    print(f"{size:g} GB, weights: the same bits in all trainings", flush=True)


if __name__ == "__main__":
    main()
