"""Files of weights beside stacks, and several files for one part."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

import netbuild as package
from netbuild import training
from netbuild.builder.first_values import values as first_values
from netbuild.checks.trace import infer, trace
from netbuild.config.load import load
from netbuild.config.resolution import resolved
from netbuild.diagnostics.diagnostic import errors
from tests.training_configs import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Netbuild

LAYERS = """\
input: [4]
layers:
  trunk: {layers: [{Linear: 8}, ReLU, {Linear: 8}], freeze: true BESIDE}
  act: ReLU
  head: {Linear: 3}
"""
INSIDE = LAYERS.replace("BESIDE", ", pretrained: {file: trunk.safetensors, prefix: encoder}")
PLAIN = LAYERS.replace("BESIDE", "")
LISTED = "pretrained: [{file: trunk.safetensors, rename: {encoder.*: trunk.*}}, SECOND]\n"


def _linear(name: str, x: int, y: int, value: float) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": torch.full((y, x), value), f"{name}.bias": torch.full((y,), value)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the weights of a trunk, of a head, and of both."""
    trunk = _linear("encoder.0", 4, 8, 1) | _linear("encoder.2", 8, 8, 2)
    save_file(trunk, tmp_path / "trunk.safetensors")
    save_file(_linear("head", 8, 3, 3), tmp_path / "head.safetensors")
    whole = {name.replace("encoder", "trunk"): value for name, value in trunk.items()}
    save_file(whole | _linear("head", 8, 3, 4), tmp_path / "all.safetensors")
    return tmp_path


def _written(folder: Path, text: str) -> Path:
    path = folder / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _values(path: Path) -> list[float]:
    """Return a value of each weight that is the same everywhere; 0 for random weights."""
    state = package.build(path).state_dict()
    torch.manual_seed(0)
    again = dict(first_values(trace(load(path))))
    found = []
    for name in ("trunk.0.weight", "trunk.2.bias", "head.weight"):
        value = state[name]
        known = bool((value == value.flatten()[0]).all())
        assert not known or torch.equal(value, again[name])
        found.append(value.flatten()[0].item() if known else 0)
    return found


REST = "{file: all.safetensors, strict: false, leave_out: [trunk]}"
IN_A_LIST = INSIDE.replace("{file: trunk", "[{file: trunk").replace("encoder}", "encoder}]")
BLOCK = """\
input: [4]
vars: {file: trunk}
blocks: {B: {params: {n: 8}, layers: [{Linear: $n}, ReLU, {Linear: $n}]}}
layers:
  trunk: {B: 8, pretrained: {file: $file.safetensors, prefix: encoder}}
  act: ReLU
  head: {Linear: 3}
"""


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (INSIDE, [1, 2, 0]),
        (IN_A_LIST, [1, 2, 0]),
        (PLAIN + LISTED.replace("SECOND", "head.safetensors"), [1, 2, 3]),
        (PLAIN + LISTED.replace("SECOND", REST), [1, 2, 4]),
        (INSIDE + "pretrained: head.safetensors\n", [1, 2, 3]),
        (f"{INSIDE}pretrained: {REST}\n", [1, 2, 4]),
        (BLOCK, [1, 2, 0]),
    ],
)
def test_each_file_fills_its_part(folder: Path, text: str, values: list[float]) -> None:
    """A file beside a stack fills the stack; the files of a list fill the network together."""
    path = _written(folder, text)
    assert not infer(load(path)).diagnostics
    assert _values(path) == values


def test_a_repeated_stack(folder: Path) -> None:
    """A file beside a repeated stack with a name fills all copies; a Reuse loads nothing anew."""
    save_file(_linear("0.0", 4, 4, 5) | _linear("1.0", 4, 4, 6), folder / "both.safetensors")
    text = "input: [4]\nlayers:\n  a: {repeat: 2, layers: [{Linear: 4}, ReLU], pretrained: FILE}\n"
    path = _written(folder, text.replace("FILE", "both.safetensors") + "  b: {Reuse: a}\n")
    assert not infer(load(path)).diagnostics
    state = package.build(path).state_dict()
    assert [state[f"a.{n}.0.bias"][0].item() for n in range(2)] == [5, 6]


