"""What changed between two networks, layer by layer."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

import netbuild as package
from netbuild.checks.trace import trace
from netbuild.config.load import read
from netbuild.reports.difference import alignment, diff
from netbuild.reports.difference import table as render
from netbuild.syntax.parser import from_bytes
from tests import ROOT
from tests.quick import thinned
from tests.tables import over

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from netbuild.reports.difference import LayerChange, NetworkChanges

TEXT = (ROOT / "configs/lenet.yaml").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
NEIGHBOURS = list(pairwise(CONFIGS))[::8]


def graph_of(text: str) -> Graph:
    """Return the network of a text."""
    return trace(read(from_bytes("net.yaml", text.encode())))


def stack_of(layers: list[str]) -> Graph:
    """Return the network of a list of layers."""
    return graph_of("input: [8]\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers))


def between(before: str, after: str) -> NetworkChanges:
    """Compare the networks of two texts."""
    return diff(graph_of(before), graph_of(after))


def shown(changes: NetworkChanges) -> list[str]:
    """Return the signs, names and arguments of the table."""
    cells = (line.cells() for line in render.lines(changes))
    return [
        " ".join(cell for cell in (sign, name, what) if cell) for sign, name, _, what, *_ in cells
    ]


def kinds(changes: NetworkChanges) -> list[str]:
    """Return the kinds of the changes in order."""
    return [change.kind for change in changes.layers]


def assert_unchanged(graph: Graph) -> None:
    """Assert that a network does not differ from itself."""
    changes = diff(graph, graph)
    assert changes.is_empty
    assert (changes.layers, changes.same, changes.renamed) == ((), len(graph.rows), {})
    assert changes.checkpoint.differences == ()


@over(sorted((ROOT / "configs").glob("*.yaml")))
def test_nothing_changed(path: Path) -> None:
    """A network does not differ from itself, and its checkpoint loads whole.

    `tests/test_torchvision.py` asks the networks of torchvision.
    """
    assert_unchanged(package.trace(package.load(path)))


@pytest.mark.parametrize(
    "paths",
    thinned(NEIGHBOURS, NEIGHBOURS[::4]),
    ids=lambda paths: f"{paths[0].stem}-{paths[1].stem}",
)
def test_every_layer_once(paths: tuple[Path, Path]) -> None:
    """Each layer of both is the same, or in one change; the changes add up to the difference."""
    a, b = (package.trace(package.load(path)) for path in paths)
    changes = diff(a, b)
    before = [c.before.path for c in changes.layers if c.before]
    after = [c.after.path for c in changes.layers if c.after]
    assert len(set(before)) == len(before) == len(a.rows) - changes.same
    assert len(set(after)) == len(after) == len(b.rows) - changes.same
    assert sum(c.params[1] - c.params[0] for c in changes.layers) == b.params - a.params
    assert sum(c.macs[1] - c.macs[0] for c in changes.layers) == b.macs - a.macs
    lines = render.lines(changes)
    assert sum(line.params for line in lines) == b.params - a.params
    for change in changes.layers:
        assert may_be_one(change)


def may_be_one(change: LayerChange) -> bool:
    """Whether the layers of a change have one type or one path."""
    if change.before is None or change.after is None:
        return True
    return change.before.type == change.after.type or change.before.path == change.after.path


LAYER = st.sampled_from(["ReLU", "Tanh", "Linear: 8", "Dropout: 0.1", "Dropout: 0.5", "LayerNorm"])
EDIT = st.tuples(st.booleans(), st.integers(0, 20), LAYER)


@given(st.lists(LAYER, min_size=1, max_size=12), st.lists(EDIT, max_size=5))
def test_no_more_changes_than_edits(layers: list[str], edits: list[tuple[bool, int, str]]) -> None:
    """Layers that are put in or taken out are at the most so many changes, besides moved ones."""
    edited = list(layers)
    for put_in, position, layer in edits:
        if put_in:
            edited.insert(position, layer)
        elif len(edited) > 1:
            del edited[position % len(edited)]
    changes = diff(stack_of(layers), stack_of(edited))
    assert sum(kind != "moved" for kind in kinds(changes)) <= len(edits)
    assert changes.is_empty == (layers == edited)


def test_too_many_layers_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound layers are those of one path, wherever they stand."""
    monkeypatch.setattr(alignment, "MAX_PAIRS", 3)
    a = "input: [8]\nlayers: {a: {Linear: 8}, b: ReLU, c: Tanh}\n"
    b = "input: [8]\nlayers: {d: Sigmoid, b: {Linear: 8}, a: {Linear: 4}}\n"
    assert shown(between(a, b)) == [
        "+ d",
        "~ b out_features – → 8, inputs a → d",
        "~ a out_features 8 → 4, inputs input → b",
        "− c",
    ]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("{norm: LayerNorm}", "{norm: {Linear: 8}}", "~ norm out_features – → 8"),
        ("[LayerNorm]", "[Linear: 8]", "− 0, + 0 out_features 8"),
        ("[ReLU]", "[LeakyReLU: 0.1]", "~ 0 negative_slope – → 0.1"),
        ("[Dropout]", "[Dropout: {inplace: true}]", "~ 0 inplace false → true"),
        ("{a: [Linear: 8, ReLU, Tanh]}", "{b: [Linear: 8, ReLU, Tanh]}", "→ a → b 3 layers"),
        ("{a: ReLU, b: Tanh}", "{a: ReLU, c: Tanh}", "→ b → c"),
        ("{a: ReLU, b: ReLU}", "{a: ReLU, b: {Reuse: a}}", "~ b reuses – → a"),
        ("{a: ReLU, b: {Reuse: a}}", "{a: ReLU, b: ReLU}", "~ b reuses a → –"),
        ("{a: ReLU, b: {Reuse: a}}", "{c: ReLU, b: {Reuse: c}}", "→ a → c"),
    ],
)
def test_lines(before: str, after: str, expected: str) -> None:
    """What has a name is the same by it; in a list a layer is replaced by one of its family."""
    texts = [f"input: [8]\nlayers: {layers}\n" for layers in (before, after)]
    assert ", ".join(shown(between(texts[0], texts[1]))) == expected


