"""A type checker knows the public surface: mypy reads typical use of it, strictly."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests import ROOT


@pytest.mark.slow
def test_typical_use() -> None:
    """Every type in `tests/public_types.py` is what it says."""
    command = [sys.executable, "-m", "mypy", "--strict", "tests/public_types.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "Success: no issues found in 1 source file\n", done.stdout + done.stderr
