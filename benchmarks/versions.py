"""Test netbuild with other releases of torch and Python; each pair gets an own environment.

    python benchmarks/versions.py --torch 2.6.0 2.13.0 2.14.1
    python benchmarks/versions.py --python 3.10 3.12 3.13 --torch none
    python benchmarks/versions.py --lowest

A release of torch takes up to 6 GB of disk while its tests run; then its environment is removed.
`--torch none` tries the base install, as `.ci/base-install` does. `--lowest` installs the lowest
versions of all packages that training needs. The table goes to standard output, and the whole
output of the tests to files in the folder of `--logs`.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent

#: The oldest release of torch, and the packages with the lowest versions of the extra `train`.
OLDEST = "2.6.0"
LOWEST = ("numpy==1.26.0", "safetensors==0.4.3", "scikit-learn==1.4.0")

TOOLS = ("pytest", "pytest-xdist", "hypothesis", "jsonschema", "mlxtend")

#: The builder, all components, and trainings with every optimizer and scheduler.
TESTS = (
    "tests/builder",
    "tests/checks/test_torch_release.py",
    "tests/components/layers",
    "tests/components/losses",
    "tests/components/optimizers",
    "tests/components/schedulers",
    "tests/training/step/test_optimizing.py",
    "tests/training/test_training.py",
)


class Outcome(NamedTuple):
    """A row of the table."""

    python: str
    torch: str
    tests: str
    seconds: float


def main() -> int:
    """Test all pairs, and print a table of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", nargs="+", default=[f"3.{sys.version_info.minor}"])
    parser.add_argument("--torch", nargs="+", default=[OLDEST], help="releases, or none")
    parser.add_argument("--lowest", action="store_true", help="the lowest versions of the rest too")
    parser.add_argument("--tests", nargs="+", default=TESTS, help="files, as pytest takes them")
    parser.add_argument("--logs", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    options.logs.mkdir(parents=True, exist_ok=True)
    print("| Python | torch | tests | seconds |\n|---|---|---|---|")
    failed = False
    for python in options.python:
        for torch in options.torch:
            log = options.logs / f"versions-{python}-{torch}{'-lowest' * options.lowest}.txt"
            row = tried(python, torch, options, log)
            failed |= "passed" not in row.tests or "failed" in row.tests or "error" in row.tests
            print(f"| {row.python} | {row.torch} | {row.tests} | {row.seconds:.0f} |", flush=True)
    return int(failed)


def tried(python: str, torch: str, options: argparse.Namespace, log: Path) -> Outcome:
    """Install a pair and run the tests. The environment is removed."""
    began = time.perf_counter()
    interpreter = found(python)
    if interpreter is None:
        return Outcome(python, torch, "this machine has no such Python", 0)
    place = Path(tempfile.mkdtemp(prefix="netbuild-versions-"))
    try:
        with log.open("w", encoding="utf-8") as file:
            run = based if torch == "none" else trained
            run(interpreter, torch, place, options, file.fileno())
    except subprocess.CalledProcessError:
        return Outcome(python, torch, f"cannot be installed: see {log}", 0)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    closing = r"^(?:=+ )?(\d+ (?:passed|failed|error).*?) in .*$"
    said = re.findall(closing, log.read_text("utf-8", "replace"), re.MULTILINE)
    tests = said[-1] if said else f"no tests ran: see {log}"
    return Outcome(python, torch, tests, time.perf_counter() - began)


def found(python: str) -> str | None:
    """Return an interpreter: of the path, of pyenv, or the running one."""
    home = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    of_pyenv = sorted(home.glob(f"versions/{python}.*/bin/python"))
    for candidate in (f"python{python}", *map(str, of_pyenv), sys.executable):
        code = f"import ensurepip, sys; sys.exit('%d.%d' % sys.version_info[:2] != '{python}')"
        try:
            subprocess.run([candidate, "-c", code], capture_output=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return candidate
    return None


def based(python: str, _: str, place: Path, options: argparse.Namespace, log: int) -> None:
    """Try the base install."""
    build = [python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(place), str(ROOT)]
    subprocess.run(build, stdout=log, stderr=log, check=True)
    wheel = next(place.glob("*.whl"), place / "netbuild.whl")
    lowest = [str(ROOT / "constraints-lowest.txt")] if options.lowest else []
    command = [str(ROOT / ".ci/base-install"), python, str(wheel), *lowest]
    subprocess.run(command, stdout=log, stderr=log, check=False)


def trained(python: str, torch: str, place: Path, options: argparse.Namespace, log: int) -> None:
    """Install torch and netbuild, and run the tests."""
    subprocess.run([python, "-m", "venv", str(place)], check=True)
    own = str(place / "bin/python")
    install = [own, "-m", "pip", "install", "-q", "--no-cache-dir"]
    lowest = [*LOWEST, "-c", str(ROOT / "constraints-lowest.txt")] if options.lowest else []
    wanted = [f"torch=={torch}", f"{ROOT}[train]", *TOOLS, *lowest]
    subprocess.run([*install, *wanted], stdout=log, stderr=log, check=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    command = [own, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "--tb=short"]
    command += options.tests
    subprocess.run(command, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False)


if __name__ == "__main__":
    sys.exit(main())
