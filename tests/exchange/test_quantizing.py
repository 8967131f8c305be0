"""Files with weights of 8 bits, and files that take noise as an input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import netbuild
from netbuild import ExportError
from netbuild.cli import app
from netbuild.exchange import onnx_file, quantizing
from netbuild.exchange.predicting import exported
from netbuild.exchange.program import program
from netbuild.exchange.quantizing import Deviation
from netbuild.exchange.samples import samples
from netbuild.training import evaluation
from netbuild.training.prediction.predict import Predictor
from tests import ROOT
from tests.exchange.test_export import small

VAE = ROOT / "configs" / "vae.yaml"


@pytest.mark.slow
def test_weights_of_8_bits(tmp_path: Path) -> None:
    """A quantised file is small, and tells its loss and its metrics before and after."""
    run = netbuild.train(
        netbuild.load(small(tmp_path), ["layers.1.Linear=64"]), runs=tmp_path / "runs"
    )
    path = tmp_path / "x.onnx"
    made = netbuild.export(
        run.folder, "onnx", path, quantize="int8", include=("normalize", "softmax")
    )
    cost = made.quantized
    assert cost is not None
    assert made.bytes == path.stat().st_size < cost.bytes_before
    assert cost.before == evaluation.evaluate(run.folder)
    assert cost.after["val_loss"] == pytest.approx(cost.before["val_loss"], rel=0.02)
    assert cost.after["val_loss"] != cost.before["val_loss"]
    assert 0 < cost.deviation < 0.05
    _, told = onnx_file.load_with_texts(path)
    assert told["quantized"] == "int8"
    measured = {"split": "validation", "before": cost.before, "after": cost.after}
    assert json.loads(told["quantized_measures"]) == measured
    data = path.read_bytes()
    assert not [p for p in (str(ROOT), str(tmp_path), "site-packages") if p.encode() in data]
    np.save(tmp_path / "x.npy", np.zeros((2, 1, 8, 8), "float32"))
    assert len([*Predictor(exported(path)).predictions([tmp_path / "x.npy"])]) == 2
    assert not [file for file in tmp_path.iterdir() if file.name.endswith(".new")]


@pytest.mark.slow
def test_the_cost_is_measured_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file whose weights lose more bits measures worse; one that loses all is not kept."""
    import onnx
    from onnx import numpy_helper

    run = netbuild.train(small(tmp_path), runs=tmp_path / "runs")
    quantize = quantizing.quantize

    def coarse(levels: int) -> Callable[[Path, Path], None]:
        def damaged(path: Path, to: Path) -> None:
            quantize(path, to)
            model = onnx.load(str(to))
            for held in model.graph.initializer:
                values = numpy_helper.to_array(held)
                if values.dtype == np.uint8 and values.ndim == 2:
                    changed = np.minimum(np.round(values / levels) * levels, 255)
                    held.CopyFrom(numpy_helper.from_array(changed.astype(np.uint8), held.name))
            onnx.save(model, str(to))

        return damaged

    path = tmp_path / "x.onnx"
    netbuild.export(run.folder, "onnx", tmp_path / "float.onnx")
    write = lambda _, __, to, **___: shutil.copy(tmp_path / "float.onnx", to)  # noqa: E731
    monkeypatch.setattr(onnx_file, "write", write)
    fine = netbuild.export(run.folder, "onnx", path, quantize="int8").quantized
    monkeypatch.setattr(quantizing, "quantize", coarse(8))
    worse = netbuild.export(run.folder, "onnx", path, quantize="int8").quantized
    assert fine is not None
    assert worse is not None
    assert worse.before == fine.before
    assert worse.deviation > 2 * fine.deviation
    lost = [abs(one.after["val_loss"] - one.before["val_loss"]) for one in (fine, worse)]
    assert lost[0] < lost[1]
    before = path.read_bytes()
    monkeypatch.setattr(quantizing, "quantize", coarse(100))
    with pytest.raises(ExportError, match=r"output of the quantised file differs .* root mean squ"):
        netbuild.export(run.folder, "onnx", path, quantize="int8")
    assert path.read_bytes() == before


def test_the_rule_for_quantised_outputs() -> None:
    """The root mean square of the differences is at most a fifth of that of the output."""
    rule, x = Deviation(), torch.tensor([3.0, -4.0])
    assert rule("y", x, x * 1.1) == pytest.approx(0.4, rel=1e-5)
    assert rule.largest == pytest.approx(0.1, rel=1e-5)
    for other in (x * 1.21, x * float("nan")):
        with pytest.raises(ExportError, match="y of the quantised file differs from the network"):
            rule("y", x, other)


