"""`Csv`: columns, targets and names of files of comma-separated values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.delimited import Csv
from netbuild.components.target import Classes, Signs, Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import FLOWERS, TWO, csv
from tests.components.datasets.test_datasets import loaded, refusal, wanted

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def test_csv(tmp_path: Path) -> None:
    """Columns of numbers are the features, and a column of text the classes, in their order."""
    source = csv(tmp_path)
    assert source.sample(TWO) == ((Tensor((2,)),), {"target": Classes(3)})
    assert source.size == 4
    x, y = loaded(source, TWO)
    assert x.tolist() == [[1, 2.5], [2, 0.5], [3, 10], [4, 0.5]]
    assert y.tolist() == [1, 2, 0, 1]


@pytest.mark.parametrize(
    ("column", "fields", "target", "given", "values"),
    [
        ("2 4 4 8", {}, Classes(3), Classes(3), [0, 1, 1, 2]),
        ("0 1 2 4", {"classes": 5}, Classes(5), Classes(5), [0, 1, 2, 4]),
        ("0 255 1 1", {}, Classes(2, (), 255), Classes(2), [0, 255, 1, 1]),
        ("0 -1 2 2", {}, Classes(2, (), -1), Classes(2), [0, -1, 1, 1]),
        ("0 2 4 6", {}, Classes(4, (), 2), Classes(4), [0, 1, 2, 3]),  # class 2 is the value 4
        ("0 255 1 1", {"classes": 2}, Classes(2, (), 255), Classes(2), [0, 255, 1, 1]),
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
    assert source.names(ignored=7) == names
    (tmp_path / "x.csv").unlink()
    assert source.names() is None


def test_csv_names_without_what_is_no_class(tmp_path: Path) -> None:
    """A number that the loss ignores has no name, and the others keep theirs."""
    source = csv(tmp_path, "a,species\n1,-1\n2,3\n3,5\n")
    assert source.names(ignored=-1) == ("3", "5")


def test_csv_inputs(tmp_path: Path) -> None:
    """Inputs are those that are named, in that order; a column without a name is no input."""
    text = '\ufeff;"a;b";c;y\n0;True;2;1\n\n1;False;3;0\n'
    source = csv(tmp_path, text, target="y", separator=";")
    assert loaded(source, TWO)[0].tolist() == [[1, 2], [0, 3]]
    source = csv(tmp_path, text, target="y", inputs=("c", "a;b"), separator=";")
    assert loaded(source, TWO)[0].tolist() == [[2, 1], [3, 0]]
    several = Sample((Tensor((), "int64"), Tensor((1,))), {"target": Classes(2)})
    c, ab, _ = loaded(source, several)
    assert (c.tolist(), ab.tolist()) == ([2, 3], [[1], [0]])


def test_csv_that_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file the names of the columns are read alone while a config is checked."""
    monkeypatch.setattr("netbuild.components.datasets.delimited._MAX_READ", 10)
    source = csv(tmp_path)
    assert source.sample(TWO) == ((Tensor((2,)),), {"target": None})
    assert source.size is None
    assert loaded(source, TWO)[1].tolist() == [1, 2, 0, 1]


def test_csv_of_late_numbers(tmp_path: Path) -> None:
    """A column that becomes what it is behind the first rows is read as that."""
    rows = "".join(f"{n},{n},0\n" for n in range(20_000))
    source = csv(tmp_path, f"a,b,species\n{rows}0.5,1,x\n")
    x, y = loaded(source, TWO)
    assert (x[-1].tolist(), y[0], y[-1]) == ([0.5, 1], 0, 1)


_OWN = (
    "give it an input of its own, species: {shape: [], dtype: int64}, which an Embedding with "
    "num_embeddings: 4 reads; or leave it out of inputs"
)
_MISSING = "write missing: {{{}}}, or missing: drop to leave such rows out"


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
                "species is text, such as iris, and must be numbers",
                "inputs",
                _OWN,
            ),
        ),
        (
            "a,species\n1,x\n,y\n\n,x\n4,y\n,y\n",
            {},
            ("a has no value in line 3, and in 2 more rows", "file", _MISSING.format("a: mean")),
        ),
        *(
            (text, {}, ("species has no value in line 3", "file", _MISSING.format("species: drop")))
            for text in ("a,species\n1,x\n2,NA\n", "a,species\n1,x\n2\n")
        ),
        (
            "a,species\n1,x\n2,3,y\n",
            {},
            (
                "line 3 has 3 values for 2 columns",
                "file",
                "write a value with a comma in quotes",
            ),
        ),
        ("a,a,species\n1,2,x\n", {}, ("{file} has two columns a", "file", None)),
        ("", {}, ("{file} is empty", "file", None)),
        ("a,species\n", {}, ("{file} has no rows", "file", None)),
        ("species\nx\n", {}, ("{file} has no column except species", "file", None)),
        (
            "a,species\n1,0\n2,3\n",
            {"classes": 3},
            ("species is 3 in line 3, and there are 3 classes, 0 to 2", "target", None),
        ),
        (
            "a,species\ninf,0\n",
            {},
            ("a is inf in line 2, and a network cannot compute with it", "inputs", None),
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
    assert (
        message
        == f"{tmp_path}/x.csv is not UTF-8 text: line 2 has the byte 0xFF as its character 1"
    )
    assert at == "file"
