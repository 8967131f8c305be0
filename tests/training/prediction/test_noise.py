"""What a network, or a part of it, makes of noise: arrays, sheets and faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import netbuild
from netbuild.components.layers.ranges import SIGNED, Range
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training import sample
from netbuild.training.prediction.sheet import sheet
from tests.training.prediction.conftest import command

NET = """
inputs: {image: [1, 8, 8], tokens: {shape: [5], dtype: int64}}
layers:
  flat: {Flatten, inputs: image}
  encoder:
    inputs: flat
    layers:
      mean: {Linear: 4}
      logvar: {Linear: 4, inputs: input}
    outputs: [mean, logvar]
  latent: {Formula: m + exp(v), inputs: {m: encoder.mean, v: encoder.logvar}}
  decoder:
    inputs: latent
    layers: [{Linear: 64}, {Dropout: 0.5}, Tanh, {Unflatten: {dim: 1, unflattened_size: [1, 8, 8]}}]
  again: {Reuse: decoder, inputs: encoder.mean}
  doubled: {Formula: 2 * x, inputs: encoder.mean}
  words: {layers: [{Embedding: {num_embeddings: 10, embedding_dim: 6}}], inputs: tokens}
  states: {GRU: {hidden_size: 3}, inputs: words}
  rate: {Parameter: [4]}
  shift: {layers: [{Linear: 4}], inputs: rate}
