"""Exported files: what is written, what is compared, and what is not kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

import netbuild
from netbuild import ExportError
from netbuild.exchange import onnx_file, torch_file
from netbuild.exchange.predicting import exported
from netbuild.exchange.program import program
from netbuild.exchange.samples import samples
from netbuild.training import evaluation
from netbuild.training.prediction.predict import Predictor
from netbuild.training.prediction.trained import trained
from tests import ROOT

CONFIGS = ROOT / "configs"
LENET = CONFIGS / "lenet.yaml"
#: A convolutional network, two recurrent ones, tokens, masks, indices, several inputs, and noise.
EIGHT = ("lenet-bn", "lstm", "gpt", "bert", "segnet", "siamese", "vae", "mixture")


def small(folder: Path, normalize: str = "[[0.3], [0.5]]") -> Path:
    """Write a small network of digits."""
    text = f"""
input: [1, 8, 8]
layers: [Flatten, {{Linear: 4}}, ReLU, {{Linear: 10}}]
loss: CrossEntropyLoss
optimizer: {{SGD: {{lr: 0.1}}}}
data: {{Digits, normalize: {normalize}}}
train: {{epochs: 1, batch_size: 32, limit_batches: 2}}
"""
    path = folder / "small.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", EIGHT)
def test_onnx(tmp_path: Path, name: str) -> None:
    """Onnxruntime gives the outputs of the network, at any size of a batch."""
    made = netbuild.export(CONFIGS / f"{name}.yaml", "onnx", tmp_path / "x.onnx")
    assert made.difference is not None
    assert made.difference < 1e-4
    assert made.sizes == (1, 2, 5)
    assert (made.draws is not None) == (name == "vae")


@pytest.mark.parametrize("name", ["lenet-bn", "bert", "mixture"])
def test_program_of_torch(tmp_path: Path, name: str) -> None:
    """Torch gives the outputs of the network from a program, without netbuild."""
    path = tmp_path / "x.pt2"
    made = netbuild.export(CONFIGS / f"{name}.yaml", "pt2", path)
    assert made.difference is not None
    assert made.difference < 1e-6
    there = program(CONFIGS / f"{name}.yaml")
    x = samples(there, 3)
    came = torch_file.load(path, there)(x)
    assert len(came) == len(there.outputs)
    assert all(map(torch.allclose, came, there(x)))


def test_weights(tmp_path: Path) -> None:
    """A file of weights has every tensor, a tied one under both names, and what is told of it."""
    path = tmp_path / "gpt.safetensors"
    netbuild.export(CONFIGS / "gpt.yaml", "safetensors", path)
    with safe_open(path, "pt") as file:
        assert {*file.keys()} == {*netbuild.build(CONFIGS / "gpt.yaml").state_dict()}
        assert file.metadata()["netbuild"] == netbuild.__version__


@pytest.fixture(scope="module")
def lenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return LeNet as an ONNX file."""
    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    netbuild.export(LENET, "onnx", path)
    return path


@pytest.mark.slow
def test_what_a_file_tells(lenet: Path) -> None:
    """A file has the names of the config, a batch of any size, the config, and no path."""
    import onnx

    model = onnx.load(lenet)
    (x,), (y,) = model.graph.input, model.graph.output
    assert (x.name, y.name) == ("input", "output")
    assert x.type.tensor_type.shape.dim[0].dim_param == "batch"
    _, told = onnx_file.load_with_texts(lenet)
    assert netbuild.load(LENET).name in told["config"]
    assert len(told["config_sha256"]) == 64
    data = lenet.read_bytes()
    for part in (str(ROOT), "site-packages", ".py"):
        assert part.encode() not in data


def test_included_parts(tmp_path: Path) -> None:
    """With both parts, a file takes the values of the data, and gives probabilities."""
    config, path = small(tmp_path), tmp_path / "x.pt2"
    netbuild.export(config, "pt2", path, include=("normalize", "softmax"))
    x = torch.rand(3, 1, 8, 8)
    plain = program(config)
    (scores,) = plain(((x - 0.3) / 0.5,))
    told = torch.export.load(str(path)).module()(x)
    assert torch.allclose(told, scores.softmax(1), atol=1e-6)


def test_a_run_is_exported(tmp_path: Path) -> None:
    """The best and the newest epoch of a run can be exported."""
    config = small(tmp_path)
    run = netbuild.train(config, runs=tmp_path / "runs")
    path = tmp_path / "x.safetensors"
    netbuild.export(run, "safetensors", path, checkpoint="last")
    with safe_open(path, "pt") as file:
        weight = file.get_tensor("3.weight")
    first = netbuild.build(config).state_dict()["3.weight"]
    assert not torch.equal(weight, first)


def test_exported_weights_tell_what_the_run_has_kept(tmp_path: Path) -> None:
    """The weights alone measure as the run does: they tell its mean and its deviation."""
    config = small(tmp_path, "true")
    run = netbuild.train(config, runs=tmp_path / "runs")
    netbuild.export(run.folder, "safetensors", tmp_path / "x.safetensors")
    measured = evaluation.evaluate_weights(config, tmp_path / "x.safetensors")
    assert measured == evaluation.evaluate(run.folder)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("packed-lstm", {}, r"packed-lstm.yaml:11: read reads lengths, and torch.export"),
        ("lenet", {"include": ("soft",)}, "the parts are normalize and softmax"),
        ("lenet", {"include": "soft"}, "^soft cannot be included"),
        ("lenet", {"batch": 0}, "batch is at least 1, not 0"),
        ("lenet", {"include": ("normalize",)}, "normalize is not in the config"),
        ("vae", {"include": ("softmax",)}, "the loss does not compare with classes"),
    ],
)
def test_what_cannot_be_exported(
    tmp_path: Path, name: str, options: dict[str, Any], message: str
) -> None:
    """Each is one sentence, before anything is written."""
    with pytest.raises(ExportError, match=message):
        netbuild.export(CONFIGS / f"{name}.yaml", "pt2", tmp_path / "x.pt2", **options)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.slow
def test_an_exported_file_predicts(tmp_path: Path) -> None:
    """`predict` gives the same classes for a file as for its run, also with included parts."""
    config = small(tmp_path)
    run = netbuild.train(config, runs=tmp_path / "runs")
    x = np.random.default_rng(0).random((4, 1, 8, 8), "float32")
    np.save(tmp_path / "x.npy", x)
    predictors = [Predictor(trained(run.folder))]
    for name, include in {"bare": (), "whole": ("normalize", "softmax")}.items():
        path = tmp_path / f"{name}.onnx"
        netbuild.export(run.folder, "onnx", path, include=include)
        predictors.append(Predictor(exported(path)))
    made: Any = [[*one.predictions([tmp_path / "x.npy"])] for one in predictors]
    expected, *told = made
    for found in told:
        for one, other in zip(expected, found, strict=True):
            assert one["class"] == other["class"]
            assert one["probability"] == pytest.approx(other["probability"], rel=1e-4)


def test_a_foreign_file_does_not_predict(tmp_path: Path) -> None:
    """A file that is no ONNX, or that another program has written, is one sentence."""
    path = tmp_path / "x.onnx"
    path.write_bytes(b"no model")
    with pytest.raises(ExportError, match="onnxruntime cannot run the file"):
        exported(path)
