"""How long `netbuild summary` takes, against the imports that it cannot do without.

Both are timed as whole processes, in turn, so that a slow moment of the machine meets both:

    python benchmarks/startup.py --runs 31

prints the ratio of each pair's wall times as minimum, median and maximum.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
IMPORTS = [
    sys.executable,
    "-c",
    "import yaml, typer, rich.table; from pydantic import BaseModel",
]
SUMMARY = [sys.executable, "-m", "netbuild", "summary", "configs/lenet.yaml"]


def seconds(command: list[str]) -> float:
    """Return the wall time of a process."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time both commands in turn and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=31)
    runs: int = parser.parse_args().runs
    # An installed package has its bytecode; a checkout may not.
    compileall.compile_dir(ROOT / "netbuild", quiet=1)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    seconds(SUMMARY), seconds(IMPORTS)  # the first ones read the disk
    pairs = [(seconds(SUMMARY), seconds(IMPORTS)) for _ in range(runs)]
    for name, values in (
        ("summary, s", [summary for summary, _ in pairs]),
        ("imports, s", [imports for _, imports in pairs]),
        ("ratio", [summary / imports for summary, imports in pairs]),
    ):
        low, middle, high = min(values), statistics.median(values), max(values)
        print(f"{name:12} min {low:.3f}  median {middle:.3f}  max {high:.3f}")


if __name__ == "__main__":
    main()
