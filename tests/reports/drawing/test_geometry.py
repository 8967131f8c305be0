"""Boxes, texts and lines keep off each other, in the picture of every network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from netbuild.reports.drawing import svg
from netbuild.reports.drawing.boxes import FONTS
from netbuild.reports.drawing.fitting import TALL, WIDE, fitted, levels
from netbuild.reports.drawing.ordering import ordered
from netbuild.reports.drawing.picture import Artist
from netbuild.reports.drawing.widths import fitting, width
from tests import ROOT
from tests.reports.drawing.geometry import faults
from tests.reports.drawing.networks import graph_at, parts_of

if TYPE_CHECKING:
    from pathlib import Path

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
TORCHVISION = sorted((ROOT / "configs/torchvision").glob("*.yaml"))
#: Larger pictures are not looked at: each box is compared with each other one.
_MOST = 150


def wrong(path: Path, *, deep: bool) -> list[str]:
    """Return what is wrong with the picture of a network, and with the pictures of more levels."""
    found = parts_of(graph_at(path))
    made = [fitted(found, None)]
    if deep:
        made += [fitted(found, depth) for depth in range(1, min(levels(found.root), 3) + 1)]
        made.append(Artist(found).picture(lambda *_: True, None))
    return [said for one in made if len(one.boxes) < _MOST for said in faults(one)]


def test_networks() -> None:
    """No box overlaps another, no text leaves its box, no line crosses a box, for some networks."""
    for name in ("bert", "film", "gan", "mixture", "nin", "rotary", "segnet", "seq2seq", "vae"):
        assert wrong(ROOT / f"configs/{name}.yaml", deep=False) == [], name


@pytest.mark.slow
@pytest.mark.parametrize("path", [*CONFIGS, *TORCHVISION], ids=lambda path: path.stem)
def test_networks_of_all_depths(path: Path) -> None:
    """The same for every network, and for those of `configs/` at each depth.

    Each is drawn within 2 seconds.
    """
    graph = graph_at(path)
    start = time.process_time()
    svg(graph)
    assert time.process_time() - start < 2
    assert wrong(path, deep=path in CONFIGS) == []


def test_pictures_fit_a_slide() -> None:
    """Without a depth, a picture is as large as a slide at most, if one level is."""
    for name in ("resnet18", "unet", "vgg11"):
        made = fitted(parts_of(graph_at(ROOT / f"configs/{name}.yaml")), None)
        assert made.width <= WIDE
        assert made.height <= TALL


def test_long_chains_break_into_columns() -> None:
    """A chain that is too long goes on at the top of the next column, and nothing else is lost."""
    found = parts_of(graph_at(ROOT / "configs/vgg11.yaml"))
    artist = Artist(found)
    whole, broken = (artist.picture(lambda *_: True, room) for room in (None, 640.0))
    assert broken.height < whole.height
    assert broken.width > whole.width
    assert [one.part.path for one in broken.boxes] == [one.part.path for one in whole.boxes]
    assert faults(broken) == []


def test_widths_of_texts() -> None:
    """Texts are as wide as in Helvetica, and are cut to their room."""
    assert width("Conv2d", 10) == pytest.approx(7.22 + 5.56 + 5.56 + 5 + 5.56 + 5.56)
    assert width("ii", 10, bold=True) == pytest.approx(5.56)
    assert width("漢", 12) == 12
    assert fitting("Conv2d", 100, 10) == "Conv2d"
    assert fitting("Conv2d", 25, 10) == "Co…"
    assert fitting("Conv2d", 5, 10) == ""
    assert all(size > 10 for size, _ in FONTS.values())


def test_lines_are_put_in_order() -> None:
    """Nodes are ordered so that few lines cross."""
    ranks = [[0, 1, 2], [3, 4, 5]]
    assert ordered(ranks, [(0, 5), (1, 4), (2, 3)]) == ((0, 1, 2), (5, 4, 3))
    assert ordered(ranks, [(0, 3), (1, 4), (2, 5)]) == ((0, 1, 2), (3, 4, 5))


def test_a_u() -> None:
    """U-Net is drawn as a U: both ends of a skip have the same height, and lines go up again."""
    found = parts_of(graph_at(ROOT / "configs/unet.yaml"))
    made = fitted(found, 1)
    middle = {one.part.path: one.spot.y + one.spot.height / 2 for one in made.boxes}
    assert made.is_u
    assert middle["down1"] == pytest.approx(middle["up1"])
    assert middle["down2"] == pytest.approx(middle["up2"])
    assert middle["bottom"] > middle["up2"] > middle["up1"] > middle["out"] > middle[">output"]
    assert faults(made) == []
    assert not fitted(found, 2).is_u  # open boxes have their inputs at the top
    assert not fitted(parts_of(graph_at(ROOT / "configs/resnet18.yaml")), 1).is_u
