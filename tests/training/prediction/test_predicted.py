"""`netbuild.predict` takes what a program has, and returns objects with all outputs."""

from __future__ import annotations

import csv
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

from netbuild import (
    InputError,
    Run,
    TrainingError,
    evaluate,
    load,
    loaders,
    predict,
    train,
    training,
)
from tests.training_configs import SECTIONS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run of a small classifier."""
    config = load(SECTIONS | {"data": {"Random": {"samples": 60}, "normalize": True}})
    return train(config, runs=tmp_path_factory.mktemp("runs"))


X = np.arange(12, dtype="float32").reshape(3, 4) / 12


def test_as_the_command(run: Run) -> None:
    """Classes and probabilities are those of `netbuild predict`; outputs are the raw scores."""
    told = training.predict(run.folder, X, top=2)
    raw = training.predict(run.folder, X, raw=True)
    found = predict(run, X, top=2, warn=str)
    for one, line, scores in zip(found, told, raw, strict=True):
        assert (one.class_, one.probability) == (line["class"], line["probability"])
        assert [best._asdict() for best in one.top] == [
            {"class_": best["class"], "name": None, "probability": best["probability"]}
            for best in line["top"]
        ]
        assert np.array_equal(one.output, scores["output"])
        assert one.probabilities is not None
        assert one.probabilities == pytest.approx(torch.tensor(one.output).softmax(0).numpy())
    assert [one.index for one in found] == [0, 1, 2]
    (single,) = predict(run, X[0], warn=str)
    said = f"Prediction(class_={single.class_}, probability={single.probability})"
    assert repr(single) == said


def test_forms_of_arrays(run: Run, tmp_path: Path) -> None:
    """An array, a tensor, lists, a file and a mapping of the inputs mean the same."""
    np.save(tmp_path / "x.npy", X)
    expected = [one.outputs["output"].tolist() for one in predict(run, X, warn=str)]
    tensor = torch.tensor(X, requires_grad=True)
    forms: list[Any] = [tensor, X.tolist(), [*X], [*tensor], str(tmp_path / "x.npy")]
    forms += [tmp_path / "x.npy", [tmp_path / "x.npy"], {"input": X}, X.astype("float64")]
    for form in forms:
        found = predict(run, form, warn=str)
        assert [one.outputs["output"].tolist() for one in found] == expected
    (single,) = predict(run, X[0], warn=str)
    assert single.index is None
    assert single.output.tolist() == pytest.approx(expected[0], abs=1e-6)
    file = predict(run.folder, tmp_path / "x.npy", warn=str)[0]
    assert (file.input, file.index) == (str(tmp_path / "x.npy"), 0)


def test_wrong_inputs(run: Run, tmp_path: Path) -> None:
    """Each wrong input is told in a sentence."""
    for given, said in (
        (object(), "a prediction takes arrays, tensors, paths and records, and no object"),
        ([[1.0, 2.0], [3.0]], "a list does not become an array"),
        ({"x": X}, "the arrays have the names x, but the network reads input"),
        ([{"a": 1}], "records need a network that a table has trained"),
        (X[:, :3], "the array has samples of 3, but the network reads 4"),
        (np.full((1, 4), np.nan), "the array is nan at index 0"),
        (tmp_path / "no.npy", "cannot be read"),
    ):
        with pytest.raises(InputError, match=said):
            predict(run, given)
    with pytest.raises(TrainingError, match="top is at least 1, not 0"):
        predict(run, X, top=0)


def test_warnings(run: Run) -> None:
    """Samples far from the training are told as a warning of Python, or to a function."""
    far = np.tile(X + 1000, (20, 1))
    with pytest.warns(UserWarning, match="input"):
        predict(run, far)
    said: list[str] = []
    predict(run, far, warn=said.append)
    assert len(said) == 1


def test_module(run: Run) -> None:
    """`run.module()` computes what `predict` and `evaluate` do with the same checkpoint."""
    for which in ("best", "last"):
        module = run.module(which)
        assert not module.training
        ((x,), (y,)) = next(iter(loaders(run.config()).validation))
        with torch.no_grad():
            scores = module(x)
        loss = torch.nn.functional.cross_entropy(scores, y).item()
        assert evaluate(run, which)["val_loss"] == pytest.approx(loss, rel=1e-5)
    with pytest.raises(training.RunNotFoundError):
        run.module("worst")


ROWS = [
    {"age": 31.5, "city": "Rome", "member": True, "joined": date(2024, 3, 1), "churned": "yes"},
    {"age": 52.0, "city": "Oslo", "member": False, "joined": date(2023, 7, 9), "churned": "no"},
    {"age": 23.25, "city": "Rome", "member": True, "joined": date(2022, 1, 30), "churned": "no"},
]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Give a run of a network that a table with a decimal comma has trained."""
    folder = tmp_path_factory.mktemp("table")
    with (folder / "people.csv").open("w", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(ROWS[0])
        for row in ROWS * 8:
            writer.writerow([str(v).replace(".", ",") for v in row.values()])
    config = load(
        {
            "inputs": {"numbers": [3], "city": {"shape": [], "dtype": "int64"}},
            "layers": {
                "embed": {"Embedding": {"num_embeddings": 3, "embedding_dim": 2}, "inputs": "city"},
                "both": {"Concat": {}, "inputs": ["numbers", "embed"]},
                "out": {"Linear": 2},
            },
            "loss": "CrossEntropyLoss",
            "optimizer": "Adam",
            "data": {
                "Csv": {
                    "file": str(folder / "people.csv"),
                    "decimal": ",",
                    "inputs": {"numbers": ["age", "member", "joined.month"], "city": "city"},
                    "target": "churned",
                    "missing": {"age": "mean", "city": "unknown"},
                }
            },
            "train": {"epochs": 1, "device": "cpu"},
        }
    )
    return train(config, runs=folder)


def test_records(table: Run, tmp_path: Path) -> None:
    """Rows of Python mean what the same rows of a file mean; gaps too."""
    rows: list[dict[str, Any]] = [*ROWS, ROWS[0] | {"age": None, "city": float("nan")}]
    names = [name for name in ROWS[0] if name != "churned"]
    lines = [";".join(names)]
    for row in rows:
        values = ["" if row[n] is None or row[n] != row[n] else str(row[n]) for n in names]
        lines.append(";".join(value.replace(".", ",") for value in values))
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    expected = [one.output.tolist() for one in predict(table, tmp_path / "rows.csv", warn=str)]
    frame = pd.DataFrame(rows)
    for form in (rows, frame, tuple(rows)):
        found = predict(table, form, warn=str)
        assert [one.output.tolist() for one in found] == expected
        assert [one.name in {"yes", "no"} for one in found] == [True] * 4
    assert predict(table, rows[1], warn=str)[0].output.tolist() == pytest.approx(
        expected[1], abs=1e-6
    )


def test_wrong_records(table: Run) -> None:
    """A record that does not fit is told with its number, and an unknown category is a warning."""
    without = [{name: row[name] for name in row if name != "age"} for row in ROWS]
    with pytest.raises(InputError, match="the table has no column age: its columns are city"):
        predict(table, without)
    with pytest.raises(InputError, match=r"age is 'old' in record 2"):
        predict(table, [ROWS[0], ROWS[1] | {"age": "old"}, ROWS[2]])
    said: list[str] = []
    predict(table, [ROWS[0] | {"city": "Lima"}], warn=said.append)
    assert "the table: city has 1 value that training has not seen" in said
