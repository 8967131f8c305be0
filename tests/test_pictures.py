"""The pictures in `docs/pictures` are those that `netbuild draw` makes.

`pytest tests/test_pictures.py --overwrite` draws them again.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports.drawing import mermaid, svg
from netbuild.syntax.parser import from_bytes, from_file
from tests import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netbuild.graph.graph import Graph

FOLDER = ROOT / "docs/pictures"
PAGE = ROOT / "docs/seeing.md"
TORCHVISION = ("resnet50", "densenet121", "swin_t")
NETWORKS = (*TORCHVISION, "unet", "siamese", "googlenet", "seq2seq", "gan")
#: The options of a picture that is made with some.
OPTIONS: dict[str, dict[str, Any]] = {"googlenet": {"depth": 1, "also": ["body.0"]}}


def graph_at(name: str) -> Graph:
    """Return the network of a file in `configs/`."""
    folder = "torchvision/" if name in TORCHVISION else ""
    return infer(read(from_file(ROOT / f"configs/{folder}{name}.yaml")))


@pytest.mark.parametrize("name", NETWORKS)
def test_pictures(name: str, expect: Callable[[Path, str], None]) -> None:
    """Each picture shows the network as it is, in as many levels as fit a slide."""
    options = OPTIONS.get(name, {})
    expect(FOLDER / f"{name}.svg", svg(graph_at(name), **options))


def test_picture_of_a_fault(expect: Callable[[Path, str], None]) -> None:
    """The picture of a fault shows the file on the page."""
    (text,) = re.findall(r"```yaml faults \S+\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    graph = infer(read(from_bytes("faulty.yaml", text.encode())))
    expect(FOLDER / "fault.svg", svg(graph))


def test_flow_chart() -> None:
    """The flow chart on the page is that of LeNet."""
    (shown,) = re.findall(r"```mermaid\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown == mermaid(graph_at("lenet"))


def test_all_pictures_are_shown() -> None:
    """The page shows each picture, and the folder has no other one."""
    shown = re.findall(r"\]\(pictures/(\w+)\.svg\)", PAGE.read_text("utf-8"))
    assert sorted(shown) == sorted([*NETWORKS, "fault"])
    assert sorted(path.stem for path in FOLDER.glob("*.svg")) == sorted(shown)
