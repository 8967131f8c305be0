"""Networks of several inputs and outputs, values, places and whole numbers."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_iris, load_wine

from netbuild.training import InputError, TrainingError, predict
from tests.training.prediction.conftest import FEATURES, PIXELS, command, trained

#: One step of noise: what matters is what goes in and comes out.
NOISE: dict[str, Any] = {
    "optimizer": {"SGD": {"lr": 0.1}},
    "data": {"Random": {"samples": 20}},
    "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
}


def test_names_of_folders(tmp_path: Path) -> None:
    """The classes of `data: ImageFolder` are called as its folders, hidden ones left out."""
    pytest.importorskip("datasets")
    for number, name in enumerate(["dark", "light", ".cache"]):
        (tmp_path / "train" / name).mkdir(parents=True)
        for index in range(6):
            picture = Image.new("RGB", (4, 4), (number * 200,) * 3)
            picture.save(tmp_path / "train" / name / f"{index}.png")
    sections = FEATURES | {"input": [3, 4, 4], "layers": ["Flatten", {"Linear": 2}]}
    source = {"ImageFolder": {"folder": str(tmp_path / "train")}}
    run = trained(tmp_path, sections, data=source, train={"epochs": 30, "device": "cpu"})
    found = predict(run.folder, tmp_path / "train")
    assert [Path(one["input"]).name for one in found] == [f"{n}.png" for n in range(6)] * 2
    assert [one["name"] for one in found] == ["dark"] * 6 + ["light"] * 6


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    """Several inputs are arrays of their names, in any order; several outputs have theirs."""
    sections = NOISE | {
        "inputs": {"left": [3], "right": [2]},
        "layers": {
            "both": {"Concat": None, "inputs": ["left", "right"]},
            "value": {"Linear": 1},
            "features": {"Linear": 4, "inputs": "both"},
        },
        "outputs": {"value": "value", "features": "features"},
        "loss": {"MSELoss": None, "inputs": "value"},
    }
    run = trained(tmp_path, sections).folder
    left, right = np.ones((5, 3), "float32"), np.zeros((5, 2), "float32")
    np.savez(tmp_path / "x.npz", right=right, left=left)
    np.savez(tmp_path / "one.npz", right=right[0], left=left[0])
    found = predict(run, [tmp_path / "x.npz", tmp_path / "one.npz"])
    weights = load_file(run / "checkpoints/best/model.safetensors")
    value = weights["value.weight"][:, :3].sum(1) + weights["value.bias"]
    for one in found:
        assert [*one["outputs"]] == ["value", "features"]
        np.testing.assert_allclose(one["outputs"]["value"], value.numpy(), rtol=1e-5)
        assert one["outputs"]["features"].shape == (4,)
    assert ["index" in one for one in found] == [True] * 5 + [False]
    done = command(run, tmp_path / "x.npz", "--format", "csv")
    header = "input,index,value_0,features_0,features_1,features_2,features_3"
    assert done.out.splitlines()[0] == header
    np.savez(tmp_path / "lengths.npz", right=right[:2], left=left)
    np.savez(tmp_path / "half.npz", left=left)
    np.save(tmp_path / "x.npy", left)
    (tmp_path / "x.csv").write_text("1,2,3\n", encoding="utf-8")
    Image.new("L", (4, 4)).save(tmp_path / "x.png")
    several = "the network reads left, right: give a .npz of arrays with these names"
    for name, said in {
        "lengths.npz": "lengths.npz has inputs of different lengths: left 5, right 2",
        "half.npz": f"half.npz has the arrays left, but {several}",
        "x.npy": f"x.npy has the arrays x, but {several}",
        "x.csv": f"x.csv is one table, but {several}",
        "x.png": f"x.png is one image, but {several}",
    }.items():
        with pytest.raises(InputError, match=f"^{re.escape(str(tmp_path / said))}$"):
            predict(run, tmp_path / name)


def test_values(tmp_path: Path) -> None:
    """A loss of values gives the outputs as they are; a number alone is one cell of CSV."""
    sections = NOISE | {"input": [2], "layers": [{"Linear": 1}], "loss": "MSELoss"}
    run = trained(tmp_path, sections).folder
    weights = load_file(run / "checkpoints/best/model.safetensors")
    (one,) = predict(run, np.zeros(2, "float32"))
    np.testing.assert_array_equal(one["output"], weights["0.bias"].numpy())
    (tmp_path / "x.csv").write_text("0,0\n", encoding="utf-8")
    bias = float(str(weights["0.bias"].numpy()[0]))
    assert command(run, tmp_path / "x.csv", "--format", "csv").out == (
        f"input,index,output_0\n{tmp_path / 'x.csv'},0,{bias}\n"
    )
    said = "top needs one class for each sample, but this network gives no classes"
    with pytest.raises(TrainingError, match=f"^{said}$"):
        predict(run, np.zeros(2, "float32"), top=2)


def test_places(tmp_path: Path) -> None:
    """A class at each place is an array of classes, and one of their probabilities."""
    layers = [{"Conv2d": {"out_channels": 3, "kernel_size": 1}}]
    sections = NOISE | {"input": [1, 2, 4], "layers": layers, "loss": "CrossEntropyLoss"}
    run = trained(tmp_path, sections).folder
    x = np.arange(8, dtype="float32").reshape(1, 2, 4)
    (one,) = predict(run, x)
    (raw,) = predict(run, x, raw=True)
    shares = torch.from_numpy(raw["output"]).softmax(0).numpy()
    np.testing.assert_array_equal(one["class"], shares.argmax(0))
    np.testing.assert_allclose(one["probability"], shares.max(0), rtol=1e-6)
    np.save(tmp_path / "x.npy", x)
    (said,) = json.loads(command(run, tmp_path / "x.npy").out)
    assert said["class"] == one["class"].tolist()
    header = command(run, tmp_path / "x.npy", "--format", "csv").out.splitlines()[0]
    assert header.startswith("input,index,class_0_0,class_0_1,")
    said = "top needs one class for each sample, but this network gives a class at each place"
    with pytest.raises(TrainingError, match=f"^{said}$"):
        predict(run, x, top=2)


def test_losses_with_weights(tmp_path: Path) -> None:
    """A loss that learns weights itself gives its own scores; weights of classes change nothing."""
    layers: dict[str, Any] = {"input": [4], "layers": [{"Linear": 8}, "ReLU"]}
    adaptive = {"AdaptiveLogSoftmaxWithLoss": {"n_classes": 3, "cutoffs": [1]}}
    sections = FEATURES | layers
    run = trained(tmp_path / "adaptive", sections, loss=adaptive)
    data, target = load_iris(return_X_y=True)
    found = predict(run.folder, data, top=3)
    assert np.mean([one["class"] for one in found] == target) > 0.6
    assert sum(other["probability"] for other in found[0]["top"]) == pytest.approx(1, abs=1e-5)
    balanced = {"Wine": {}, "normalize": True, "class_weights": "balanced"}
    run = trained(tmp_path / "balanced", FEATURES, input=[13], data=balanced)
    data, target = load_wine(return_X_y=True)
    found = predict(run.folder, data)
    assert np.mean([one["class"] for one in found] == target) > 0.9


def test_whole_numbers(tmp_path: Path) -> None:
    """Tokens that the network has no row for are said, and the other inputs are predicted."""
    layers = [{"Embedding": {"num_embeddings": 5, "embedding_dim": 3}}, "Flatten", {"Linear": 2}]
    sections = NOISE | {
        "input": {"shape": [2], "dtype": "int64"},
        "layers": layers,
        "loss": "CrossEntropyLoss",
    }
    run = trained(tmp_path, sections).folder
    (tmp_path / "good.csv").write_text("1,2\n4,0\n", encoding="utf-8")
    (tmp_path / "bad.csv").write_text("1,2\n1,5\n", encoding="utf-8")
    (tmp_path / "part.csv").write_text("1,2.5\n", encoding="utf-8")
    done = command(run, *(tmp_path / f"{name}.csv" for name in ("bad", "part", "good")))
    first, second = done.err.splitlines()
    assert first == (
        f"netbuild: {tmp_path / 'part.csv'} has 2.5 in line 1, but the network reads whole numbers"
    )
    assert second == (
        f"netbuild: {tmp_path / 'bad.csv'}, index 1: torch refused the samples: "
        "index out of range in self"
    )
    with pytest.raises(InputError, match=r"of 2 of float32, but the network reads 2 of int64$"):
        predict(run, np.zeros((3, 2), "float32"))
    assert done.code == 1
    assert [Path(one["input"]).stem for one in json.loads(done.out)] == ["bad", "good", "good"]


def test_not_finite(digits: Path, tmp_path: Path) -> None:
    """What the network gives is refused where it is no number, which JSON has not either."""
    copy = tmp_path / "run"
    shutil.copytree(digits, copy)
    place = copy / "checkpoints/best/model.safetensors"
    weights = load_file(place)
    weights["3.bias"] = torch.full((10,), torch.nan)
    save_file(weights, place)
    with pytest.raises(InputError, match=r"^the array: the output of the network is not finite$"):
        predict(copy, PIXELS[0])


def test_another_device(digits: Path, tmp_path: Path) -> None:
    """A run that trained on a device which is not here is predicted on one that is."""
    if torch.backends.mps.is_available():
        pytest.skip("it is here")
    copy = tmp_path / "run"
    shutil.copytree(digits, copy)
    text = (copy / "resolved.yaml").read_text("utf-8")
    assert "device: cpu" in text
    (copy / "resolved.yaml").write_text(text.replace("device: cpu", "device: mps"), "utf-8")
    assert predict(copy, PIXELS[0])[0]["class"] == predict(digits, PIXELS[0])[0]["class"]
