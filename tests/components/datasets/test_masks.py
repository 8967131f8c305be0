"""`ImageFolder` with masks: the class at each pixel, pairs of files, and masks that are wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from netbuild.components.datasets.dataset import DataError
from netbuild.components.datasets.images import ImageFolder
from netbuild.components.datasets.masks import class_numbers, nearest
from netbuild.components.target import Classes, Signs, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import picture
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.components.datasets.dataset import Sample
    from netbuild.components.target import Target

pytestmark = pytest.mark.usefixtures("nothing_is_left")

MASK = np.array([[0, 1, 2, 0], [1, 2, 0, 1], [2, 0, 1, 2], [0, 0, 0, 0], [1, 1, 1, 1]], "uint8")
RGB = wanted(3, 5, 4, target=Classes(3, (5, 4)))
PALETTE = [0, 0, 0, 200, 30, 30, 30, 200, 30]


def write(path: Path, pixels: np.ndarray[Any, Any], palette: list[int] | None = None) -> None:
    """Write a mask as a grey or coloured picture, or with a palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = Image.fromarray(pixels)
    if palette:
        mask.putpalette(palette)
    mask.save(path)


def folders(root: Path, *masks: np.ndarray[Any, Any], **fields: Any) -> ImageFolder:
    """Write images with these masks, and return the source."""
    for number, mask in enumerate(masks):
        picture(root / f"images/{number}.png")
        write(root / f"masks/{number}.png", mask)
    given = {"folder": str(root / "images"), "masks": str(root / "masks"), "classes": 3}
    return ImageFolder(**given | fields)


@pytest.mark.parametrize("written", ["grey", "palette", "16 bits", "grey as RGB", "GIF"])
def test_masks(tmp_path: Path, written: str) -> None:
    """The class at each pixel is the grey value, or the index into the palette."""
    source = folders(tmp_path, MASK, MASK.T.reshape(5, 4))
    if written != "grey":
        (tmp_path / "masks/0.png").unlink()
    match written:
        case "palette":
            write(tmp_path / "masks/0.png", MASK, PALETTE)
        case "16 bits":
            write(tmp_path / "masks/0.png", MASK.astype("uint16"))
        case "grey as RGB":
            write(tmp_path / "masks/0.png", MASK[..., None].repeat(3, 2))
        case "GIF":
            write(tmp_path / "masks/0.gif", MASK, PALETTE)
    assert source.sample(RGB) == ((Tensor((3, 5, 4)),), {"target": Classes(3, (5, 4))})
    assert source.size == 2
    x, y = loaded(source, RGB)
    assert x.shape == (2, 3, 5, 4)
    assert np.array_equal(y, np.stack([MASK, MASK.T.reshape(5, 4)]))
    assert source.geometry == {"target": "mask"}
    assert source.names() is None


def test_subfolders_and_splits(tmp_path: Path) -> None:
    """Pairs have the same path in their folders; train and test are splits in both."""
    for split, name in (("train", "a/1"), ("train", "b/1"), ("test", "1")):
        picture(tmp_path / f"images/{split}/{name}.bmp")
        write(tmp_path / f"masks/{split}/{name}.png", MASK)
    source = folders(tmp_path)
    assert source.size == 2
    assert loaded(source, RGB, "test")[1].shape == (1, 5, 4)
    source.check_split("test")
    assert refusal(source, RGB, "dev")[0] == f"{tmp_path}/images has no split dev"
    (tmp_path / "masks/test/1.png").rename(tmp_path / "1.png")
    (tmp_path / "masks/test").rmdir()
    message = f"there is no folder {tmp_path}/masks/test, and there is {tmp_path}/images/test"
    assert refusal(source, RGB, "test") == (message, "masks", None)


