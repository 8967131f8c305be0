"""`netbuild predict`: what a run's network makes of images, arrays and tables."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_digits, load_iris, load_wine
from torch.nn.functional import interpolate
from typer.testing import CliRunner

from netbuild import training
from netbuild.cli import app
from netbuild.components.datasets import DATASETS
from netbuild.syntax.dump import dump
from netbuild.training import InputError, Run, TrainingError, predict
from netbuild.training.prediction.predict import Predictor

DIGITS: dict[str, Any] = {
    "name": "digits",
    "input": [1, 12, 12],
    "layers": [
        {"Conv2d": {"out_channels": 4, "kernel_size": 3}},
        "ReLU",
        "Flatten",
        {"Linear": 10},
    ],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 0.01}},
    "data": {"Digits": {}, "resize": [12, 12], "normalize": True},
    "train": {"epochs": 2, "batch_size": 64, "device": "cpu", "limit_batches": 12},
}
FEATURES: dict[str, Any] = {
    "name": "features",
    "input": [4],
    "layers": [{"Linear": 8}, "Tanh", {"Linear": 3}],
    "loss": "CrossEntropyLoss",
    "optimizer": {"Adam": {"lr": 0.05}},
    "data": {"Iris": {}, "normalize": True},
    "train": {"epochs": 5, "batch_size": 16, "device": "cpu"},
}
#: One step of noise: what matters is what goes in and comes out.
NOISE: dict[str, Any] = {
    "optimizer": {"SGD": {"lr": 0.1}},
    "data": {"Random": {"samples": 20}},
    "train": {"epochs": 1, "batch_size": 8, "device": "cpu"},
}
PIXELS = (load_digits().images / 16 * 255).round().astype("uint8")  # (1797, 8, 8)


class Printed(NamedTuple):
    """What the command printed, and the code with which it left."""

    code: int
    out: str
    err: str


def command(*arguments: object) -> Printed:
    """Run `netbuild predict` in this process."""
    result = CliRunner().invoke(app, ["predict", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Printed(result.exit_code, result.stdout, result.stderr)


def trained(folder: Path, sections: dict[str, Any], **more: Any) -> Run:
    """Train a config in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "net.yaml"
    file.write_text(dump(sections | more), encoding="utf-8")
    return training.train(file, runs=folder / "runs")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network of images."""
    return trained(tmp_path_factory.mktemp("digits"), DIGITS).folder


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network of four features."""
    return trained(tmp_path_factory.mktemp("iris"), FEATURES).folder


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the run of a network that a table with names has trained."""
    folder = tmp_path_factory.mktemp("flowers")
    data, target = load_iris(return_X_y=True)
    names = load_iris().target_names
    rows = [f"{names[t]},{','.join(map(str, x))}" for x, t in zip(data, target, strict=True)]
    (folder / "train.csv").write_text("\n".join(["species,a,b,c,d", *rows]), encoding="utf-8")
    source = {"Csv": {"file": str(folder / "train.csv"), "target": "species"}, "normalize": True}
    return trained(folder, FEATURES, data=source).folder


def network(run: Path) -> torch.nn.Module:
    """Return the network of the digits by hand, with the weights of a run's best checkpoint."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(400, 10)
    )
    module.load_state_dict(load_file(run / "checkpoints/best/model.safetensors"))
    return module


# What is computed.


def test_as_by_hand(digits: Path, tmp_path: Path) -> None:
    """Arrays are brought to size and normalised as in training: torch by hand says the same."""
    np.save(tmp_path / "x.npy", PIXELS[:100])
    mean, deviation = Run(digits).config().preparation.normalize  # type: ignore[misc]
    x = torch.from_numpy(PIXELS[:100, None]).float() / 255
    x = interpolate(x, (12, 12), mode="bilinear", antialias=True)
    with torch.no_grad():
        wanted = network(digits)((x - mean[0]) / deviation[0]).softmax(1)
    found = predict(digits, tmp_path / "x.npy")
    assert [one["index"] for one in found] == [*range(100)]
    assert [one["class"] for one in found] == wanted.argmax(1).tolist()
    for one, shares in zip(found, wanted, strict=True):
        assert one["probability"] == pytest.approx(shares.max().item(), rel=1e-4)


