"""`predict` of a network of windows: the rows behind each series, step by step, in own units."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netbuild.training import Run
from netbuild.training.prediction.predict import predict
from tests.training.by_hand import command, trained

NETWORK: dict[str, Any] = {
    "input": [4, 2],
    "layers": ["Flatten", {"Linear": 3}],
    "loss": "MSELoss",
}
HEADER = "shop,sales,sun\n"


def lines(shop: str, count: int) -> str:
    """Return the rows of a shop."""
    return "".join(f"{shop},{100 + n * len(shop)},{n % 7}\n" for n in range(count))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of the data and of the run."""
    return tmp_path_factory.mktemp("series")


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Give a run on two series, with scaled inputs and targets; its file is gone."""
    path = folder / "t.csv"
    path.write_text(HEADER + lines("east", 40) + lines("north", 30), encoding="utf-8")
    fields = {"file": str(path), "window": 4, "horizon": 3, "series": "shop", "target": "sales"}
    data = {"Csv": fields, "normalize": {"inputs": True, "targets": True}}
    found = trained(folder, **NETWORK, data=data).run
    path.unlink()
    return found


def by_hand(run: Run, rows: list[list[float]]) -> Any:
    """Return what the weights of the run tell of a window, in the unit of the data."""
    normalize: Any = run.config().preparation.normalize
    from safetensors.torch import load_file

    weights = load_file(run.folder / "checkpoints/best/model.safetensors")
    (mean, deviation) = (torch.tensor(part) for part in normalize["inputs"]["input"])
    x = ((torch.tensor(rows) - mean) / deviation).flatten()
    y = next(w for n, w in weights.items() if n.endswith("weight")) @ x
    y = y + next(w for n, w in weights.items() if n.endswith("bias"))
    (mean,), (deviation,) = normalize["targets"]["target"]
    return (y.double() * deviation + mean).tolist()


def test_each_series_is_told_step_by_step(folder: Path, run: Run) -> None:
    """The last four rows of each series tell three rows; the series may stand in turns."""
    path = folder / "new.csv"
    path.write_text(HEADER + lines("north", 6) + lines("west", 5) + "north,500,1\n", "utf-8")
    found = predict(run.folder, path)
    assert [(one["series"], one["step"]) for one in found] == [
        (shop, step) for shop in ("north", "west") for step in (1, 2, 3)
    ]
    expected = by_hand(run, [[115.0, 3.0], [120.0, 4.0], [125.0, 5.0], [500.0, 1.0]])
    assert [float(one["output"]) for one in found[:3]] == pytest.approx(expected, rel=1e-5)
    code, printed = command("predict", run.folder, path, "--format", "json")
    assert code == 0
    assert list(json.loads(printed)[0]) == ["input", "series", "step", "output"]
    code, printed = command("predict", run.folder, path, "--format", "table")
    assert printed.splitlines()[2].split() == ["input", "series", "step", "output"]


def test_a_short_series_is_named(folder: Path, run: Run) -> None:
    """The others are told, and the exit code says that one was not."""
    path = folder / "short.csv"
    path.write_text(HEADER + lines("north", 6) + lines("new", 3), "utf-8")
    code, printed = command("predict", run.folder, path, "--format", "csv")
    assert code == 1
    assert f"{path}: the series new has 3 rows, and the network reads 4" in printed
    assert printed.count(",north,") == 3


def test_arrays_are_windows_too(folder: Path, run: Run) -> None:
    """An array holds windows, (windows, rows, columns)."""
    window = [[115.0, 3.0], [120.0, 4.0], [125.0, 5.0], [500.0, 1.0]]
    np.save(folder / "x.npy", np.array([window, window], "float32"))
    found = predict(run.folder, folder / "x.npy")
    assert [(one["index"], one["step"]) for one in found] == [
        (n, s) for n in (0, 1) for s in (1, 2, 3)
    ]
    assert float(found[2]["output"]) == pytest.approx(by_hand(run, window)[2], rel=1e-5)


def test_classes_of_each_step(tmp_path: Path) -> None:
    """A class at each step has its name and its probability, and rows must be in order."""
    path = tmp_path / "t.csv"
    rows = [f"{n},{n % 5},{'up' if n % 3 else 'down'}" for n in range(40)]
    path.write_text("\n".join(["day,x,way", *rows]), encoding="utf-8")
    fields = {"window": 4, "horizon": 3, "order": "day", "inputs": ["x"], "target": "way"}
    network: dict[str, Any] = {"input": [4, 1], "loss": "CrossEntropyLoss"}
    shape = {"dim": 1, "unflattened_size": [2, 3]}
    network["layers"] = ["Flatten", {"Linear": 6}, {"Unflatten": shape}]
    run = trained(tmp_path, **network, data={"Csv": {"file": str(path), **fields}}).run
    found = predict(run.folder, path)
    assert [one["step"] for one in found] == [1, 2, 3]
    assert {one["name"] for one in found} <= {"up", "down"}
    assert all(0.5 <= one["probability"] <= 1 for one in found)
    path.write_text("day,x\n3,1\n4,1\n4,2\n5,1\n6,1", encoding="utf-8")
    code, printed = command("predict", run.folder, path)
    assert code == 1
    assert "day 4 in line 4 does not come after 4 in line 3" in printed
