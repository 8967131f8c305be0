"""What a shell proposes after Tab."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from netbuild.cli import completion
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

PROGRAM = "import sys; sys.argv[0] = 'netbuild'; from netbuild.__main__ import main; main()"


def proposed(line: str, cwd: Path = ROOT) -> list[str]:
    """Return what the script for bash gets for a line, whose last word is incomplete."""
    words = line.split(" ")
    environment = {
        **os.environ,
        "_NETBUILD_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, cwd=cwd
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("netbuild ex", ["explain", "export"]),
        ("netbuild validate --sta", ["--statistics"]),
        ("netbuild validate --format g", ["github", "gitlab"]),
        ("netbuild losses BCE", ["BCELoss", "BCEWithLogitsLoss"]),
        ("netbuild rule NB30", [f"NB30{n}" for n in range(1, 10)]),
        ("netbuild explain configs/lenet.yaml features.1", ["features.1"]),
        ("netbuild explain nowhere.yaml f", []),
    ],
)
def test_a_line(line: str, words: list[str]) -> None:
    """Commands, options, values, components, codes and layers are completed."""
    assert proposed(line) == words


def test_codes_after_a_comma() -> None:
    """Of several codes the last one is completed; a group is a code too."""
    assert completion.codes("NB2,NB410")[:1] == ["NB2,NB410"]
    assert completion.codes("NB2")[:2] == ["NB2", "NB201"]
    assert completion.codes("x") == []


def test_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """First come networks, then the runs of the network."""
    run = tmp_path / "runs/net/2026-01-31T12-00-00"
    run.mkdir(parents=True)
    (run / "resolved.yaml").write_text("layers: [ReLU]\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert completion.runs("") == ["runs/net"]
    assert completion.runs("runs/net/2") == ["runs/net/2026-01-31T12-00-00"]
    assert completion.runs("other") == []


def test_the_script_is_printed(netbuild: Netbuild) -> None:
    """The two options of the program are there."""
    text = netbuild("--help").stdout
    assert "--install-completion" in text
    assert "--show-completion" in text
