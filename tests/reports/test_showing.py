"""Graphs, configs and runs show themselves: in a line, in a terminal, and in a notebook."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from netbuild import Run, load, trace
from netbuild.reports import summary
from tests import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LENET = load(ROOT / "configs/lenet.yaml")
VOID = {"meta", "link", "br", "line", "circle", "path"}


class Checked(HTMLParser):
    """Reads HTML whose elements all have an end."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Remember an element."""
        del attrs
        self.tags.append(tag)
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Remember an element without contents."""
        del attrs
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the last element."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Remember a text."""
        if self.open[-1] != "style":
            self.texts.append(data)


def read(html: str) -> Checked:
    """Return what a piece of HTML holds. It is whole, has no script, and loads nothing."""
    found = Checked()
    found.feed(html)
    found.close()
    assert not found.open
    assert "script" not in found.tags
    assert not re.search(r"<[^>]* (src|href|on\w+)=|url\(|@import", html)
    # Its style holds for itself alone, or for a chart or a picture inside.
    styles = "".join(re.findall("<style>(.*?)</style>", html, re.DOTALL))
    for rule in re.findall(r"(?:^|[{}])\s*([^{}@]+)\{", styles):
        own = ("div.netbuild-shown.netbuild-shown", ".lines", ".netbuild ")
        assert all(one.strip().startswith(own) for one in rule.split(",")), rule
    return found


def printed(what: object, width: int) -> str:
    """Return what rich prints."""
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(what)
    return out.getvalue()


def test_a_graph_in_a_line() -> None:
    """`repr` is a line, `str` is the table of `netbuild summary`, and rich prints the same."""
    graph = trace(LENET)
    said = "<Graph lenet5: 1×28×28 to 10, 12 layers, 61,706 params, 416,520 MACs>"
    assert repr(graph) == said
    whole = f"{next(summary.tables(graph)).text().plain}\n{summary.memory(graph)}"
    assert str(graph) == whole
    assert printed(graph, 80).rstrip() == whole
    narrow = printed(trace(load(ROOT / "configs/vgg11.yaml")), 60)
    assert max(map(len, narrow.splitlines())) <= 60 + 25  # as `netbuild summary`: no name is cut
    assert "128,806,154" in narrow


def test_a_graph_in_a_notebook() -> None:
    """Each stack folds around its rows, and has their sums. Long networks begin folded."""
    found = read(trace(LENET)._repr_html_())
    assert found.tags.count("details") == 2 + 1  # the stacks, and the picture
    text = " ".join(found.texts)
    assert "lenet5: 1×28×28 to 10" in text
    assert "features 6 layers 16×5×5 2,572 357,600 16×16" in re.sub(r"\s+", " ", text)
    long = trace(load(ROOT / "configs/resnet18.yaml"))._repr_html_()
    assert "<details open>" not in long
    assert read(long).tags.count("details") == 6 + 8 + 1  # stages, blocks, the picture


MANY = ["gan", "kan", "vae", "multitask", "mixture", "siamese", "rotary"]


@pytest.mark.parametrize(
    "name", [*MANY, pytest.param("torchvision/maxvit_t", marks=pytest.mark.slow)]
)
def test_any_graph(name: str) -> None:
    """Networks of many kinds are whole HTML, with a row for each layer."""
    graph = trace(load(ROOT / f"configs/{name}.yaml"))
    html = graph._repr_html_()
    tags = read(html).tags
    assert html.count('<div class="row">') == len(graph.rows)
    assert len(html) < 400_000
    assert tags.count("summary") == tags.count("details")


def test_texts_are_escaped() -> None:
    """A formula and a class of any name are texts, and no HTML."""
    config = load(
        {
            "name": "x",
            "input": [4],
            "layers": [{"Formula": "where(x < 1, x, 2 * x)"}],
        }
    )
    assert "x &lt; 1" in trace(config)._repr_html_()
    html = config._repr_html_()
    read(html)
    assert "x &lt; 1" in html


def test_a_config() -> None:
    """A config is a line, the text of a file, and a table of its sections."""
    assert repr(LENET) == "<Config lenet5: name, input, layers, loss, optimizer, data, train>"
    assert str(LENET) == LENET.dumps()
    assert "layers     features, classifier" in printed(LENET, 80)
    found = read(LENET._repr_html_())
    assert "{Digits: null, resize: [28, 28]}" in found.texts
    assert found.tags.count("pre") == 1


def test_a_run(tmp_path: Path) -> None:
    """A run without an epoch, a folder that is no run, and a finished run show themselves."""
    nothing = Run(tmp_path / "lenet/2026-01-31T12-00-00")
    assert "resolved.yaml cannot be read" in repr(nothing)
    assert "no epoch has finished" in " ".join(read(nothing._repr_html_()).texts)
    assert "cannot be read" in printed(nothing, 80)
    nothing.folder.mkdir(parents=True)
    (nothing.folder / "resolved.yaml").write_text(LENET.dumps(), "utf-8")
    for epoch in (1, 2):
        measured = {"train_loss": 1 / epoch, "val_loss": 2 / epoch, "val_accuracy": 0.4 * epoch}
        nothing.append({"epoch": epoch, **measured, "lr": 0.1, "seconds": 1.5, "best": True})
    found = read(nothing._repr_html_())
    assert found.tags.count("svg") == 2
    assert "2: val_loss 1.0000, val_accuracy 80.00%" in found.texts