@pytest.mark.parametrize(
    ("target", "expected"),
    [(Values((1, 5, 4)), [0, 1]), (Values((5, 4)), [0, 1]), (Signs((1, 5, 4)), [-1, 1])],
)
@pytest.mark.parametrize("white", [1, 255])
def test_two_classes(tmp_path: Path, target: Target, expected: list[int], white: int) -> None:
    """A loss of yes or no gets 0 and 1, or −1 and 1; a white mask is 1 everywhere."""
    source = folders(tmp_path, (MASK > 0) * np.uint8(white), classes=2)
    reads = wanted(3, 5, 4, target=target)
    assert source.sample(reads).target == target
    _, y = loaded(source, reads)
    assert np.array_equal(y, np.where(MASK > 0, *expected[::-1]).reshape(y.shape))


def test_white_may_be_ignored(tmp_path: Path) -> None:
    """255 is white of two classes, unless the loss ignores 255 or other values are there."""
    black_white = (MASK > 0) * np.uint8(255)
    source = folders(tmp_path, black_white, classes=2)
    ignoring = wanted(3, 5, 4, target=Classes(2, (5, 4), 255))
    assert np.array_equal(loaded(source, ignoring)[1][0], black_white)
    both = wanted(3, 5, 4, target=Classes(2, (5, 4)))
    assert np.array_equal(loaded(source, both)[1][0], MASK > 0)
    write(tmp_path / "masks/0.png", np.where(MASK == 2, 255, MASK).astype("uint8"))
    file = tmp_path / "masks/0.png"
    help_ = "if 255 marks places without a class, let the loss ignore them: ignore_index: 255"
    message = f"the mask is 255 in {file}, and there are 2 classes, 0 to 1"
    assert refusal(source, both) == (message, "masks", help_)


def test_resized_by_nearest(tmp_path: Path) -> None:
    """`resize` brings masks to the size of the images, and makes no new class between two."""
    source = folders(tmp_path, MASK)
    reads = wanted(3, 10, 8, target=Classes(3, (10, 8)))._replace(size=(10, 8))
    assert source.sample(reads).target == Classes(3, (10, 8))
    _, (y,) = source.load(reads, size=(10, 8))
    assert np.array_equal(y[0], MASK.repeat(2, 0).repeat(2, 1))
    picture(tmp_path / "images/0.png", size=(20, 20))
    write(tmp_path / "masks/0.png", np.eye(20, dtype="uint8"))
    _, (y,) = source.load(reads, size=(10, 8))
    expected = Image.fromarray(np.eye(20, dtype="uint8")).resize((8, 10), Image.Resampling.NEAREST)
    assert np.array_equal(y[0], expected)
    assert nearest(np.arange(6).reshape(2, 3), (2, 3)).tolist() == [[0, 1, 2], [3, 4, 5]]


def statically(source: ImageFolder, reads: Sample) -> tuple[str, str | None, str | None]:
    """Return the refusal, which `sample` and `load` say in the same words."""
    with pytest.raises(DataError) as error:
        source.sample(reads)
    said = str(error.value), error.value.at, error.value.help
    assert refusal(source, reads) == said
    return said


def test_wrong_masks(tmp_path: Path) -> None:
    """A coloured mask, another size, an unknown class, a format that changes values."""
    source = folders(tmp_path, MASK)
    file, image = tmp_path / "masks/0.png", tmp_path / "images/0.png"
    write(file, MASK[:4])
    message = f"{file} has 4×4 pixels, and its image {image} has 5×4"
    assert statically(source, RGB) == (message, "masks", "a mask has the size of its image")
    write(file, MASK * np.uint8(3))
    message = f"the mask is 3 in {file}, and there are 3 classes, 0 to 2"
    assert statically(source, RGB) == (message, "masks", None)
    colours = np.zeros((5, 4, 3), "uint8")
    colours[0, 0], colours[1, 1], colours[2, :2] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    colours[3, 3] = 9, 8, 7
    write(file, colours)
    message = (
        f"{file} is a coloured picture, not a mask: it holds (0, 0, 0), (0, 0, 255), (0, 255, 0) "
        "and 2 more colours"
    )
    help_ = "write the number of the class at each pixel, as a grey PNG or as a PNG with a palette"
    assert statically(source, RGB) == (message, "masks", help_)
    file.unlink()
    write(tmp_path / "masks/0.jpg", MASK * np.uint8(90))
    message, at, help_ = statically(source, RGB)
    assert message.endswith(f" in {tmp_path}/masks/0.jpg, and there are 3 classes, 0 to 2")
    assert (at, help_) == (
        "masks",
        "this format changes the values of pixels: store masks as PNG",
    )


