"""The start-up time of netbuild, against the imports that it needs.

    python benchmarks/startup.py --runs 31

Two commands run as whole processes, in turn, so that a slow moment of the machine affects both. The
benchmark prints the minimum, median and maximum over the pairs of two comparisons. The first is the
ratio of `netbuild summary` to importing its libraries. The second is the additional time for
importing every layer, compared with importing pydantic, and with declaring a first model, for which
pydantic imports more. Times are processor times: on a shared machine, other programs disturb them
less than clock times.
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PYTHON = [sys.executable, "-c"]
LIBRARIES = [*PYTHON, "import yaml, typer, rich.table; from pydantic import BaseModel"]
SUMMARY = [sys.executable, "-m", "netbuild", "summary", "configs/lenet.yaml"]
PYDANTIC = [*PYTHON, "from pydantic import BaseModel"]
MODEL = [*PYTHON, "import pydantic\nclass M(pydantic.BaseModel, defer_build=True): x: int = 0"]
LAYERS = [*PYTHON, "from netbuild.components.layers import LAYERS; list(LAYERS)"]


def seconds(command: list[str]) -> float:
    """Return the processor time of a process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def pairs(one: list[str], other: list[str], runs: int) -> list[tuple[float, float]]:
    """Return the times of two commands, each run in turn."""
    seconds(one), seconds(other)  # the first runs read the disk
    return [(seconds(one), seconds(other)) for _ in range(runs)]


def show(what: str, values: list[float]) -> None:
    """Print the minimum, median and maximum of some values."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:34} min {low:6.3f}  median {middle:6.3f}  max {high:6.3f}")


def main() -> None:
    """Time both pairs of commands, and print their comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=31)
    runs: int = parser.parse_args().runs
    # An installed package has its bytecode; a checkout may not.
    compileall.compile_dir(ROOT / "netbuild", quiet=1)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    timed = pairs(SUMMARY, LIBRARIES, runs)
    show("summary, s", [summary for summary, _ in timed])
    show("its libraries, s", [libraries for _, libraries in timed])
    show("ratio", [summary / libraries for summary, libraries in timed])
    for what, least in (("pydantic", PYDANTIC), ("a first model", MODEL)):
        timed = pairs(LAYERS, least, runs)
        show(f"all layers over {what}, s", [layers - other for layers, other in timed])


if __name__ == "__main__":
    main()
