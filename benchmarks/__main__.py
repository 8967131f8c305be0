"""All benchmarks, one after the other, as a table in Markdown.

    python -m benchmarks            prints it
    python -m benchmarks --write    puts it into benchmarks/README.md, below its last heading
    python -m benchmarks --quick    shows that all of them run; its numbers mean little

Each runs in a process of its own, and prints lines of what is measured and its figures.
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
}
PACKAGES = (
    *("netbuild", "pydantic", "PyYAML", "typer", "rich", "torch", "torchinfo"),
    *("lightning", "keras"),
)


def lines(name: str, options: list[str]) -> list[tuple[str, str]]:
    """Run a benchmark; return what it measures, with the figures.

    Raises:
        subprocess.CalledProcessError: it failed.
        ValueError: a line of it has no figures.
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
    """Return the machine and the versions that figures are for."""
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
    """Run all benchmarks; return their figures as a table in Markdown, the machine above it."""
    rows = ["| benchmark | what | figures |", "|---|---|---|"]
    for name, options in BENCHMARKS.items():
        sys.stderr.write(f"{name} …\n")
        rows += [f"| `{name}` | {what} | {said} |" for what, said in lines(name, options[quick])]
    return "\n".join([machine(), "", *rows]) + "\n"


def main() -> None:
    """Run all benchmarks, and print their figures or write them down."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="as few rounds as there can be")
    parser.add_argument("--write", action="store_true", help="into benchmarks/README.md")
    options = parser.parse_args()
    text = table(quick=options.quick)
    if options.write:
        before, heading, _ = README.read_text(encoding="utf-8").partition(HEADING)
        README.write_text(f"{before}{heading}\n{text}", encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
