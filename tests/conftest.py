"""Shared parts of tests: their options, the command line in a process, and expected texts."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests import ROOT, processes
from tests.torch_release import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
# Tests run in a process for each core, so each process has one thread. Torch reads this when it is
# imported, and so do the processes that tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Every example is the same on every run; `python -m tests.fuzz` draws other ones.
_SAME = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("full", _SAME, max_examples=50)
settings.register_profile("short", _SAME, max_examples=20)


@pytest.fixture(autouse=True, scope="session")
def _quick_disk() -> Iterator[None]:
    """Wait for no disk: a training does so twenty times and more, and no test cuts the power."""
    with pytest.MonkeyPatch.context() as patch:
        processes.wait_for_no_disk(patch.setattr)
        yield


class Netbuild(Protocol):
    """Runs the command line in a process of its own."""

    def __call__(
        self, *arguments: str | Path, text: str | bytes | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Return what `netbuild arguments…` did, `text` being its standard input."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of these tests."""
    parser.addoption("--full", action="store_true", help="slow tests too, and more examples")
    parser.addoption(
        "--overwrite",
        action="store_true",
        help="renew the expected outputs; review them with `git diff`",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples are drawn, and whether slow tests run."""
    full = config.getoption("--full")
    settings.load_profile("full" if full else "short")
    if full and config.option.markexpr == "not slow":
        config.option.markexpr = ""


def pytest_collection_finish() -> None:
    """Leave what is there out of all collections: torch, and thousands of tests."""
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of what the installed torch does not have."""
    for item in items:
        if since := needed(item.name):
            item.add_marker(pytest.mark.skip(reason=f"needs torch {since}"))


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Run named files in this process: starting other processes would take longer.

    `-n auto` shares out the tests of files too; `-n 0` keeps all tests in this process.
    """
    files = all(Path(argument.partition("::")[0]).is_file() for argument in config.args)
    return 0 if files and config.option.numprocesses == "logical" else None


#: The files of tests whose first test has started processes that import all they need.
_ALONE: set[Path] = set()


def _in_a_new_process(
    arguments: list[str], data: bytes | None, cwd: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "netbuild", *arguments],
        input=data,
        capture_output=True,
        cwd=cwd,
        check=False,
        timeout=processes.PATIENCE,
        env={**environment, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
    )


@pytest.fixture
def netbuild(request: pytest.FixtureRequest) -> Netbuild:
    """Return the command line, in forked processes.

    With `--full`, the first test of each file starts new ones, which import what they need
    themselves. The imports of the other tests of a file are alike.
    """
    alone = request.config.getoption("--full") and request.path not in _ALONE
    _ALONE.add(request.path)
    start = _in_a_new_process if alone else processes.run

    def run(
        *arguments: str | Path, text: str | bytes | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        data = text.encode() if isinstance(text, str) else text
        unset = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        done = start([*map(str, arguments)], data, cwd, unset)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture
def expect(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a file of the expected text, line by line."""

    def compare(path: Path, text: str) -> None:
        shown = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        if request.config.getoption("--overwrite"):
            path.write_text(shown, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == shown

    return compare
