"""Python source of networks: names, values, text, and what it refuses."""

from __future__ import annotations

import ast
import contextlib
import inspect
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch
from torch import fx, nn

import netbuild
from netbuild import ConfigError, ExportError
from netbuild.builder import modules
from netbuild.builder.module import module, train
from netbuild.checks.trace import trace
from netbuild.components.layers import LAYERS
from netbuild.components.layers.operation import Operation
from netbuild.config.load import load, read
from netbuild.exchange import python_file
from netbuild.exchange.program import Program
from netbuild.exchange.samples import samples
from netbuild.exchange.source.writer import python_source
from netbuild.syntax.parser import from_bytes
from tests import ROOT
from tests.tables import over
from tests.whole.generator import Generator

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from netbuild.graph.graph import Graph

CONFIGS = ROOT / "configs"
HERE = ROOT / "tests" / "exchange" / "source"
#: A chain, blocks with a loop, joins, a recurrent layer with lengths, constants and tied weights,
#: recomputed blocks, noise and several outputs, parametrized and frozen weights, a module of
#: netbuild, a stack that is called twice.
NETWORKS = (
    *("lenet", "densenet", "unet", "packed-lstm", "rotary", "deep", "vae", "spectral"),
    *("distilled", "bert", "gan"),
)
#: Those whose lengths make `forward` look at values, which symbolic tracing cannot.
_LOOKS = {"packed-lstm"}


class NotFiniteError(Exception):
    """No random samples give finite outputs, so nothing can be compared."""


@cache
def graph(name: str) -> Graph:
    """Return the graph of a config."""
    return trace(load(CONFIGS / f"{name}.yaml"))


def defined(text: str) -> nn.Module:
    """Make the network of a file: an object of its last class."""
    names = [node.name for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    namespace: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "net.py", "exec"), namespace)  # noqa: S102  the text was just written
    made: nn.Module = namespace[names[-1]]()
    return made


def outputs(made: nn.Module, x: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Return the outputs for copies of inputs, with the same random numbers each time."""
    torch.manual_seed(1)
    y = made(*(one.clone() for one in x))
    return (y,) if isinstance(y, torch.Tensor) else tuple(y)


def expect_equal(graph: Graph, text: str) -> nn.Module:
    """Compare the network of a text with the built one: names, what learns, and all outputs."""
    ours, theirs = module(graph), defined(text)
    described = {name: (x.shape, x.dtype) for name, x in ours.state_dict().items()}
    assert {name: (x.shape, x.dtype) for name, x in theirs.state_dict().items()} == described
    learns = {name: p.requires_grad for name, p in ours.named_parameters()}
    assert {name: p.requires_grad for name, p in theirs.named_parameters()} == learns
    theirs.load_state_dict(ours.state_dict())
    ours.eval()
    try:
        x = samples(Program(graph, ours, (), {}), 2)
    except ExportError as error:
        raise NotFiniteError from error
    for mode in (False, True):
        theirs.train(mode)
        ours = train(ours, graph) if mode else ours
        for one, other in zip(outputs(ours, x), outputs(theirs, x), strict=True):
            assert torch.equal(one.nan_to_num(), other.nan_to_num())
    return theirs


@over(NETWORKS)
def test_names_and_outputs(name: str) -> None:
    """Copied weights give the very same outputs in evaluation and in training."""
    made = expect_equal(graph(name), python_source(graph(name)))
    if name not in _LOOKS:
        fx.symbolic_trace(made)


@pytest.mark.parametrize("name", ["lenet", "torchvision/resnet50", "unet", "densenet", "rotary"])
def test_text(name: str, expect: Callable[[Path, str], None]) -> None:
    """The source is short and reads as a person writes it."""
    expect(HERE / f"{name.rpartition('/')[2]}.txt", python_source(graph(name)))


def test_training_text(expect: Callable[[Path, str], None]) -> None:
    """The training is a page: data by name, loss, optimizer, schedule, and a validation."""
    expect(HERE / "kan_train.txt", python_source(graph("kan"), train=True))


def test_all_networks_are_tidy(tmp_path: Path) -> None:
    """Each network of configs/ gives a file that ruff passes, in the format of ruff."""
    files = []
    for config in sorted(CONFIGS.glob("*.yaml")):
        text = python_source(graph(config.stem))
        compile(text, config.name, "exec")
        roots = {
            name.partition(".")[0] for node in ast.walk(ast.parse(text)) for name in _imported(node)
        }
        assert roots <= {"torch", "collections", "contextlib", "math", "typing"}, config.name
        files.append(tmp_path / f"{config.stem.replace('-', '_')}.py")
        files[-1].write_text(text, "utf-8")
    for how in (["check", "--select", "E4,E7,E9,F,I,UP"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *how, "--isolated", *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [one.name for one in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else []


@over(range(12))
def test_random_networks(seed: int) -> None:
    """Networks that nobody has written by hand are the same in Python."""
    _expect_drawn(seed)


@pytest.mark.slow
def test_many_random_networks() -> None:
    """So are many."""
    for seed in range(12, 150):
        _expect_drawn(seed)


def _expect_drawn(seed: int) -> None:
    text = Generator(seed).file()
    try:
        found = trace(read(from_bytes("drawn.yaml", text.encode())))
    except ConfigError:
        return
    with contextlib.suppress(NotFiniteError):
        expect_equal(found, python_source(found))


def test_the_writer_needs_no_torch() -> None:
    """A network becomes text without torch."""
    code = (
        "import sys, netbuild; from netbuild.exchange.source.writer import python_source; "
        "from netbuild.checks.trace import trace; "
        "python_source(trace(netbuild.load('configs/rotary.yaml'))); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "False\n"


@over(sorted(LAYERS))
def test_defaults_are_torchs(name: str) -> None:
    """Source leaves an argument out where it is the default, so both have the same defaults."""
    layer = LAYERS[name]
    kind = getattr(nn, name, None) or getattr(modules, name, None)
    if kind is None or issubclass(layer, Operation) or layer.is_tensor:
        return
    for field, described in layer.model_fields.items():
        theirs = inspect.signature(kind).parameters.get(field)
        if theirs is None or described.is_required() or field == "batch_first":
            continue
        default = theirs.default
        if default is not theirs.empty and not callable(default) and described.default is not None:
            assert described.default == default, field


def test_what_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose network computes something else, or has other names, is removed."""
    text = python_source(graph("lenet"))
    changes = {"nn.ReLU()": "nn.Tanh()", "self.features": "self.feature"}
    messages = ("differs from the network by", "differs from the network in")
    for (old, new), message in zip(changes.items(), messages, strict=True):
        monkeypatch.setattr(
            python_file, "python_source", lambda *_, old=old, new=new, **__: text.replace(old, new)
        )
        with pytest.raises(ExportError, match=message):
            netbuild.export(CONFIGS / "lenet.yaml", "python", tmp_path / "lenet.py")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gpt", {"train": True}, "gpt.yaml:43: the data is Text, which --train cannot write"),
        ("gan", {"train": True}, "gan.yaml:64: the weights have several optimizers"),
        ("lenet", {"include": ("softmax",)}, "nothing is included in it"),
        ("lenet", {"batch": 2}, "takes batches of any size"),
    ],
)
def test_refusals(tmp_path: Path, name: str, options: dict[str, Any], message: str) -> None:
    """What the file cannot hold is one sentence with its line, before anything is written."""
    with pytest.raises(ExportError, match=message):
        netbuild.export(CONFIGS / f"{name}.yaml", "python", tmp_path / "x.py", **options)
    assert [*tmp_path.iterdir()] == []


