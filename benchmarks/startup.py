"""How long netbuild takes to be there, against the imports that it cannot do without.

Two commands are run as whole processes, in turn, so that a slow moment of the machine meets both:

    python benchmarks/startup.py --runs 31

prints, as minimum, median and maximum over the pairs, the ratio of `netbuild summary` to importing
its libraries, and what importing every layer adds to importing pydantic: pydantic as it is, and
with what it imports when the first model is declared. Times are those of the processor, which the
neighbours on a shared machine disturb less than the clock on the wall.
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
    seconds(one), seconds(other)  # the first ones read the disk
    return [(seconds(one), seconds(other)) for _ in range(runs)]


def show(what: str, values: list[float]) -> None:
    """Print how some values spread."""
    low, middle, high = min(values), statistics.median(values), max(values)
    print(f"{what:34} min {low:6.3f}  median {middle:6.3f}  max {high:6.3f}")


def main() -> None:
    """Time both pairs of commands and print how they compare."""
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
