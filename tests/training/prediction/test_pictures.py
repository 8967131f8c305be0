"""`netbuild predict -o` writes masks with the colours of their classes, and pictures, as PNG."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from netbuild.syntax.dump import dump
from netbuild.training.prediction.pictures import Painted, palette
from tests.training.prediction.conftest import command

GREY = np.array([[0, 255, 255, 0], [255, 0, 0, 255]] * 2, "uint8")  # the network reads 4×4


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures lie in the current folder: of the network's size, and twice as large."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/more").mkdir(parents=True)
    Image.fromarray(GREY).save("photos/a.png")
    Image.fromarray(GREY.repeat(2, 0).repeat(2, 1)).save("photos/more/a.png")


def network(weights: list[float], biases: list[float], **sections: Any) -> tuple[Any, ...]:
    """Write a network that gives weight · pixel + bias in some channels; return its arguments."""
    count = len(weights)
    conv = {"Conv2d": {"out_channels": count, "kernel_size": 1}}
    given = {"name": "net", "input": [1, 4, 4], "layers": {"out": conv}, "optimizer": "SGD"}
    Path("net.yaml").write_text(dump(given | sections), "utf-8")
    values = {"out.weight": torch.tensor(weights).reshape(count, 1, 1, 1)}
    save_file(values | {"out.bias": torch.tensor(biases)}, "net.safetensors")
    return "net.yaml", "--weights", "net.safetensors"


MASKS = {"ImageFolder": {"folder": "x", "masks": "y", "classes": 2}}


@pytest.mark.parametrize(
    ("loss", "weights"),
    [
        ("CrossEntropyLoss", ([-1.0, 1.0], [0.5, -0.5])),
        ("BCEWithLogitsLoss", ([2.0], [-1.0])),
        ("BCELoss", ([1.0], [0.1])),
    ],
)
def test_a_mask_has_a_palette_and_the_size_of_its_picture(loss: str, weights: Any) -> None:
    """White is class 1, also for a loss of yes or no; the larger picture gets a larger mask."""
    net = network(*weights, loss=loss, data=MASKS)
    assert command(*net, "photos/a.png", "-o", "mask.png") == (0, "", "")
    with Image.open("mask.png") as mask:
        assert mask.mode == "P"
        assert np.array_equal(mask, GREY > 0)
        assert (mask.getpalette() or [])[:9] == [0, 0, 0, 230, 159, 0, 86, 180, 233]
    done = command(*net, "photos", "-o", "out/")
    assert (done.code, done.err) == (0, "")
    assert done.out == "out: 2 pictures and predictions.json\n"
    with Image.open("out/a-2.png") as mask:
        assert np.array_equal(mask, GREY.repeat(2, 0).repeat(2, 1) > 0)
    assert json.loads(Path("out/predictions.json").read_text("utf-8")) == [
        {"input": f"photos/{name}", "picture": picture, "shares": {"0": 0.5, "1": 0.5}}
        for name, picture in (("a.png", "a.png"), ("more/a.png", "a-2.png"))
    ]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pictures(channels: int) -> None:
    """In a picture 0 is black and 1 is white; what lies outside is black or white."""
    net = network([0.5] * channels, [0.25] * channels, loss="MSELoss")
    assert command(*net, "photos/a.png", "-o", "out.png").code == 0
    with Image.open("out.png") as picture:
        assert picture.mode == {1: "L", 3: "RGB", 4: "RGBA"}[channels]
        values = np.asarray(picture).reshape(4, 4, channels)
    assert np.array_equal(values[..., 0], np.where(GREY > 0, 191, 64))
    assert np.array_equal(values, values[..., :1].repeat(channels, 2))


def test_scores_are_shown_as_probabilities() -> None:
    """The sigmoid, which the loss applies, is part of the picture."""
    net = network([200.0], [-100.0], loss="BCEWithLogitsLoss")
    assert command(*net, "photos/a.png", "-o", "out.png").code == 0
    with Image.open("out.png") as picture:
        assert np.array_equal(picture, GREY)


def test_samples_of_an_array_and_several_outputs(tmp_path: Path) -> None:
    """The names have the index of the sample and the name of the output."""
    sections: Any = {"layers": {"out": {"Conv2d": {"out_channels": 1, "kernel_size": 1}}}}
    sections["layers"]["plain"] = "Identity"
    sections["outputs"] = {"sharp": "out", "plain": "plain"}
    net = network([1.0], [0.0], loss={"MSELoss": {}, "inputs": "sharp"}, **sections)
    np.save("x.npy", np.stack([GREY, GREY]))
    assert command(*net, "x.npy", "-o", "out/").code == 0
    names = [f"x-{index}-{output}.png" for index in (0, 1) for output in ("plain", "sharp")]
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == names
    told = json.loads((tmp_path / "out/predictions.json").read_text("utf-8"))[1]
    pictures = {"sharp": "x-1-sharp.png", "plain": "x-1-plain.png"}
    assert told == {"input": "x.npy", "index": 1, "pictures": pictures}


def test_what_else_is_predicted(tmp_path: Path) -> None:
    """Beside a mask, predictions.json holds the numbers of outputs for other targets."""
    layers = {"out": {"Conv2d": {"out_channels": 2, "kernel_size": 1}}}
    layers["flat"] = {"Flatten": {}, "inputs": "input"}
    losses = [
        {"CrossEntropyLoss": {}, "inputs": "out", "target": "masks"},
        {"MSELoss": {}, "inputs": "flat", "target": "boxes"},
    ]
    fields = MASKS["ImageFolder"] | {"boxes": "z.csv"}
    sections: Any = {"layers": layers, "outputs": ["out", "flat"], "loss": losses}
    net = network([-1.0, 1.0], [0.5, -0.5], data={"ImageFolder": fields}, **sections)
    done = command(*net, "photos/a.png", "-o", "out/")
    assert (done.code, done.err) == (0, "")
    (told,) = json.loads((tmp_path / "out/predictions.json").read_text("utf-8"))
    boxes = (GREY / 255).ravel().tolist()
    assert told == {
        "input": "photos/a.png",
        "picture": "a.png",
        "outputs": {"flat": boxes},
        "shares": {"0": 0.5, "1": 0.5},
    }


def test_what_is_refused(tmp_path: Path) -> None:
    """Several pictures and one file, a network without pictures, files that exist."""
    net = network([1.0], [0.0], loss="MSELoss")
    done = command(*net, "photos", "-o", "out.png")
    said = "there are several pictures, and out.png is one: name a folder, such as -o out/"
    assert (done.code, done.err) == (2, f"netbuild: {said}\n")
    assert not (tmp_path / "out.png").exists()
    assert command(*net, "photos", "-o", "out/").code == 0
    said = "out/predictions.json already exists: --overwrite replaces it"
    done = command(*net, "photos", "-o", "out/")
    assert (done.code, done.err) == (2, f"netbuild: {said}\n")
    assert command(*net, "photos", "-o", "out/", "--overwrite").code == 0
    (tmp_path / "out/predictions.json").unlink()
    done = command(*net, "photos", "-o", "out")
    said = "out/a.png already exists: --overwrite replaces it"
    assert (done.code, done.err) == (2, f"netbuild: {said}\n")
    assert command(*net, "photos/a.png", "photos/no.png", "-o", "one.png").code == 2
    assert (tmp_path / "one.png").exists()
    flat = network([1.0], [0.0], layers=["Flatten", {"Linear": 2}], loss="MSELoss")
    save_file({"1.weight": torch.zeros(2, 16), "1.bias": torch.zeros(2)}, "net.safetensors")
    done = command(*flat, "photos", "-o", "new/")
    said = "the network gives 2, which is no picture: write a .json or .csv file"
    assert said in done.err
    assert not (tmp_path / "new").exists()


def test_palette() -> None:
    """The first 17 colours differ; more classes than colours make a grey picture of 16 bits."""
    colours = np.frombuffer(palette(), "uint8").reshape(256, 3)
    assert len({*map(tuple, colours[:17].tolist())}) == 17
    assert colours[0].tolist() == [0, 0, 0]
    Painted("", np.array([[0, 300]]), is_mask=True).write("many.png")
    with Image.open("many.png") as picture:
        assert np.asarray(picture).tolist() == [[0, 300]]
