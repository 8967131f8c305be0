"""Some configs of strangers; `python -m tests.untrusted.configs` tries more."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests import ROOT
from tests.untrusted import configs


@pytest.mark.parametrize("cases", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_nothing_breaks(cases: int) -> None:
    """Each case gives its faults in little memory, without a traceback and without hanging."""
    arguments = ["-m", "tests.untrusted.configs", f"--cases={cases}", f"--seed={cases}", "--jobs=1"]
    arguments.append("--seconds=10")  # the machine that runs the tests may be busy
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{cases} cases, no failures" in done.stdout


@pytest.mark.parametrize(
    ("wrong", "code", "seconds", "megabytes", "output"),
    [
        ("", 0, 0.1, 60, "1 file checked: no faults\n"),
        ("", 1, 0.1, 60, r"no layer is called \x1b[31m"),
        ("traceback", 1, 0.1, 60, "Traceback (most recent call last):\n"),
        ("traceback", 99, 0.1, 60, ""),
        ("traceback", -signal.SIGSEGV, 0.1, 60, ""),
        ("endless", -signal.SIGALRM, 0.1, 60, ""),
        ("slow", 1, 1.1, 60, ""),
        ("large", 1, 0.1, 501, ""),
        ("control character", 1, 0.1, 60, "no layer is called \x1b[31m"),
        ("secret", 1, 0.1, 60, "1 | password: hunter2"),
    ],
)
def test_failures_are_found(
    wrong: str, code: int, seconds: float, megabytes: float, output: str
) -> None:
    """Each kind of failure has its name."""
    assert configs._wrong(code, seconds, megabytes, output) == wrong
