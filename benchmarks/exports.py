"""All networks of configs/ as ONNX files and as programs of torch, each compared with its network.

    python -m benchmarks.exports                    prints a table in Markdown
    python -m benchmarks.exports --write            writes it into docs/deploy.md
    python -m benchmarks.exports --only lenet gru   exports these alone

The networks have their first weights. Each file is run for batches of 1, 2 and 5 samples. The
difference is the largest one of all outputs. Networks of configs/torchvision/ are exported with
`--torchvision`; some of them need 10 GiB of memory. Each export has its own process, so a failure
spoils one line only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "deploy.md"
MARK = "<!-- exports -->\n"
#: The most seconds of an export.
MOST = 600

_ONE = """
import json, sys, netbuild
try:
    made = netbuild.export(sys.argv[1], sys.argv[2], sys.argv[3])
except netbuild.NetbuildError as error:
    print(json.dumps({"problem": str(error)}))
else:
    print(json.dumps({"difference": made.difference, "draws": made.draws, "bytes": made.bytes}))
"""


def exported(file: Path, kind: str, folder: str) -> str:
    """Export a network, and return what a cell of the table says."""
    to = Path(folder) / f"net.{kind}"
    command = [sys.executable, "-c", _ONE, str(file), kind, str(to)]
    start = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=MOST, check=False
        )
    except subprocess.TimeoutExpired:
        return f"not within {MOST} s"
    to.unlink(missing_ok=True)
    if done.returncode:
        return f"**failed**: {done.stderr.strip().splitlines()[-1][:100]}"
    told = json.loads(done.stdout.splitlines()[-1])
    if "problem" in told:
        return told["problem"].removeprefix(f"{file}:").removeprefix(str(file))
    seconds = time.perf_counter() - start
    if told["difference"] is None:
        return f"ran; {told['draws']} draws noise"
    noise = f", without the noise of {told['draws']}" if told["draws"] else ""
    return f"{told['difference']:.1e}{noise} ({seconds:.0f} s)"


def main() -> None:
    """Export all networks, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=(), help="the names of networks")
    parser.add_argument("--torchvision", action="store_true", help="those of torchvision, too")
    parser.add_argument("--write", action="store_true", help="write the table into docs/deploy.md")
    options = parser.parse_args()
    files = sorted((ROOT / "configs").glob("*.yaml"))
    if options.torchvision:
        files += sorted((ROOT / "configs" / "torchvision").glob("*.yaml"))
    lines = ["| network | ONNX | program of torch |", "|---|---|---|"]
    print("\n".join(lines), flush=True)
    for file in files:
        name = str(file.relative_to(ROOT / "configs").with_suffix(""))
        if options.only and name not in options.only:
            continue
        with tempfile.TemporaryDirectory() as folder:
            cells = [exported(file.relative_to(ROOT), kind, folder) for kind in ("onnx", "pt2")]
        lines.append(f"| `{name}` | {cells[0]} | {cells[1]} |")
        print(lines[-1], flush=True)
    if options.write:
        page, _, _ = PAGE.read_text("utf-8").partition(MARK)
        PAGE.write_text(page + MARK + "\n" + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
