"""What cannot be predicted is told in a sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.training.prediction.conftest import PIXELS, command


def _write_text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


def _save(array: Any) -> Callable[[Path], object]:
    return lambda path: np.save(path, array)


def _gif(path: Path) -> None:
    Image.fromarray(PIXELS[0]).save(path)
    path.write_bytes(path.read_bytes()[:30])


FAULTS: dict[str, tuple[str, Callable[[Path], object], str, int]] = {
    "missing": ("x.png", lambda _: None, "x.png cannot be read: No such file or directory", 2),
    "no image": (
        "x.png",
        _write_text("hello"),
        "x.png cannot be read: cannot identify image file 'x.png'",
        2,
    ),
    "cut": ("x.gif", _gif, "x.gif cannot be read: …", 2),
    "kind": (
        "x.txt",
        _write_text(""),
        "x.txt is not an image, .npy, .npz, .safetensors, .csv or .tsv file by its name",
        2,
    ),
    "folder": ("x", lambda path: path.mkdir(), "x is a folder without images", 2),
    "damaged": (
        "x.npy",
        lambda path: path.write_bytes(b"\x93NUMPY\x01\x00"),
        "x.npy is damaged: …",
        2,
    ),
    "not numbers": (
        "x.npy",
        _save(np.array(["a", "b"])),
        "x of x.npy holds U1, but the network reads numbers",
        1,
    ),
    "objects": (
        "x.npy",
        _save(np.array([{}, {}])),
        "x of x.npy holds objects of Python, but the network reads numbers",
        1,
    ),
    "shape": (
        "x.npy",
        _save(np.zeros((2, 3, 12, 12), "float32")),
        "x.npy has samples of 3×12×12, but the network reads 1×12×12",
        1,
    ),
    "rank": (
        "x.npy",
        _save(np.zeros(5, "float32")),
        "x.npy has samples of one number, but the network reads 1×12×12",
        1,
    ),
    "empty": ("x.npy", _save(np.zeros((0, 1, 12, 12))), "x.npy has no samples", 1),
    "nan": (
        "x.npy",
        _save(np.full((2, 12, 12), np.nan)),
        "x.npy is nan at index 0, and a network cannot compute with it",
        1,
    ),
    "nan alone": (
        "x.npy",
        _save(np.full((12, 12), np.inf)),
        "x.npy is inf at one place, and a network cannot compute with it",
        1,
    ),
    "no such array": (
        "x.npz",
        lambda path: np.savez(path, a=np.zeros(1), b=np.zeros(1)),
        "x.npz has no array input: its arrays are a, b",
        1,
    ),
    "table": (
        "x.csv",
        _write_text("1,2\n"),
        "x.csv holds rows of numbers, but the network reads 1×12×12",
        1,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """What is wrong with an input is one sentence; the others are predicted."""
    file, write, said, code = FAULTS[name]
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PIXELS[3]).save("good.png")
    write(Path(file))
    done = command(digits, file, "good.png")
    start, _, end = said.partition("…")
    line = done.err.removesuffix("\n")
    assert line.startswith(f"netbuild: {start}")
    assert line.endswith(end)
    assert "\n" not in line
    assert "…" in said or line == f"netbuild: {said}"
    assert done.code == code
    assert [one["input"] for one in json.loads(done.out)] == ["good.png"]


TABLES = {
    "": "x.csv is empty",
    "a,b,c,d\n": "x.csv has no rows of numbers",
    "1,2,3\n": "x.csv has 3 columns in line 1, but the network reads 4",
    "1,2,3,4\n1,2,3,4,5\n": "x.csv has 5 columns in line 2, but the network reads 4",
    "a,b,c\n1,2,3\n": "x.csv has 3 columns, but the network reads 4",
    "a,b,c,d\n1,2,3,4\n1\n": "x.csv has 1 column in line 3, but its header has 4",
    "1,2,3,4\n1,2,x,4\n": "x.csv: 'x' is not a number in line 2",
    "1,2,,4\n": "x.csv: a value is missing in line 1",
    "1,2,3,4\n\n1,nan,3,4\n": "x.csv is nan in line 3, and a network cannot compute with it",
    "1,2,3,text\n": "x.csv: 'text' is not a number in line 1",
}


@pytest.mark.parametrize("text", TABLES)
def test_faulty_tables(
    iris: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """A table with a fault gets a sentence with the line of the file."""
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text(text, encoding="utf-8")
    assert command(iris, "x.csv") == (1, "", f"netbuild: {TABLES[text]}\n")


def test_faulty_names(flowers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of columns that lack one which trained are a fault, as are two of one name."""
    monkeypatch.chdir(tmp_path)
    Path("x.csv").write_text("a,b,c,e\n1,2,3,4\n", encoding="utf-8")
    said = "netbuild: x.csv has no column d: its columns are a, b, c, e\n"
    assert command(flowers, "x.csv") == (1, "", said)
    Path("x.csv").write_text("a,b,c,d,d\n1,2,3,4,5\n", encoding="utf-8")
    said = "netbuild: x.csv has two columns d: its columns are a, b, c, d, d\n"
    assert command(flowers, "x.csv") == (1, "", said)


def test_an_image_for_features(iris: Path, tmp_path: Path) -> None:
    """A network that reads no images says so."""
    Image.new("L", (2, 2)).save(tmp_path / "x.png")
    done = command(iris, tmp_path / "x.png")
    said = f"netbuild: {tmp_path / 'x.png'} is an image, but the network reads 4\n"
    assert done == (1, "", said)


def test_worst_exit_code(digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read outweighs what does not fit; all of it is said."""
    monkeypatch.chdir(tmp_path)
    np.save("shape.npy", np.zeros((2, 3, 3, 3)))
    done = command(digits, "shape.npy", "missing.png")
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 2)


def test_no_run(tmp_path: Path) -> None:
    """A folder that is no run is said, as by the other commands."""
    done = command(tmp_path, "x.png")
    assert done == (2, "", f"netbuild: {tmp_path} is not a run: it has no resolved.yaml\n")
