"""What `netbuild predict` writes: JSON, CSV, files and folders."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netbuild.training import predict
from tests.training.prediction.conftest import PIXELS, command, trained


def test_json_and_csv(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both formats hold the same: JSON a line for each sample, CSV a row."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PIXELS[3]).save("a.png")
    np.save("b.npy", PIXELS[:2])
    done = command(digits, "a.png", "b.npy", "--top", 2)
    assert len(done.out.splitlines()) == 2 + 3
    told = json.loads(done.out)
    assert [one.get("index") for one in told] == [None, 0, 1]
    table = command(digits, "a.png", "b.npy", "--top", 2, "--format", "csv").out
    rows = [*csv.DictReader(io.StringIO(table))]
    assert [*rows[0]] == ["input", "index", "class", "probability", "class_2", "probability_2"]
    for one, row in zip(told, rows, strict=True):
        second = one["top"][1]
        assert row == {
            "input": one["input"],
            "index": str(one.get("index", "")),
            "class": str(one["class"]),
            "probability": str(one["probability"]),
            "class_2": str(second["class"]),
            "probability_2": str(second["probability"]),
        }


def test_output(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that exists is replaced only where that is said, and only by something whole."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PIXELS[3]).save("a.png")
    wanted = command(digits, "a.png").out
    assert command(digits, "a.png", "--output", "told.json") == (0, "", "")
    assert Path("told.json").read_text("utf-8") == wanted
    Path("told.json").write_text("mine", "utf-8")
    said = "netbuild: told.json already exists: --overwrite replaces it\n"
    assert command(digits, "a.png", "--output", "told.json") == (2, "", said)
    assert command(digits, "b.png", "--output", "told.json", "--overwrite").code == 2
    assert Path("told.json").read_text("utf-8") == "mine"
    assert command(digits, "a.png", "--output", "told.json", "--overwrite").code == 0
    assert Path("told.json").read_text("utf-8") == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "told.json"]
    said = "netbuild: --overwrite needs --output\n"
    assert command(digits, "a.png", "--overwrite") == (2, "", said)
    done = command(digits, "a.png", "--output", "no/told.json")
    assert (done.code, done.out) == (2, "")
    told = Path("no/told.json")
    assert done.err == f"netbuild: {told} cannot be read or written: No such file or directory\n"


def test_folder(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder is all images in it and below it, by their names, hidden ones left out."""
    monkeypatch.chdir(tmp_path)
    for name in ("b.png", "a.jpg", "in/c.png", ".hidden.png"):
        Path("x", name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS[3]).save(Path("x", name))
    Path("x/notes.txt").write_text("", "utf-8")
    Path("x/d.png").write_text("", "utf-8")
    done = command(digits, "x")
    found = [Path(one["input"]).as_posix() for one in json.loads(done.out)]
    assert found == ["x/a.jpg", "x/b.png", "x/in/c.png"]
    assert done.err.startswith("netbuild: x/d.png cannot be read: ")
    assert done.code == 2


def test_yes_and_no(tmp_path: Path) -> None:
    """A loss of one number that is about yes or no gives a class, its name, and how sure it is."""
    sections = {
        "input": [30],
        "layers": [{"Linear": 1}],
        "loss": "BCEWithLogitsLoss",
        "optimizer": "Adam",
        "data": {"BreastCancer": {}, "normalize": True},
        "train": {"epochs": 3},
    }
    run = trained(tmp_path, sections).folder
    x = np.random.default_rng(0).standard_normal((20, 30)).astype("float32") * 30
    found, raw = predict(run, x), predict(run, x, raw=True)
    for one, output in zip(found, raw, strict=True):
        likely = torch.sigmoid(torch.tensor(output["output"][0], dtype=torch.float64)).item()
        assert one["class"] == (likely > 0.5)
        assert one["name"] == ("malignant", "benign")[one["class"]]
        assert one["probability"] == pytest.approx(max(likely, 1 - likely), rel=1e-4)
    assert {one["class"] for one in found} == {0, 1}