def test_quantisation_needs_samples(tmp_path: Path) -> None:
    """First weights, another format and an unmeasured file are one sentence each."""
    config, path = small(tmp_path), tmp_path / "x.onnx"
    with pytest.raises(ExportError, match=r"first weights have learned nothing: export a run"):
        netbuild.export(config, "onnx", path, quantize="int8")
    with pytest.raises(ExportError, match="quantize is for onnx only"):
        netbuild.export(config, "pt2", path, quantize="int8")
    with pytest.raises(ExportError, match="it excludes no-verify"):
        netbuild.export(config, "onnx", path, quantize="int8", verify=False)
    bare = tmp_path / "bare.yaml"
    bare.write_text("input: [4]\nlayers: [{Linear: 2}]\n", encoding="utf-8")
    netbuild.export(bare, "safetensors", tmp_path / "bare.safetensors")
    weights = tmp_path / "bare.safetensors"
    with pytest.raises(netbuild.ConfigError, match="data"):
        netbuild.export(bare, "onnx", path, weights=weights, quantize="int8")
    assert not path.exists()


def test_a_network_without_layers_for_8_bits(tmp_path: Path) -> None:
    """A network of activations alone has nothing that becomes smaller."""
    from onnx import TensorProto, helper, save

    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", [x], [y])
    save(helper.make_model(graph), tmp_path / "x.onnx")
    with pytest.raises(ExportError, match="no convolution and no linear layer"):
        quantizing.quantize(tmp_path / "x.onnx", tmp_path / "y.onnx")


def test_noise_is_an_input(tmp_path: Path) -> None:
    """With its noise as an input, a program is compared exactly, and takes the noise by name."""
    path = tmp_path / "x.pt2"
    made = netbuild.export(VAE, "pt2", path, noise_as_input=True)
    assert (made.noise, made.draws, made.difference) == (("noise",), None, 0.0)
    there = program(VAE, noise=True)
    x, e = samples(there, 3)
    module = torch.export.load(str(path)).module()
    one, other = module(x, noise=e)[0], module(x, noise=e)[0]
    assert torch.equal(one, other)
    assert not torch.equal(one, module(x, noise=-e)[0])


@pytest.mark.slow
def test_noise_is_an_input_of_onnx(tmp_path: Path) -> None:
    """A file of ONNX takes several kinds of noise by name; `predict` draws them."""
    config = tmp_path / "net.yaml"
    config.write_text(
        """
input: [6]
layers:
  noise: {Randn: [6]}
  sum: {Add, inputs: [input, noise]}
  part: [{Linear: 4}, {name: flips, RandLike: {}}, {Add, inputs: [0, flips]}]
outputs: part
""",
        encoding="utf-8",
    )
    path = tmp_path / "x.onnx"
    made = netbuild.export(config, "onnx", path, noise_as_input=True)
    assert made.noise == ("noise", "part_flips")
    assert made.difference is not None
    assert made.difference < 1e-5
    _, told = onnx_file.load_with_texts(path)
    assert json.loads(told["noise"]) == {
        "noise": {"shape": [6], "values": "normal"},
        "part_flips": {"shape": [4], "values": "uniform"},
    }
    np.save(tmp_path / "x.npy", np.zeros((3, 6), "float32"))
    predicted = [*Predictor(exported(path), raw=True).predictions([tmp_path / "x.npy"])]
    assert len(predicted) == 3


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ("[{Linear: 2}]", "the network draws no noise, so none can be an input"),
        (
            "[{FractionalMaxPool2d: {kernel_size: 2, output_size: 3}}]",
            r"net.yaml:3: 0 draws random numbers that cannot be an input",
        ),
    ],
)
def test_noise_that_is_no_input(tmp_path: Path, layers: str, message: str) -> None:
    """A network without noise, and one whose random numbers have no shape of their own."""
    path = tmp_path / "net.yaml"
    path.write_text(f"\ninput: [3, 8, 8]\nlayers: {layers}\n", encoding="utf-8")
    with pytest.raises(ExportError, match=message):
        netbuild.export(path, "pt2", tmp_path / "x.pt2", noise_as_input=True)
    assert [file.name for file in tmp_path.iterdir()] == ["net.yaml"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "x.pt2", "--quantize", "int8"], "--quantize is for onnx only"),
        (["-o", "x.onnx", "--quantize", "int8", "--no-verify"], "leave out --no-verify"),
        (["-o", "x.safetensors", "--noise-as-input"], "--noise-as-input is for onnx and pt2"),
    ],
)
def test_options_that_exclude_each_other(options: list[str], message: str) -> None:
    """Each is one sentence, and exit code 2."""
    done = CliRunner().invoke(app, ["export", str(VAE), *options])
    assert done.exit_code == 2
    assert message in done.stderr
