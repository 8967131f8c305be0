"""Files of ONNX become configs with the same outputs: torch's exporters', and files by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper, save
from torch import nn
from typer.testing import CliRunner

import netbuild
from netbuild.cli import app
from netbuild.cli.import_onnx import from_file
from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange import onnx_file
from netbuild.exchange.importer.onnx.imported import from_onnx
from netbuild.exchange.program import program
from netbuild.exchange.samples import samples
from tests import ROOT

DRAWN = np.random.default_rng(0)


def weights(**arrays: Any) -> list[Any]:
    """Return initializers by name."""
    return [numpy_helper.from_array(np.asarray(value), name) for name, value in arrays.items()]


def numbers(*shape: int) -> Any:
    """Return drawn weights."""
    return DRAWN.normal(0, 0.3, shape).astype("float32")


def write(
    folder: Path,
    nodes: Sequence[Any],
    held: Sequence[Any] = (),
    shape: Sequence[int | str] = ("batch", 3, 9, 8),
    opset: int = 17,
) -> Path:
    """Write a file with the input `x` and the output `y`."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph(list(nodes), "net", [x], [y], list(held))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    path = folder / "net.onnx"
    save(model, path)
    return path


def node(type_: str, inputs: str, output: str = "y", **fields: Any) -> Any:
    """Return a node; the names of its inputs stand in one text."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(type_, names, output.split(), **fields)


NEAREST = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
SIDES = {"kernel_shape": [3, 3], "strides": [2, 2]}


@pytest.mark.parametrize(
    ("nodes", "items"),
    [
        ([node("Conv", "x w b", pads=[0, 1, 2, 1], **SIDES)], ["Pad", "Conv2d"]),
        ([node("Conv", "x w b", auto_pad="SAME_UPPER", **SIDES)], ["Pad", "Conv2d"]),
        ([node("Conv", "x w b", auto_pad="SAME_LOWER", **SIDES)], ["Pad", "Conv2d"]),
        ([node("Conv", "x w b", auto_pad="VALID", **SIDES)], ["Conv2d"]),
        ([node("Conv", "x w", pads=[1, 1, 1, 1], dilations=[1, 1], **SIDES)], ["bias: false"]),
        ([node("MaxPool", "x", pads=[0, 0, 1, 1], **SIDES)], ["MaxPool2d"]),
        ([node("MaxPool", "x", ceil_mode=1, **SIDES)], ["ceil_mode: true"]),
        ([node("AveragePool", "x", pads=[1, 1, 1, 1], **SIDES)], ["count_include_pad: false"]),
        ([node("AveragePool", "x", kernel_shape=[2, 2])], ["AvgPool2d"]),
        ([node("GlobalAveragePool", "x")], ["AdaptiveAvgPool2d: 1"]),
        ([node("GlobalMaxPool", "x", "P"), node("Flatten", "P")], ["AdaptiveMaxPool2d", "Flatten"]),
        ([node("ConvTranspose", "x t", strides=[2, 2], pads=[1, 1, 1, 1])], ["ConvTranspose2d"]),
        ([node("LRN", "x", size=3, alpha=0.1, bias=2.0)], ["LocalResponseNorm"]),
        ([node("InstanceNormalization", "x g g", epsilon=1e-3)], ["InstanceNorm2d", "0.001"]),
        ([node("PRelu", "x s")], ["PReLU"]),
        ([node("BatchNormalization", "x g h m v", epsilon=1e-3)], ["BatchNorm2d", "eps: 0.001"]),
        ([node("Clip", "x low high")], ["ReLU6"]),
        ([node("Clip", "x - one")], ["1"]),
        ([node("LeakyRelu", "x", alpha=0.2)], ["LeakyReLU: 0.2"]),
        ([node("Elu", "x", "e"), node("Tanh", "e")], ["ELU", "Tanh"]),
        ([node("HardSigmoid", "x")], []),
        ([node("Softmax", "x", axis=1)], ["Softmax"]),
        ([node("Mul", "x p", "A"), node("Sub", "A one", "B"), node("Div", "B two")], []),
        ([node("Sigmoid", "x", "a"), node("Mul", "x a")], []),
        ([node("Relu", "x", "a"), node("Concat", "a x", axis=1)], ["ReLU"]),
        ([node("Transpose", "x", perm=[0, 2, 3, 1])], ["Permute"]),
        ([node("ReduceMean", "x", axes=[2, 3], keepdims=0)], ["Mean"]),
        ([node("Pad", "x pads")], ["Pad"]),
        ([node("Pad", "x pads", mode="reflect")], ["reflect"]),
        ([node("Resize", "x - scales", mode="nearest", **NEAREST)], ["Upsample"]),
        ([node("Resize", "x - scales", mode="linear")], ["bilinear"]),
        ([node("Slice", "x from to axes", "A"), node("Dropout", "A")], []),
        ([node("Split", "x", "A B C", axis=1), node("Add", "A B", "D"), node("Sub", "D C")], []),
        ([node("Reshape", "x flat", "f"), node("Gemm", "f k c", transB=1)], ["Flatten", "Linear"]),
        (
            [node("Flatten", "x", "f"), node("MatMul", "f n", "o"), node("Add", "o c")],
            ["Linear: 4"],
        ),
        ([node("Flatten", "x", "f"), node("Gemm", "f n c", alpha=0.5, beta=2.0)], ["Linear: 4"]),
    ],
)
def test_operators(tmp_path: Path, nodes: list[Any], items: list[str]) -> None:
    """The config of each operator gives what onnxruntime gives."""
    every = weights(
        w=numbers(4, 3, 3, 3), b=numbers(4), t=numbers(3, 5, 4, 4), g=numbers(3), h=numbers(3),
        m=numbers(3), v=np.abs(numbers(3)) + 0.1, s=numbers(3, 1, 1), p=numbers(1, 3, 1, 1),
        low=np.float32(0), high=np.float32(6), one=np.float32(1), two=np.float32(2),
        pads=np.array([0, 0, 1, 0, 0, 0, 2, 1]), scales=np.array([1, 1, 2, 2], "float32"),
        flat=np.array([0, -1]), k=numbers(4, 216), n=numbers(216, 4), c=numbers(4),
        **{"from": np.array([1]), "to": np.array([9]), "axes": np.array([2])},
    )  # fmt: skip
    used = {name for one in nodes for name in one.input}
    path = write(tmp_path, nodes, [one for one in every if one.name in used])
    made = from_onnx(path)
    assert made.found.gaps == ()
    assert made.sizes == (1, 2, 5)
    assert made.difference is not None
    assert made.difference < 1e-5
    for item in items:
        assert item in made.found.text


@pytest.mark.parametrize(
    ("nodes", "opset"),
    [
        ([node("Clip", "x", min=0.0, max=6.0)], 9),
        ([node("Upsample", "x scales", mode="nearest")], 9),
        ([node("Pad", "x", pads=[0, 0, 1, 0, 0, 0, 2, 1])], 9),
        ([node("Slice", "x", starts=[1], ends=[9], axes=[2])], 9),
        ([node("Unsqueeze", "x", "u", axes=[2]), node("Squeeze", "u", axes=[2])], 9),
        ([node("ReduceMean", "x two", keepdims=1)], 18),
        ([node("Split", "x", "a b c", axis=1, num_outputs=3), node("Add", "a c")], 18),
    ],
)
def test_opsets(tmp_path: Path, nodes: list[Any], opset: int) -> None:
    """Older files have as attributes what newer ones have as inputs."""
    held = weights(scales=np.array([1, 1, 2, 2], "float32"), two=np.array([2]))
    used = {name for one in nodes for name in one.input}
    path = write(tmp_path, nodes, [one for one in held if one.name in used], opset=opset)
    made = from_onnx(path)
    assert made.difference is not None
    assert made.difference < 1e-6


def test_a_file_with_one_size_of_a_batch(tmp_path: Path) -> None:
    """The number of samples that a file writes into a shape becomes the batch."""
    held = weights(shape=np.array([1, 216]), w=numbers(216, 2))
    nodes = [node("Reshape", "x shape", "f"), node("MatMul", "f w")]
    made = from_onnx(write(tmp_path, nodes, held, [1, 3, 9, 8]))
    assert made.sizes == (1,)
    assert "Flatten" in made.found.text
    assert made.difference is not None
    assert made.difference < 1e-5


def test_open_sizes_are_asked_for(tmp_path: Path) -> None:
    """A file may leave sizes of a picture open."""
    path = write(tmp_path, [node("Relu", "x")], shape=["n", 3, "height", "width"])
    with pytest.raises(ImportedError, match="the file leaves sizes of x open: name them"):
        from_onnx(path)
    assert "[3, 4, 5]" in from_onnx(path, {"": (3, 4, 5)}).found.text


def test_an_operator_without_counterpart(tmp_path: Path) -> None:
    """It is a comment at its place, and what does not read it is there."""
    nodes = [node("Relu", "x", "a"), node("Hardmax", "a", "b"), node("Tanh", "b")]
    made = from_onnx(write(tmp_path, nodes))
    assert len(made.found.gaps) == 1
    assert made.difference is None
    text = made.found.text
    assert "ReLU" in text
    (comment,) = [line for line in text.splitlines() if "# gap" in line]
    assert "Hardmax" in comment


def test_what_has_no_counterpart_and_cannot_run(tmp_path: Path) -> None:
    """Operators of another domain, inputs that do not fit, and training are one sentence each."""
    held = weights(w=numbers(4, 5, 3, 3), g=numbers(3))
    norm = node("BatchNormalization", "x g g g g", "y m v", training_mode=1)
    for nodes, message in (
        ([node("Conv", "x w")], r"Conv_0 \(Conv\) cannot be computed"),
        ([node("Fancy", "x")], "Fancy_0: Fancy has no counterpart in a config"),
        ([norm], "BatchNormalization_0 is in training: export the network in evaluation"),
    ):
        used = {name for one in nodes for name in one.input}
        path = write(tmp_path, nodes, [one for one in held if one.name in used])
        with pytest.raises(ImportedError, match=message):
            from_onnx(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"no model", "is not a file of ONNX that can be read"), (b"", "is not a file of ONNX")],
)
def test_what_is_no_file_of_onnx(tmp_path: Path, data: bytes, message: str) -> None:
    """It is one sentence."""
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with pytest.raises(ImportedError, match=message):
        from_onnx(path)


class Net(nn.Module):
    """A residual network, as torchvision writes them."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6())
        self.layer1 = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))
        self.head = nn.Linear(4, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return scores."""
        x = self.stem(x)
        for layer in self.layer1:
            x = x + layer(x).relu()
        return self.head(x.mean((2, 3)).view(x.size(0), -1))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("opset", [9, 17])
def test_files_of_the_older_exporter(tmp_path: Path, opset: int) -> None:
    """Its names of nodes tell the paths of layers whose batch norm it has folded."""
    path, x = tmp_path / "net.onnx", torch.randn(1, 3, 8, 8)
    torch.onnx.export(Net().eval(), (x,), str(path), dynamo=False, opset_version=opset)
    made = from_onnx(path)
    assert made.difference is not None
    assert made.difference < 1e-5
    assert {*made.weights} == {
        f"{layer}.{name}"
        for layer in ("stem.0", "layer1.0", "layer1.1", "head")
        for name in ("weight", "bias")
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet-bn", "superres", "siamese"])
def test_what_was_exported_comes_back(tmp_path: Path, name: str) -> None:
    """An exported network gives the same outputs from its config and its weights."""
    there = ROOT / "configs" / f"{name}.yaml"
    netbuild.export(there, "onnx", tmp_path / "net.onnx", verify=False)
    from_file(tmp_path / "net.onnx", tmp_path / "net.yaml")
    back = netbuild.build(tmp_path / "net.yaml").eval()
    run, _ = onnx_file.load_with_texts(tmp_path / "net.onnx")
    x = samples(program(there), 3)
    with torch.no_grad():
        y = back(*x)
    for one, other in zip([y] if isinstance(y, torch.Tensor) else y, run(x), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_a_config_names_its_weights(tmp_path: Path) -> None:
    """The command writes the config with its weights beside it, and the config builds with them."""
    nodes = [node("Flatten", "x", "f"), node("Gemm", "f w b")]
    held = weights(w=numbers(216, 4), b=numbers(4))
    path, config = write(tmp_path, nodes, held), tmp_path / "back.yaml"
    done = CliRunner().invoke(app, ["import", str(path), "-o", str(config)])
    assert done.exit_code == 0
    assert "back.yaml: 5 lines, and 868 numbers in" in done.stderr
    assert config.read_text("utf-8").endswith("pretrained: back.safetensors\n")
    built = netbuild.build(config)
    found = next(one for name, one in built.state_dict().items() if name.endswith("weight"))
    assert torch.equal(found, torch.tensor(numpy_helper.to_array(held[0]).T))
    again = CliRunner().invoke(app, ["import", str(path), "-o", str(config)])
    assert again.exit_code == 2
    assert "back.yaml already exists: --overwrite replaces it" in again.stderr


def test_a_gap_is_exit_code_1(tmp_path: Path) -> None:
    """The config is written, and the command names what it lacks."""
    path = write(tmp_path, [node("Relu", "x", "a"), node("Hardmax", "a")])
    done = CliRunner().invoke(app, ["import", str(path), "-o", str(tmp_path / "back.yaml")])
    assert done.exit_code == 1
    assert "gap: hardmax: Hardmax: a config has no counterpart" in done.stderr
    assert "ReLU" in (tmp_path / "back.yaml").read_text("utf-8")
