"""`ImageFolder` with pictures, boxes and points as targets, and with broken pictures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.datasets.images import ImageFolder
from netbuild.components.target import Classes, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import picture
from tests.components.datasets.test_datasets import loaded, refusal, wanted
from tests.components.datasets.test_masks import MASK, folders, statically

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("nothing_is_left")

BOXES = "file,x1,y1,x2,y2\n0.png,0,1,2,4\n1.png,1,1,3,5\n"
POINTS = "file,x,y,x,y\n1.png,1,1.5,3,5\n0.png,0,1,2,4\n"
FOUR = wanted(3, 5, 4, target=Values((4,)))


def scene(root: Path, **fields: Any) -> ImageFolder:
    """Write two images, and return the source with these fields."""
    for number in range(2):
        picture(root / f"images/{number}.png")
    return ImageFolder(folder=str(root / "images"), **fields)


def table(root: Path, text: str, kind: str = "boxes") -> ImageFolder:
    """Write two images with a table, and return the source."""
    (root / f"{kind}.csv").write_text(text, encoding="utf-8")
    return scene(root, **{kind: str(root / f"{kind}.csv")})


def test_pictures_as_targets(tmp_path: Path) -> None:
    """A target is a picture from 0 to 1, of the size and the channels that it has."""
    sharp = [picture(tmp_path / f"sharp/{n}.png", size=(10, 8)) for n in range(2)]
    source = scene(tmp_path, targets=str(tmp_path / "sharp"))
    reads = wanted(3, 5, 4, target=Values((3, 10, 8)))
    assert source.sample(reads) == ((Tensor((3, 5, 4)),), {"target": Values((3, 10, 8))})
    _, y = loaded(source, reads)
    assert np.array_equal(y, np.stack(sharp).transpose(0, 3, 1, 2).astype("float32") / 255)
    assert source.geometry == {"target": "picture"}
    grey = wanted(3, 5, 4, target=Values((1, 10, 8)))
    assert loaded(source, grey)[1].shape == (2, 1, 10, 8)
    other = wanted(3, 5, 4, target=Values((3, 20, 16)))
    assert source.sample(other).target == Values((3, 10, 8))
    picture(tmp_path / "sharp/1.png", size=(10, 9))
    first, second = tmp_path / "sharp/0.png", tmp_path / "sharp/1.png"
    message = f"the targets differ in size: {first} has 10×8, and {second} has 10×9"
    help_ = "resize brings images and targets to one size each"
    assert statically(source, reads) == (message, "targets", help_)


def test_resize_makes_two_sizes_of_one_folder(tmp_path: Path) -> None:
    """`resize` shrinks the images; the targets get the size of the network's output."""
    source = scene(tmp_path, targets=str(tmp_path / "images"))
    reads = wanted(3, 4, 4, target=Values((3, 8, 8)))._replace(size=(4, 4))
    assert source.sample(reads).target == Values((3, 8, 8))
    (x,), (y,) = source.load(reads, size=(4, 4))
    assert (x.shape, y.shape) == ((2, 3, 4, 4), (2, 3, 8, 8))


