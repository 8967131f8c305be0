"""A file that differs from its network is not kept, and an export that ends early leaves none."""

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import netbuild
from netbuild import ExportError
from netbuild.exchange import export as exporting
from netbuild.exchange import onnx_file, torch_file
from tests import ROOT
from tests.exchange.test_export import small

#: A network with the operators that are exchanged.
POOLED = """
input: [1, 8, 8]
layers: [{Conv2d: {out_channels: 3, kernel_size: 3}}, ReLU, {MaxPool2d: 2}, Flatten, {Linear: 4}]
"""


def of_text(folder: Path, text: str = POOLED) -> Path:
    """Write a config."""
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a config, and the good file of its network."""
    folder = tmp_path_factory.mktemp("good")
    netbuild.export(of_text(folder), "onnx", folder / "x.onnx")
    return folder


def changing(good: bytes, change: Callable[[Any], None]) -> Callable[..., None]:
    """Return a function that writes a good file of ONNX with a change."""
    import onnx

    def damaged(_made: Any, _x: Any, path: Path, **_options: Any) -> None:
        model = onnx.load_from_string(good)
        change(model.graph)
        onnx.save(model, path)

    return damaged


def weight_is_changed(graph: Any) -> None:
    """Add 1e-2 to a weight of the linear layer."""
    from onnx import numpy_helper

    held = next(t for t in graph.initializer if list(t.dims) == [4, 27])
    values = numpy_helper.to_array(held).copy()
    values[3, 7] += 1e-2
    held.CopyFrom(numpy_helper.from_array(values, held.name))


def relu_becomes_sigmoid(graph: Any) -> None:
    """Exchange an activation."""
    next(node for node in graph.node if node.op_type == "Relu").op_type = "Sigmoid"


def maximum_becomes_mean(graph: Any) -> None:
    """Exchange a pooling, with the arguments that both have."""
    node = next(node for node in graph.node if node.op_type == "MaxPool")
    node.op_type = "AveragePool"
    kept = [a for a in node.attribute if a.name in {"kernel_shape", "strides", "pads"}]
    del node.attribute[:]
    node.attribute.extend(kept)


def name_is_changed(graph: Any) -> None:
    """Give the input another name."""
    old, graph.input[0].name = graph.input[0].name, "other"
    for node in graph.node:
        node.input[:] = ["other" if name == old else name for name in node.input]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [weight_is_changed, relu_becomes_sigmoid, maximum_becomes_mean, name_is_changed]
)
def test_a_damaged_file_is_not_kept(
    good: Path, change: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A changed weight, operator or name is found, and the good file that was there stays."""
    path = good / "x.onnx"
    before = path.read_bytes()
    monkeypatch.setattr(onnx_file, "write", changing(before, change))
    said = r"differs from the network by .* the file is not kept"
    if change is name_is_changed:
        said = "the inputs of the file are other"
    with pytest.raises(ExportError, match=said):
        netbuild.export(good / "net.yaml", "onnx", path)
    assert path.read_bytes() == before
    assert sorted(file.name for file in good.iterdir()) == ["net.yaml", "x.onnx"]


def test_a_damaged_program_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program with another weight is found."""
    write = torch_file.write

    def damaged(made: Any, x: Any, path: Path, **options: Any) -> None:
        weight = next(made.module.parameters())
        with torch.no_grad():
            weight[0, 0] += 1e-2
            write(made, x, path, **options)
            weight[0, 0] -= 1e-2

    monkeypatch.setattr(torch_file, "write", damaged)
    with pytest.raises(ExportError, match="differs from the network by"):
        netbuild.export(small(tmp_path), "pt2", tmp_path / "x.pt2")
    assert [file.name for file in tmp_path.iterdir()] == ["small.yaml"]


def test_a_program_with_another_operator_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program with a sigmoid in place of a ReLU is found."""
    write = torch_file.write

    def damaged(made: Any, x: Any, path: Path, **options: Any) -> None:
        parts = [*made.module]
        parts[1] = torch.nn.Sigmoid()
        write(made._replace(module=torch.nn.Sequential(*parts)), x, path, **options)

    monkeypatch.setattr(torch_file, "write", damaged)
    with pytest.raises(ExportError, match="differs from the network by"):
        netbuild.export(of_text(tmp_path), "pt2", tmp_path / "x.pt2")
    assert [file.name for file in tmp_path.iterdir()] == ["net.yaml"]


def test_an_interruption_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the export ends early, the file that was there is whole."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(exporting, "differences", interrupted)
    path = tmp_path / "x.pt2"
    path.write_bytes(b"before")
    with pytest.raises(KeyboardInterrupt):
        netbuild.export(small(tmp_path), "pt2", path)
    assert path.read_bytes() == b"before"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["small.yaml", "x.pt2"]


#: Writes slowly: bytes come one by one, so that a kill meets half a file.
EXPORT = """
import sys, netbuild
print("started", flush=True)
netbuild.export(sys.argv[1], "pt2", sys.argv[2])
"""


def killed(config: Path, path: Path, after: float) -> bool:
    """Kill an export some seconds after its imports began, and return whether it had ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", EXPORT, str(config), str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout
    process.stdout.readline()
    time.sleep(after)
    ended = process.poll() is not None
    process.kill()
    process.communicate()
    return ended


@pytest.mark.slow
def test_a_kill_leaves_no_half_file(tmp_path: Path) -> None:
    """After a kill at any moment, the name has the old file, or the whole new one.

    What a killed export has left beside the name is gone after the next one.
    """
    config, path = of_text(tmp_path), tmp_path / "x.pt2"
    netbuild.export(config, "pt2", path)
    good, start = path.read_bytes(), time.perf_counter()
    assert not killed(config, path, 0)
    drawn = random.Random(0)  # noqa: S311  moments of kills
    for _ in range(4):
        killed(config, path, drawn.uniform(0.5, 6))
        assert len(path.read_bytes()) == len(good)
        torch.export.load(str(path))
    assert time.perf_counter() - start < 120
    (tmp_path / ".x.pt2.new").write_bytes(b"half")
    netbuild.export(config, "pt2", path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["net.yaml", "x.pt2"]
