"""A run of a table predicts other tables: by names of columns, with its categories and means."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from netbuild import training
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.training.prediction.predict import Predictor, predict
from netbuild.training.prediction.trained import trained

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

CITIES = ("Bonn", "Oslo", "Rome")
ROWS = [
    f"{20 + n},{n / 4},{CITIES[n % 3]},2024-{n % 12 + 1:02d}-01,{'yes' if n % 2 else 'no'}"
    for n in range(24)
]
HEADER = "age,income,city,joined,churned"
CONFIG = """
inputs: {numbers: [3], city: {shape: [], dtype: int64}}
layers:
  where: {Embedding: {num_embeddings: 4, embedding_dim: 2}, inputs: city}
  all: {Concat, inputs: [numbers, where]}
  told: {Linear: 2}
loss: CrossEntropyLoss
optimizer: {SGD: {lr: 0}}
data:
  Csv:
    file: customers.csv
    inputs: {numbers: [age, income, joined.month], city: city}
    target: churned
    missing: {age: mean, income: drop, city: unknown}
train: {epochs: 1, batch_size: 8}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a run."""
    folder = tmp_path_factory.mktemp("customers")
    (folder / "customers.csv").write_text("\n".join([HEADER, *ROWS, ",5,Rome,2024-01-01,no"]))
    (folder / "net.yaml").write_text(CONFIG)
    return training.train(folder / "net.yaml", runs=folder / "runs").folder


def told(run: Path, folder: Path, *lines: str, name: str = "x.csv") -> list[Any]:
    """Return what the run says of the rows of a file: a probability, or an error."""
    (folder / name).write_text("\n".join(lines), encoding="utf-8")
    found = Predictor(trained(run)).predictions([folder / name])
    return [str(x) if isinstance(x, InputError) else (x["index"], x["probability"]) for x in found]


def test_the_same_file(run: Path, tmp_path: Path) -> None:
    """Columns may stand anywhere, others may stand beside them, and the target may be missing."""
    whole = told(run, tmp_path, HEADER, *ROWS)
    assert len(whole) == 24
    bare = [row.rpartition(",")[0] for row in ROWS]
    assert told(run, tmp_path, HEADER.rpartition(",")[0], *bare) == whole
    parts = [row.split(",") for row in (HEADER, *ROWS)]
    turned = [";".join(["more", *part[::-1]]) for part in parts]
    assert told(run, tmp_path, *turned) == whole
    assert told(run, tmp_path, *["\t".join(part) for part in parts], name="x.tsv") == whole


def test_missing_values(run: Path, tmp_path: Path) -> None:
    """The mean of the training stands for a missing number; a row to drop is an own error."""
    kept = json.loads((run / "data.json").read_text())["source"]
    mean = kept["missing"]["age"]
    header = "age,income,city,joined"
    given = told(run, tmp_path, header, f"{mean},1,Oslo,2024-05-01", "30,1,Lima,2024-05-01")
    rows = (",1,Oslo,2024-05-01", "30,,Oslo,2024-05-01", "30,1,,2024-05-01")
    found = told(run, tmp_path, header, *rows)
    assert found[0] == f"{tmp_path}/x.csv: income has no value in line 3"  # at once
    assert found[1] == (0, pytest.approx(given[0][1]))
    assert found[2] == (2, given[1][1])  # a missing city is as an unknown one


def test_unknown_categories(run: Path, tmp_path: Path, netbuild: Netbuild) -> None:
    """Categories that training has not seen are counted on standard error."""
    (tmp_path / "x.csv").write_text(
        "age,income,city,joined\n30,1,Lima,2024-05-01\n30,1,,2024-05-01\n"
    )
    done = netbuild("predict", str(run), str(tmp_path / "x.csv"))
    assert done.returncode == 0
    message = f"netbuild: {tmp_path}/x.csv: city has 1 value that training has not seen\n"
    assert done.stderr == message


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ("age,income,city", "1,2,Oslo"),
            " has no column joined: its columns are age, income, city",
        ),
        ((HEADER,), " has no rows below its header"),
        ((HEADER, "1,2,Oslo,2024-01-01"), " has 4 columns in line 2, but its header has 5"),
        (
            (HEADER, "1,2,Oslo,2024-01-01,no", "x,2,Oslo,2024-01-01,no", "y,2,Oslo,2024-01-01,no"),
            ": age is 'x' in line 3 and 'y' in line 4, and must be a number",
        ),
        (
            (HEADER, "x,2,Oslo,soon,no", "3,,Oslo,,no", "4,z,Oslo,later,no", "5,,Oslo,soon,no"),
            (
                ": age is 'x' in line 2, and must be a number; income is 'z' in line 4, and must "
                "be a number; joined is 'soon' in line 2, 'later' in line 4 and 'soon' in line "
                "5, and must be a date"
            ),
        ),
        (
            (HEADER, *(f"{letter},2,Oslo,2024-01-01,no" for letter in "abcdefghijkl")),
            (
                ": age is 'a' in line 2, 'b' in line 3, 'c' in line 4, 'd' in line 5, 'e' in "
                "line 6, 'f' in line 7, 'g' in line 8, 'h' in line 9, 'i' in line 10 and 'j' in "
                "line 11, and in 2 more rows, and must be a number"
            ),
        ),
        ((HEADER, "1,2,Oslo,soon,no"), ": joined is 'soon' in line 2, and must be a date"),
        ((HEADER, "1,2,Oslo,,no"), ": joined.month has no value in line 2"),
        (
            (HEADER, "inf,2,Oslo,2024-01-01,no"),
            ": age is inf in line 2, and a network cannot compute with it",
        ),
    ],
)
def test_refused(run: Path, tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    """What is wrong with a file is said with its line."""
    assert told(run, tmp_path, *lines) == [f"{tmp_path}/x.csv{message}"]


def test_a_changed_run(run: Path, tmp_path: Path) -> None:
    """What a run keeps may come from a stranger."""
    kept = (run / "data.json").read_text()
    (run / "data.json").write_text(
        kept.replace('"missing": {"age":', '"missing": {"age": []}, "x": {"age":')
    )
    with pytest.raises(TrainingError, match="what the run has kept of its table was changed"):
        predict(run, tmp_path / "x.csv")
    (run / "data.json").write_text(kept)


def test_another_file_is_evaluated(run: Path, tmp_path: Path) -> None:
    """Its categories and classes have the numbers of the training, whatever it lacks."""
    rows = [row.replace("Oslo", "Lima") for row in ROWS if "Rome" not in row]
    (tmp_path / "x.csv").write_text("\n".join([HEADER, *rows]))
    setting = f"data.Csv.file={tmp_path}/x.csv"
    measured = training.evaluate(run, set=[setting, "data.validation=0.9"], warn=str)
    told = predict(run, tmp_path / "x.csv")
    right = [one["name"] == row.rpartition(",")[2] for one, row in zip(told, rows, strict=True)]
    assert measured["val_accuracy"] == pytest.approx(sum(right) / len(right), abs=0.15)


def test_all_of_another_file(run: Path, tmp_path: Path, netbuild: Netbuild) -> None:
    """`--split all` measures each row of another file, and tells of unknown categories."""
    rows = [row.replace("Oslo", "Lima") for row in ROWS]
    (tmp_path / "x.csv").write_text("\n".join([HEADER, *rows]))
    count = sum("Lima" in row for row in rows)
    setting = f"data.Csv.file={tmp_path}/x.csv"
    said: list[str] = []
    measured = training.evaluate(run, split="all", set=setting, warn=said.append)
    right = [
        one["name"] == row.rpartition(",")[2]
        for one, row in zip(predict(run, tmp_path / "x.csv"), rows, strict=True)
    ]
    assert measured["all_accuracy"] == pytest.approx(sum(right) / len(rows))
    warning = f"city has {count} values that training has not seen"
    assert said == [warning]
    done = netbuild("evaluate", str(run), "--split", "all", "--set", setting)
    assert done.stderr == f"netbuild: warning: {warning}\n"
    own: list[str] = []
    training.evaluate(run, split="all", warn=own.append)
    assert own == [
        "most of these samples have trained the network: give other data, or another split"
    ]


def test_columns_of_a_data_set_by_name(tmp_path: Path) -> None:
    """A network of `Hub` finds columns of numbers by their names, with or without the target."""
    datasets = pytest.importorskip("datasets")
    from netbuild.components.datasets.tables import quiet

    columns = {"a": [float(n) for n in range(20)], "b": [n * 7.0 % 5 for n in range(20)]}
    with quiet():
        made = datasets.Dataset.from_dict(columns | {"y": [0.5] * 20})
        made.to_parquet(f"{tmp_path}/x.parquet")
    (tmp_path / "net.yaml").write_text(
        "input: [2]\nlayers: [{Linear: 1}, {Squeeze: {dim: 1}}]\nloss: MSELoss\n"
        "optimizer: {SGD: {lr: 1e-4}}\ntrain: {epochs: 1}\n"
        "data: {Hub: {files: x.parquet, inputs: [b, a], target: y}}\n"
    )
    run = training.train(tmp_path / "net.yaml", runs=tmp_path / "runs").folder
    (tmp_path / "x.csv").write_text("a,b,y\n3,1,0.5\n8,2,0.5\n")
    (tmp_path / "y.csv").write_text("b,a\n1,3\n2,8\n")
    whole, bare = (predict(run, tmp_path / f"{name}.csv") for name in "xy")
    assert [one["output"] for one in whole] == [one["output"] for one in bare]
    assert whole[0]["output"] != whole[1]["output"]
