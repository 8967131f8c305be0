"""The text of an SVG: well formed, with all names as texts, in the colours of its theme."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import netbuild
from netbuild.reports.drawing import html, mermaid, svg
from netbuild.reports.drawing.colours import DARK, LIGHT, MARKS, luminance, on
from netbuild.reports.drawing.kinds import KINDS
from tests import ROOT
from tests.reports.drawing.networks import graph_at, graph_of

if TYPE_CHECKING:
    from pathlib import Path

SPACE = "{http://www.w3.org/2000/svg}"
LENET = ROOT / "configs/lenet.yaml"
HOSTILE = """
name: '<script>alert(1)</script>'
input: [4]
layers:
  '<b>"&''': {Linear: 4}
  x: {Formula: "x * 2 < 3"}
  y: {Linear: '<img src=x onerror=alert(1)>'}
"""


def texts(svg_text: str) -> list[str]:
    """Return the texts that a picture shows."""
    return [one.text or "" for one in ET.fromstring(svg_text).iter(f"{SPACE}text")]  # noqa: S314


def test_texts() -> None:
    """A picture has its title, its numbers, its layers, the shapes on its lines, and a legend."""
    shown = texts(svg(graph_at(LENET)))
    assert shown[:2] == ["lenet5", "1×28×28 to 10  ·  61,706 params  ·  416,520 MACs"]
    for text in ("Conv2d", "5×5", "156 params", "117,600 MACs", "6×28×28", "features"):
        assert text in shown
    legend = ("stack of layers", "convolution", "linear", "activation", "pooling", "shape only")
    assert tuple(shown[-7:-1]) == legend


def test_depth() -> None:
    """A depth closes the stacks below it."""
    graph = graph_at(LENET)
    assert "Conv2d" in texts(svg(graph, depth=2))
    closed = texts(svg(graph, depth=1))
    assert "Conv2d" not in closed
    assert "features" in closed


def test_themes() -> None:
    """Light and dark have their own colours, and auto has both. No colour is a variable of CSS.

    PowerPoint and Inkscape know no variables.
    """
    graph = graph_at(LENET)
    light, dark, auto = (svg(graph, theme=theme) for theme in ("light", "dark", "auto"))
    assert LIGHT.kinds["convolution"] in light
    assert DARK.kinds["convolution"] not in light
    assert DARK.kinds["convolution"] in dark
    assert "prefers-color-scheme:dark" in auto
    assert "var(" not in light + dark + auto
    assert light == svg(graph, theme="light")  # each time the same


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_kinds_differ_without_colour(palette: object) -> None:
    """Each kind has its own mark, and marks stand out from their tiles (WCAG 1.4.11)."""
    assert isinstance(palette, type(LIGHT))
    assert set(palette.kinds) == set(KINDS) == set(MARKS)
    own = {kind: mark for kind, mark in MARKS.items() if kind not in {"input", "output"}}
    assert len(set(own.values())) == len(own)
    for kind, colour in palette.kinds.items():
        light, dark = sorted((luminance(colour), luminance(on(colour))), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, kind


def test_names_are_texts() -> None:
    """No name of a file becomes a part of the picture, of the page or of the flow chart."""
    graph = graph_of(HOSTILE)
    ET.fromstring(svg(graph))  # noqa: S314  written here
    page, chart = html(graph), mermaid(graph)
    for text in (svg(graph), page.replace("<script>const network", ""), chart):
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>" not in text
    assert page.count("<script>") == 1


def test_nothing_is_loaded() -> None:
    """A picture and a page name no other file and no address."""
    graph = graph_at(LENET)
    for text in (svg(graph), html(graph)):
        assert set(re.findall(r"https?://[^\"' )]*", text)) <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"url\(|@import|src=", text)


def test_mermaid() -> None:
    """A flow chart has open stacks as subgraphs, and shapes on its lines."""
    graph = graph_of("input: [4]\nlayers: {a: {layers: [{Linear: 4}, ReLU]}, b: {Linear: 2}}\n")
    assert mermaid(graph).splitlines()[4:14] == [
        '  n0(["input<br>4"]):::input',
        '  subgraph n1["a"]',
        "    direction TB",
        '    n1_0["Linear<br>20 params, 16 MACs"]:::linear',
        '    n1_1["ReLU"]:::activation',
        '    n1_0 -->|"4"| n1_1',
        "  end",
        '  n2["Linear<br>b<br>10 params, 8 MACs"]:::linear',
        '  n3(["output<br>2"]):::output',
        '  n0 -->|"4"| n1',
    ]
    assert '  n1["a<br>Linear, ReLU<br>20 params, 16 MACs"]:::stack' in mermaid(graph, depth=1)


def test_draw(tmp_path: Path) -> None:
    """`netbuild.draw` takes a graph, a config or a path, and writes a file if asked to."""
    config = netbuild.load(LENET)
    made = netbuild.draw(LENET, theme="light")
    assert made == netbuild.draw(config, theme="light")
    assert made == netbuild.draw(netbuild.trace(config), theme="light")
    path = tmp_path / "lenet.mmd"
    assert netbuild.draw(config, path, depth=1) == path.read_text("utf-8")
    assert netbuild.draw(config, to="html").startswith("<!doctype html>")
    with pytest.raises(ValueError, match=r"net.png tells no format: end it with .svg, .html"):
        netbuild.draw(config, tmp_path / "net.png")