def test_accuracy_is_that_of_the_evaluation(iris: Path) -> None:
    """Over all flowers the classes are as right as training said of its two parts."""
    data, target = load_iris(return_X_y=True)
    found = predict(iris, data)
    right = np.mean([one["class"] for one in found] == target)
    best = Run(iris).best
    assert best is not None
    assert abs(right - (0.8 * best["train_accuracy"] + 0.2 * best["val_accuracy"])) < 0.15
    assert {one["name"] for one in found} <= {"setosa", "versicolor", "virginica"}
    assert [one["name"] for one in found] == [load_iris().target_names[o["class"]] for o in found]


def test_images_are_arrays(digits: Path, tmp_path: Path) -> None:
    """A picture of any kind is what its pixels are, in the size that the network reads."""
    big = Image.fromarray(PIXELS[7]).resize((12, 12), Image.Resampling.BILINEAR)
    np.save(tmp_path / "x.npy", np.asarray(big))
    (wanted,) = predict(digits, tmp_path / "x.npy", top=10)
    turned = big.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it by 270 degrees before it is shown
    turned.save(tmp_path / "turned.png", exif=exif)
    big.save(tmp_path / "grey.png")
    big.convert("RGB").save(tmp_path / "colour.BMP")
    big.convert("RGBA").save(tmp_path / "alpha.png")
    big.convert("P").save(tmp_path / "palette.gif")
    Image.fromarray(np.asarray(big).astype("uint16") * 257).save(tmp_path / "deep.png")
    for name in ("turned.png", "grey.png", "colour.BMP", "alpha.png", "palette.gif", "deep.png"):
        (found,) = predict(digits, tmp_path / name, top=10)
        assert found == wanted | {"input": str(tmp_path / name)}, name
    Image.fromarray(PIXELS[7]).resize((50, 30)).save(tmp_path / "large.png")
    assert predict(digits, tmp_path / "large.png")[0]["class"] in range(10)


def test_one_sample_or_several(digits: Path, tmp_path: Path) -> None:
    """An array is one sample or several, with its axis of one channel or without."""
    x = (PIXELS[:2] / 255).astype("float32")
    arrays = {"one": x[0], "channel": x[:1], "two": x, "four": x[:, None], "nested": x[:1, None]}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    found = {name: predict(digits, tmp_path / f"{name}.npy") for name in arrays}
    assert {name: len(told) for name, told in found.items()} == {
        **dict.fromkeys(("one", "channel", "nested"), 1),
        **dict.fromkeys(("two", "four"), 2),
    }
    assert "index" not in found["one"][0]
    assert [one["index"] for one in found["four"]] == [0, 1]
    assert {told[0]["probability"] for told in found.values()} == {found["one"][0]["probability"]}


def test_other_arrays(iris: Path, tmp_path: Path) -> None:
    """What holds one array gives it, whatever its order and its dtype; axes are not confused."""
    data = load_iris().data[:6]
    save_file({"x": torch.from_numpy(data)}, tmp_path / "x.safetensors")
    np.savez_compressed(tmp_path / "x.npz", anything=data)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(data.astype(">f8")))
    wanted = [one["probability"] for one in predict(iris, data)]
    for name in ("x.safetensors", "x.npz", "fortran.npy"):
        assert [one["probability"] for one in predict(iris, tmp_path / name)] == wanted
    assert [one["probability"] for one in predict(iris, [*data])] == wanted
    np.savez(tmp_path / "named.npz", input=data, y=np.zeros(6))
    assert [one["probability"] for one in predict(iris, tmp_path / "named.npz")] == wanted


def test_top(digits: Path) -> None:
    """The best classes come with falling probabilities, all of them with a sum of 1."""
    (one,) = predict(digits, PIXELS[0], top=10)
    shares = [other["probability"] for other in one["top"]]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-5)
    assert sorted(other["class"] for other in one["top"]) == [*range(10)]
    assert one["top"][0] == {"class": one["class"], "probability": one["probability"]}
    assert len(predict(digits, PIXELS[0], top=3)[0]["top"]) == 3


def test_checkpoints_differ(digits: Path, tmp_path: Path) -> None:
    """`last` takes the weights of the last checkpoint, and a run's folder its newest run."""
    copy = tmp_path / "runs" / "digits" / "2026-01-01T00-00-00"
    shutil.copytree(digits, copy)
    weights = load_file(copy / "checkpoints/last/model.safetensors")
    save_file({n: torch.zeros_like(t) for n, t in weights.items()}, copy / "zero.safetensors")
    shutil.move(copy / "zero.safetensors", copy / "checkpoints/last/model.safetensors")
    (last,) = predict(copy.parent, PIXELS[0], checkpoint="last")
    assert last == {"class": 0, "probability": 0.1}
    assert predict(copy.parent, PIXELS[0]) == predict(digits, PIXELS[0])


