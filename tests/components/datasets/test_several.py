"""Several targets and several inputs, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from netbuild.checks.trace import infer
from netbuild.components.datasets.arrays import Arrays
from netbuild.components.datasets.dataset import Sample
from netbuild.components.datasets.delimited import Csv
from netbuild.components.datasets.hub import Hub
from netbuild.components.target import Classes, Nothing, Values
from netbuild.components.tensor import Tensor
from netbuild.config.load import load, read
from netbuild.config.resolution import resolved_values
from netbuild.syntax.parser import from_bytes
from tests.training.data.test_splitting import loaded
from tests.training_configs import text, write

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "age,income,city,churned,spend,rank\n" + "".join(
    f"{20 + n},{n / 4},{n % 3},{'no' if n % 4 else 'yes'},{n / 2},{n % 2 + 5}\n" for n in range(20)
)
INPUTS = {"city": "city", "numbers": ("age", "income")}
TARGETS = {"churn": "churned", "spend": "spend", "rank": "rank"}
WANTED = Sample(
    (Tensor((), "int64"), Tensor((2,))),
    {"churn": Classes(2), "spend": Values((1,)), "rank": Nothing()},
)


def table(folder: Path) -> Path:
    """Write the table."""
    (folder / "customers.csv").write_text(TABLE)
    return folder / "customers.csv"


@pytest.mark.parametrize("kind", [Csv, Hub])
def test_tables(tmp_path: Path, kind: Any) -> None:
    """A list inside a mapping is one vector; each target is what its loss wants, or as it comes."""
    path = str(table(tmp_path))
    named: dict[str, Any] = {"file": path} if kind is Csv else {"files": path}
    source = kind(**named, inputs=INPUTS, target=TARGETS)
    assert source.target_names == ("churn", "spend", "rank")
    assert source.named_inputs == ("city", "numbers")
    (city, numbers), (churn, spend, rank) = source.load(WANTED)
    assert (city.dtype, numbers.dtype, numbers.shape) == ("int64", "float32", (20, 2))
    assert city.tolist() == [n % 3 for n in range(20)]
    assert numbers[8].tolist() == [28, 2]
    assert churn.tolist() == [int(not n % 4) for n in range(20)]
    assert (spend.shape, spend.dtype, spend[3].tolist()) == ((20, 1), "float32", [1.5])
    assert (rank.dtype, rank.tolist()[:3]) == ("float32", [5, 6, 5])
    assert source.names("churn") == ("no", "yes")
    if kind is Csv:
        told = source.sample(WANTED)
        assert told.inputs == WANTED.inputs
        assert told.targets == {"churn": Classes(2), "spend": Values((1,)), "rank": Values(())}
        assert source.bounds(WANTED.inputs) == ((0, 2), None)


def test_classes_of_some_targets(tmp_path: Path) -> None:
    """`classes` is a mapping too; numbers of a target without an entry are numbered in order."""
    wanted = Sample(WANTED.inputs[1:], {"city": Classes(9), "rank": Classes(2)})
    targets = {"city": "city", "rank": "rank"}
    inputs = {name: columns for name, columns in INPUTS.items() if columns != "city"}
    source = Csv(file=str(table(tmp_path)), inputs=inputs, target=targets, classes={"city": 9})
    assert source.sample(wanted).targets == {"city": Classes(9), "rank": Classes(2)}
    assert source.load(wanted)[1][1].tolist()[:3] == [0, 1, 0]
    assert (source.names("city"), source.names("rank")) == (None, ("5", "6"))


def test_arrays(tmp_path: Path) -> None:
    """Arrays by the names of the inputs and of the targets, also those of another split."""
    x = np.arange(24, dtype="float32").reshape(6, 4)
    stored = {"a": x, "b": x + 1, "kinds": np.arange(6) % 3, "cost": x[:, :2]}
    np.savez(tmp_path / "x.npz", **stored, **{f"{n}_test": v[:2] for n, v in stored.items()})
    source = Arrays(
        file=str(tmp_path / "x.npz"),
        inputs={"left": "b", "right": "a"},
        target={"kind": "kinds", "cost": "cost"},
    )
    targets = {"kind": Classes(3), "cost": Values((2,))}
    wanted = Sample((Tensor((4,)), Tensor((4,))), targets)
    assert source.sample(wanted) == (wanted.inputs, targets)
    (left, right), (kind, cost) = source.load(wanted)
    assert np.array_equal(left, right + 1)
    assert (kind.tolist(), cost[1].tolist()) == ([0, 1, 2, 0, 1, 2], [4, 5])
    assert [len(part) for part in source.load(wanted, "test")[1]] == [2, 2]


def network(**sections: Any) -> dict[str, Any]:
    """Return the sections of a network with two inputs and two heads."""
    return {
        "input": None,
        "inputs": {"numbers": [2], "city": {"shape": [], "dtype": "int64"}},
        "layers": {
            "where": {"Embedding": {"num_embeddings": 3, "embedding_dim": 2}, "inputs": "city"},
            "all": {"Concat": None, "inputs": ["numbers", "where"]},
            "churn": {"Linear": 2},
            "spend": {"Linear": 1, "inputs": "all"},
        },
        "outputs": ["churn", "spend"],
        "loss": [
            {"MSELoss": None, "inputs": "spend", "target": "spend"},
            {"CrossEntropyLoss": None, "inputs": "churn", "target": "churn"},
        ],
        "metrics": [],
        **sections,
    }


def test_the_order_of_the_network(tmp_path: Path) -> None:
    """Inputs come in the network's order; splits keep the shares of the first target of classes."""
    targets = {"spend": "spend", "churn": "churned"}
    inputs = {"city": "city", "numbers": ["age", "income"]}
    csv = {"file": str(table(tmp_path)), "inputs": inputs, "target": targets}
    file = write(tmp_path, **network(data={"Csv": csv, "validation": 0.4}))
    training, held_out = loaded(file)
    assert list(resolved_values(load(file))["data"]["Csv"]["inputs"]) == ["numbers", "city"]
    assert [tuple(x.shape[1:]) for x in training.inputs] == [(2,), ()]
    assert [int(split.targets[1].sum()) for split in (training, held_out)] == [3, 2]


FAULTS = {
    "strange": (
        {"inputs": {"number": ["age", "income"], "city": "city"}},
        "the network has no input number; it reads numbers, city",
    ),
    "lacking": (
        {"inputs": {"numbers": ["age", "income"]}},
        "it names no columns for the input city",
    ),
    "narrow": (
        {"inputs": {"numbers": ["age"], "city": "city"}},
        "its samples are 1, but the network's input is 2",
    ),
    "absent": (
        {"target": {"churn": "churned", "spend": "spent"}},
        "{file} has no column spent",
    ),
    "an index": (
        {"inputs": {"numbers": ["city", "income"], "city": "age"}},
        "it has rows for 0 to 2, and the data has numbers up to 39",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(tmp_path: Path, name: str) -> None:
    """What a mapping names must be there, and must be what the network reads."""
    changed, message = FAULTS[name]
    inputs = {"numbers": ["age", "income"], "city": "city"}
    targets = {"churn": "churned", "spend": "spend"}
    file = str(table(tmp_path))
    csv = {"file": file, "inputs": inputs, "target": targets} | changed
    config = read(from_bytes("x.yaml", text(**network(data={"Csv": csv})).encode()))
    (fault,) = infer(config).diagnostics
    assert fault.message.endswith(f": {message.format(file=file)}")
