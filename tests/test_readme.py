"""The README is correct: its examples are run."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import netbuild as package
from netbuild.checks.trace import infer
from netbuild.cli import COMMANDS
from netbuild.components.datasets import DATASETS
from netbuild.config.load import read
from netbuild.config.sections import SECTIONS
from netbuild.syntax.parser import from_bytes
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.conftest import Netbuild

README = (ROOT / "README.md").read_text(encoding="utf-8")


def block(label: str) -> str:
    """Return the fenced block with a label."""
    match = re.search(rf"^```{re.escape(label)}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert match is not None, label
    return match[1]


def stripped(text: str) -> str:
    """Return a text without blanks at the ends of its lines."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def test_lenet_is_the_file() -> None:
    """The LeNet of the README is the one in `configs/`."""
    assert block("yaml configs/lenet.yaml") == (ROOT / "configs/lenet.yaml").read_text("utf-8")


def test_summary(netbuild: Netbuild) -> None:
    """The summary of the README is what the command prints."""
    command, _, shown = block("console").partition("\n")
    assert command == "$ netbuild summary configs/lenet.yaml"
    done = netbuild("summary", "configs/lenet.yaml")
    assert stripped(shown) == stripped(done.stdout)
    assert done.returncode == 0


def test_broken_line(netbuild: Netbuild, tmp_path: Path) -> None:
    """The fault of the README is what the broken file gets."""
    text = block("yaml configs/lenet.yaml").splitlines()
    text[7] = text[7].replace("kernel_size: 5", "kernel_size: 17")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/lenet.yaml").write_text("\n".join(text) + "\n", encoding="utf-8")
    done = netbuild("validate", "configs/lenet.yaml", cwd=tmp_path)
    assert stripped(block("console fault")) == stripped(done.stdout)
    assert done.returncode == 1


def test_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python of the README runs."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(block("python"), "README.md", "exec"), names)  # noqa: S102  our own text
    run = names["run"]
    assert isinstance(run, package.Run)
    assert [epoch["epoch"] for epoch in run.metrics] == [1]


def test_every_choice_is_named() -> None:
    """Every section, data source and command stands in the README."""
    commands = [f"netbuild {command}" for command in COMMANDS]
    for name in [*SECTIONS, *DATASETS]:
        assert f"`{name}`" in README
    for name in commands:
        assert f"`{name}" in README


def test_network() -> None:
    """The network of the tour has no fault."""
    text = block("yaml tour").encode()
    assert infer(read(from_bytes("network.yaml", text))).diagnostics == ()


def test_two_commands_set_up() -> None:
    """`.ci/run` finds the two set-up commands, each in one line."""
    commands = re.findall(r"^```sh setup\n(.*\n)```$", README, re.MULTILINE)
    assert [command.count("\n") for command in commands] == [1, 1]


def test_three_minutes() -> None:
    """A newcomer reads the README in three minutes."""
    assert len(README.splitlines()) <= 200
