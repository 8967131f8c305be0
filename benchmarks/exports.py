"""All networks of configs/ in each format of a program, each compared with its network.

    python -m benchmarks.exports                    prints a table in Markdown
    python -m benchmarks.exports --write            writes it into docs/deploy.md
    python -m benchmarks.exports --only lenet gru   exports these alone
    python -m benchmarks.exports --time 11          times export against torch.onnx.export alone

The networks have their first weights. Each file is run for batches of 1, 2 and 5 samples, and its
names are compared: those of the inputs and outputs, or of the tensors. The differences are the
largest ones of all outputs. A network that draws noise takes it as an input. Networks of
configs/torchvision/ are exported with `--torchvision`; some of them need 10 GiB of memory. Each
network has its own process, so a failure spoils one line only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.startup import pairs, show

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "deploy.md"
MARK = "<!-- exports -->\n"
#: The formats of a program, with the heads of their columns.
FORMATS = {"onnx": "ONNX", "pt2": "program of torch", "python": "Python source"}
#: The most seconds for a network.
MOST = 900

_ONE = """
import json, sys, netbuild
place, folder, *kinds = sys.argv[1:]
for kind in kinds:
    for noise in (False, True):
        try:
            how = {"noise_as_input": True} if noise else {}
            made = netbuild.export(place, kind, f"{folder}/net.{kind}", **how)
        except netbuild.NetbuildError as error:
            told = {"problem": str(error)}
            break
        told = {"differences": made.differences, "draws": made.draws, "noise": made.noise}
        if not made.draws or kind == "python":
            break
    print(json.dumps([kind, told]), flush=True)
"""


def exported(file: Path, kinds: list[str], folder: str) -> list[str]:
    """Export a network in some formats, and return the cells of its line."""
    command = [sys.executable, "-c", _ONE, str(file), folder, *kinds]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=MOST, check=False
        )
    except subprocess.TimeoutExpired:
        return [f"not within {MOST} s"] * len(kinds)
    found = dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith("["))
    failure = {"problem": "**failed**: " + (done.stderr.strip().splitlines() or [""])[-1][:100]}
    return [_cell(found.get(kind, failure), file) for kind in kinds]


def _cell(told: dict[str, object], file: Path) -> str:
    problem, differences = told.get("problem"), told.get("differences")
    if problem is not None:
        return str(problem).removeprefix(f"{file}:")
    if not isinstance(differences, dict) or not differences:
        return f"names equal; run; {told['draws']} draws noise"
    values = ", ".join(f"{value:.0e}" if value else "0" for value in differences.values())
    noise = "; outputs with noise left out" if told["draws"] else ""
    noise = "; noise as input" if told["noise"] else noise
    return f"names equal; {values}{noise}"


#: LeNet as `configs/lenet.yaml` has it, written by torch alone.
_ALONE = """
import sys, torch
from torch import nn
net = nn.Sequential(
    nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5),
    nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.ReLU(),
    nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
)
torch.onnx.export(
    net.eval(), (torch.randn(2, 1, 28, 28),), sys.argv[1], dynamo=True, verbose=False,
    input_names=["input"], output_names=["output"], dynamic_shapes=({0: "batch"},),
)
"""


def timed(runs: int) -> None:
    """Print the processor time of an export against torch's own, as whole processes in turn."""
    with tempfile.TemporaryDirectory() as folder:
        alone = [sys.executable, "-c", _ALONE, f"{folder}/alone.onnx"]
        net = [f"{folder}/net.onnx", "--overwrite"]
        ours = [sys.executable, "-m", "netbuild", "export", "configs/lenet.yaml", "-o", *net]
        found = pairs(ours, alone, runs)
    show("netbuild export, s", [one for one, _ in found])
    show("torch.onnx.export alone, s", [other for _, other in found])
    show("ratio", [one / other for one, other in found])


def main() -> None:
    """Export all networks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=(), help="the names of networks")
    parser.add_argument("--torchvision", action="store_true", help="those of torchvision, too")
    parser.add_argument("--write", action="store_true", help="write the table into docs/deploy.md")
    parser.add_argument("--time", type=int, metavar="RUNS", help="time LeNet, in so many pairs")
    options = parser.parse_args()
    if options.time:
        timed(options.time)
        return
    files = sorted((ROOT / "configs").glob("*.yaml"))
    if options.torchvision:
        files += sorted((ROOT / "configs" / "torchvision").glob("*.yaml"))
    kinds = [*FORMATS]
    lines = [f"| network | {' | '.join(FORMATS.values())} |", "|---" * (len(kinds) + 1) + "|"]
    print("\n".join(lines), flush=True)
    for file in files:
        name = str(file.relative_to(ROOT / "configs").with_suffix(""))
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            cells = exported(file.relative_to(ROOT), kinds, folder)
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    if options.write:
        page, _, _ = PAGE.read_text("utf-8").partition(MARK)
        PAGE.write_text(page + MARK + "\n" + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
