"""Rows of numbers are read many at once, with the values that `datasets` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import datasets
import numpy as np
import pytest

from netbuild.components.datasets import arrow
from netbuild.components.datasets.dataset import DataError, Sample
from netbuild.components.datasets.hub import Hub
from netbuild.components.datasets.tables import NumberRows, quiet
from netbuild.components.target import Values
from netbuild.components.tensor import Tensor
from netbuild.training.data.batches import ReadBatches
from tests.training.by_hand import prepared, resumed, stopped, trained
from tests.training_configs import outcome

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("nothing_is_left")

FLOAT = datasets.Value("float32")
COLUMNS: dict[str, tuple[list[Any], Any]] = {
    "whole": ([3, -1, 2**40, 0, 7, 7], datasets.Value("int64")),
    "bytes": ([0, 255, 1, 2, 3, 4], datasets.Value("uint8")),
    "fractions": ([0.1, 1e300, -2.5, 0.0, 1.0, 3.0], datasets.Value("float64")),
    "halves": ([0.5, 1.5, -2.5, 0.0, 1.0, 3.0], datasets.Value("float16")),
    "switches": ([True, False, True, True, False, True], datasets.Value("bool")),
    "classes": ([0, 1, 1, 0, 1, 0], datasets.ClassLabel(names=["a", "b"])),
    "pairs": ([[n, n + 0.5] for n in range(6)], datasets.List(FLOAT)),
    "fixed": ([[n, n] for n in range(6)], datasets.List(datasets.Value("int32"), length=2)),
    "nested": ([[[n], [n + 1]] for n in range(6)], datasets.List(datasets.List(FLOAT))),
    "words": (list("abcabc"), datasets.Value("string")),
    "gaps": ([0.5, None, 1.5, 2.5, None, 3.5], FLOAT),
    "ragged": ([[0.5], [1.0, 2.0], [], [1.0], [2.0], [3.0]], datasets.List(FLOAT)),
    "places": ([np.eye(2)] * 6, datasets.Array2D((2, 2), "float32")),
}  # fmt: skip
#: What is no array of numbers, and is left to `datasets`.
LEFT = {"words", "gaps", "ragged", "places"}


@pytest.mark.parametrize("rows", [[4, 0, 0, 5], [5, 0], [5, 0, 1], [1, 3], slice(None)], ids=str)
def test_values_are_those_of_datasets(monkeypatch: pytest.MonkeyPatch, rows: Any) -> None:
    """Each column has the values and the dtype of the format numpy, in any order of rows."""
    monkeypatch.setattr(arrow, "_MOST", 1)
    values = {name: column for name, (column, _) in COLUMNS.items()}
    features = datasets.Features({name: feature for name, (_, feature) in COLUMNS.items()})
    table = datasets.Dataset.from_dict(values, features)
    table = datasets.concatenate_datasets([table.select(range(3)), table.select(range(3, 6))])
    with np.errstate(over="ignore"):
        found = arrow.ArrowColumns(table).rows(rows if isinstance(rows, slice) else np.array(rows))
        expected = table.with_format("numpy")[rows]
    for name in COLUMNS:
        assert np.asarray(found[name]).dtype == np.asarray(expected[name]).dtype, name
        assert str([*found[name]]) == str([*expected[name]])
    whole = table.with_format("arrow")[:]
    assert {name for name in COLUMNS if arrow.numbers(whole[name]) is None} == LEFT


def test_a_missing_value_names_its_row(tmp_path: Path) -> None:
    """Blocks are rows in any order. A missing value is a fault that names its row."""
    values = {"y": [0.0, 1.0, 2.0, 3.0]}
    with quiet():
        for name, third in {"x": 3.0, "gap": None}.items():
            made = datasets.Dataset.from_dict({"a": [1.0, 2.0, third, 4.0]} | values)
            made.to_parquet(f"{tmp_path}/{name}.parquet")
    sample = Sample((Tensor((1,)),), {"target": Values((1,))})
    source = Hub(files=f"{tmp_path}/x.parquet", inputs=("a",), target="y")
    rows = source.open(sample)
    assert isinstance(rows, NumberRows)
    ((x,), (y,)) = rows.block(np.array([3, 0]))
    assert x.tolist() == [[4.0], [1.0]]
    assert y.tolist() == [[3.0], [0.0]]
    assert [each.tolist() for each in rows.targets()] == [[[0.0], [1.0], [2.0], [3.0]]]
    gap = Hub(files=f"{tmp_path}/gap.parquet", inputs=("a",), target="y")
    with pytest.raises(DataError, match=r"^a has no value in row 3$"):
        gap.open(sample)


def test_rows_train_alike(tmp_path: Path) -> None:
    """Rows that stay on disk give the training of rows in memory, also if it is stopped."""
    generator = np.random.default_rng(0)
    columns = {name: generator.random(60).tolist() for name in "abcd"}
    with quiet():
        made = datasets.Dataset.from_dict(columns | {"label": [n % 3 for n in range(60)]})
        made.to_parquet(f"{tmp_path}/x.parquet")
    hub = {"Hub": {"files": f"{tmp_path}/x.parquet", "classes": 3}, "normalize": True}
    whole = trained(tmp_path, data=hub)
    kept = {"data": hub | {"in_memory": False}}
    again = resumed(stopped(prepared(tmp_path, **kept), 2))
    assert isinstance(again.training, ReadBatches)
    assert again.training.workers == 0
    assert outcome(again.run) == outcome(whole.run)
