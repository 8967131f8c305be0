"""`netbuild look`: what it prints, at 80 columns too, and how it refuses inputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file
from typer.testing import CliRunner

from netbuild.cli import app
from netbuild.diagnostics.exceptions import InputError, TrainingError
from netbuild.reports.inspection.numbers import fixed, percent, short
from netbuild.reports.inspection.text_format import plain
from netbuild.training.inspection.looking import look
from tests import ROOT
from tests.training.inspection.networks import looked

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.runs.folder import Run

LENET = ROOT / "configs/lenet-bn.yaml"
TWO = "name: n\ninputs: {a: [2], b: [2]}\nlayers: {sum: {Add, inputs: [a, b]}}"


def ran(*arguments: str | Path) -> tuple[int, str]:
    """Return the exit code of `netbuild look …`, and what it prints."""
    result = CliRunner().invoke(app, ["look", *map(str, arguments)])
    return result.exit_code, result.output


def test_widths() -> None:
    """The tables fit, and both modes stand side by side where there is room."""
    seen = look(LENET, batch=4, backward=True)
    for room in (80, 100, 160):
        lines = plain(seen, room)
        assert max(map(len, lines)) <= room
        header = next(line for line in lines if line.startswith(" name"))
        assert ("train: mean" in header) == (room == 160)
        assert ("type" in header) == (room >= 100)
    assert any("BatchNorm2d" in line for line in plain(seen, 80)[:12])


def test_json_and_a_choice_of_layers() -> None:
    """JSON holds the layers that match a pattern, or lie in a stack that does."""
    code, said = ran(LENET, "--batch", "4", "--layer", "features", "--json")
    document = json.loads(said)
    assert code == 0
    assert [one["path"] for one in document["layers"]] == [f"features.{n}" for n in range(8)]
    norm = document["layers"][1]
    assert norm["evaluation"]["shape"] == [4, 6, 24, 24]
    assert norm["numbers"]["evaluation"] == "running mean 0, variance 1"
    assert ran(LENET, "--batch", "4", "--layer", "nothing")[0] == 1


def test_a_page_is_written(tmp_path: Path) -> None:
    """-o writes a page; its name has to end with .html."""
    out = tmp_path / "x.html"
    assert ran(LENET, "--batch", "4", "-o", out)[0] == 0
    assert out.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert ran(LENET, "-o", tmp_path / "x.png")[0] == 2


def test_a_run(whole: Run) -> None:
    """A run has the weights of its checkpoint, and settings change its config."""
    seen = look(whole.folder, checkpoint="last", backward=True, set="train.batch_size=4")
    stored = load_file(whole.folder / "checkpoints/last/model.safetensors")
    norms = {f"{one.path}.{n}": w.norm for one in seen.layers for n, w in one.weights.items()}
    assert norms == pytest.approx({n: float(stored[n].norm()) for n in norms}, rel=1e-5)
    assert seen.weights == "checkpoint last"
    with pytest.raises(TrainingError, match="there is no sample 999 among the validation samples"):
        look(whole.folder, sample=999)


def test_a_batch_that_is_too_small() -> None:
    """Of one sample, a batch norm without places has no variance: only evaluation is shown."""
    seen = look(LENET, batch=1)
    assert all(one.training is None for one in seen.layers)
    assert seen.notes[0].startswith("classifier.2 (BatchNorm1d) would get one value per channel")


def test_files_as_predict_reads_them(tmp_path: Path) -> None:
    """A picture gets the size of the input; an array holds one sample or several."""
    Image.fromarray(np.full((56, 56), 255, "uint8")).save(tmp_path / "x.png")
    seen = look(LENET, input=str(tmp_path / "x.png"))
    assert (seen.inputs["input"].shape, seen.inputs["input"].mean) == ((1, 1, 28, 28), 1.0)
    np.save(tmp_path / "x.npy", np.arange(5 * 784, dtype="float32").reshape(5, 1, 28, 28))
    seen = look(LENET, input=str(tmp_path / "x.npy"), sample=3)
    assert (seen.samples, seen.inputs["input"].least) == (2, 3 * 784)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["a=1,2"], "the network also reads b: give --input NAME=VALUE"),
        (["a=1,2", "b=1,2,3"], "b reads 2: 3 numbers do not divide into samples of 2"),
        (["c=1,2"], "the network has no input c: it reads a, b"),
        (["a=1,2", "1,2"], "1,2 names none of the inputs a, b: write NAME=VALUE"),
        (["a=1,2,3,4", "b=1,2,3,4,5,6"], "the inputs have 2 and 3 samples"),
    ],
)
def test_inputs_that_do_not_fit(given: list[str], said: str) -> None:
    """A message names the input and what it wants."""
    with pytest.raises(InputError, match=said):
        looked(TWO, input=given)


def test_several_inputs() -> None:
    """One sample of an input serves all samples of another one."""
    seen = looked(TWO, input=["a=1,2", "b=1,1,2,2"])
    assert (seen.samples, seen.layer("sum").evaluation[3:5]) == (2, (2.0, 4.0))  # type: ignore[index]


def test_numbers() -> None:
    """Numbers have four significant digits. Only nothing is 0 %, and only all is 100 %."""
    assert [short(x) for x in (0.5, -1234.56, 0.000012345)] == ["0.5", "−1235", "1.234e−05"]
    assert [fixed(x) for x in (0.5, 0.0, -12.0)] == ["0.5000", "0", "−12.00"]
    assert [percent(x) for x in (0.0, 1e-5, 0.5, 0.9999, 1.0)] == [
        "0 %",
        "<0.1 %",
        "50.0 %",
        ">99.9 %",
        "100 %",
    ]