FAULTS = {
    "two files fill the same part of the network: "
    "trunk.safetensors also fills trunk.0.weight and 3 more": PLAIN
    + LISTED.replace("SECOND", "all.safetensors"),
    "two files fill the same part of trunk: all.safetensors also fills trunk.0.weight and 3 more": (
        INSIDE + "pretrained: all.safetensors\n"
    ),
    "files that leave out tensors of the network: 2 of 6 tensors are in no file of the list": (
        PLAIN
        + "pretrained: [{file: trunk.safetensors, prefix: encoder.0, rename: {'*': trunk.0.*}},"
        " {file: trunk.safetensors, prefix: encoder.2, rename: {'*': trunk.2.*}}]\n"
    ),
    "head.safetensors does not fit the network: 2 of 2 tensors do not fit": PLAIN
    + LISTED.replace("SECOND", "{file: head.safetensors, rename: {head.*: heads.*}}"),
    "head.safetensors does not fit trunk: 6 of 6 tensors do not fit": (
        INSIDE.replace("{file: trunk.safetensors, prefix: encoder}", "head.safetensors")
    ),
    "all.safetensors does not fit the network: 3 of 6 tensors do not fit": (
        LAYERS.replace("BESIDE", "").replace("{Linear: 8}]", "{Linear: 9}]")
        + "pretrained: all.safetensors\n"
    ),
}


@pytest.mark.parametrize("said", FAULTS)
def test_faults(folder: Path, said: str) -> None:
    """One mistake is one fault, which names the file and the part."""
    found = infer(load(_written(folder, FAULTS[said]))).diagnostics
    assert [f"{fault.title}: {fault.label}" for fault in found] == [said]
    assert {fault.code for fault in found} == {"NB503"}


def test_other_faults(folder: Path) -> None:
    """An unreadable file names its part, and a contradiction beside a stack is NB107."""
    missing = INSIDE.replace("trunk.safetensors", "trnk.safetensors")
    (fault,) = infer(load(_written(folder, missing))).diagnostics
    assert (fault.code, fault.title) == (
        "NB502",
        "a file of weights that cannot be read, for trunk",
    )
    lax = INSIDE.replace("prefix: encoder", "prefix: encoder, strict: false")
    assert [f.code for f in infer(load(_written(folder, lax))).diagnostics] == ["NB107"]
    other = INSIDE.replace("{Linear: 3}", "{Linear: 3, pretrained: head.safetensors}")
    (fault,) = infer(load(_written(folder, other))).diagnostics
    assert fault.code == "NB101" or "stack" in (fault.help or "")


def test_frozen_and_untrained(folder: Path) -> None:
    """NB316 knows which part a file fills, and what it leaves out."""
    path = _written(folder, PLAIN + "pretrained: [{file: head.safetensors, strict: false, "
    "leave_out: [trunk]}]\n")  # fmt: skip
    assert [f.code for f in infer(load(path)).diagnostics] == ["NB316", "NB316"]
    left = "prefix: encoder, strict: false, leave_out: ['2']"
    path = _written(folder, INSIDE.replace("prefix: encoder", left))
    assert [(f.code, f.layer) for f in infer(load(path)).diagnostics] == [("NB316", "trunk.2")]


def test_reports(folder: Path, netbuild: Netbuild) -> None:
    """The commands know the file beside a stack; a resolved config names it from anywhere."""
    path = _written(folder, INSIDE)
    done = netbuild("explain", str(path))
    assert "weight, bias  the values in trunk.safetensors" in done.stdout
    done = netbuild("weights", str(folder / "trunk.safetensors"), str(path))
    assert (done.returncode, done.stdout) == (0, "4 of 4 tensors fit\n")
    other = folder / "other.yaml"
    other.write_text(PLAIN, encoding="utf-8")
    done = netbuild("diff", "--format", "json", str(path), str(other))
    assert json.loads(done.stdout)["sections"] == ["pretrained"]
    assert f"file: {folder / 'trunk.safetensors'}" in resolved(load(path))


def test_a_run_needs_its_files_once(folder: Path) -> None:
    """A run that goes on, and its evaluation, read the checkpoint and no file beside a stack."""
    layers = [{"Linear": 3}]
    save_file(_linear("0", 4, 3, 1), folder / "first.safetensors")
    beside = {"layers": layers, "pretrained": "first.safetensors"}
    path = write(folder, input=[4], layers=[beside], train={"epochs": 1})
    run = training.train(path, runs=folder / "runs")
    assert not infer(load(run.folder / "resolved.yaml")).diagnostics
    (folder / "first.safetensors").unlink()
    assert not errors(infer(run.config()).diagnostics)
    assert training.evaluate(run.folder)["val_loss"] == run.metrics[-1]["val_loss"]
    weights = run.checkpoint("best") / "model.safetensors"
    assert training.evaluate_weights(path, weights)["val_loss"] == run.metrics[-1]["val_loss"]
