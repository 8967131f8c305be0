"""Categories, missing values and dates of tables, and what the training samples tell of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.target import Values
from netbuild.components.tensor import Tensor
from tests.components.datasets.tables import csv
from tests.components.datasets.test_datasets import refusal

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """age,income,city,vip,zip,when,spend
30,1.5,Oslo,True,7,2024-02-29 08:30,3
,2.5,,False,9,2024-03-01,4
50,,Rome,True,7,2023-12-31,5
41,8,Bonn,False,8,2024-01-01T23:00:00Z,6
"""
NUMBER, CODE, TWO = Tensor((1,)), Tensor((), "int64"), Tensor((2,))


def source(folder: Path, inputs: Any, text: str = TABLE, **fields: Any) -> Any:
    """Return a source of the table."""
    return csv(folder, text, target="spend", inputs=inputs, **fields)


def wanted(*inputs: Tensor) -> Sample:
    """Return what a network with these inputs wants."""
    return Sample(inputs, {"target": Values((1,))})


def test_categories(tmp_path: Path) -> None:
    """Texts, booleans and chosen numbers are numbered from 1 in order; 0 is no known category."""
    inputs = {"city": "city", "vip": "vip", "zip": "zip"}
    made = source(tmp_path, inputs, missing={"city": "unknown"}, categories=("zip",))
    reads = wanted(CODE, CODE, CODE)
    assert made.sample(reads).inputs == reads.inputs
    assert made.bounds(reads.inputs) == ((0, 3), (0, 2), (0, 3))
    assert made.counted(reads.inputs) == (("city", 3), ("vip", 2), ("zip", 3))
    city, vip, zips = made.load(reads)[0]
    assert city.tolist() == [2, 0, 3, 1]
    assert (vip.tolist(), zips.tolist()) == ([2, 1, 2, 1], [1, 3, 1, 2])
    # A boolean that a network reads as a float is 0 or 1.
    assert source(tmp_path, ("vip",)).load(wanted(NUMBER))[0][0].tolist() == [[1], [0], [1], [0]]
    beside = source(tmp_path, ("vip", "zip")).load(wanted(Tensor((2,), "int64")))[0][0]
    assert beside.tolist() == [[1, 7], [0, 9], [1, 7], [0, 8]]


def test_categories_that_training_lacks(tmp_path: Path) -> None:
    """A category that only held-out samples have is 0, and so is one of another file."""
    made = source(tmp_path, {"city": "city"}, missing="drop")
    reads = wanted(CODE)
    inputs, targets = made.load(reads)
    fitted = made.fitted(reads, ((inputs[0][:1],), (targets[0][:1],)))
    assert fitted.filled(reads, (inputs, targets))[0][0].tolist() == [2, 0, 0]
    kept = fitted.kept()
    assert kept["categories"] == {"city": [None, "Oslo", None]}
    again = csv(tmp_path, TABLE.replace("Bonn", "Lima"), **made.model_dump()).with_kept(kept)
    assert again.load(reads)[0][0].tolist() == [2, 0, 0]


def test_means_of_the_training_samples(tmp_path: Path) -> None:
    """A missing number is the mean or the median of the training samples, or a number."""
    rules = {"age": "mean", "income": "median"}
    made = source(tmp_path, ("age", "income"), missing=rules)
    reads = wanted(TWO)
    (x,), targets = made.load(reads)
    assert np.isnan(x).tolist() == [[False, False], [True, False], [False, True], [False, False]]
    assert made.leaves_gaps
    fitted = made.fitted(reads, ((x[:3],), (targets[0][:3],)))
    assert fitted.kept()["missing"] == {"age": 40, "income": 2}
    filled = fitted.filled(reads, ((x,), targets))[0][0]
    assert filled.tolist() == [[30, 1.5], [40, 2.5], [50, 2], [41, 8]]
    assert np.isnan(x).sum() == 2
    given = source(tmp_path, ("age",), missing={"age": -1})
    assert given.sample(wanted(NUMBER)).inputs == (NUMBER,)
    assert given.load(wanted(NUMBER))[0][0].tolist() == [[30], [-1], [50], [41]]
    assert given.load(wanted(CODE))[0][0].tolist() == [30, -1, 50, 41]
    assert given.bounds((CODE,)) == ((-1, 50),)


def test_rows_that_are_left_out(tmp_path: Path) -> None:
    """`drop` leaves out rows without a value, and their targets."""
    made = source(tmp_path, ("age", "income"), missing={"age": "drop", "income": 0})
    assert made.size == 3
    (x,), (y,) = made.load(wanted(TWO))
    assert (x.tolist(), y.tolist()) == ([[30, 1.5], [50, 0], [41, 8]], [[3], [5], [6]])
    assert source(tmp_path, ("age", "income"), missing="drop").size == 2
    text = TABLE.replace(",3\n", ",\n")
    made = source(tmp_path, ("zip",), text, missing={"spend": "drop"})
    assert made.load(wanted(NUMBER))[1][0].tolist() == [[4], [5], [6]]


def test_dates(tmp_path: Path) -> None:
    """The parts of a date are columns of numbers."""
    parts = ("when.year", "when.month", "when.day", "when.weekday", "when.yearday", "when.hour")
    made = source(tmp_path, (*parts, "when.minute", "when.days"))
    x = made.load(wanted(Tensor((8,))))[0][0]
    assert x[0].tolist() == [2024, 2, 29, 3, 60, 8, 30, np.float32(19782 + 8.5 / 24)]
    assert x[2].tolist() == [2023, 12, 31, 6, 365, 0, 0, 19722]
    assert x[3, 5] == 23
    weekday = source(tmp_path, {"weekday": "when.weekday"})
    assert weekday.bounds((CODE,)) == ((0, 6),)
    assert weekday.load(wanted(CODE))[0][0].tolist() == [3, 4, 6, 0]


@pytest.mark.parametrize(
    ("cells", "dayfirst", "month"),
    [
        ("13/02/2024 03/04/2024", None, [2, 4]),
        ("02/13/2024 03/04/2024", None, [2, 3]),
        ("03.04.2024 01.02.24", True, [4, 2]),
        ("03.04.2024 01.02.24", False, [3, 1]),
        ("2024/03/04 2024/05/06", None, [3, 5]),
    ],
)
def test_the_order_of_days_and_months(
    tmp_path: Path, cells: str, dayfirst: Any, month: Any
) -> None:
    """Days after the 12th tell the order, or `dayfirst` does."""
    text = "when,spend\n" + "".join(f"{cell},1\n" for cell in cells.split())
    made = source(tmp_path, ("when.month",), text, dayfirst=dayfirst)
    assert made.load(wanted(NUMBER))[0][0].ravel().tolist() == month


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a;b;spend\n1;2,5;3\n-1000;0,25;4\n", {"decimal": ","}),
        ("a\tb\tspend\n1\t2.5\t3\n-1000\t.25\t4\n", {}),
        ("a|b|spend\n1|2.5|3\n-1000|0.25|4\n", {}),
        ('a,b,spend\n1,"2,5",3\n"-1.000","0,25",4\n', {"decimal": ",", "thousands": "."}),
        ('a,b,spend\n"1",2.5,3\n"-1,000",0.25,4\n', {"thousands": ","}),
        ("a,b,spend\n$1,2.5 %,3\n-$1000,0.25%,4\n", {}),
        ("a,b,spend\n1 €,2.5,3\n-1000 €,0.25,4\n", {}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_dialects(tmp_path: Path, text: str, fields: Any, encoding: str) -> None:
    """Separators, units and marks are recognised; the other ways have a field."""
    made = source(tmp_path, ("a", "b"), **fields)
    (tmp_path / "x.csv").write_bytes(text.encode(encoding))
    if encoding == "cp1252" and not text.isascii():
        message, at, help_ = refusal(made, wanted(TWO))
        assert message.endswith("is not UTF-8 text: line 2 has the byte 0x80 as its character 3")
        assert at == "file"
        assert help_ is not None
        assert "encoding: cp1252" in help_
        made = made.model_copy(update={"encoding": "cp1252"})
    assert made.load(wanted(TWO))[0][0].tolist() == [[1, 2.5], [-1000, 0.25]]


AGES = "age,spend\n" + "".join(f"{n},{n}\n" for n in range(20, 40))
#: What is wrong with a file, what the source says, and what helps.
DAMAGED = {
    "a word among numbers": (
        AGES.replace("36,36", "n/a ,36").replace("38,38", "old,38"),
        "age is 'n/a ' in line 18, and in 1 more row, and must be a number",
        "correct it, or write na_values: ['n/a '] if no value is meant",
    ),
    "a word in the target": (
        AGES.replace("36,36", "36,lots"),
        "spend is 'lots' in line 18, and must be a number",
        "correct it, or write na_values: ['lots'] if no value is meant",
    ),
    "empty cells": (
        AGES.replace("36,36", ",36").replace("\n20,", "\n,"),
        "age has no value in line 2, and in 1 more row",
        "write missing: {age: mean}, or missing: drop to leave such rows out",
    ),
    "no target": (
        AGES.replace("36,36", "36,"),
        "spend has no value in line 18",
        "write missing: {spend: drop}, or missing: drop to leave such rows out",
    ),
    "a decimal comma": (
        AGES.replace("36,36", '"36,5",36'),
        "age is '36,5' in line 18, and must be a number",
        'write decimal: ","',
    ),
    "thousands": (
        AGES.replace("36,36", '"3,600.5",36'),
        "age is '3,600.5' in line 18, and must be a number",
        'write thousands: ","',
    ),
    "too many cells": (
        AGES.replace("36,36", "36,5,36"),
        "line 18 has 3 values for 2 columns",
        "write a value with a comma in quotes",
    ),
    "an open quote": (
        AGES.replace("36,36", '"36,36'),
        "{file} is not a table of text: the row in line 18 opens a quote that is never closed",
        None,
    ),
    "text behind a quote": (
        AGES.replace("36,36", '"36" years,36'),
        "{file} is not a table of text: line 18 has text behind a closing quote",
        None,
    ),
    "an infinite number": (
        AGES.replace("36,36", "inf,36"),
        "age is inf in line 18, and a network cannot compute with it",
        None,
    ),
    "a row over two lines": (
        'age,spend\n20,"2\n0"\n21,21\n,22\n',
        "age has no value in line 5",
        "write missing: {age: mean}, or missing: drop to leave such rows out",
    ),
    "two columns of one name": ("age,age,spend\n1,2,3\n", "{file} has two columns age", None),
}
DATES = {
    "two orders": (
        "when,spend\n03/04/2024,1\n05/06/2024,2\n",
        "when is '03/04/2024' in line 2, and may be two dates",
        "write dayfirst: true if the day comes first, or dayfirst: false for the month",
    ),
    "no such day": (
        "when,spend\n2024-02-28,1\n2024-02-30,2\n",
        "when is '2024-02-30' in line 3, and must be a date",
        None,
    ),
    "words": (
        "when,spend\n2024-02-28,1\nsoon,2\n",
        "when is 'soon' in line 3, and must be a date",
        None,
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(tmp_path: Path, name: str) -> None:
    """A fault names the row and the column, and how many more there are."""
    text, message, help_ = DAMAGED[name]
    made = source(tmp_path, ("age",), text)
    said = refusal(made, wanted(NUMBER))
    assert (said[0], said[2]) == (message.format(file=made.file), help_)
    if name != "an infinite number":  # of numbers a check reads the kind
        with pytest.raises(DataError) as error:
            made.sample(wanted(NUMBER))
        assert str(error.value) == said[0]


@pytest.mark.parametrize("name", DATES)
def test_damaged_dates(tmp_path: Path, name: str) -> None:
    """A fault of a date names it, and its row."""
    text, message, help_ = DATES[name]
    made = source(tmp_path, ("when.month",), text)
    said = refusal(made, wanted(NUMBER))
    assert (said[0], said[2]) == (message, help_)
    with pytest.raises(DataError, match=r"in line \d"):
        made.sample(wanted(NUMBER))


def test_numbers_that_become_no_categories(tmp_path: Path) -> None:
    """A word among numbers is a fault for an Embedding, too, unless the column is named."""
    text = "house,spend\n" + "".join(f"{n},1\n" for n in (7, 8, "8a", 9))
    made = source(tmp_path, {"house": "house"}, text)
    message = "house is '8a' in line 4, and must be a number"
    said = refusal(made, wanted(CODE))
    assert said[0] == message
    assert said[2] == (
        "correct it, write na_values: ['8a'] if no value is meant, or categories: [house]"
    )
    made = source(tmp_path, {"house": "house"}, text, categories=("house",))
    assert made.load(wanted(CODE))[0][0].tolist() == [1, 2, 3, 4]


_OWN = (
    "give it an input of its own, city: {shape: [], dtype: int64}, which an Embedding with "
    "num_embeddings: 4 reads; or leave it out of inputs"
)


_PARTS = (
    "name parts of it, such as when.month, when.weekday; there are year, month, day, weekday, "
    "yearday, hour, minute, days"
)


@pytest.mark.parametrize(
    ("inputs", "reads", "fields", "refused"),
    [
        (
            ("zip", "city"),
            TWO,
            {},
            ("city is text, such as Bonn, and must be numbers", "inputs", _OWN),
        ),
        (
            {"city": "city"},
            Tensor(()),
            {},
            ("city is text, such as Bonn, and must be numbers", "inputs", _OWN),
        ),
        (
            {"city": "city"},
            CODE,
            {},
            (
                "city has no value in line 3",
                "file",
                "write missing: {city: unknown}, or missing: drop to leave such rows out",
            ),
        ),
        (
            {"city": "city"},
            CODE,
            {"missing": {"city": "mean"}},
            ("city holds categories, and takes unknown or drop", "missing", None),
        ),
        (
            ("age",),
            NUMBER,
            {"missing": {"age": "unknown"}},
            ("age holds numbers, and takes mean, median, drop or a number", "missing", None),
        ),
        (
            {"age": "age"},
            CODE,
            {"missing": {"age": "mean"}},
            (
                "age lacks values, and the network reads int64",
                "missing",
                "write a whole number, missing: {age: 0}, or drop",
            ),
        ),
        (
            ("zip",),
            NUMBER,
            {"missing": {"spend": "mean"}},
            (
                "spend is a target, and a row without it can only be dropped",
                "missing",
                "write missing: {spend: drop}",
            ),
        ),
        (
            ("zip",),
            NUMBER,
            {"missing": {"town": "mean"}},
            (
                "{file} has no column town",
                "missing",
                "its columns are age, income, city, vip, zip, when, spend",
            ),
        ),
        (
            ("when",),
            NUMBER,
            {},
            (
                "when holds dates, and an input holds numbers",
                "inputs",
                _PARTS,
            ),
        ),
        (
            ("when.week",),
            NUMBER,
            {},
            (
                "{file} has no column when.week",
                "inputs",
                "its columns are age, income, city, vip, zip, when, spend",
            ),
        ),
    ],
)
def test_refused(tmp_path: Path, inputs: Any, reads: Tensor, fields: Any, refused: Any) -> None:
    """A column that cannot be what it shall be."""
    made = source(tmp_path, inputs, **fields)
    message, at, help_ = refused
    assert refusal(made, wanted(reads)) == (message.format(file=made.file), at, help_)