def test_all_wrong_masks_are_named(tmp_path: Path) -> None:
    """Training names all masks that cannot be used, and `skip_broken` leaves out none of them."""
    source = folders(tmp_path, MASK, MASK * np.uint8(4), MASK[:4], MASK, skip_broken=True)
    masks = tmp_path / "masks"
    message, at, _ = refusal(source, RGB)
    assert at == "masks"
    assert message == (
        f"2 samples cannot be used: {masks}/1.png and {masks}/2.png; the mask is 4 in "
        f"{masks}/1.png, and there are 3 classes, 0 to 2"
    )


def test_a_turned_picture(tmp_path: Path) -> None:
    """A picture that its Exif data turns has the mask of what is seen."""
    source = folders(tmp_path, MASK)
    (tmp_path / "images/0.png").unlink()
    exif = Image.Exif()
    exif[Image.ExifTags.Base.Orientation] = 6
    Image.new("RGB", (5, 4)).save(tmp_path / "images/0.jpg", exif=exif)
    assert source.sample(RGB).inputs == (None,)
    x, y = loaded(source, RGB)
    assert (x.shape, y.shape) == ((1, 3, 5, 4), (1, 5, 4))


def test_wrong_pairs(tmp_path: Path) -> None:
    """An image without a mask, a mask without an image, two files of one name, no classes."""
    source = folders(tmp_path, MASK, MASK, MASK)
    images, masks = tmp_path / "images", tmp_path / "masks"
    unknown = source.model_copy(update={"classes": None})
    message = "masks need classes, the number of classes"
    with pytest.raises(DataError, match=message) as error:
        unknown.sample(RGB)
    assert error.value.help == "add classes: 3"
    (masks / "1.png").unlink()
    (masks / "2.png").rename(masks / "5.png")
    help_ = f"the mask of {images}/0.png is {masks}/0.png: it has the same name"
    message = f"{images}/1.png and 1 more image have no mask in {masks}"
    assert statically(source, RGB) == (message, "masks", help_)
    (images / "1.png").unlink()
    (images / "2.png").unlink()
    help_ = "remove the mask, or add an image with the same name"
    assert statically(source, RGB) == (f"there is no image for {masks}/5.png", "masks", help_)
    write(masks / "0.bmp", MASK)
    message = f"{masks}/0.bmp and {masks}/0.png have the same name"
    help_ = "pairs are found by the name without its ending"
    assert statically(source, RGB) == (message, "masks", help_)


def test_masks_before_they_are_there(tmp_path: Path) -> None:
    """Folders that are missing are no fault before training."""
    source = folders(tmp_path, MASK)
    source = source.model_copy(update={"masks": str(tmp_path / "others")})
    assert source.sample(RGB) == ((None,), {"target": None})
    assert source.size is None
    assert refusal(source, RGB) == (f"there is no folder {tmp_path}/others", "masks", None)


def test_modes() -> None:
    """Transparency does not count; one bit is 0 or 1; fractions are no classes."""
    grey = Image.fromarray(MASK)
    assert np.array_equal(class_numbers(grey.convert("LA"), "x"), MASK)
    assert np.array_equal(class_numbers(grey.convert("RGBA"), "x"), MASK)
    black = Image.fromarray(MASK > 0)
    assert np.array_equal(class_numbers(black, "x"), MASK > 0)
    assert np.array_equal(class_numbers(Image.fromarray(MASK.astype("float32")), "x"), MASK)
    with pytest.raises(DataError, match="x holds fractions"):
        class_numbers(Image.fromarray(MASK / np.float32(2)), "x")