@pytest.mark.parametrize("shape", [(4,), (2, 2), (1, 4)])
def test_boxes_and_points(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Coordinates have the shape that the loss compares; the table may be in any order."""
    reads = wanted(3, 5, 4, target=Values(shape))
    source = table(tmp_path, BOXES)
    assert source.sample(reads).target == Values(shape)
    assert loaded(source, reads)[1].tolist() == [
        np.reshape([0, 1, 2, 4], shape).tolist(),
        np.reshape([1, 1, 3, 5], shape).tolist(),
    ]
    assert source.geometry == {"target": "boxes"}
    source = table(tmp_path, POINTS, "points")
    assert loaded(source, reads)[1].reshape(2, 4).tolist() == [[0, 1, 2, 4], [1, 1.5, 3, 5]]


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators(tmp_path: Path, separator: str) -> None:
    """The line of names tells what stands between the cells; a byte order mark does not count."""
    source = table(tmp_path, "\ufeff" + BOXES.replace(",", separator))
    assert loaded(source, FOUR)[1].tolist() == [[0, 1, 2, 4], [1, 1, 3, 5]]


def test_coordinates_are_resized(tmp_path: Path) -> None:
    """`resize` scales x with the width and y with the height of each picture."""
    source = table(tmp_path, BOXES)
    picture(tmp_path / "images/1.png", size=(20, 8))
    _, (y,) = source.load(FOUR, size=(10, 12))
    assert y.tolist() == [[0, 2, 6, 8], [1.5, 0.5, 4.5, 2.5]]


def test_several_boxes(tmp_path: Path) -> None:
    """A picture has its boxes in one row or in several rows, in their order."""
    text = "file,x1,y1,x2,y2\n1.png,1,1,1,1\n0.png,0,0,1,1\n0.png,2,2,3,3\n1.png,2,2,2,2\n"
    source = table(tmp_path, text)
    reads = wanted(3, 5, 4, target=Values((2, 4)))
    assert loaded(source, reads)[1].tolist() == [
        [[0, 0, 1, 1], [2, 2, 3, 3]],
        [[1, 1, 1, 1], [2, 2, 2, 2]],
    ]
    assert source.sample(FOUR).target == Values((8,))


@pytest.mark.parametrize(
    ("text", "message", "help_"),
    [
        (
            BOXES.replace("1.png,", "4.png,"),
            "{images}/1.png has no row in {file}",
            "add a row that begins with 1.png",
        ),
        (
            BOXES + "7.png,0,0,1,1\n8.png,0,0,1,1\n",
            "{file} names 7.png and 1 more file that {images} does not have",
            None,
        ),
        (
            BOXES.replace("2,4", "2,four").replace("3,5", "3,"),
            "line 2 of {file}: y2 is four, and must be a number; there is a fault in 1 more row",
            None,
        ),
        (BOXES.replace("2,4", "2,nan"), "line 2 of {file}: y2 is nan, and must be a number", None),
        (
            BOXES.replace("1,1,3,5", "3,1,1,5"),
            "line 3 of {file}: x1 is 3, and x2 is only 1",
            "a box is its left, top, right and bottom edge, in this order",
        ),
        (
            BOXES.replace("2,4", "2"),
            "line 2 of {file}: it has 4 cells, and line 1 names 5 columns",
            None,
        ),
        (
            BOXES.split("\n", 1)[1],
            "{file} has no line of names above its numbers",
            "its first line names the columns: file,x1,y1,x2,y2",
        ),
        (
            "file,x,y\n",
            "{file} has 2 columns of numbers, and needs four numbers for each box",
            "its first line names the columns: file,x1,y1,x2,y2",
        ),
        ("file,x1,y1,x2,y2\n", "{file} has no rows", None),
        (
            BOXES + "1.png,0,0,1,1\n",
            "{file} has 1 boxes for 0.png, and 2 for 1.png",
            "all pictures have the same number of boxes",
        ),
    ],
)
def test_wrong_tables(tmp_path: Path, text: str, message: str, help_: str | None) -> None:
    """Each fault of a table names the file and its line, or the picture."""
    source = table(tmp_path, text)
    said = message.format(file=tmp_path / "boxes.csv", images=tmp_path / "images")
    assert statically(source, FOUR) == (said, "boxes", help_)


def test_several_targets(tmp_path: Path) -> None:
    """Masks and boxes together are two targets, which have the names of their fields."""
    (tmp_path / "boxes.csv").write_text(BOXES, encoding="utf-8")
    source = folders(tmp_path, MASK, MASK, boxes=str(tmp_path / "boxes.csv"))
    assert source.target_names == ("masks", "boxes")
    assert source.geometry == {"masks": "mask", "boxes": "boxes"}
    targets = {"masks": Classes(3, (5, 4)), "boxes": Values((4,))}
    reads = Sample((Tensor((3, 5, 4)),), targets)
    assert source.sample(reads).targets == targets
    _, (masks, boxes) = source.load(reads)
    assert (masks.shape, boxes.shape) == ((2, 5, 4), (2, 4))
    samples: Any = source.open(reads)
    assert [len(part) for part in samples.targets()] == [2, 2]


def test_broken_pictures(tmp_path: Path) -> None:
    """All broken pictures are named, up to ten, or left out with their masks."""
    source = folders(tmp_path, *[MASK] * 14)
    for number in (0, 3):
        (tmp_path / f"images/{number}.png").write_bytes(b"")
    (tmp_path / "masks/5.png").write_bytes((tmp_path / "masks/5.png").read_bytes()[:60])
    reads = wanted(3, 5, 4, target=Classes(3, (5, 4)))
    images, masks = tmp_path / "images", tmp_path / "masks"
    names = f"{images}/0.png, {images}/3.png and {masks}/5.png"
    message = refusal(source, reads)[0]
    assert message == (
        f"3 samples cannot be read: {names}; {images}/0.png cannot be read: it is not a picture"
    )
    skipping = source.model_copy(update={"skip_broken": True})
    assert skipping.size is None
    (x,), (y,) = skipping.load(reads)
    assert len(x) == len(y) == 11
    kept = json.loads(json.dumps(skipping.kept()))
    assert [*kept["broken"][""]] == ["0.png", "3.png", "5.png"]
    picture(images / "0.png")  # repaired, and still left out of a run that has begun
    again = source.model_copy(update={"skip_broken": True}).with_kept(kept)
    assert len(again.load(reads)[0][0]) == 11
    assert len(skipping.load(reads)[0][0]) == 12
    for number in range(14):
        (images / f"{number}.png").write_bytes(b"")
    message = refusal(skipping, reads)[0]
    reason = f"{images}/0.png cannot be read: it is not a picture"
    assert message == f"all 14 images are broken: {reason}"
    assert refusal(source, reads)[0].endswith(f"/images/5.png and 4 more; {reason}")


@pytest.mark.parametrize("kept", [{}, {"broken": 1}, {"broken": {"": ["a"]}}])
def test_changed_list_of_broken_pictures(tmp_path: Path, kept: dict[str, Any]) -> None:
    """What a run has kept may come from anybody."""
    source = scene(tmp_path, skip_broken=True)
    with pytest.raises(DataError, match=r"its data\.json was changed"):
        source.with_kept(kept)


def test_broken_pictures_of_classes(tmp_path: Path) -> None:
    """Folders of classes leave out broken pictures too."""
    for number in range(3):
        picture(tmp_path / f"images/a/{number}.png")
        picture(tmp_path / f"images/b/{number}.png")
    (tmp_path / "images/b/1.png").write_bytes(b"")
    source = ImageFolder(folder=str(tmp_path / "images"), skip_broken=True)
    assert loaded(source, wanted(3, 5, 4, target=Classes(2)))[1].tolist() == [0, 0, 0, 1, 1]
