"""What authors mean by names, values and lines that are no config: the fix writes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from netbuild.syntax.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic, Fix
    from netbuild.syntax.parser import Source


def check(source: Source) -> Sequence[Diagnostic]:
    """Return what `netbuild validate` finds in a source."""
    return infer(read(source)).diagnostics


def first(diagnostic: Diagnostic) -> Fix | None:
    """Return the fix of an error that is offered first."""
    return diagnostic.fixes[0] if diagnostic.severity == "error" and diagnostic.fixes else None


def safe(diagnostic: Diagnostic) -> Fix | None:
    """Return the first fix of an error if it is safe."""
    fix = first(diagnostic)
    return fix if fix and fix.safe else None


def layer(before: str, shape: str = "[3, 32, 32]") -> str:
    """Return a file with one layer, and a layer behind it."""
    return f"input: {shape}\nvars: {{width: 8}}\nlayers:\n  - {before}\n  - ReLU\n"


#: Layers, and what the fixes make of them, with the shape of the input.
LAYERS = {
    "Conv2d: {out_channels: 6, kernel_size 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {out_channels 6, kernel_size 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {out_channels=6, kernel_size = 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {out_channels:6, kernel_size=5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {out_channels: 6, kernel_size: (3, 3)}": (
        "Conv2d: {out_channels: 6, kernel_size: [3, 3]}"
    ),
    "Conv2d: {out_channels: 6, kernel_size: (3,3), stride: (1, 2)}": (
        "Conv2d: {out_channels: 6, kernel_size: [3, 3], stride: [1, 2]}"
    ),
    "MaxPool2d: (2, 2)": "MaxPool2d: [2, 2]",
    "MaxPool2d: 2x2": "MaxPool2d: [2, 2]",
    'Linear: "10"': "Linear: 10",
    "Linear: 10.0": "Linear: 10",
    "Linear: 1_000": "Linear: 1000",
    "Linear: {out_features: 10, bias: 'true'}": "Linear: {out_features: 10, bias: true}",
    "Linear: {out_features: 10, bias: no}": "Linear: {out_features: 10, bias: false}",
    "Linear: {out_features: 10, bias: 0}": "Linear: {out_features: 10, bias: false}",
    "Linear: (10)": "Linear: 10",
    "Conv2d: {out_channels: 6, kernel_size: [(3), 5.0]}": (
        "Conv2d: {out_channels: 6, kernel_size: [3, 5]}"
    ),
    "Linear 10": "Linear: 10",
    "Linear=10": "Linear: 10",
    "Linear: width": "Linear: $width",
    "Linear: width * 2": "Linear: $(width * 2)",
    "Linear: {out_features: (width // 2)}": "Linear: {out_features: $(width // 2)}",
}

#: The same for fixes that are not safe.
GUESSES = {
    "Linear: {out_features: 1,000}": "Linear: {out_features: 1000}",
    "Linear: {out_features: 1,000,000}": "Linear: {out_features: 1000000}",
    "Dropout: {p: 0,5}": "Dropout: {p: 0.5}",
    "Dropout: 50%": "Dropout: 0.5",
    "Conv2d: {out_channels: 6, kernel_size: 3, padding: (kernel_size // 2)}": (
        "Conv2d: {out_channels: 6, kernel_size: 3, padding: 1}"
    ),
    "Conv2d: {out_channels: ${width}, kernel_size: 3}": (
        "Conv2d: {out_channels: $width, kernel_size: 3}"
    ),
    "Linear: ~10": "Linear: 10",
    "Linear: 10,": "Linear: 10",
    "Dropout: 0.1.0": "Dropout: 0.1",
    "Linear: (10, 10)": "Linear: 10",
    "Conv2d: {out_channels: 6, kernel_size: [[3], 5]}": (
        "Conv2d: {out_channels: 6, kernel_size: [3, 5]}"
    ),
    "Conv2d: {out_channels: 6, kernel_size: [3; 5]}": (
        "Conv2d: {out_channels: 6, kernel_size: [3, 5]}"
    ),
    "Conv2d: {out_channels: 6,, kernel_size: 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {out_channels: 6:, kernel_size: 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "{ReLU, Repeat: 2}": "{ReLU, repeat: 2}",
    "Linear: {{ width }}": "Linear: $width",
    "Linear: $widht": "Linear: $width",
    "Linear: $(2 * (widht + 1))": "Linear: $(2 * (width + 1))",
    "Conv2d: {out_channels: 6, size: 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: {filters: 6, kernel: 5, strides: 2}": (
        "Conv2d: {out_channels: 6, kernel_size: 5, stride: 2}"
    ),
    "Linear: {units: 5}": "Linear: {out_features: 5}",
    "Linear: {wibble: 5}": "Linear: {out_features: 5}",
    "Dropout: {rate: 0.5}": "Dropout: {p: 0.5}",
    "LayerNorm: 64": "LayerNorm",
    "{BatchNorm2d: 3}": "{BatchNorm2d}",
    "Linear: [64, 10]": "Linear: 10",
    "Conv2d: [3, 6, 5]": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Conv2d: [6, 5]": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "Linear(10)": "Linear: 10",
    "nn.Linear(32, 10)": "Linear: 10",
    "nn.ReLU()": "ReLU",
    "Conv2d(3, 6, kernel_size=(3, 5))": "Conv2d: {out_channels: 6, kernel_size: [3, 5]}",
    "torch.nn.Linear: 10": "Linear: 10",
    "Dense: 10": "Linear: 10",
    "Dense: {units: 10}": "Linear: {out_features: 10}",
    "Conv2D: {filters: 6, kernel_size: 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "MaxPooling2D: 2": "MaxPool2d: 2",
    "GlobalAveragePooling2D": "{AdaptiveAvgPool2d: 1}",
    "BatchNormalization": "BatchNorm2d",
    "Activation: relu": "ReLU",
    "Conv: {out_channels: 6, kernel_size: 5}": "Conv2d: {out_channels: 6, kernel_size: 5}",
    "MaxPool: 2": "MaxPool2d: 2",
    "BatchNorm": "BatchNorm2d",
    "Conv2d: {out_channels: 6, kernel_size: 3, padding_mode: refelct}": (
        "Conv2d: {out_channels: 6, kernel_size: 3, padding_mode: reflect}"
    ),
    "fc: Linear: 10": "{Linear: 10, name: fc}",
}


@pytest.mark.parametrize("before", LAYERS)
def test_safe(before: str) -> None:
    """A value or a line that can mean one thing only is written so, as a safe fix."""
    repair = Repair(check, safe, lambda _: None)
    source = from_bytes("net.yaml", layer(before).encode())
    (left,) = repair.run([source])
    assert repair.text(source).decode() == layer(LAYERS[before])
    assert errors(left) == []


@pytest.mark.parametrize("before", GUESSES)
def test_guessed(before: str) -> None:
    """A name that could mean something else is written so by a fix that is not safe."""
    repair = Repair(check, first, lambda _: None)
    source = from_bytes("net.yaml", layer(before).encode())
    assert not any(fix.safe for fault in check(source) for fix in fault.fixes)
    (left,) = repair.run([source])
    assert repair.text(source).decode() == layer(GUESSES[before])
    assert errors(left) == []


@pytest.mark.parametrize(
    ("shape", "dimensions"), [("[4]", 1), ("[3, 32]", 1), ("[3, 8, 8]", 2), ("[3, 8, 8, 8]", 3)]
)
def test_the_input_decides(shape: str, dimensions: int) -> None:
    """The axes of the input decide between BatchNorm1d, BatchNorm2d and BatchNorm3d."""
    (fault,) = check(from_bytes("net.yaml", layer("BatchNorm", shape).encode()))
    (fix,) = fault.fixes
    assert fix.edits[0].text == f"BatchNorm{dimensions}d"


#: Whole files, and what the fixes make of them.
FILES = {
    "input 3x32x32\nlayers: [Flatten, Linear: 10]\n": (
        "input: [3, 32, 32]\nlayers: [Flatten, Linear: 10]\n"
    ),
    "input: (3, 32, 32)\nlayers: [Flatten]\n": "input: [3, 32, 32]\nlayers: [Flatten]\n",
    "input: '[3, 32]'\nlayers: [Flatten]\n": "input: [3, 32]\nlayers: [Flatten]\n",
    "input: 784\nlayers: [ReLU]\n": "input: [784]\nlayers: [ReLU]\n",
    "input: [4]\nlayers: [ReLU]\nloss MSELoss\n": "input: [4]\nlayers: [ReLU]\nloss: MSELoss\n",
    "input: [4]\nlayers:\n  - Linear:\n      out_features 3\n      bias=false\n": (
        "input: [4]\nlayers:\n  - Linear:\n      out_features: 3\n      bias: false\n"
    ),
    "input: [4]\nlayers:\n  - Linear:\n      out_features 3\n      bias: false\n": (
        "input: [4]\nlayers:\n  - Linear:\n      out_features: 3\n      bias: false\n"
    ),
    "input: [4]\nlayers:\n  fc: Linear: 3  # the head\n": (
        "input: [4]\nlayers:\n  fc: {Linear: 3}  # the head\n"
    ),
    "input: [4]\nlayers: [Linear: 3]\ninit:\n  - {match: *.bias, zeros_: }\n": (
        'input: [4]\nlayers: [Linear: 3]\ninit:\n  - {match: "*.bias", zeros_: }\n'
    ),
    "input: [4]\nlayers: [Linear: 3]\noptimizer: {Adam: {lr: '1e-3'}}\n": (
        "input: [4]\nlayers: [Linear: 3]\noptimizer: {Adam: {lr: 1e-3}}\n"
    ),
    "input: [4]\nlayers: [Linear: 3]\nepochs: 3\nbatch_size: 8\nname: net\n": (
        "input: [4]\nlayers: [Linear: 3]\ntrain: {epochs: 3, batch_size: 8}\nname: net\n"
    ),
    "input: [4]\nlayers: [Linear: 3]\nlearning_rate: 0.1\noptimizer: SGD\n": (
        "input: [4]\nlayers: [Linear: 3]\noptimizer: {SGD: {lr: 0.1}}\n"
    ),
    "input: [4]\nlayers: [Linear: 3]\noptimizer: {adam: {learning_rate: 0.1}}\n": (
        "input: [4]\nlayers: [Linear: 3]\noptimizer: {Adam: {lr: 0.1}}\n"
    ),
    "input: [4]\nnetwork: [Linear: 3]\ncriterion: mse\n": (
        "input: [4]\nlayers: [Linear: 3]\nloss: MSELoss\n"
    ),
    "input: {shape: [4], dtype: int}\nlayers: [Flatten]\n": (
        "input: {shape: [4], dtype: int64}\nlayers: [Flatten]\n"
    ),
    "input: [4]\nlayers: [Linear: 3]\nloss: CrossEntropyLoss\nmetrics: [acc, F1]\n": (
        "input: [4]\nlayers: [Linear: 3]\nloss: CrossEntropyLoss\nmetrics: [Accuracy, F1Score]\n"
    ),
}


@pytest.mark.parametrize("before", FILES)
def test_files(before: str) -> None:
    """The sections of a file are repaired as its layers are."""
    repair = Repair(check, first, lambda _: None)
    source = from_bytes("net.yaml", before.encode())
    (left,) = repair.run([source])
    assert repair.text(source).decode() == FILES[before]
    assert errors(left) == []


def test_other_values_stay_texts() -> None:
    """Texts that YAML reads as they are meant are no faults."""
    text = "input: [4]\nvars: {a: (x, b: 'k 3', c: y = 2}\nlayers: [Linear: 2]\n"
    assert {fault.code for fault in check(from_bytes("net.yaml", text.encode()))} == {"NB327"}


def test_one_fault_for_one_word() -> None:
    """A word without its space is one fault, also behind a tag on the line above."""
    for before, column in (("!a\n  epochs:3\n  batch_size: 2", 3), ("\n  epochs:3", 3)):
        text = f"input: [4]\nlayers: [Linear: 2]\ntrain: {before}\n"
        found = [f for f in check(from_bytes("net.yaml", text.encode())) if f.code == "NB009"]
        assert [(fault.span.line, fault.span.column) for fault in found] == [(4, column)]


def test_similar_file(tmp_path: Path) -> None:
    """A base that is missing is replaced by the file with a similar name in its folder."""
    (tmp_path / "base.yaml").write_text("input: [4]\nlayers: [Linear: 3]\n")
    for written in ("bse.yaml", "base.yml", "./bas.yaml"):
        child = tmp_path / "child.yaml"
        child.write_text(f"extends: {written}\n")
        (fault,) = check(from_bytes(str(child), child.read_bytes()))
        (fix,) = fault.fixes
        assert fix.edits[0].text == "base.yaml"
    child.write_text(f"extends: ../{tmp_path.name}/bas.yaml\n")
    (fault,) = check(from_bytes(str(child), child.read_bytes()))
    assert fault.help is None
