"""What goes through `datasets`: files of tables and images, split, streamed, damaged."""

from __future__ import annotations

import gc
import pickle
import sys
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pytest
from PIL import Image

from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.hub import Hub
from netbuild.components.datasets.images import ImageFolder
from netbuild.components.datasets.tables import quiet
from netbuild.components.target import Classes, Signs, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.components.datasets.dataset import Dataset

TWO = wanted(2, target=Classes(3))
FLOWERS = """a,b,species
1,2.5,rose
2,0.5,tulip
3,1e1,iris
4,.5,rose
"""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `datasets` keeps goes where the test's files are."""
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture(autouse=True)
def _nothing_is_left(_cache: None, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Any:
    """Nothing is printed, and nothing is written where the process runs."""
    yield
    assert capfd.readouterr() == ("", "")
    assert not list((tmp_path / "work").iterdir())


def csv(folder: Path, text: str = FLOWERS, **fields: Any) -> Csv:
    """Write a file, and return the source that reads it."""
    (folder / "x.csv").write_text(text, encoding="utf-8")
    return Csv(**{"file": str(folder / "x.csv"), "target": "species"} | fields)


def test_csv(tmp_path: Path) -> None:
    """Columns of numbers are the features, and a column of text the classes, in their order."""
    source = csv(tmp_path)
    assert source.sample(TWO) == ((Tensor((2,)),), Classes(3))
    assert source.size == 4
    x, y = loaded(source, TWO)
    assert x.tolist() == [[1, 2.5], [2, 0.5], [3, 10], [4, 0.5]]
    assert y.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize(
    ("column", "fields", "target", "given", "values"),
    [
        ("2 4 4 8", {}, Classes(3), Classes(3), [0, 1, 1, 2]),
        ("0 1 2 4", {"classes": 5}, Classes(5), Classes(5), [0, 1, 2, 4]),
        ("2 4 4 8", {}, Values((1,)), Values((1,)), [[2], [4], [4], [8]]),
        ("2 4 4.5 8", {}, Values(()), Values(()), [2, 4, 4.5, 8]),
        ("2 4 4.5 8", {}, Classes(2), Values(()), [2, 4, 4.5, 8]),
        ("no no yes no", {}, Values((1,)), Values((1,)), [[0], [0], [1], [0]]),
        ("no no yes no", {}, Signs((1,)), Signs((1,)), [[-1], [-1], [1], [-1]]),
        ("True False True True", {}, Classes(2), Classes(2), [1, 0, 1, 1]),
        ("true false true true", {}, Values(()), Values(()), [1, 0, 1, 1]),
        ("1.5 x 2 3", {}, Classes(4), Classes(4), [0, 3, 1, 2]),
    ],
)
def test_csv_target(
    tmp_path: Path, column: str, fields: Any, target: Any, given: Any, values: Any
) -> None:
    """What a target is depends on its values, and on what the loss compares with."""
    text = "".join(f"{n},{value}\n" for n, value in enumerate(column.split()))
    source = csv(tmp_path, f"a,species\n{text}", **fields)
    reads = wanted(1, target=target)
    assert source.sample(reads).target == given
    assert loaded(source, reads)[1].tolist() == values


@pytest.mark.parametrize(
    ("column", "fields", "names"),
    [
        ("b a b", {}, ("a", "b")),
        ("10 2 10", {}, ("2", "10")),
        ("0 1 1", {"classes": 2}, None),
        ("b a b", {"classes": 2}, ("a", "b")),
        ("true false true", {}, ("False", "True")),
        ("1.5 2 3", {}, None),
    ],
)
def test_csv_names(tmp_path: Path, column: str, fields: Any, names: Any) -> None:
    """Classes are called by the values of the target, unless these are their numbers."""
    text = "".join(f"{n},{value}\n" for n, value in enumerate(column.split()))
    source = csv(tmp_path, f"a,species\n{text}", **fields)
    assert source.names() == names
    (tmp_path / "x.csv").unlink()
    assert source.names() is None


def test_csv_inputs(tmp_path: Path) -> None:
    """Inputs are those that are named, in that order; a column without a name is no input."""
    text = '\ufeff;"a;b";c;y\n0;True;2;1\n\n1;False;3;0\n'
    source = csv(tmp_path, text, target="y", separator=";")
    assert loaded(source, TWO)[0].tolist() == [[1, 2], [0, 3]]
    source = csv(tmp_path, text, target="y", inputs=("c", "a;b"), separator=";")
    assert loaded(source, TWO)[0].tolist() == [[2, 1], [3, 0]]
    several = Sample((Tensor((), "int64"), Tensor((1,))), Classes(2))
    c, ab, _ = loaded(source, several)
    assert (c.tolist(), ab.tolist()) == ([2, 3], [[1], [0]])


def test_csv_that_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file the names of the columns are read alone while a config is checked."""
    monkeypatch.setattr("netbuild.components.datasets.delimited._MAX_READ", 10)
    source = csv(tmp_path)
    assert source.sample(TWO) == ((Tensor((2,)),), None)
    assert source.size is None
    assert loaded(source, TWO)[1].tolist() == [1, 2, 0, 1]


def test_csv_of_late_numbers(tmp_path: Path) -> None:
    """A column that becomes what it is behind the first rows is read as that."""
    rows = "".join(f"{n},{n},0\n" for n in range(20_000))
    source = csv(tmp_path, f"a,b,species\n{rows}0.5,1,x\n")
    x, y = loaded(source, TWO)
    assert (x[-1].tolist(), y[0], y[-1]) == ([0.5, 1], 0, 1)


@pytest.mark.parametrize(
    ("text", "fields", "refused"),
    [
        (
            FLOWERS,
            {"target": "kind"},
            ("{file} has no column kind", "target", "its columns are a, b, species"),
        ),
        (
            FLOWERS,
            {"inputs": ("a", "c")},
            ("{file} has no column c", "inputs", "its columns are a, b, species"),
        ),
        (
            FLOWERS,
            {"target": "a"},
            (
                "species is text, such as iris, and no input",
                "inputs",
                "leave it out of inputs, or turn it into numbers",
            ),
        ),
        ("a,species\n1,x\n,y\n", {}, ("a has no value in row 2", "file", None)),
        ("a,species\n1,x\n2,NA\n", {}, ("species has no value in row 2", "file", None)),
        ("a,species\n1,x\n2\n", {}, ("species has no value in row 2", "file", None)),
        (
            "a,species\n1,x\n2,3,y\n",
            {},
            (
                "line 3 has 3 values for 2 columns",
                "file",
                "a value with a comma stands in quotes",
            ),
        ),
        ("a,a,species\n1,2,x\n", {}, ("{file} has two columns a", "file", None)),
        ("", {}, ("{file} is empty", "file", None)),
        ("a,species\n", {}, ("{file} has no rows", "file", None)),
        ("species\nx\n", {}, ("{file} has no column beside species", "file", None)),
        (
            "a,species\n1,0\n2,3\n",
            {"classes": 3},
            ("species is 3 in row 2, and there are 3 classes, 0 to 2", "target", None),
        ),
        (
            "a,species\ninf,0\n",
            {},
            ("a is inf in row 1, and no network computes with that", "inputs", None),
        ),
    ],
)
def test_csv_refused(tmp_path: Path, text: str, fields: Any, refused: Any) -> None:
    """What is wrong with a file is said with its row."""
    source = csv(tmp_path, text, **fields)
    message, at, help_ = refused
    assert refusal(source, TWO) == (message.format(file=source.file), at, help_)


def test_csv_that_is_none(tmp_path: Path) -> None:
    """A missing file, and one that is no text."""
    source = Csv(file=str(tmp_path / "x.csv"), target="y")
    assert refusal(source, TWO) == (f"there is no {tmp_path}/x.csv", "file", None)
    (tmp_path / "x.csv").write_bytes(b"a,y\n\xff,1\n")
    message, at, _ = refusal(source, TWO)
    assert message.startswith(f"{tmp_path}/x.csv is no table of text: 'utf-8' codec")
    assert at == "file"


TABLE = {
    "a": [1, 2, 3, 4],
    "b": [0.5, 1.5, 2.5, 3.5],
    "label": [0, 2, 1, 0],
    "kind": ["x", "y", "x", "z"],
    "pair": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]],
}


def table(folder: Path, kind: str) -> Hub:
    """Write a table as a kind of file, and return the source that reads it."""
    made = datasets.Dataset.from_dict(TABLE)
    path = str(folder / f"x.{kind}")
    with quiet():
        if kind == "parquet":
            made.to_parquet(path)
        elif kind == "csv":
            made.remove_columns("pair").to_csv(path)
        elif kind == "tsv":
            made.remove_columns("pair").to_csv(path, sep="\t")
        elif kind == "json":
            made.to_json(path)
        elif kind == "saved":
            made.save_to_disk(path)
        else:
            made.save_to_disk(folder / "saved")
            path = f"{folder}/saved/*.arrow"
    return Hub(files=path)


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("kind", ["parquet", "csv", "tsv", "json", "arrow", "saved"])
def test_files(tmp_path: Path, kind: str, streaming: bool) -> None:  # noqa: FBT001
    """Every kind of file is read at once and one by one, or streamed in an order by seed."""
    source = table(tmp_path, kind).model_copy(update={"inputs": ("a", "b")})
    expected = [[1, 0.5], [2, 1.5], [3, 2.5], [4, 3.5]]
    if not streaming:
        x, y = loaded(source, TWO)
        assert (x.tolist(), y.tolist()) == (expected, TABLE["label"])
        samples: Any = source.open(TWO)
        (x,), y = pickle.loads(pickle.dumps(samples))[3]  # noqa: S301  as workers do
        assert (len(samples), x.tolist(), y, x.dtype, y.dtype) == (
            4,
            expected[3],
            0,
            "float32",
            int,
        )
        return
    stream: Any = source.model_copy(update={"streaming": True}).open(TWO)
    assert [x.tolist() for (x,), _ in stream.samples(None)] == expected
    orders = {seed: [y.tolist() for _, y in stream.samples(seed)] for seed in range(4)}
    assert all(sorted(order) == [0, 0, 1, 2] for order in orders.values())
    assert len(set(map(tuple, orders.values()))) > 1
    assert orders[0] == [y for _, y in stream.samples(0)]


def test_columns(tmp_path: Path) -> None:
    """Columns become what the network and the loss want: text classes, lists vectors, values."""
    source = table(tmp_path, "parquet")
    named = Hub(files=source.files, inputs=("a", "b"), target="kind")
    assert loaded(named, TWO)[1].tolist() == [0, 1, 0, 2]
    pairs = Hub(files=source.files, inputs=("pair",), target="b")
    x, y = loaded(pairs, wanted(2, target=Values((1,))))
    assert (x[1].tolist(), y[1].tolist()) == ([3, 4], [1.5])
    reads = Sample((Tensor((), "int64"), Tensor((2,))), Classes(3))
    a, pair, _ = loaded(Hub(files=source.files, inputs=("a", "pair")), reads)
    assert (a.tolist(), pair[3].tolist()) == ([1, 2, 3, 4], [7, 8])
    some = Hub(files=source.files, inputs=("a",), split="train[:50%]", classes=9)
    reads = wanted(1, target=Classes(9))
    assert some.sample(reads) == ((None,), Classes(9))
    assert loaded(some, reads)[0].tolist() == [[1], [2]]


def test_names_of_the_hub(tmp_path: Path) -> None:
    """A ClassLabel names its classes, text is their names, and numbers have none."""
    source = table(tmp_path, "parquet")
    assert source.names() is None
    assert source.model_copy(update={"target": "kind"}).names() == ("x", "y", "z")
    features = datasets.Features(
        a=datasets.Value("float32"), b=datasets.ClassLabel(names=["n", "m"])
    )
    with quiet():
        datasets.Dataset.from_dict({"a": [1, 2], "b": [1, 0]}, features).to_parquet(
            tmp_path / "named.parquet"
        )
    for streaming in (False, True):
        named = Hub(files=f"{tmp_path}/named.parquet", streaming=streaming)
        assert named.names() == ("n", "m")


def test_own_splits(tmp_path: Path) -> None:
    """What another split has is read as what trains: its classes have the same numbers."""
    train = datasets.Dataset.from_dict({"a": [1, 2, 3], "kind": ["x", "y", "z"]})
    test = datasets.Dataset.from_dict({"a": [4, 5], "kind": ["z", "w"]})
    with quiet():
        datasets.DatasetDict(train=train, test=test).save_to_disk(tmp_path / "x")
    source = Hub(files=str(tmp_path / "x"), target="kind")
    reads = wanted(1, target=Classes(3))
    assert loaded(source, reads)[1].tolist() == [0, 1, 2]
    samples: Any = source.open(reads, "test")
    assert samples[0][1] == 2
    refused = ("kind is w in row 2, and the classes are x, y, z", "target", None)
    assert refusal(source, reads, "test") == refused
    refused = (f"{source.files} has no split dev", "split", "its splits are train, test")
    assert refusal(source, reads, "dev") == refused


_TEXT = "leave it out of inputs, or turn it into numbers"
_KNOWN = "its columns are a, b, label, kind, pair"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"inputs": ("c",)}, ("there is no column c", "inputs", _KNOWN)),
        ({"target": "c"}, ("there is no column c", "target", _KNOWN)),
        ({"inputs": ("a", "kind")}, ("kind is text, and no input", "inputs", _TEXT)),
        (
            {"inputs": ("a", "pair")},
            ("pair is not one number a row, and cannot stand beside others", "inputs", None),
        ),
        (
            {"inputs": ("a",), "classes": 2},
            ("label is 2 in row 2, and there are 2 classes, 0 to 1", "target", None),
        ),
        (
            {"split": "dev"},
            ('{files} cannot be read: Unknown split "dev". Should be one of', "files", None),
        ),
        (
            {"inputs": ("a",), "target": "kind", "streaming": True},
            (
                "kind is text, and only reading all of it tells the classes",
                "target",
                "leave streaming out, or take numbers",
            ),
        ),
    ],
)
def test_refused(tmp_path: Path, fields: Any, refused: Any) -> None:
    """What is wrong with the columns is said in their names."""
    source = table(tmp_path, "parquet")
    message, at, help_ = refused
    said = refusal(Hub(files=source.files, **fields), TWO)
    assert said[0].startswith(message.format(files=source.files))
    assert said[1:] == (at, help_)


def test_missing_values(tmp_path: Path) -> None:
    """A value that is missing is said with its row, whether all are read or one."""
    made = {"a": [1, None], "label": [0, 1], "kind": ["x", None], "list": [[1.0], [1.0, 2.0]]}
    with quiet():
        datasets.Dataset.from_dict(made).to_parquet(tmp_path / "x.parquet")
    source = Hub(files=str(tmp_path / "x.parquet"), inputs=("a",))
    assert refusal(source, TWO) == ("a has no value in row 2", None, None)
    samples: Any = source.open(TWO)
    with pytest.raises(Exception, match="a has no value in row 2"):
        samples[1]
    source = Hub(files=source.files, inputs=("label",), target="kind")
    assert refusal(source, TWO) == ("kind has no value in row 2", None, None)
    source = Hub(files=source.files, inputs=("list",))
    assert refusal(source, TWO) == ("list is not of one shape in all samples", None, None)


def test_files_that_are_none(tmp_path: Path) -> None:
    """Missing, unknown, damaged."""
    source = Hub(files=f"{tmp_path}/*.parquet")
    assert refusal(source, TWO) == (f"there is no {source.files}", "files", None)
    (tmp_path / "x.parquet").write_bytes(b"hello")
    message, at, _ = refusal(source, TWO)
    assert message.startswith(f"{source.files} cannot be read: Parquet file size is 5 bytes")
    assert at == "files"
    (tmp_path / "x.xls").write_bytes(b"hello")
    refused = (
        f"{tmp_path}/x.xls is of no known format",
        "files",
        "it reads files that end in .parquet, .csv, .tsv, .json, .jsonl, .arrow",
    )
    assert refusal(Hub(files=f"{tmp_path}/x.xls"), TWO) == refused
    (tmp_path / "x.json").write_text("{[")
    message, *_ = refusal(Hub(files=f"{tmp_path}/x.json"), TWO)
    assert message.startswith(f"{tmp_path}/x.json cannot be read: ")


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of the hub that cannot be fetched says so."""
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    message, at, _ = refusal(Hub(name="no/such"), TWO)
    assert message.startswith("no/such cannot be read: Couldn't reach 'no/such' on the Hub")
    assert at == "name"


@pytest.mark.parametrize("fields", [{}, {"name": "x", "files": "y"}])
def test_one_place(fields: Any) -> None:
    """A name or files, not both and not neither."""
    with pytest.raises(ValueError, match=r"to stand without name|a path where there is no name"):
        Hub(**fields)


RANDOM = np.random.default_rng(0)


def picture(
    path: Path, *, size: tuple[int, int] = (5, 4), mode: str = "RGB"
) -> np.ndarray[Any, Any]:
    """Write an image, of height and width, and return its pixels."""
    shape = size if mode == "L" else (*size, len(mode))
    pixels = RANDOM.integers(0, 256, shape, "uint8")
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return pixels


def folder(root: Path, *, ending: str = "png", splits: bool = True) -> dict[str, Any]:
    """Write a folder of images, and return their pixels."""
    train, test = (root / "train", root / "test") if splits else (root, root.parent / "test")
    names = {f"{name}/{n}.{ending}" for name in ("cat", "dog") for n in range(3)}
    picture(test / f"dog/0.{ending}")
    return {name: picture(train / name) for name in sorted(names)}


RGB = wanted(3, 5, 4, target=Classes(2))


@pytest.mark.parametrize("splits", [False, True])
@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif"])
def test_image_folder(tmp_path: Path, ending: str, splits: bool) -> None:  # noqa: FBT001
    """Images of the classes that their folders name, with the splits that there are."""
    pixels = folder(tmp_path / "images", ending=ending, splits=splits)
    source = ImageFolder(folder=str(tmp_path / "images"))
    size = None if ending == "tif" else Tensor((3, 5, 4))
    assert source.sample(RGB) == ((size,), Classes(2))
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
    message = f"{root}/test has a class cow, and {root}/train has none"
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


def test_images_of_the_hub(tmp_path: Path) -> None:
    """Hub reads the same folder, and images within a table."""
    pixels = folder(tmp_path / "images")
    source = Hub(files=str(tmp_path / "images"))
    x, y = loaded(source, RGB)
    expected = np.stack([*pixels.values()]).transpose(0, 3, 1, 2).astype("float32") / 255
    assert np.array_equal(x, expected)
    assert y.tolist() == [0, 0, 0, 1, 1, 1]
    assert len(loaded(source, RGB, "test")[1]) == 1
    stream: Any = source.model_copy(update={"streaming": True}).open(RGB, size=(2, 3))
    assert {x.shape for (x,), _ in stream.samples(0)} == {(3, 2, 3)}
    features = datasets.Features(picture=datasets.Image(), mark=datasets.Value("float32"))
    rows = {"picture": [str(p) for p in sorted((tmp_path / "images/train").rglob("*.png"))]}
    table = datasets.Dataset.from_dict({**rows, "mark": [*range(6)]}, features)
    with quiet():
        table.to_parquet(tmp_path / "x.parquet")
    source = Hub(files=f"{tmp_path}/x.parquet", target="mark")
    x, y = loaded(source, wanted(3, 5, 4, target=Values(())))
    assert np.array_equal(x, expected)
    assert y.tolist() == [*range(6)]
    message = "picture is a picture, and cannot stand beside others"
    source = Hub(files=source.files, inputs=("mark", "picture"), target="mark")
    assert refusal(source, RGB) == (message, "inputs", None)
    message = "picture is a picture, and no target"
    source = Hub(files=source.files, inputs=("mark",), target="picture")
    assert refusal(source, RGB) == (message, "target", None)


def test_which_columns(tmp_path: Path) -> None:
    """Columns that cannot be told from one another have to be named."""
    with quiet():
        datasets.Dataset.from_dict({"a": [1], "b": [2]}).to_parquet(tmp_path / "x.parquet")
    source = Hub(files=f"{tmp_path}/x.parquet")
    known = "its columns are a, b"
    message = "the column of the target has to be named"
    assert refusal(source, TWO) == (message, "target", known)
    source = Hub(files=source.files, target="b", inputs=("a",))
    reads = Sample((Tensor((1,)), Tensor((1,))), Values(()))
    message = "the network reads 2 inputs, and inputs has 1 columns"
    help_ = "name a column for each input, in their order"
    assert refusal(source, reads) == (message, "inputs", help_)


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
