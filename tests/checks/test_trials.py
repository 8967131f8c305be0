"""A fix is offered only after the file with its edits was checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.places import NOWHERE, Moves
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import Document, Edit, Span, errors
from netbuild.syntax.parser import from_bytes, from_file
from netbuild.syntax.repair import Repair, edited

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph

#: Faults that had a fix that was not true, or none, with the fixes that they have.
CASES = {
    "the batch is written": (
        """\
input: [32, 3, 32, 32]
layers:
  - Conv2d: {out_channels: 8, kernel_size: 3}
  - ReLU
  - MaxPool2d: 2
  - Flatten
  - Linear: 10
""",
        ["[3, 32, 32] for the input (the batch is never written) gives 8×30×30"],
    ),
    "an odd size": (
        """\
input: [3, 29, 32]
blocks:
  Up:
    layers:
      up:
        ConvTranspose2d: {out_channels: $(in_channels // 2), kernel_size: 2, stride: 2}
        inputs: below
      concat: {Concat, inputs: [side, up]}
      conv: {Conv2d: {out_channels: $(in_channels // 2), kernel_size: 3, padding: 1}}
layers:
  down1: {Conv2d: {out_channels: 16, kernel_size: 3, padding: 1}}
  pool1: {MaxPool2d: 2}
  down2: {Conv2d: {out_channels: 32, kernel_size: 3, padding: 1}}
  pool2: {MaxPool2d: 2}
  bottom: {Conv2d: {out_channels: 64, kernel_size: 3, padding: 1}}
  up2: {Up, inputs: {below: bottom, side: down2}}
  up1: {Up, inputs: {below: up2, side: down1}}
""",
        ["[3, 28, 32] for the input gives 32×28×32"],
    ),
    "a copy that has the fault of the next copy": (
        """\
input: [6, 4]
layers:
  - layers:
      - {Conv1d: {out_channels: 8, kernel_size: 4, padding: 1, dilation: 2}, inputs: input}
      - {ReLU, inputs: input}
    repeat: 2
""",
        ["kernel_size: 3 gives 8×2", "padding: 2 gives 8×2", "dilation: 1 gives 8×3"],
    ),
    "another number of classes": (
        """\
input: {shape: [20], dtype: int64}
layers:
  - Embedding: {num_embeddings: 100, embedding_dim: 8}
  - Select: {dim: 1, index: -1}
  - Linear: 5
loss: CrossEntropyLoss
optimizer: Adam
data: {Random: {classes: 10, below: 100}}
""",
        ["out_features: 10 in 2", "classes: 5 in the data"],
    ),
    "values of another size": (
        """\
input: [1, 28, 28]
layers:
  - Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}
  - ReLU
  - Conv2d: {out_channels: 1, kernel_size: 5, padding: 1}
loss: MSELoss
data: {Random: {target: [1, 28, 28]}}
""",
        ["kernel_size: 3 in 2", "padding: 2 in 2", "kernel_size: 1 in 0"],
    ),
    "samples of another shape": (
        "input: [64]\nlayers: [Flatten, Linear: 10]\nloss: CrossEntropyLoss\ndata: Digits\n",
        ["[1, 8, 8] for the input"],
    ),
    "a window that leaves too little": (
        """\
input: [1, 28, 28]
layers:
  - Conv2d: {out_channels: 6, kernel_size: 65}
  - ReLU
  - MaxPool2d: 2
""",
        ["padding: 19 gives 6×2×2"],
    ),
    "a size by an expression": (
        """\
input: [3, 8, 8]
vars: {w: 7}
layers:
  - Conv2d: {in_channels: $w, out_channels: 4, kernel_size: 3}
""",
        ["in_channels: 3 gives 4×6×6, in line 2"],
    ),
    "a number below its range": (
        "input: [3, 8, 8]\nlayers: [{MaxPool2d: {kernel_size: -2}}]\n",
        ["write 2", "write 1"],
    ),
    "a percentage": ("input: [8]\nlayers: [{Dropout: 20}]\n", ["write 0.2"]),
}


def graph_of(text: str) -> Graph:
    """Return the graph of a text."""
    return infer(read(from_bytes("net.yaml", text.encode())))


@pytest.mark.parametrize(("text", "titles"), CASES.values(), ids=CASES)
def test_fixes(text: str, titles: list[str]) -> None:
    """The true fixes are offered, and each leaves the file without errors."""
    (fault,) = errors(graph_of(text).diagnostics)
    assert [fix.title for fix in fault.fixes] == titles
    for fix in fault.fixes:
        after = edited(fix.edits[0].span.document, fix.edits).decode()
        assert not errors(graph_of(after).diagnostics)


def test_one_layer_is_inserted_once() -> None:
    """Two layers lack a Flatten: no name comes twice, and nothing is inserted again and again."""
    text = """\
input: [3, 8, 8]
layers:
  conv: {Conv2d: {out_channels: 4, kernel_size: 3}}
  fc: {Linear: {in_features: 144, out_features: 5}}
  again: {Linear: {in_features: 144, out_features: 5}, inputs: conv}
"""
    source = from_bytes("net.yaml", text.encode())
    repair = Repair(
        lambda source: infer(read(source)).diagnostics,
        lambda fault: next(iter(fault.fixes), None),
        lambda _: None,
    )
    (left,) = repair.run([source])
    assert not errors(left)
    text = repair.text(source).decode()
    assert [line.split(":")[0].strip() for line in text.splitlines() if "Flatten" in line] == [
        "flatten_fc",
        "flatten_again",
    ]
    assert text.count("flatten_again") == 2  # its reader names it
    assert len(repair.fixed) == 2


def test_what_the_command_sees(tmp_path: Path) -> None:
    """Trials read the same base file, and apply the same settings."""
    base, child = tmp_path / "base.yaml", tmp_path / "child.yaml"
    base.write_text("input: [8]\nlayers: [{Linear: '4'}, {Linear: 3}]\nloss: CrossEntropyLoss\n")
    child.write_text("extends: base.yaml\ndata: {Random: {classes: 3}}\n")
    source = from_file(child)
    (fault,) = infer(read(source)).diagnostics
    assert [fix.title for fix in fault.fixes] == ["write 4"]
    assert fault.fixes[0].edits[0].span.document.name == str(base)
    # The setting makes 3 outputs wrong. The base file is right by itself, so it is not edited.
    settings = ["layers.0.Linear=4", "data.Random.classes=7"]
    (fault,) = errors(infer(read(source, settings)).diagnostics)
    assert fault.fixes == ()


def test_independent_faults_stay() -> None:
    """A fix may leave other faults, and may reveal those that its fault has hidden."""
    text = "input: [8]\nlayers: [{Linear: '4'}, {Linear: {in_features: 5, out_features: 3}}]\n"
    graph = graph_of(text)
    assert [fix.title for fault in graph.diagnostics for fix in fault.fixes] == ["write 4"]
    after = graph_of(text.replace("'4'", "4"))
    assert [fix.title for fault in after.diagnostics for fix in fault.fixes][:1] == [
        "in_features: 4 gives 3"
    ]


def test_many_faults_are_tried_together() -> None:
    """A hundred faults all have a fix."""
    graph = graph_of("input: [8]\nlayers:\n" + "  - Linear: '8'\n" * 100)
    assert len(graph.diagnostics) == 100
    assert all(fault.fixes for fault in graph.diagnostics)


def test_values_without_axes() -> None:
    """A loss refuses values without the axes of the target. No lint looks for these axes."""
    text = """\
input: [1, 28, 28]
layers: [ReLU, Flatten]
loss: MSELoss
data: {Random: {target: [1, 28, 28]}}
"""
    assert [fault.code for fault in graph_of(text).diagnostics] == ["NB401"]


def test_places() -> None:
    """A place is the same before and after edits; what is inserted has none."""
    old = Document("net.yaml", "abc def ghi")
    edits = [Edit(Span(old, 1, 5, 1, 8), "longer"), Edit(Span(old, 1, 1, 1, 1), "new ")]
    moves = Moves(edits)
    new = Document("net.yaml", edited(old, edits).decode())
    assert new.text == "new abc longer ghi"

    def at(document: Document, column: int) -> Span:
        return Span(document, 1, column, 1, column)

    same = {1: 5, 2: 6, 5: 9, 9: 16, 11: 18}
    assert all(moves.before(at(old, a)) == moves.after(at(new, b)) for a, b in same.items())
    assert moves.after(at(new, 2)).offset == NOWHERE
    assert moves.before(at(old, 6)).offset == moves.after(at(new, 11)).offset == 4


@pytest.mark.parametrize("place", ["begin", "end"])
def test_a_deep_network_gets_its_fixes(place: str) -> None:
    """What a trial costs leaves room for networks of a thousand layers and more."""
    conv = "{Conv2d: {out_channels: 3, kernel_size: 1}}"
    rest = f"  - {{layers: [{conv}, BatchNorm2d, ReLU], repeat: 500}}\n"
    wrong = "  - Conv2d: {in_channels: 4, out_channels: 3, kernel_size: 1}\n"
    text = "input: [3, 8, 8]\nlayers:\n" + (wrong + rest if place == "begin" else rest + wrong)
    (fault,) = graph_of(text).diagnostics
    assert [fix.title for fix in fault.fixes] == ["in_channels: 3 gives 3×8×8"]
