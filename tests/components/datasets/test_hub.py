"""`Hub`: files of tables and images that `datasets` reads, and its own splits."""

from __future__ import annotations

import pickle
from datetime import datetime
from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pytest

from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.datasets.hub import Hub
from netbuild.components.datasets.tables import quiet
from netbuild.components.target import Classes, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import RGB, TWO, folder
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("nothing_is_left")

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
        (x,), (y,) = pickle.loads(pickle.dumps(samples))[3]  # noqa: S301  as workers do
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
    orders = {seed: [y.tolist() for _, (y,) in stream.samples(seed)] for seed in range(4)}
    assert all(sorted(order) == [0, 0, 1, 2] for order in orders.values())
    assert len(set(map(tuple, orders.values()))) > 1
    assert orders[0] == [y.tolist() for _, (y,) in stream.samples(0)]


def test_columns(tmp_path: Path) -> None:
    """Columns become what the network and the loss want: text classes, lists vectors, values."""
    source = table(tmp_path, "parquet")
    named = Hub(files=source.files, inputs=("a", "b"), target="kind")
    assert loaded(named, TWO)[1].tolist() == [0, 1, 0, 2]
    pairs = Hub(files=source.files, inputs=("pair",), target="b")
    x, y = loaded(pairs, wanted(2, target=Values((1,))))
    assert (x[1].tolist(), y[1].tolist()) == ([3, 4], [1.5])
    reads = Sample((Tensor((), "int64"), Tensor((2,))), {"target": Classes(3)})
    a, pair, _ = loaded(Hub(files=source.files, inputs=("a", "pair")), reads)
    assert (a.tolist(), pair[3].tolist()) == ([1, 2, 3, 4], [7, 8])
    some = Hub(files=source.files, inputs=("a",), split="train[:50%]", classes=9)
    reads = wanted(1, target=Classes(9))
    assert some.sample(reads) == ((None,), {"target": Classes(9)})
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
    assert samples[0][1] == (2,)
    refused = ("kind is w in row 2, and the classes are x, y, z", "target", None)
    assert refusal(source, reads, "test") == refused
    refused = (f"{source.files} has no split dev", "split", "its splits are train, test")
    assert refusal(source, reads, "dev") == refused


_TEXT = (
    "give it an input of its own, kind: {shape: [], dtype: int64}, which an Embedding with "
    "num_embeddings: 4 reads; or leave it out of inputs"
)
_KNOWN = "its columns are a, b, label, kind, pair"


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"inputs": ("c",)}, ("there is no column c", "inputs", _KNOWN)),
        ({"target": "c"}, ("there is no column c", "target", _KNOWN)),
        (
            {"inputs": ("a", "kind")},
            ("kind is text, such as x, and must be numbers", "inputs", _TEXT),
        ),
        (
            {"inputs": ("a", "pair")},
            ("pair must have one number per row to be one of several columns", "inputs", None),
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
                "kind is text, and a stream does not tell its classes",
                "target",
                "remove streaming, or use a target of numbers",
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
    help_ = "write missing: {{{}}}, or missing: drop to leave such rows out"
    refused = ("a has no value in row 2", None, help_.format("a: mean"))
    assert refusal(source, wanted(1, target=Classes(2))) == refused
    with pytest.raises(DataError, match="a has no value in row 2"):
        source.open(TWO)
    source = Hub(files=source.files, inputs=("label",), target="kind")
    refused = ("kind has no value in row 2", None, help_.format("kind: drop"))
    assert refusal(source, wanted(1, target=Classes(2))) == refused
    source = Hub(files=source.files, inputs=("list",))
    assert refusal(source, TWO) == ("the samples of list differ in shape", None, None)


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
        f"{tmp_path}/x.xls has an unknown format",
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
    with pytest.raises(ValueError, match=r"null together with name|a path if there is no name"):
        Hub(**fields)


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
    message = "picture is a picture, and shares its input with other columns"
    source = Hub(files=source.files, inputs=("mark", "picture"), target="mark")
    assert refusal(source, RGB) == (message, "inputs", None)
    message = "picture is a picture, and a target must be numbers"
    source = Hub(files=source.files, inputs=("mark",), target="picture")
    assert refusal(source, RGB) == (message, "target", None)


def test_which_columns(tmp_path: Path) -> None:
    """Columns that cannot be told from one another have to be named."""
    with quiet():
        datasets.Dataset.from_dict({"a": [1], "b": [2]}).to_parquet(tmp_path / "x.parquet")
    source = Hub(files=f"{tmp_path}/x.parquet")
    known = "its columns are a, b"
    message = "target must name a column"
    assert refusal(source, TWO) == (message, "target", known)
    source = Hub(files=source.files, target="b", inputs=("a",))
    reads = Sample((Tensor((1,)), Tensor((1,))), {"target": Values(())})
    message = "the network reads 2 inputs, and inputs has 1 columns"
    help_ = "name a column for each input, in their order"
    assert refusal(source, reads) == (message, "inputs", help_)


def test_tables_of_typed_values(tmp_path: Path) -> None:
    """Texts are categories, None is missing, and times are dates; another split has the same."""
    times = [datetime(2024, 2, 29, 8, 30), datetime(2023, 12, 31), None, datetime(2024, 1, 1)]  # noqa: DTZ001  as stored
    made = {
        "age": [1, None, 3, 5],
        "city": ["Rome", None, "Bonn", "Oslo"],
        "zip": [9, 7, 9, 8],
        "when": times,
        "day": ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"],
        "label": [0.5, 1, 1.5, 2],
    }
    other = {n: values[:2] for n, values in made.items()} | {"city": ["Lima", "Bonn"]}
    with quiet():
        both = {
            name: datasets.Dataset.from_dict(x) for name, x in (("train", made), ("test", other))
        }
        datasets.DatasetDict(both).save_to_disk(tmp_path / "x")
    inputs = {"numbers": ("age", "when.month", "day.weekday"), "city": "city", "zip": "zip"}
    missing = {"age": "mean", "city": "unknown", "when": "drop"}
    fields: Any = {"inputs": inputs, "missing": missing, "categories": ("zip",)}
    source = Hub(files=str(tmp_path / "x"), **fields)
    code = Tensor((), "int64")
    reads = Sample((Tensor((3,)), code, code), {"target": Values((1,))})
    (numbers, city, zips), (labels,) = source.load(reads)
    assert str(numbers.tolist()) == "[[1.0, 2.0, 1.0], [nan, 12.0, 2.0], [5.0, 1.0, 4.0]]"
    assert (city.tolist(), zips.tolist()) == ([3, 0, 2], [3, 1, 2])
    assert labels.ravel().tolist() == [0.5, 1, 2]
    fitted = source.fitted(reads, ((numbers[:2], city[:2], zips[:2]), (labels[:2],)))
    assert fitted.kept() == {
        "inputs": [[*inputs["numbers"]], "city", "zip"],
        "categories": {"city": [None, None, "Rome"], "zip": [7, None, 9]},
        "missing": {"age": 1},
        "classes": {},
        "tokens": {},
    }
    assert fitted.filled(reads, source.load(reads))[0][1].tolist() == [3, 0, 0]
    assert source.open(reads) is None
    (_, city, zips), _ = source.load(reads, "test")
    assert (city.tolist(), zips.tolist()) == ([0, 1], [3, 1])
    stream = Hub(files=source.files, streaming=True, **fields)
    said = "a stream tells neither its categories nor its missing values"
    assert refusal(stream, reads)[:2] == (said, "missing")
