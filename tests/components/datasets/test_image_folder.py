"""`ImageFolder`: classes, channels, sizes, and images that are damaged."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from netbuild import ConfigError, train
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.hub import Hub
from netbuild.components.datasets.images import ImageFolder
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import RGB, folder, picture
from tests.components.datasets.test_datasets import loaded, refusal, wanted
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.components.datasets.dataset import Dataset

pytestmark = pytest.mark.usefixtures("nothing_is_left")


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif"])
def test_image_folder(tmp_path: Path, ending: str, splits: bool) -> None:  # noqa: FBT001
    """Images of the classes that their folders name, with the splits that there are."""
    pixels = folder(tmp_path / "images", ending=ending, splits=splits)
    source = ImageFolder(folder=str(tmp_path / "images"))
    size = None if ending == "tif" else Tensor((3, 5, 4))
    assert source.sample(RGB) == ((size,), {"target": Classes(2)})
    assert source.size == 6
    x, y = loaded(source, RGB)
    assert y.tolist() == [0, 0, 0, 1, 1, 1]
    assert x.min() >= 0
    assert x.max() <= 1
    if ending in {"png", "bmp", "tif"}:
        expected = np.stack([*pixels.values()]).transpose(0, 3, 1, 2)
        assert np.array_equal(x, expected.astype("float32") / 255)
    assert source.names() == ("cat", "dog")
    if splits:
        assert loaded(source, RGB, "test")[1].tolist() == [1]
        refused = (f"{source.folder} has no split dev", "folder", "its splits are test, train")
        assert refusal(source, RGB, "dev") == refused
    else:
        assert refusal(source, RGB, "test")[0] == "ImageFolder has no split test of its own"


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (3, "RGB"), (4, "RGBA")])
@pytest.mark.parametrize("written", ["L", "RGB", "RGBA"])
def test_channels_and_size(tmp_path: Path, channels: int, mode: str, written: str) -> None:
    """Images have the channels that the network reads, and one size where it is given."""
    root = tmp_path / "images"
    picture(root / "a/1.png", mode=written)
    picture(root / "b/1.png", size=(9, 7), mode=written)
    source = ImageFolder(folder=str(root))
    reads = wanted(channels, 6, 6, target=Classes(2))
    (x,), _ = source.load(reads, size=(6, 6))
    assert x.shape == (2, channels, 6, 6)
    with Image.open(root / "a/1.png") as image:
        resized = image.convert(mode).resize((6, 6), Image.Resampling.BILINEAR)
    expected = np.asarray(resized).reshape(6, 6, channels).transpose(2, 0, 1)
    assert np.array_equal(x[0], expected.astype("float32") / 255)
    assert refusal(source, reads) == (
        f"its pictures differ in size: {root}/a/1.png has 5×4, and {root}/b/1.png has 9×7",
        None,
        "bring them to one size: resize: [6, 6]",
    )


def test_sixteen_bits(tmp_path: Path) -> None:
    """A grey image of 16 bits is one from 0 to 1 as well."""
    grey = np.array([[0, 65535], [32768, 256]], "uint16")
    (tmp_path / "images/a").mkdir(parents=True)
    Image.fromarray(grey).save(tmp_path / "images/a/1.png")
    source = ImageFolder(folder=str(tmp_path / "images"))
    x, _ = loaded(source, wanted(1, 2, 2, target=Classes(1)))
    assert np.allclose(x[0, 0], grey / 65535, atol=1 / 255)


def test_turned(tmp_path: Path) -> None:
    """An image that its Exif turns is given as it is seen, and its header tells no size."""
    (tmp_path / "images/a").mkdir(parents=True)
    exif = Image.Exif()
    exif[Image.ExifTags.Base.Orientation] = 6
    Image.new("RGB", (4, 2)).save(tmp_path / "images/a/1.jpg", exif=exif)
    source = ImageFolder(folder=str(tmp_path / "images"))
    reads = wanted(3, 4, 2, target=Classes(1))
    assert source.sample(reads).inputs == (None,)
    assert loaded(source, reads)[0].shape == (1, 3, 4, 2)


def test_image_folder_refused(tmp_path: Path) -> None:
    """No folder, no classes, a class without images, another class, a damaged image."""
    root = tmp_path / "images"
    source = ImageFolder(folder=str(root))
    assert refusal(source, RGB) == (f"there is no folder {root}", "folder", None)
    root.mkdir()
    help_ = f"put the images of each class into a folder: {root}/cat/1.png"
    assert refusal(source, RGB) == (f"{root} has no folders of classes", "folder", help_)
    folder(root)
    (root / "train/empty").mkdir()
    message, at, help_ = refusal(source, RGB)
    assert (message, at) == (f"{root}/train/empty has no images", "folder")
    assert (
        help_ == "their names end in .bmp, .gif, .jpeg, .jpg, .pgm, .png, .ppm, .tif, .tiff, .webp"
    )
    (root / "train/empty").rmdir()
    picture(root / "test/cow/1.png")
    message = f"{root}/test has a class cow, and {root}/train does not"
    assert refusal(source, RGB, "test") == (message, "folder", None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_damaged_image(tmp_path: Path) -> None:
    """An image that ends early is refused with its name; `datasets` leaves it open."""
    folder(tmp_path / "images")
    file = tmp_path / "images/train/dog/1.png"
    file.write_bytes(file.read_bytes()[:60])
    message, *_ = refusal(ImageFolder(folder=str(tmp_path / "images")), RGB)
    assert message.startswith(f"{file} cannot be read: ")
    gc.collect()


@pytest.mark.parametrize(
    "source",
    [Hub(name="x"), Csv(file="x.csv", target="y"), ImageFolder(folder="images")],
    ids=lambda source: type(source).__name__,
)
def test_without_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Dataset) -> None:
    """Where `datasets` is missing the import fails, for the command line to say what brings it."""
    monkeypatch.chdir(tmp_path)
    folder(tmp_path / "images")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ModuleNotFoundError, match="datasets") as error:
        source.load(RGB)
    assert error.value.name == "datasets"


#: How images are damaged: another format, cut off, or empty.
DAMAGES = (lambda _: b"not an image", lambda data: data[:60], lambda _: b"")
NAMES = ("cat/0.png", "cat/3.png", "dog/5.png")


def damaged(root: Path) -> str:
    """Write images of which three are damaged, and return what is said of them."""
    for number in range(6):
        picture(root / f"cat/{number}.png")
        picture(root / f"dog/{number}.png")
    files = [root / name for name in NAMES]
    for file, damage in zip(files, DAMAGES, strict=True):
        file.write_bytes(damage(file.read_bytes()))
    first, second, third = files
    return f"3 samples cannot be read: {first}, {second} and {third}; {first} cannot be read: "


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_all_damaged_images_are_named(tmp_path: Path) -> None:
    """All damaged images are in one message, the very first image too."""
    said = damaged(tmp_path / "images")
    message, at, _ = refusal(ImageFolder(folder=str(tmp_path / "images")), RGB)
    assert message.startswith(said)
    assert at is None
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("normalize", [False, True])
def test_damaged_images_in_training(tmp_path: Path, normalize: bool) -> None:  # noqa: FBT001
    """Images that are read while the network trains are all named, those of both splits."""
    said = damaged(tmp_path / "images")
    data = {"ImageFolder": str(tmp_path / "images"), "in_memory": False, "normalize": normalize}
    options = {"epochs": 1, "batch_size": 4, "workers": 0, "device": "cpu"}
    layers = ["Flatten", {"Linear": 2}]
    file = write(tmp_path, input=[3, 5, 4], layers=layers, data=data, train=options)
    with pytest.raises(ConfigError) as refused:
        train(file, runs=tmp_path / "runs")
    (fault,) = refused.value.diagnostics
    assert fault.message.startswith(f"ImageFolder cannot be used as written: {said}")
    advice = "skip_broken: true, among the fields of the source, leaves out what cannot be read"
    assert fault.help == advice
    del refused, fault
    gc.collect()
