"""Tables: their columns, their names, and what a run remembers of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris

from netbuild.components.datasets import DATASETS
from netbuild.training import Run, predict


def _row(values: Any) -> str:
    return ",".join(map(str, values))


@pytest.mark.parametrize("named", [False, True], ids=["Iris", "Csv"])
def test_tables(iris: Path, flowers: Path, tmp_path: Path, *, named: bool) -> None:
    """Rows of numbers, with names above or without, are samples."""
    run = flowers if named else iris
    data = load_iris().data[48:53]
    wanted = [one | {"input": "x"} for one in predict(run, data)]
    rows = [*map(_row, data)]
    tables = {
        "plain": rows,
        "names": ["a,b,c,d", *rows],
        "blank": ["a,b,c,d", "", *rows, "", ""],
        "unnamed": [",a,b,c,d", *(f"{n},{row}" for n, row in enumerate(rows))],
        "spaces": ["a, b, c, d", *(row.replace(",", " , ") for row in rows)],
    }
    for name, lines in tables.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        found = predict(run, tmp_path / f"{name}.csv")
        assert [one | {"input": "x"} for one in found] == wanted, name
    (tmp_path / "x.tsv").write_text("\n".join(rows).replace(",", "\t"), encoding="utf-8")
    assert [one | {"input": "x"} for one in predict(run, tmp_path / "x.tsv")] == wanted


def test_names_choose_columns(flowers: Path, tmp_path: Path) -> None:
    """Where a table trained, names choose the columns, wherever they stand and whatever else does.

    So the table that trained can be predicted itself.
    """
    data = load_iris().data[:3]
    (tmp_path / "x.csv").write_text(
        "\n".join(["d,more,species,c,b,a", *(_row([x[3], "text", "", *x[2::-1]]) for x in data)]),
        encoding="utf-8",
    )
    wanted = [one["probability"] for one in predict(flowers, data)]
    assert [one["probability"] for one in predict(flowers, tmp_path / "x.csv")] == wanted
    found = predict(flowers, flowers.parents[2] / "train.csv")
    assert len(found) == 150
    truth = load_iris().target_names[load_iris().target]
    assert np.mean([one["name"] for one in found] == truth) > 0.9


def test_without_the_data(flowers: Path, tmp_path: Path) -> None:
    """A run predicts where the data that trained it is gone: it has the names of its classes."""
    folder = tmp_path / "moved"
    shutil.copytree(flowers, folder)
    text = (folder / "resolved.yaml").read_text("utf-8")
    assert "train.csv" in text
    (folder / "resolved.yaml").write_text(text.replace("train.csv", "gone.csv"), encoding="utf-8")
    (tmp_path / "x.csv").write_text("species,a,b,c,d\n,5,3,1,0.2\n", encoding="utf-8")
    (found,) = predict(folder, tmp_path / "x.csv")
    (wanted,) = predict(flowers, tmp_path / "x.csv")
    assert found == wanted
    assert found["name"] == "setosa"


@pytest.mark.parametrize("names", [None, "[", "{}", "[1, 2, 3]", '["a", "b"]'])
def test_without_names(flowers: Path, tmp_path: Path, names: str | None) -> None:
    """The names are those of classes.json; where it is missing or damaged there are none."""
    folder = tmp_path / "run"
    shutil.copytree(flowers, folder)
    place = folder / "classes.json"
    assert json.loads(place.read_text("utf-8")) == ["setosa", "versicolor", "virginica"]
    if names is None:
        place.unlink()
    else:
        place.write_text(names, encoding="utf-8")
    x = load_iris().data[:1]
    (found,) = predict(folder, x)
    assert "name" not in found
    assert found.items() < predict(flowers, x)[0].items()
    place.write_text('["a", "b", "c"]', encoding="utf-8")
    assert predict(folder, x)[0]["name"] == "a"


def test_names_change_with_the_data(iris: Path, tmp_path: Path) -> None:
    """A run that goes on with other data has the names of that, or none."""
    shutil.copytree(iris, tmp_path / "run")
    run = Run(tmp_path / "run")
    config = run.config()
    assert run.classes == ("setosa", "versicolor", "virginica")
    run.change(config._replace(data=DATASETS["Wine"]()))
    assert run.classes == ("class_0", "class_1", "class_2")
    run.change(config._replace(data=DATASETS["Random"]()))
    assert run.classes is None
    assert not (run.folder / "classes.json").exists()