BRANCHES = """
input: [8]
layers:
  a: {Linear: 8}
  b: {Linear: 8}
  c: {Linear: {out_features: 8}, inputs: a}
  sum: {Add, inputs: [b, c]}
"""


def test_layers_that_move_into_the_place_of_a_block() -> None:
    """Do not get the type of the block; several members that move together have no type."""
    text = """
        input: [4]
        blocks: {Head: {layers: [{Linear: 4}, Tanh]}}
        layers: [ReLU, {Head, when: true}, Sigmoid, Dropout, Softplus]
    """
    changes = between(text, text.replace("when: true", "when: false"))
    found = [(line.kind, line.name, line.type) for line in render.lines(changes)]
    assert found == [("removed", "1", "Head"), ("moved", "2…4 → 1…3", "")]


def test_other_inputs() -> None:
    """A layer that reads another one is changed; one that reads what was put between is not."""
    other = BRANCHES.replace("[b, c]", "[a, c]")
    assert shown(between(BRANCHES, other)) == ["~ sum inputs b and c → a and c"]
    put_between = BRANCHES.replace("[b, c]", "[d, c]").replace(
        "  sum", "  d: {ReLU, inputs: b}\n  sum"
    )
    assert shown(between(BRANCHES, put_between)) == ["+ d"]


def test_other_outputs() -> None:
    """Networks that give other layers' results under the same name are not the same."""
    changes = between(BRANCHES + "outputs: {y: b}\n", BRANCHES + "outputs: {y: c}\n")
    assert (changes.layers, changes.rewired, changes.is_empty) == ((), True, False)
    assert ("output", "", "", "from other layers") in render.totals(changes)
    nested = "input: [8]\nlayers: {s: {layers: {a: {Linear: 8}, b: ReLU}, outputs: %s}}\n"
    assert between(nested % "a", nested % "b").rewired
    assert between(nested % "b", nested % "b").is_empty


def test_another_input() -> None:
    """Another input changes shapes, and the tensors that follow from it."""
    changes = between(
        TEXT,
        TEXT.replace("[1, 28, 28]", "[1, 32, 32]", 1).replace(
            "resize: [28, 28]", "resize: [32, 32]"
        ),
    )
    assert shown(changes) == ["~ classifier.1 in_features 400 → 576"]
    assert render.counted(changes) == "4 layers the same · 7 layers with other shapes only"
    assert render.totals(changes)[0] == ("input", "1×28×28", "1×32×32", "")


def test_tensors_that_load_elsewhere() -> None:
    """A tensor whose name is another layer's now is told, though it would load."""
    before = stack_of(["Linear: 8", "Linear: {out_features: 8, bias: false}"])
    after = stack_of(["Linear: 8", "Tanh", "Linear: {out_features: 8, bias: false}"])
    assert render.moves(diff(before, after)) == [("1.weight", "2.weight", "")]
    again = render.moves(diff(stack_of(["Linear: 8"] * 3), stack_of(["Tanh", *["Linear: 8"] * 3])))
    assert again == [
        ("0.*", "1.*", ""),
        ("1.*", "2.*", ", but would load into another layer"),
        ("2.*", "3.*", ", but would load into another layer"),
    ]


def test_the_letters_of_a_formula() -> None:
    """The names of a formula's inputs stand only in it, and their order says nothing."""
    text = "inputs: {a: [4], b: [4]}\nlayers:\n  - Formula: %s\n    inputs: %s\n"
    before = text % ("1 + p * exp(-q)", "{p: a, q: b}")
    assert between(before, text % ("1+v*exp(-u)", "{u: b, v: a}")).is_same_network
    changes = between(before, text % ("1 + p * exp(-q)", "{p: b, q: a}"))
    assert kinds(changes) == ["changed"]
    assert kinds(between(before, text % ("1 + p * exp(q)", "{p: a, q: b}"))) == ["changed"]
