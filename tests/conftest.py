"""What tests share: the command line in a process, and expected outputs kept in files."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# Every example is the same on every run; `python -m tests.fuzz` is for other ones.
settings.register_profile(
    "same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("same")


class Netbuild(Protocol):
    """Runs the command line in a process of its own."""

    def __call__(
        self, *arguments: str | Path, text: str | bytes | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Return what `netbuild arguments…` did, `text` being its standard input."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that renews expected outputs; review them with `git diff`."""
    parser.addoption("--overwrite", action="store_true", help="renew the expected outputs")


@pytest.fixture(scope="session")
def netbuild() -> Netbuild:
    """Give the command line."""

    def run(
        *arguments: str | Path, text: str | bytes | None = None, cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        data = text.encode() if isinstance(text, str) else text
        unset = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        done = subprocess.run(
            [sys.executable, "-W", "error", "-m", "netbuild", *map(str, arguments)],
            input=data,
            capture_output=True,
            cwd=cwd,
            check=False,
            timeout=120,
            env={**unset, "PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, out + err
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return run


@pytest.fixture
def expect(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with the file that holds what is expected, line by line."""

    def compare(path: Path, text: str) -> None:
        shown = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
        if request.config.getoption("--overwrite"):
            path.write_text(shown, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == shown

    return compare
