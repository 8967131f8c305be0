"""All benchmarks, one after the other, as a table in Markdown.

    python -m benchmarks            prints the table
    python -m benchmarks --write    writes the table to the end of benchmarks/README.md
    python -m benchmarks --quick    shows that all benchmarks run; its numbers mean little

Each benchmark runs in its own process. It prints lines with a measured thing and its figures.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = Path(__file__).parent / "README.md"
HEADING = "## Results\n"
#: The options of each benchmark in a full and in a quick run.
BENCHMARKS = {
    "startup": (["--runs", "31"], ["--runs", "2"]),
    "processes": (["--runs", "15"], ["--runs", "1"]),
    "validation": (["--rounds", "5"], ["--rounds", "1", "--files", "100"]),
    "tracing": (["--rounds", "20"], ["--rounds", "4"]),
    "steps": (["--rounds", "200"], ["--rounds", "10"]),
    "train": (["--rounds", "7"], ["--rounds", "1"]),
    "fsdp": ([], ["--width", "64"]),
}
PACKAGES = (
    *("netbuild", "pydantic", "PyYAML", "typer", "rich", "torch", "torchinfo"),
    *("lightning", "keras"),
)


def lines(name: str, options: list[str]) -> list[tuple[str, str]]:
    """Run a benchmark. Return each measured thing with its figures.

    Raises:
        subprocess.CalledProcessError: the benchmark failed.
        ValueError: a line of its output has no figures.
    """
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    return [_split(line) for line in done.stdout.splitlines()]


def _split(line: str) -> tuple[str, str]:
    parts = re.split(r"  +|: ", line.strip(), maxsplit=1)
    if len(parts) < 2:
        raise ValueError(f"no figures: {line}")
    return parts[0], re.sub(r"  +", ", ", re.sub(r"(min|median|max) +", r"\1 ", parts[1]))


def machine() -> str:
    """Return the machine and the versions of packages."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}; "
        f"Python {platform.python_version()}, {versions}."
    )


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    named = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return named[1] if named else platform.processor() or "an unnamed processor"


def table(*, quick: bool) -> str:
    """Run all benchmarks. Return the machine, and a table of the figures in Markdown."""
    rows = ["| benchmark | what | figures |", "|---|---|---|"]
    for name, options in BENCHMARKS.items():
        sys.stderr.write(f"{name} …\n")
        rows += [f"| `{name}` | {what} | {said} |" for what, said in lines(name, options[quick])]
    return "\n".join([machine(), "", *rows]) + "\n"


def main() -> None:
    """Run all benchmarks, and print their figures or write them into README.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="run the smallest number of rounds")
    parser.add_argument(
        "--write", action="store_true", help="write the table into benchmarks/README.md"
    )
    options = parser.parse_args()
    text = table(quick=options.quick)
    if options.write:
        before, heading, _ = README.read_text(encoding="utf-8").partition(HEADING)
        README.write_text(f"{before}{heading}\n{text}", encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