outputs: {picture: decoder, other: again, doubled: doubled, states: states, shift: shift}
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """Give a config, a file of its weights, and its module in evaluation mode."""
    folder = tmp_path_factory.mktemp("noise")
    file, weights = folder / "net.yaml", folder / "net.safetensors"
    file.write_text(NET, encoding="utf-8")
    torch.manual_seed(1)
    module = netbuild.build(file).eval()
    save_file(module.state_dict(), weights)
    return file, weights, module


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return the noise that a seed gives."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_parts(net: tuple[Path, Path, Any]) -> None:
    """A stack, a layer and an operation compute what their modules compute, without dropout."""
    file, weights, module = net

    def made(stack: str, count: int, seed: int = 0) -> dict[str, Any]:
        return sample(file, count, stack=stack, seed=seed, weights=weights)

    before = torch.get_rng_state()
    x = noise(70, 4)  # more than a batch
    (decoded,) = made("decoder", 70).values()
    np.testing.assert_allclose(decoded, module.decoder(x), rtol=0, atol=1e-6)
    (again,) = made("again", 70).values()
    np.testing.assert_array_equal(again, decoded)
    (linear,) = made("again.0", 70).values()
    np.testing.assert_allclose(linear, module.decoder[0](x), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(made("doubled", 3)["output"], 2 * noise(3, 4))
    encoded = made("encoder", 5, seed=7)
    assert list(encoded) == ["mean", "logvar"]
    x = noise(5, 64, seed=7)
    np.testing.assert_allclose(encoded["mean"], module.encoder.mean(x), rtol=0, atol=1e-6)
    states = made("states", 2)
    np.testing.assert_allclose(
        states["output"], module.states(noise(2, 5, 6))[0], rtol=0, atol=1e-6
    )
    assert torch.equal(before, torch.get_rng_state())


def test_whole_network(tmp_path: Path) -> None:
    """Without a stack, the whole network reads the noise."""
    file, weights = tmp_path / "net.yaml", tmp_path / "net.safetensors"
    file.write_text("input: [4]\nlayers: [{Linear: 2}]\n", encoding="utf-8")
    module = netbuild.build(file)
    save_file(module.state_dict(), weights)
    with torch.no_grad():
        wanted = module(noise(3, 4))
    np.testing.assert_allclose(sample(file, 3, weights=weights)["output"], wanted, atol=1e-6)


FAULTS = {
    "decodr": "net.yaml has no layer decodr: did you mean encoder or decoder?",
    "latent": "latent reads 2 tensors, encoder.mean, encoder.logvar, but noise is one tensor: "
    "name another part, which reads one",
    "words": "words reads whole numbers or truth values (int64), but noise is of floats: "
    "name another part, which reads floats",
    "rate": "rate reads nothing, so it takes no noise: name another part",
    "shift": "shift reads rate, which all samples share, but noise differs from sample to "
    "sample: name another part",
    "": "the network reads 2 tensors, image, tokens, but noise is one tensor: name a part, "
    "which reads one",
}


@pytest.mark.parametrize("stack", FAULTS)
def test_faults(stack: str, net: tuple[Path, Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that noise cannot be the input of is refused before torch is loaded."""
    monkeypatch.chdir(net[0].parent)
    monkeypatch.setitem(sys.modules, "netbuild.training.prediction.noise", None)
    done = command("net.yaml", "--weights", net[1], "--noise", 3, "--stack", stack)
    assert done == (1, "", f"netbuild: {FAULTS[stack]}\n")


def test_whole_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that reads whole numbers takes no noise."""
    monkeypatch.chdir(tmp_path)
    layer = "{Embedding: {num_embeddings: 10, embedding_dim: 6}}"
    text = f"input: {{shape: [5], dtype: int64}}\nlayers: [{layer}]\n"
    Path("net.yaml").write_text(text, encoding="utf-8")
    save_file(netbuild.build("net.yaml").state_dict(), "net.safetensors")
    done = command("net.yaml", "--weights", "net.safetensors", "--noise", 3)
    said = (
        "netbuild: the network reads whole numbers or truth values (int64), but noise is of "
        "floats: name a part, which reads floats\n"
    )
    assert done == (1, "", said)


def test_files(
    net: tuple[Path, Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ending of the file decides: a picture, arrays by name, one array, or predictions."""
    monkeypatch.chdir(tmp_path)
    asked = (net[0], "--weights", net[1], "--noise", 5, "--stack")
    done = command(*asked, "decoder", "-o", "a.png")
    assert done == (0, "a.png: 5 samples of decoder, black is -1 and white is 1\n", "")
    with Image.open("a.png") as picture:
        assert (picture.size, picture.mode) == ((3 * 66 + 2, 2 * 66 + 2), "L")
    (wanted,) = sample(net[0], 5, stack="decoder", weights=net[1]).values()
    assert command(*asked, "decoder", "--output", "a.npy").code == 0
    np.testing.assert_array_equal(np.load("a.npy"), wanted)
    said = "a.npz: 5 samples of encoder\n"
    assert command(*asked, "encoder", "-o", "a.npz") == (0, said, "")
    with np.load("a.npz") as arrays:
        assert {name: x.shape for name, x in arrays.items()} == {"mean": (5, 4), "logvar": (5, 4)}
    told = json.loads(command(*asked, "doubled").out)
    assert [one["index"] for one in told] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(told[0]["output"], 2 * noise(5, 4)[0], rtol=1e-6)
    assert command(*asked, "doubled", "-o", "a.csv").code == 0
    assert Path("a.csv").read_text("utf-8").startswith("input,index,output_0,output_1,")
    exists = "netbuild: a.png already exists: --overwrite replaces it\n"
    assert command(*asked, "decoder", "-o", "a.png") == (2, "", exists)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "a.npy", "a.npz", "a.png"]


def test_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a loss takes the sigmoid of a picture, the sheet shows the sigmoid."""
    monkeypatch.chdir(tmp_path)
    text = """
input: [8, 8]
layers: {encoder: {Linear: 8}, decoder: [{Linear: 8}]}
loss: {BCEWithLogitsLoss, target: input}
"""
    Path("net.yaml").write_text(text, encoding="utf-8")
    save_file(netbuild.build("net.yaml").state_dict(), "x.safetensors")
    asked = ("net.yaml", "--weights", "x.safetensors", "--noise", 1, "--stack", "decoder")
    said = "a.png: 1 sample of decoder, black is 0 and white is 1\n"
    assert command(*asked, "-o", "a.png") == (0, said, "")
    (scores,) = sample("net.yaml", 1, stack="decoder", weights="x.safetensors").values()
    with Image.open("a.png") as picture:
        shown = np.asarray(picture)[2:66:8, 2:66:8]
    np.testing.assert_allclose(shown, 255 / (1 + np.exp(-scores[0])), rtol=0, atol=0.6)


UNFIT = {
    ("encoder", "x.png"): "encoder gives mean, logvar, but the file holds one result of each "
    "sample: name a part with one result, or write a .npz file",
    ("encoder", "x.npy"): "encoder gives mean, logvar, but the file holds one result of each "
    "sample: name a part with one result, or write a .npz file",
    ("doubled", "x.png"): "doubled gives 4 values for each sample, and no picture: a picture is "
    "H×W, 1×H×W or 3×H×W. A .npz file holds values of any shape",
}


@pytest.mark.parametrize(("stack", "output"), UNFIT)
def test_no_picture(
    stack: str,
    output: str,
    net: tuple[Path, Path, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A result that the file cannot hold is refused before torch is loaded."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "netbuild.training.prediction.noise", None)
    done = command(net[0], "--weights", net[1], "--noise", 3, "--stack", stack, "-o", output)
    assert done == (1, "", f"netbuild: {UNFIT[stack, output]}\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--noise", 3, "--top", 2), "--noise excludes INPUT, --top and --raw"),
        (("a.npy", "--noise", 3), "--noise excludes INPUT, --top and --raw"),
        (("a.npy", "--stack", "decoder"), "--stack needs --noise"),
        (("a.npy", "--seed", 3), "--seed needs --noise or --prompt"),
        ((), "predict needs an INPUT, --noise N or --prompt TEXT"),
        (
            ("a.npy", "-o", "x.npz"),
            "x.npz needs --noise: predictions of files are written as .json, .csv or .png",
        ),
    ],
)
def test_options(options: tuple[Any, ...], said: str, net: tuple[Path, Path, Any]) -> None:
    """Options that exclude each other are refused."""
    done = command(net[0], "--weights", net[1], *options)
    assert done == (2, "", f"netbuild: {said}\n")


def test_not_finite(net: tuple[Path, Path, Any], tmp_path: Path) -> None:
    """Results that are not finite are refused."""
    file, _, module = net
    spoiled = {name: torch.full_like(x, torch.nan) for name, x in module.state_dict().items()}
    save_file(spoiled, tmp_path / "x.safetensors")
    with pytest.raises(TrainingError, match="the output of decoder is not finite"):
        sample(file, 2, stack="decoder", weights=tmp_path / "x.safetensors")


def test_sheet() -> None:
    """Bounds that are finite are black and white; else the least and the greatest value are."""
    x = np.array([[[-1.0, 1.0]], [[0.0, 0.5]], [[0.0, 0.0]]])  # three pictures, 1×2
    made = sheet(x, SIGNED)
    assert (made.black, made.white, made.pixels.shape) == (-1, 1, (2 * 34 + 2, 2 * 66 + 2))
    assert [int(v) for v in made.pixels[2, [0, 2, 33, 34, 65, 66, 68, 99, 100]]] == [
        *(128, 0, 0, 255, 255, 128, 128, 128, 191)
    ]
    assert (made.pixels[36:68, 68:] == 128).all()  # no fourth picture
    made = sheet(x / 2, Range(0, np.inf))
    assert (made.black, made.white) == (-0.5, 0.5)
    made = sheet(np.full((1, 3, 64, 70), 4.0), None)
    assert (made.pixels.shape, made.pixels[2, 2].tolist()) == ((68, 74, 3), [0, 0, 0])
    with pytest.raises(TrainingError, match=r"a sheet of 65,536 pictures would have 16,896×16,896"):
        sheet(np.zeros((65_536, 1, 1)), None)
