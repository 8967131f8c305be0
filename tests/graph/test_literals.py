"""Where an edit lands: on the literal behind an expression, an alias, --set or a base file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes, from_file
from netbuild.syntax.repair import edited

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.diagnostics.diagnostic import Diagnostic, Fix

INPUT = "input: [1, 8, 8]\n"
BLOCK = (
    INPUT
    + """blocks:
  Conv:
    params: {channels, k: 3}
    layers: [{Conv2d: {out_channels: $channels, kernel_size: $k, padding: 1}}, ReLU]
layers:
"""
)


def faults(text: str, *settings: str) -> tuple[Diagnostic, ...]:
    """Return the faults of a text."""
    return infer(read(from_bytes("net.yaml", text.encode()), settings)).diagnostics


def after(fix: Fix) -> list[str]:
    """Return the lines that a fix changes, as they stand behind it."""
    document = fix.edits[0].span.document
    new = edited(document, fix.edits).decode().splitlines()
    return [line.strip() for line in new if line not in document.lines]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (BLOCK + '  - Conv: 16\n  - Conv: "32"\n', ["- Conv: 32"]),
        (BLOCK + '  - Conv: "16"\n  - Conv: "32"\n  - Conv: "16"\n', ["- Conv: 16"] * 2),
        (BLOCK.replace("k: 3", "k: '3'") + "  - Conv: 4\n", ["params: {channels, k: 3}"]),
        (
            INPUT + 'vars: {w: "16", twin: $w}\nlayers: [{MaxPool2d: {kernel_size: [$twin, 3]}}]\n',
            [],
        ),
        (BLOCK + "  - Conv: {channels: 4, k: -3}\n", ["- Conv: {channels: 4, k: 3}"]),
        (
            INPUT + 'vars: {w: "1", v: $(w)}\nlayers: [Flatten, Linear: $v]\n',
            ["vars: {w: 1, v: $(w)}"],
        ),
        (
            "vars: {n: no}\n" + BLOCK + "  - Conv: 4\n  - Dropout: {inplace: $n}\n",
            ["vars: {n: false}"],
        ),
        (
            "vars: {act: Relu}\n" + INPUT + "layers: [$act]\n",
            ["vars: {act: ReLU}"],
        ),
    ],
    ids=["use", "uses", "default", "number", "list", "variables", "boolean", "type"],
)
def test_words(text: str, lines: list[str]) -> None:
    """A wrong word or value is corrected where it is written."""
    found = [after(fix) for fault in faults(text) for fix in fault.fixes]
    assert found[:1] == ([lines] if lines else [])


def test_a_text_that_another_expression_computes_with() -> None:
    """The fix is not safe: the text may mean something else there."""
    text = INPUT + 'vars: {n: "2"}\nlayers: [{ReLU, when: $(n == "2")}, Flatten, Linear: $n]\n'
    (fault,) = faults(text)
    assert [(after(fix), fix.safe) for fix in fault.fixes] == [(["vars: {n: 2}"], False)]


def test_an_expression_is_inverted() -> None:
    """The literal gets the value with which the expression fits."""
    text = (
        INPUT
        + "vars:\n  n: 6\n  k: $(2 * n)\nlayers: [Conv2d: {out_channels: 4, kernel_size: $k}]\n"
    )
    (fault,) = faults(text)
    assert [note.text for note in fault.notes if note.label == "value"] == [
        "$k is $(2 * n), line 4; $n is 6, line 3"
    ]
    size = next(fix for fix in fault.fixes if fix.title.startswith("kernel_size"))
    assert size.title == "kernel_size: 8 gives 4×1×1, with 4 in line 3"
    assert after(size) == ["n: 4"]


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (INPUT + "vars: {a: &a '4', b: *a}\nlayers: [Flatten, Linear: *a]\n", []),
        (INPUT + "vars: {a: &a '4', b: *a}\nlayers: [Flatten, Linear: $b]\n", []),
        (INPUT + "vars: {width: 4}\nlayers: [Flatten, Linear: $width]\n", ["vars.width='4'"]),
        (INPUT + "layers: [Flatten, Linear: 4]\n", ["layers.1.Linear='4'"]),
        (INPUT + "layers: [{Dropout: {p: $(1 / 2), inplace: $(0 + 1)}}]\n", []),
    ],
    ids=["alias", "alias behind a name", "variable of --set", "--set", "computed"],
)
def test_no_literal(text: str, settings: list[str]) -> None:
    """A value with several readers, or without a place in the file, gets no edit."""
    (fault,) = faults(text, *settings)
    assert fault.fixes == ()


def test_the_values_of_a_fault_in_a_block() -> None:
    """A note names the literal of each use with a fault."""
    text = BLOCK + "  - Conv: 8\n  - Conv: wide\n  - Conv: $(16 / 2)\n"
    (fault,) = faults(text)
    assert [f"{note.label}: {note.text}" for note in fault.notes] == [
        "also: a fault in 2.0",
        "value: $channels is 'wide', line 8; $channels is $(16 / 2), line 9",
    ]
    (fault,) = faults(BLOCK.replace("k: 3", "k: x") + "  - Conv: 8\n")
    assert [note.text for note in fault.notes] == ["$k is 'x' by default, line 4"]
    text = INPUT + "vars: {w: 4}\nlayers: [Flatten, Linear: $w]\n"
    (fault,) = faults(text, "vars.w=wide")
    assert [note.text for note in fault.notes] == ["$w is 'wide', --set vars.w=wide"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """Return a file that other files extend."""
    path = tmp_path / "base.yaml"
    text = "input: [8]\nvars: {width: 16}\nlayers:\n  a: {Linear: $width}\n  b: {Linear: 8}\n"
    path.write_text(text, encoding="utf-8")
    return path


def child(base: Path, text: str) -> tuple[Diagnostic, ...]:
    """Return the faults of a file that extends a base."""
    path = base.with_name("child.yaml")
    path.write_text(f"extends: base.yaml\n{text}", encoding="utf-8")
    return infer(read(from_file(path))).diagnostics


def test_a_literal_of_the_child(base: Path) -> None:
    """The expression stands in the base, and the literal in the file that extends it."""
    (fault,) = child(base, 'vars: {width: "32"}\n')
    (fix,) = fault.fixes
    assert (fault.span.document.name, fix.title) == (
        str(base),
        "write 32, in line 2 of child.yaml",
    )
    assert after(fix) == ["vars: {width: 32}"]
    assert fix.edits[0].span.document.name.endswith("child.yaml")


def test_a_literal_of_the_base_that_is_right_there(base: Path) -> None:
    """The file that extends the base replaces the value, and the base stays as it is."""
    found = child(base, "layers:\n  b: {Bilinear: 3}\ninput: [4, 8]\n")
    assert all(
        edit.span.document.name.endswith("child.yaml")
        for fault in found
        for fix in fault.fixes
        for edit in fix.edits
    )
    base.write_text(
        "input: [1, 9, 9]\nvars: {k: 9}\n"
        "layers: {a: {Conv2d: {out_channels: 4, kernel_size: $k}}}\n",
        encoding="utf-8",
    )
    (fault,) = child(base, "input: [1, 7, 7]\n")
    (fix,) = [fix for fix in fault.fixes if fix.title.startswith("kernel_size")]
    assert fix.title == "kernel_size: 7 gives 4×1×1, with vars: {k: 7} in child.yaml"
    assert after(fix) == ["vars: {k: 7}"]
    (edit,) = fix.edits
    assert edit.span.document.name.endswith("child.yaml")


def test_a_literal_of_the_base_that_is_wrong_there(base: Path) -> None:
    """The base alone has the fault, so it is edited."""
    base.write_text(base.read_text(encoding="utf-8").replace("8}", "'8'}"), encoding="utf-8")
    (fault,) = child(base, "vars: {width: 4}\n")
    (fix,) = fault.fixes
    assert after(fix) == ["b: {Linear: 8}"]
    assert fix.edits[0].span.document.name == str(base)


@pytest.mark.parametrize("value", ["$(1)", "$(true)", "$1"])
def test_an_expression_without_a_name(value: str) -> None:
    """No literal stands behind a value that names nothing."""
    text = f"input: [8]\nlayers: [Linear: 2]\npretrained: {{file: {value}, strict: false}}\n"
    assert {fault.code for fault in faults(text)} <= {"NB106", "NB107"}
