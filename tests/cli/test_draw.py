"""`netbuild draw`: files, formats and faults."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from netbuild import Run, RunNotFoundError, draw
from tests import ROOT
from tests.run_folders import make

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

LENET = "configs/lenet.yaml"
FAULTY = "input: [4]\nlayers: [{Linear: 2}, {Conv2d: {out_channels: 2, kernel_size: 3}}]\n"


def test_formats(netbuild: Netbuild, tmp_path: Path) -> None:
    """The ending of the file, or --to, tells the format; without a file it is printed."""
    path = tmp_path / "net.svg"
    done = netbuild("draw", LENET, "-o", path)
    text = path.read_text("utf-8")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{path}: 61,706 parameters, {len(text.encode()):,} bytes\n"
    assert netbuild("draw", LENET).stdout == text == netbuild("draw", LENET, "-o", "-").stdout
    assert netbuild("draw", LENET, "--to", "mermaid").stdout.startswith("---\ntitle: ")
    netbuild("draw", LENET, "-o", tmp_path / "net.html")
    assert (tmp_path / "net.html").read_text("utf-8").startswith("<!doctype html>")
    assert "#0b5fa5" not in netbuild("draw", LENET, "--theme", "dark").stdout


def test_settings(netbuild: Netbuild) -> None:
    """--set changes the network, and --depth closes its stacks."""
    done = netbuild("draw", LENET, "--set", "input=[1,32,32]", "--depth", "1", "--to", "mermaid")
    assert "input<br>1×32×32" in done.stdout
    assert "Conv2d<br>" not in done.stdout
    done = netbuild("draw", LENET, "--depth", "1", "--open", "features", "--to", "mermaid")
    assert done.stdout.count("subgraph") == 1
    assert "Conv2d<br>" in done.stdout
    done = netbuild("draw", LENET, "--open", "features.0")
    assert done.stderr == "netbuild: features.0 is a layer, and contains no others\n"
    done = netbuild("draw", LENET, "--open", "feature")
    assert (done.returncode, "did you mean features?" in done.stderr) == (2, True)


def test_faults(netbuild: Netbuild, tmp_path: Path) -> None:
    """A network with a fault is drawn up to it; the faults go to standard error."""
    path = tmp_path / "net.svg"
    done = netbuild("draw", "-", "-o", path, text=FAULTY)
    assert done.returncode == 1
    assert done.stderr.startswith("error[NB2")
    text = path.read_text("utf-8")
    assert "2 params" not in text
    assert ">Linear<" in text
    assert "line 2" in text


def test_wrong_use(netbuild: Netbuild, tmp_path: Path) -> None:
    """What is there stays there, and a wrong place is told before any work."""
    path = tmp_path / "net.svg"
    path.write_text("mine", encoding="utf-8")
    messages = {
        ("draw", LENET, "-o", path): f"{path} already exists: --overwrite replaces it",
        ("draw", LENET, "-o", tmp_path / "net.png"): f"{tmp_path}/net.png tells no format: end it "
        "with .svg, .html, .htm, .mmd, .mermaid, or write --to",
        ("draw", LENET, "-o", tmp_path / "no/net.svg"): f"there is no folder {tmp_path}/no",
        ("draw", LENET, "-o", tmp_path, "--to", "svg"): f"{tmp_path} is a folder",
    }
    for arguments, message in messages.items():
        done = netbuild(*arguments)
        assert (done.returncode, done.stderr) == (2, f"netbuild: {message}\n")
    assert path.read_text("utf-8") == "mine"
    assert netbuild("draw", LENET, "-o", path, "--overwrite").returncode == 0
    assert path.read_text("utf-8").startswith("<svg")


def test_other_commands_load_no_pictures() -> None:
    """`validate`, `summary` and the command `train` start without the room of the pictures."""
    code = """
import sys
from netbuild.cli import app, train
for command in ("validate", "summary"):
    sys.argv = ["netbuild", command, "configs/lenet.yaml"]
    try:
        app()
    except SystemExit:
        pass
assert not [name for name in sys.modules if "drawing" in name], sys.modules
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_input(netbuild: Netbuild) -> None:
    """A file of which nothing is known has its faults, and no picture."""
    done = netbuild("draw", "-", text="layers: [{Linear: 2}]\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error[NB102]")


def test_wrong_options_of_python(tmp_path: Path) -> None:
    """An option that the network or the picture does not have is refused, and nothing written."""
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"depth": 0}, "depth is at least 1, not 0"),
        ({"theme": "pink"}, "theme is one of light, dark, auto, not pink"),
        ({"to": "png"}, "to is one of svg, html, mermaid, not png"),
        ({"also": ["nix"]}, "has no layer nix"),
        ({"also": "classifier.0"}, "classifier.0 is a layer, and contains no others"),
    ]
    for options, message in wrong:
        with pytest.raises(ValueError, match=message):
            draw(LENET, tmp_path / "net.svg", **options)
    assert not [*tmp_path.iterdir()]


def test_a_run_is_drawn(tmp_path: Path) -> None:
    """The folder of a run stands for its config, as in the command."""
    folder = make(tmp_path)
    assert draw(folder) == draw(folder.parent) == draw(Run(folder))
    with pytest.raises(RunNotFoundError, match=r"is not a run: it has no resolved\.yaml"):
        draw(ROOT / "configs")
