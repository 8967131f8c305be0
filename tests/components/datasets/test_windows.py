"""Csv with `window`: samples are windows of series, and no row is in two parts."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from netbuild.checks.trace import infer
from netbuild.components.datasets.windows import Windows, cut
from netbuild.config.load import load
from tests.training.by_hand import prepared
from tests.training_configs import in_memory, write

NETWORK: dict[str, Any] = {
    "input": [4, 2],
    "layers": ["Flatten", {"Linear": 3}],
    "loss": "MSELoss",
}


def table(folder: Path, *series: int, **changed: Any) -> Path:
    """Write series of some lengths, in turns. A value tells its row: 1000 · series + moment."""
    lines = ["shop,day,sales,sun"]
    for moment in range(max(series)):
        for number, length in enumerate(series):
            if moment < length:
                day = np.datetime64("2024-01-30") + moment
                value = changed.get(f"{number}.{moment}", 1000 * number + moment)
                lines.append(f"shop{number},{day},{value},{-1000 * number - moment}")
    path = folder / "t.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def source(path: Path, **fields: Any) -> dict[str, Any]:
    """Return the section `data:` with windows of 4 rows and a horizon of 3."""
    given = {"window": 4, "horizon": 3, "series": "shop", "order": "day", "target": "sales"}
    given |= {"file": str(path)} | fields
    return {"Csv": {name: value for name, value in given.items() if value is not None}}


def parts(folder: Path, data: Any, **sections: Any) -> tuple[Any, Any]:
    """Return the samples that train and those that validate."""
    trainer = prepared(folder, **NETWORK | sections, data=data)
    return in_memory(trainer.training), in_memory(trainer.held_out)


def rows(split: Any) -> list[list[float]]:
    """Return the values of each window: the target's past, and then the target."""
    x, y = split.inputs[0][:, :, 0], split.targets[0]
    found: list[list[float]] = np.concatenate([x, y], 1).tolist()
    return sorted(found)


def test_windows_are_cut_as_by_hand(tmp_path: Path) -> None:
    """Each window has the rows of one series: the columns before, and the target behind."""
    trained, held_out = parts(tmp_path, source(table(tmp_path, 30, 20)))
    windows = [
        [1000.0 * series + begin + n for n in range(7)]
        for series, length in enumerate((30, 20))
        for begin in range(length - 6)
    ]
    every = rows(trained) + rows(held_out)
    assert all(window in windows for window in every)
    assert len({tuple(window) for window in every}) == len(every)
    # A fifth of 24 and of 14 windows, and the six windows before them that overlap.
    assert (len(held_out), len(trained)) == (5 + 3, 24 - 5 - 6 + 14 - 3 - 6)
    assert (trained.inputs[0][:, :, 1] == -trained.inputs[0][:, :, 0]).all()
    assert trained.inputs[0].shape[1:] == (4, 2)
    assert trained.targets[0].shape[1:] == (3,)


