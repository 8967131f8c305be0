"""Predictions as a table, and the confusion matrix."""

from typing import Any

import numpy as np

from netbuild.reports.predictions import confusion, table

NAMES = ("setosa", "versicolor", "virginica")
COUNTS = [[10, 0, 0], [0, 9, 1], [0, 2, 1234]]


def lines(*told: dict[str, Any], width: int = 80) -> list[str]:
    """Return the lines between the title and the footer."""
    return table("run", told, width).plain.splitlines()[2:-2]


def test_classes() -> None:
    """A sample has a row, and each of its other likely classes has one below."""
    top = [{"class": 0, "name": "setosa", "probability": 0.975}]
    top.append({"class": 2, "name": "virginica", "probability": 0.02})
    assert lines({"input": "a.csv", "index": 0, **top[0], "top": top}, {"input": "b"} | top[1]) == [
        " input      index      class  probability",
        " ────────────────────────────────────────",
        " a.csv          0     setosa       97.50%",
        "                   virginica        2.00%",
        " b                 virginica        2.00%",
    ]


def test_values() -> None:
    """A few numbers are shown; of more there is the shape, also of classes at each place."""
    few, many = np.array([0.5, -12345.0], "float32"), np.zeros((3, 4), "float32")
    assert lines({"input": "a", "outputs": {"x": few, "y": many}})[2].split() == [
        *("a", "0.5000", "-1.234e+04", "3×4", "numbers")
    ]
    places = {"class": np.array([1, 0]), "probability": np.array([0.5, 1.0], "float32")}
    assert lines({"input": "a"} | places)[2].split() == ["a", "1", "0", "0.5000", "1.0000"]


def test_a_narrow_table() -> None:
    """A path loses its beginning, so that no line is wider than the terminal."""
    told = {"input": "a/long/folder/of/digits/seven.png", "class": 7, "probability": 1.0}
    narrow = lines(told, width=40)
    assert max(map(len, narrow)) == 40
    path = narrow[2].split()[0]
    assert path.startswith("…")
    assert path.endswith("/digits/seven.png")
    assert lines(told, width=5)[2].split()[0] == "…s/seven.png"


def test_a_matrix_with_names() -> None:
    """Each row has the name of its true class, and each column of its predicted class."""
    made = confusion(COUNTS, NAMES, 80)
    assert made is not None
    assert made.splitlines() == [
        "             setosa  versicolor  virginica",
        " setosa          10           0          0",
        " versicolor       0           9          1",
        " virginica        0           2      1,234",
    ]


def test_a_narrow_matrix() -> None:
    """Where names have no room, columns have the numbers of the classes."""
    made = confusion(COUNTS, NAMES, 30)
    assert made is not None
    assert made.splitlines() == [
        "                0  1      2",
        " 0 setosa      10  0      0",
        " 1 versicolor   0  9      1",
        " 2 virginica    0  2  1,234",
    ]
    assert confusion(COUNTS, NAMES, 20) is None
    assert confusion(COUNTS, NAMES, None) == confusion(COUNTS, NAMES, 80)


def test_a_matrix_without_names() -> None:
    """Without a name for each class, rows and columns have numbers."""
    for names in (None, ("a", "b")):
        made = confusion(COUNTS, names, 80)
        assert made is not None
        assert made.splitlines()[0] == "     0  1      2"
        assert made.splitlines()[3] == " 2   0  2  1,234"