def test_batches(digits: Path) -> None:
    """Samples of all inputs go through the network in batches of the config's size."""
    predictor = Predictor(digits)
    sizes: list[int] = []
    predictor.module.register_forward_hook(lambda _, x, __: sizes.append(len(x[0])))
    found = [*predictor.predictions([PIXELS[:100], PIXELS[0], PIXELS[:50]])]
    assert len(found) == 151
    assert sizes == [64, 64, 23]


# Tables.


def _row(values: Any) -> str:
    return ",".join(map(str, values))


@pytest.mark.parametrize("named", [False, True], ids=["Iris", "Csv"])
def test_tables(iris: Path, flowers: Path, tmp_path: Path, *, named: bool) -> None:
    """Rows of numbers, with names above or without, are samples."""
    run = flowers if named else iris
    data = load_iris().data[48:53]
    wanted = [one | {"input": "x"} for one in predict(run, data)]
    rows = [*map(_row, data)]
    tables = {
        "plain": rows,
        "names": ["a,b,c,d", *rows],
        "blank": ["a,b,c,d", "", *rows, "", ""],
        "unnamed": [",a,b,c,d", *(f"{n},{row}" for n, row in enumerate(rows))],
        "spaces": ["a, b, c, d", *(row.replace(",", " , ") for row in rows)],
    }
    for name, lines in tables.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8-sig")
        found = predict(run, tmp_path / f"{name}.csv")
        assert [one | {"input": "x"} for one in found] == wanted, name
    (tmp_path / "x.tsv").write_text("\n".join(rows).replace(",", "\t"), encoding="utf-8")
    assert [one | {"input": "x"} for one in predict(run, tmp_path / "x.tsv")] == wanted


def test_names_choose_columns(flowers: Path, tmp_path: Path) -> None:
    """Where a table trained, names choose the columns, wherever they stand and whatever else does.

    So the table that trained can be predicted itself.
    """
    data = load_iris().data[:3]
    (tmp_path / "x.csv").write_text(
        "\n".join(["d,more,species,c,b,a", *(_row([x[3], "text", "", *x[2::-1]]) for x in data)]),
        encoding="utf-8",
    )
    wanted = [one["probability"] for one in predict(flowers, data)]
    assert [one["probability"] for one in predict(flowers, tmp_path / "x.csv")] == wanted
    found = predict(flowers, flowers.parents[2] / "train.csv")
    assert len(found) == 150
    truth = load_iris().target_names[load_iris().target]
    assert np.mean([one["name"] for one in found] == truth) > 0.9


def test_without_the_data(flowers: Path, tmp_path: Path) -> None:
    """A run predicts where the data that trained it is gone: it has the names of its classes."""
    folder = tmp_path / "moved"
    shutil.copytree(flowers, folder)
    text = (folder / "resolved.yaml").read_text("utf-8")
    assert "train.csv" in text
    (folder / "resolved.yaml").write_text(text.replace("train.csv", "gone.csv"), encoding="utf-8")
    (tmp_path / "x.csv").write_text("species,a,b,c,d\n,5,3,1,0.2\n", encoding="utf-8")
    (found,) = predict(folder, tmp_path / "x.csv")
    (wanted,) = predict(flowers, tmp_path / "x.csv")
    assert found == wanted
    assert found["name"] == "setosa"


@pytest.mark.parametrize("names", [None, "[", "{}", "[1, 2, 3]", '["a", "b"]'])
def test_without_names(flowers: Path, tmp_path: Path, names: str | None) -> None:
    """The names are those of classes.json; where it is missing or damaged there are none."""
    folder = tmp_path / "run"
    shutil.copytree(flowers, folder)
    place = folder / "classes.json"
    assert json.loads(place.read_text("utf-8")) == ["setosa", "versicolor", "virginica"]
    if names is None:
        place.unlink()
    else:
        place.write_text(names, encoding="utf-8")
    x = load_iris().data[:1]
    (found,) = predict(folder, x)
    assert "name" not in found
    assert found.items() < predict(flowers, x)[0].items()
    place.write_text('["a", "b", "c"]', encoding="utf-8")
    assert predict(folder, x)[0]["name"] == "a"