@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("test", [None, 0.2])
def test_no_row_is_in_two_parts(tmp_path: Path, stride: int, test: float | None) -> None:
    """The rows of inputs and targets of each part are later than those of the part before."""
    data = source(table(tmp_path, 60, 45), stride=stride) | {"test": test}
    trained, held_out = (rows(part) for part in parts(tmp_path, data))
    for series in (0, 1):
        own = [
            [value for window in part for value in window if value // 1000 == series]
            for part in (trained, held_out)
        ]
        assert all(own)
        assert max(own[0]) < min(own[1])
    newest = max(value for window in held_out for value in window if value < 1000)
    assert (newest == 59) == (test is None)


def test_windows_without_a_value_are_left_out() -> None:
    """A window with a row that lacks a value is left out; the others stay."""
    left = [row for row in range(20) if row != 9]
    found = cut([""] * 20, left, Windows(3, 2))
    assert found.starts.tolist() == [0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15]


@pytest.mark.parametrize("seed", range(20))
def test_random_tables_are_cut_as_by_hand(seed: int) -> None:
    """Any series in turns, any stride and any rows that lack a value."""
    random = np.random.default_rng(seed)
    how = Windows(*random.integers(1, 5, 3).tolist())
    names = [f"s{n}" for n in random.integers(0, 3, 40)]
    left = sorted(random.choice(40, 36, replace=False).tolist()) if seed % 2 else None
    expected = []
    for name in dict.fromkeys(names):
        own = [row for row, other in enumerate(names) if other == name]
        begins = range((len(own) - how.length) % how.stride, len(own) - how.length + 1, how.stride)
        found = [own[begin : begin + how.length] for begin in begins if len(own) >= how.length]
        expected += [f for f in found if left is None or {*f} <= {*left}]
    assert cut(names, left, how).rows(0, how.length).tolist() == expected


def test_a_gap_is_dropped_or_filled(tmp_path: Path) -> None:
    """`drop` leaves out each window with the row; a mean is that of the training rows."""
    path = table(tmp_path, 40, **{"0.5": ""})
    data = source(path, series=None, inputs=["sales"], missing="drop")
    one = {"input": [4, 1]}
    trained, _ = parts(tmp_path, data, **one)
    assert all(5 not in window for window in rows(trained))
    data = source(path, series=None, inputs=["sun"], target="sun", missing={"sales": "mean"})
    parts(tmp_path, data, **one)
    text = path.read_text("utf-8").replace("-5\n", "\n")
    path.write_text(text, encoding="utf-8")
    data = source(path, series=None, inputs=["sun"], missing={"sun": "mean", "sales": "drop"})
    trained, _ = parts(tmp_path, data, **one)
    assert trained.inputs[0].isfinite().all()


def test_one_row_and_classes(tmp_path: Path) -> None:
    """A horizon of 1 may be a single number, and a target of text is a class at each step."""
    lines = ["value,way"] + [f"{n},{'up' if n % 3 else 'down'}" for n in range(40)]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    fields = {"series": None, "order": None, "inputs": ["value"], "target": "value"}
    one: dict[str, Any] = {"input": [4, 1], "layers": ["Flatten", {"Linear": 1}, {"Squeeze": 1}]}
    trained, _ = parts(tmp_path, source(path, **fields, horizon=1), **one)
    assert trained.targets[0].shape[1:] == ()
    fields["target"] = "way"
    one = {"input": [4, 1], "loss": "CrossEntropyLoss"}
    one["layers"] = [
        "Flatten",
        {"Linear": 6},
        {"Unflatten": {"dim": 1, "unflattened_size": [2, 3]}},
    ]
    trained, _ = parts(tmp_path, source(path, **fields), **one)
    assert trained.targets[0].shape[1:] == (3,)
    x, y = trained.inputs[0], trained.targets[0]
    assert ((x[:, -1, :] + 1 + torch.arange(3)) % 3 != 0).equal(y == 1)
    one["layers"] = ["Flatten", {"Linear": 2}]
    trained, _ = parts(tmp_path, source(path, **fields, horizon=1), **one)
    assert trained.targets[0].shape[1:] == ()


def test_the_past_of_the_target_has_its_scale(tmp_path: Path) -> None:
    """The column is scaled alike as input and as target, whether inputs are named or not."""
    path = table(tmp_path, 40, 30)
    for inputs in (True, None):
        data = source(path) | {"normalize": {"inputs": inputs, "targets": True}}
        trainer = prepared(tmp_path, **NETWORK, data=data)
        config: Any = trainer.run.config().preparation.normalize
        mean, deviation = (part[0] for part in config["targets"]["target"])
        plain, _ = parts(tmp_path, source(path))
        split = in_memory(trainer.training)
        scaled = (plain.inputs[0][:, :, 0] - mean) / deviation
        assert np.allclose(split.inputs[0][:, :, 0], scaled, atol=1e-6)
        assert split.targets[0].equal(plain.targets[0])
        if inputs:
            assert config["inputs"]["input"][0][0] == mean
            assert abs(float(split.inputs[0][:, :, 1].mean())) < 1e-5
        else:
            assert split.inputs[0][:, :, 1].equal(plain.inputs[0][:, :, 1])


#: Lengths of series, fields of Csv, other sections, and what is said, with its field.
REFUSED: dict[str, tuple[Any, dict[str, Any], dict[str, Any], str, str]] = {
    "a short series": (
        (30, 6),
        {},
        {},
        "the series shop1 has 6 rows, and a window of 4 and a horizon of 3 need 7",
        "window",
    ),
    "short series": (
        (30, 6, 5),
        {},
        {},
        "the series shop2 has 5 rows, and a window of 4 and a horizon of 3 need 7; 1 more too",
        "window",
    ),
    "no series": (
        (6,),
        {"series": None, "inputs": ["sales", "sun"]},
        {},
        "the series has 6 rows, and a window of 4 and a horizon of 3 need 7",
        "window",
    ),
    "an overlap of all": (
        (12,),
        {},
        {},
        "6 windows leave none to train on: 6 windows before each held-out part share rows with it",
        "Csv",
    ),
    "a horizon without a window": (
        (30,),
        {"window": None, "series": None, "order": None, "inputs": ["sales", "sun"]},
        {"input": [2]},
        "horizon is for windows, and each row is a sample",
        "horizon",
    ),
    "a series that is read": (
        (30,),
        {"inputs": ["sales", "shop"]},
        {},
        "shop names the series, and the network reads it too",
        "series",
    ),
    "no such series": ((30,), {"series": "store"}, {}, "t.csv has no column store", "series"),
    "another width": (
        (30,),
        {"inputs": ["sales"]},
        {},
        "its samples are 4, but the network's input is 4×2",
        "Csv",
    ),
    "another horizon": (
        (30,),
        {"horizon": 5},
        {},
        "it compares with values of shape 3, and the data has values of shape 5",
        "MSELoss",
    ),
    "rows that are not in order": (
        (30, 20),
        {"order": "sales"},
        {},
        "sales 2 in line 14 does not come after 5 in line 12 of shop0",
        "order",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_cut(tmp_path: Path, name: str) -> None:
    """A fault names the series or the row, and what a window needs."""
    lengths, fields, sections, said, at = REFUSED[name]
    path = table(tmp_path, *lengths, **({"0.6": 2} if fields.get("order") else {}))
    file = write(tmp_path, **NETWORK | sections | {"data": source(path, **fields)})
    (fault,) = [f for f in infer(load(file)).diagnostics if f.severity == "error"]
    assert said in str(fault.label)
    line = file.read_text("utf-8").splitlines()[fault.span.line - 1]
    assert line[fault.span.column - 1 :].startswith(at)


def test_inputs_by_name(tmp_path: Path) -> None:
    """A column alone is (window), and several are (window, columns): each has its scale."""
    data = source(table(tmp_path, 40, 30), inputs={"past": "sales", "all": ["sun", "sales"]})
    network: dict[str, Any] = {
        "input": None,
        "inputs": {"past": [4], "all": [4, 2]},
        "layers": {
            "flat": {"Flatten": None, "inputs": "all"},
            "join": {"Concat": {"dim": 1}, "inputs": ["past", "flat"]},
            "told": {"Linear": 3},
        },
    }
    normalize = {"inputs": {"all": True}, "targets": True}
    trained, _ = parts(tmp_path, data | {"normalize": normalize}, **network)
    past, both = trained.inputs
    assert past.equal(both[:, :, 1])  # the column of the target is scaled alike in both
    assert abs(float(both[:, :, 0].mean())) < 1e-5


def test_the_training_is_counted_before_it_begins(tmp_path: Path) -> None:
    """The samples that train, on which schedules depend, are those that are left."""
    data = source(table(tmp_path, 60, 45), stride=2) | {"test": 0.1}
    file = write(tmp_path, **NETWORK | {"data": data})
    config = load(file)
    assert config.data is not None
    trained, held_out = parts(tmp_path, data)
    assert config.preparation.trained(config.data) == len(trained)
    assert len(held_out) == 5 + 4


def test_shapes_are_known_and_counted(tmp_path: Path) -> None:
    """The number of windows is known without a training, and a missing file is no fault."""
    file = write(tmp_path, **NETWORK | {"data": source(table(tmp_path, 30, 20), stride=3)})
    config = load(file)
    assert config.data is not None
    assert config.data.size == 8 + 5
    (tmp_path / "t.csv").unlink()
    assert [f for f in infer(load(file)).diagnostics if f.severity == "error"] == []
