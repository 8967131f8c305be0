"""The training in a file of source: its samples, what it measures, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from netbuild import ExportError
from netbuild.checks.trace import trace
from netbuild.config.load import read
from netbuild.exchange.source.writer import python_source
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from pathlib import Path

_TRAINING = """
input: [3]
layers: [{Linear: 4}]
loss: CrossEntropyLoss
optimizer: SGD
data: {Arrays: {file: DATA, classes: 4}, validation: 0.25}
train: {epochs: 1}
"""


def _source(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """Return the source of a small training on pixels, with the config changed."""
    x = np.random.default_rng(0).integers(0, 256, (40, 3), "uint8")
    x[:, 2] = 255
    save_file({"0.weight": torch.ones(4, 3), "0.bias": torch.ones(4)}, tmp_path / "w.safetensors")
    np.savez(tmp_path / "x.npz", x=x, y=[0] * 20 + [1] * 12 + [2] * 8, z=x)
    text = _TRAINING.replace("DATA", str(tmp_path / "x.npz"))
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    text = text.replace("FOLDER", str(tmp_path))
    return python_source(trace(read(from_bytes("net.yaml", text.encode()))), train=True)


def _run(text: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "net.py", "exec"), names)  # noqa: S102  the source under test
    return names


@pytest.mark.parametrize("by", ["", ", by: class"])
def test_written_samples_are_split_by_class(tmp_path: Path, by: str) -> None:
    """Each class has the same share of the validation; each sample is in one part."""
    change = ("validation: 0.25", f"validation: {{part: 0.25{by}}}")
    learn, held = _run(_source(tmp_path, change))["samples"]()
    assert held.tensors[1].bincount().tolist() == [5, 3, 2]
    assert learn.tensors[1].bincount().tolist() == [15, 9, 6]


def test_written_samples_are_scaled(tmp_path: Path) -> None:
    """Pixels are 0 to 1, in a target that is an input too; a constant channel is not divided."""
    learn, held = _run(_source(tmp_path))["samples"]()
    assert float(learn.tensors[0].max()) == 1.0
    text = _source(
        tmp_path,
        ("file:", "target: x, file:"),
        (", classes: 4", ""),
        ("CrossEntropyLoss", "MSELoss"),
        ("Linear: 4", "Linear: 3"),
    )
    assert float(_run(text)["samples"]()[1].tensors[1].max()) == 1.0
    text = _source(tmp_path, ("validation:", "normalize: true, validation:"))
    learn, held = _run(text)["samples"]()
    assert held.tensors[0].isfinite().all()
    assert learn.tensors[0][:, 2].tolist() == [0.0] * 30


def test_a_written_table_of_words_and_values(tmp_path: Path) -> None:
    """A column of values between columns of text is read."""
    rows = "1,one,0.5\n2,three,1.5\n3,two,2.5\n" * 4
    (tmp_path / "t.csv").write_text(f"a,word,value\n{rows}", "utf-8")
    data = f"{{Csv: {{file: {tmp_path / 't.csv'}, inputs: [a], target: value}}}}"
    text = _TRAINING.replace("CrossEntropyLoss", "MSELoss").replace("[3]", "[1]")
    lines = [f"data: {data}" if line.startswith("data") else line for line in text.splitlines()]
    read_ = read(from_bytes("net.yaml", "\n".join(lines).replace("r: 4", "r: 1").encode()))
    learn, held = _run(python_source(trace(read_), train=True))["samples"]()
    values = [*learn.tensors[1].flatten().tolist(), *held.tensors[1].flatten().tolist()]
    assert sorted(values) == [0.5] * 4 + [1.5] * 4 + [2.5] * 4


@pytest.mark.parametrize(
    "loss",
    ["{weight: [1, 2, 3, 4]}", "{ignore_index: 1}", "{reduction: sum}", "{ignore_index: -5}"],
)
def test_the_written_training_measures(
    tmp_path: Path, loss: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss and the accuracy of an epoch are those of all labels that count, at once."""
    change = ("loss: CrossEntropyLoss", f"loss: {{CrossEntropyLoss: {loss}}}")
    names = _run(_source(tmp_path, change, ("epochs: 1", "epochs: 1, batch_size: 4")))
    kept: list[nn.Module] = []
    make = names["Net"]
    names["Net"] = lambda: kept.append(make()) or kept[0]
    held = names["samples"]()[1]
    names["train"]()
    with torch.no_grad():
        scores = kept[0].eval()(held.tensors[0])
    y = held.tensors[1]
    options: dict[str, Any] = {"weight": torch.tensor([1.0, 2, 3, 4])} if "weight" in loss else {}
    ignored = 1 if "index: 1" in loss else -5
    wanted = nn.functional.cross_entropy(scores, y, ignore_index=ignored, **options)
    if "sum" in loss:
        wanted = nn.functional.cross_entropy(scores, y, reduction="sum") / len(y)
    hits = (scores.argmax(1) == y)[y != ignored].double().mean()
    printed = capsys.readouterr().out
    assert f"val_loss {wanted:.4f}, val_accuracy {hits:.4f}" in printed


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("loss:", "pretrained: FOLDER/w.safetensors\nloss:", "weights of a file"),
        ("optimizer: SGD", "optimizer: [{SGD: {lr: 0.1}, every: 1}]", "in a list has every"),
        (
            "optimizer: SGD",
            "optimizer: [{SGD: {lr: 0.1}, scheduler: {StepLR: 1}}]",
            "in a list has scheduler",
        ),
        ("loss: CrossEntropyLoss", "loss: MultiMarginLoss", ""),
        (
            "loss: CrossEntropyLoss",
            "loss: [CrossEntropyLoss, {CrossEntropyLoss: {ignore_index: 2}}]",
            "one of several losses",
        ),
        ("x.npz", "absent.npz", "not known"),
    ],
)
def test_what_a_written_training_leaves_out(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    """A setting that the loop would not follow is refused with its line."""
    if not message:
        _source(tmp_path, (old, new))
        return
    with pytest.raises(ExportError, match=message):
        _source(tmp_path, (old, new))