def test_a_constant_of_another_stack(tmp_path: Path) -> None:
    """A constant that keeps what another stack computes has no place in a class."""
    path = tmp_path / "net.yaml"
    path.write_text(
        "input: [4]\n"
        "layers:\n"
        "  places: {Constant: {arange: 4}}\n"
        "  inner:\n"
        "    inputs: {x: input, p: places}\n"
        "    layers:\n"
        "      kept: {Constant, inputs: p}\n"
        "      sum: {Add, inputs: [x, kept]}\n",
        "utf-8",
    )
    with pytest.raises(ExportError, match=r"net.yaml:7: kept keeps a value of another stack"):
        netbuild.export(path, "python", tmp_path / "net.py")


@pytest.mark.slow
def test_the_written_training_learns(tmp_path: Path) -> None:
    """A file with its training runs alone, and reaches what the config reaches."""
    path = tmp_path / "lenet.py"
    netbuild.export(CONFIGS / "lenet.yaml", "python", path, train=True)
    text = path.read_text("utf-8").replace("range(1, 11)", "range(1, 3)")
    path.write_text(text, "utf-8")
    command = [sys.executable, path.name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    last = done.stdout.splitlines()[-1]
    assert last.startswith("epoch 2: val_loss ")
    assert float(last.rpartition(" ")[2]) > 0.8


def test_the_command(tmp_path: Path, netbuild: Callable[..., Any]) -> None:
    """The ending of the file names the format, and the sentence says what was compared."""
    path = tmp_path / "lenet.py"
    done = netbuild("export", CONFIGS / "lenet.yaml", "-o", path)
    assert done.returncode == 0
    assert "run by torch for batches of 1, 2 and 5; largest difference 0" in done.stdout
    assert "class Lenet5(nn.Module):" in path.read_text("utf-8")
    done = netbuild("export", CONFIGS / "lenet.yaml", "-o", tmp_path / "x.onnx", "--train")
    assert done.returncode == 2
    assert "--train is for python only" in done.stderr
    done = netbuild("export", CONFIGS / "lenet.yaml", "-o", tmp_path / "x.py", "--weights", "best")
    assert done.returncode == 2
    assert "is a config, and has no checkpoint best: write --weights FILE" in done.stderr
    done = netbuild("export", CONFIGS / "lenet.yaml", "-o", "-", "--to", "python")
    assert (done.returncode, done.stdout) == (2, "")


def test_infinite_numbers(tmp_path: Path) -> None:
    """An infinite number of a constant imports `math`."""
    config = netbuild.load(
        {
            "input": [3],
            "layers": {
                "mask": {"Constant": {"value": [0.0, 0.0, float("-inf")]}},
                "low": {"Maximum": None, "inputs": ["input", "mask"]},
            },
        }
    )
    made = netbuild.export(config, "python", tmp_path / "x.py")
    assert made.difference == 0
    assert made.path.read_text("utf-8").count("math.inf") == 1


def test_a_config_object(tmp_path: Path) -> None:
    """A config of Python is exported as its file is, and an unknown format is refused."""
    config = netbuild.load({"input": [4], "layers": [{"Linear": 3}]})
    made = netbuild.export(config, "python", tmp_path / "x.py")
    assert made.difference == 0
    assert "nn.Linear(4, 3)" in made.path.read_text("utf-8")
    with pytest.raises(netbuild.ExportError, match="the format is one of onnx, pt2, python"):
        netbuild.export(config, cast("Any", "jpg"), tmp_path / "x.jpg")
