"""One mistake gives one fault, and the help says what to write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.objective import unusable
from netbuild.checks.trace import infer
from netbuild.components.datasets.dataset import DataError
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic
    from tests.conftest import Netbuild


def found(text: str, *settings: str) -> tuple[Diagnostic, ...]:
    """Return the faults of a text."""
    return infer(read(from_bytes("net.yaml", text.encode()), settings)).diagnostics


LAYERS = [
    ("{Conv2d: {out_channels: 8, kernel_size=(3, 3)}}", "NB009", "write kernel_size: [3, 3]"),
    ("Flatten, Linear(64, 10)", "NB103", "write Linear: 10, because the input decides in_features"),
    ("Flatten, {fc: Linear(64, 10)}", "NB103", "write Linear: 10, because the input decides"),
    (
        "{Linear: {out_features: 10, activation: softmax}}",
        "NB104",
        "an activation is a layer of its own: write it below this one, such as Softmax",
    ),
    (
        "{Dense: {units: 10, activation: relu}}",
        "NB103",
        "write Linear: {out_features: 10}; an activation is a layer of its own: write it below",
    ),
    (
        "{Conv2D: {filters: 8, kernel_size: 3, strides: 2, input_shape: [1, 8, 8]}}",
        "NB103",
        "write Conv2d: {out_channels: 8, kernel_size: 3, stride: 2}; the shape of the input is",
    ),
]


@pytest.mark.parametrize(("layers", "code", "help_"), LAYERS)
def test_one_fault(layers: str, code: str, help_: str) -> None:
    """A notation of another library gives one fault, whose help holds nothing foreign."""
    faults = found(f"input: [1, 8, 8]\nlayers: [{layers}]\n")
    assert [fault.code for fault in faults] == [code]
    assert (faults[0].help or "").startswith(help_)


def test_outputs_of_what_is_left_out() -> None:
    """A wrong expression in `outputs` is one fault, also beside `when: false`."""
    text = "input: [4]\nlayers: [{when: false, layers: [ReLU], outputs: $a, name: x}, Linear: 2]\n"
    assert [fault.code for fault in found(text)] == ["NB110"]
    assert [fault.code for fault in found(text.replace("when: false, ", ""))] == ["NB110"]


def test_a_setting_of_one_of_several_optimizers() -> None:
    """A path to an optimizer of a list gets its number."""
    text = "input: [4]\nlayers: [Linear: 2]\noptimizer: [{Muon: {lr: 0.02}}, AdamW]\n"
    (fault,) = found(text, "optimizer.AdamW.lr=1")
    assert fault.help == "did you mean --set optimizer.1.AdamW.lr?"


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("vars: {a: 2, b: 3}\n", "vars: {b: 3}\n"),
        ("vars: {b: 3, a: 2}\n", "vars: {b: 3}\n"),
        ("vars:\n  b: 3\n  a: [1,\n    2]\n", "vars:\n  b: 3\n"),
    ],
)
def test_a_variable_that_nothing_reads(text: str, after: str) -> None:
    """The fix leaves it out."""
    from netbuild.syntax.repair import edited

    rest = "input: [4]\nlayers: [Linear: $b]\n"
    (fault,) = found(text + rest)
    assert fault.code == "NB327"
    (fix,) = (fix for fix in fault.fixes if fix.title == "leave out a")
    assert edited(fault.span.document, fix.edits).decode() == after + rest


def test_the_only_variable() -> None:
    """The section goes with its only variable."""
    from netbuild.syntax.repair import edited

    (fault,) = found("vars:\n  a: 1\ninput: [4]\nlayers: [Linear: 2]\n")
    (fix,) = fault.fixes
    assert edited(fault.span.document, fix.edits) == b"input: [4]\nlayers: [Linear: 2]\n"


def test_a_wrong_value_of_an_option(netbuild: Netbuild) -> None:
    """The message names the option and its values."""
    done = netbuild("summary", "net.yaml", "--format", "xyz")
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last == "netbuild: --format is one of table, json, markdown, csv, not xyz"


@pytest.mark.parametrize(
    ("uses", "edited_line"),
    [
        ("{Linear: $half}", "vars: {w: 16, half: $(w // 2)}"),
        ("{Linear: $(w / 4)}", "layers: [{Linear: $(w // 4)}]"),
    ],
)
def test_a_fraction_of_a_variable(uses: str, edited_line: str) -> None:
    """The fix divides without a rest, in the expression that divides."""
    from netbuild.syntax.repair import edited

    half = ", half: $(w / 2)" if "half" in uses else ""
    (fault,) = found(f"input: [8]\nvars: {{w: 16{half}}}\nlayers: [{uses}]\n")
    assert fault.help == "// gives a whole number, and / gives a fraction"
    (fix,) = fault.fixes
    assert edited_line in edited(fault.span.document, fix.edits).decode().splitlines()
    (fault,) = found("input: [8]\nvars: {w: 16}\nlayers: [{Dropout: $(w / 2)}]\n")
    assert not any("//" in fix.title for fix in fault.fixes)


def test_a_missing_file_of_the_data(tmp_path: Path) -> None:
    """Its fault names a file with a similar name."""
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    text = "input: [1]\nlayers: [{Linear: 3}]\ndata: {Csv: {file: tabel.csv, target: b}}\n"
    config = read(from_bytes(str(tmp_path / "net.yaml"), text.encode()))
    assert unusable(config, DataError("there is no tabel.csv")).help == "did you mean table.csv?"
