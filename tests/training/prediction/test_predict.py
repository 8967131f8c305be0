"""What is predicted is what the network computes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.datasets import load_iris
from torch.nn.functional import interpolate

from netbuild.training import Run, predict
from netbuild.training.prediction.predict import Predictor
from netbuild.training.prediction.trained import trained
from tests.training.prediction.conftest import PIXELS


def network(run: Path) -> torch.nn.Module:
    """Return the network of the digits by hand, with the weights of a run's best checkpoint."""
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(400, 10)
    )
    module.load_state_dict(load_file(run / "checkpoints/best/model.safetensors"))
    return module


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
    predictor = Predictor(trained(digits))
    sizes: list[int] = []
    predictor.module.register_forward_hook(lambda _, x, __: sizes.append(len(x[0])))
    found = [*predictor.predictions([PIXELS[:100], PIXELS[0], PIXELS[:50]])]
    assert len(found) == 151
    assert sizes == [64, 64, 23]
