"""The peak memory of each process of a training: alone, in two of `ddp`, in two of `fsdp`.

    python -m benchmarks.fsdp

The network has twelve Linear layers of 4096 × 4096 in a stack, 768 MiB of weights. Each process
runs `netbuild train` for one epoch of two steps with plain SGD, a validation and the checkpoints
`last` and `best`. A peak is the largest resident memory of a process as the kernel counts it
(`ru_maxrss`), with Python and torch in it. `--precision` and `--optimizer` measure other trainings.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.startup import ROOT

if TYPE_CHECKING:
    import resource

TARGET = 0.65
WAYS = {"alone": (1, "ddp"), "ddp": (2, "ddp"), "fsdp": (2, "fsdp")}


def config(width: int, layers: int, optimizer: str) -> str:
    """Return the text of a config."""
    return f"""\
name: wide
input: [{width}]
layers:
  body: [{{Linear: {width}, repeat: {layers}}}]
loss: MSELoss
optimizer: {{{optimizer}: {{lr: 0.001}}}}
data: {{Random: {{samples: 20}}}}
train: {{epochs: 1, batch_size: 8, device: cpu}}
"""


def peaks(file: Path, processes: int, options: list[str]) -> list[float]:
    """Train in some processes, and return the peak of each one in MiB.

    Raises:
        RuntimeError: a process failed.
    """
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    several = {"WORLD_SIZE": processes, "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    started = []
    for rank in range(processes):
        own = several | {"RANK": rank, "LOCAL_RANK": rank} if processes > 1 else {}
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "netbuild", "train", str(file), *options],
                cwd=file.parent,
                env=os.environ
                | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
                | {name: str(value) for name, value in own.items()},
                stdout=subprocess.DEVNULL,
            )
        )
    found = []
    for process in started:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            message = f"a process ended with code {process.returncode}"
            raise RuntimeError(message)
        found.append(_mib(used))
    return found


def _mib(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def main(arguments: list[str] | None = None) -> None:
    """Measure each way to train, and print the peaks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--optimizer", default="SGD")
    parser.add_argument("--precision", default="fp32")
    parser.add_argument("--only", choices=WAYS, help="measure one way only")
    options = parser.parse_args(arguments)
    highest = {}
    for way, (processes, strategy) in WAYS.items():
        if options.only not in {None, way}:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "wide.yaml")
            file.write_text(config(options.width, options.layers, options.optimizer))
            settings = [f"train.strategy={strategy}", f"train.precision={options.precision}"]
            found = peaks(file, processes, [a for s in settings for a in ("--set", s)])
        highest[way] = max(found)
        print(f"{way:6}  MiB {', '.join(f'{peak:,.0f}' for peak in found)}", flush=True)
    if "ddp" in highest and "fsdp" in highest:
        ratio = highest["fsdp"] / highest["ddp"]
        print(f"fsdp over ddp: ratio {ratio:.3f}, wanted at most {TARGET}")


if __name__ == "__main__":
    main()