def test_names_change_with_the_data(iris: Path, tmp_path: Path) -> None:
    """A run that goes on with other data has the names of that, or none."""
    shutil.copytree(iris, tmp_path / "run")
    run = Run(tmp_path / "run")
    config = run.config()
    assert run.classes == ("setosa", "versicolor", "virginica")
    run.change(config._replace(data=DATASETS["Wine"]()))
    assert run.classes == ("class_0", "class_1", "class_2")
    run.change(config._replace(data=DATASETS["Random"]()))
    assert run.classes is None
    assert not (run.folder / "classes.json").exists()


# Other networks.


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
        "half.npz": f"half.npz has the arrays left, and {several}",
        "x.npy": f"x.npy has the arrays x, and {several}",
        "x.csv": f"x.csv is one table, and {several}",
        "x.png": f"x.png is one image, and {several}",
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
    with pytest.raises(TrainingError, match=r"^top is of one class a sample, and .* no classes$"):
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
    with pytest.raises(TrainingError, match=r"^top is of one class a sample, .* at each place$"):
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
        f"netbuild: {tmp_path / 'part.csv'} has 2.5 in line 1, and the network reads whole numbers"
    )
    assert second == (
        f"netbuild: {tmp_path / 'bad.csv'}, index 1: torch refused the samples: "
        "index out of range in self"
    )
    with pytest.raises(InputError, match=r"of 2 of float32, and the network reads 2 of int64$"):
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
    with pytest.raises(InputError, match=r"^the array: what the network gives is not finite$"):
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


# What is wrong.


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
        "x.txt is no image, .npy, .npz, .safetensors, .csv or .tsv file by its name",
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
        "x of x.npy holds U1, and numbers are wanted",
        1,
    ),
    "shape": (
        "x.npy",
        _save(np.zeros((2, 3, 12, 12), "float32")),
        "x.npy has samples of 3×12×12, and the network reads 1×12×12",
        1,
    ),
    "rank": (
        "x.npy",
        _save(np.zeros(5, "float32")),
        "x.npy has samples of one number, and the network reads 1×12×12",
        1,
    ),
    "empty": ("x.npy", _save(np.zeros((0, 1, 12, 12))), "x.npy has no samples", 1),
    "nan": (
        "x.npy",
        _save(np.full((2, 12, 12), np.nan)),
        "x.npy is nan at index 0, and no network computes with that",
        1,
    ),
    "nan alone": (
        "x.npy",
        _save(np.full((12, 12), np.inf)),
        "x.npy is inf at one place, and no network computes with that",
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
        "x.csv holds rows of numbers, and the network reads 1×12×12",
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
    "1,2,3\n": "x.csv has 3 columns in line 1, and the network reads 4",
    "1,2,3,4\n1,2,3,4,5\n": "x.csv has 5 columns in line 2, and the network reads 4",
    "a,b,c\n1,2,3\n": "x.csv has 3 columns, and the network reads 4",
    "a,b,c,d\n1,2,3,4\n1\n": "x.csv has 1 column in line 3, and its header has 4",
    "1,2,3,4\n1,2,x,4\n": "x.csv: 'x' is no number in line 2",
    "1,2,,4\n": "x.csv: a value is missing in line 1",
    "1,2,3,4\n\n1,nan,3,4\n": "x.csv is nan in line 3, and no network computes with that",
    "1,2,3,text\n": "x.csv: 'text' is no number in line 1",
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
    said = f"netbuild: {tmp_path / 'x.png'} is an image, and the network reads 4\n"
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
    assert done == (2, "", f"netbuild: {tmp_path} is no run: it has no resolved.yaml\n")


# What is written.


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
    said = "netbuild: told.json exists already: --overwrite replaces it\n"
    assert command(digits, "a.png", "--output", "told.json") == (2, "", said)
    assert command(digits, "b.png", "--output", "told.json", "--overwrite").code == 2
    assert Path("told.json").read_text("utf-8") == "mine"
    assert command(digits, "a.png", "--output", "told.json", "--overwrite").code == 0
    assert Path("told.json").read_text("utf-8") == wanted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "told.json"]
    said = "netbuild: --overwrite goes with --output\n"
    assert command(digits, "a.png", "--overwrite") == (2, "", said)
    done = command(digits, "a.png", "--output", "no/told.json")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("netbuild: ")
    assert done.err.endswith(" cannot be read or written: No such file or directory\n")


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
