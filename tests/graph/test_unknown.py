"""Values that are not known: a fault says why, and no layer is left out without one."""

from __future__ import annotations

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.graph.graph import Graph, stacks
from netbuild.syntax.parser import from_bytes

TWO = "inputs: {x: [4], y: [4]}\n"


def graph(text: str) -> Graph:
    """Return the graph of a text."""
    return infer(read(from_bytes("net.yaml", text.encode())))


@pytest.mark.parametrize(
    "member",
    [
        "{Parameter: {shape: $in_shape}}",
        "{Parameter: [$in_features]}",
        "{Parameter: [4], repeat: $in_channels}",
        "{Parameter: [4], when: $(in_features == 4)}",
        "{Parameter: [4], init: {constant_: $in_features}}",
        "{Parameter: [$in_features], repeat: 2}",
        "{layers: [{Parameter: [4]}], inputs: $in_features}",
        "$in_shape",
    ],
)
def test_the_shape_of_no_input(member: str) -> None:
    """Nothing stands before the first layer, and the network has two inputs."""
    found = graph(f"{TWO}layers:\n  p: {member}\n  a: {{Add, inputs: [x, y]}}\n")
    assert [fault.code for fault in found.diagnostics if fault.code != "NB302"] == ["NB110"]
    assert "no input is known here" in str(found.diagnostics[0].label)
    assert found.block is None


def test_a_parameter_after_a_layer() -> None:
    """It knows the shape of the result before it."""
    found = graph(
        f"{TWO}layers:\n  a: {{Linear: 3, inputs: x}}\n  p: {{Parameter: {{shape: $in_shape}}}}\n"
        "  s: {Multiply, inputs: [a, p]}\n  t: {Linear: 3, inputs: y}\n"
        "  u: {Add, inputs: [s, t]}\n"
    )
    assert found.tensors["p"] == (1, 3)
    assert found.diagnostics == ()


def test_a_single_number_has_no_channels() -> None:
    """An input of one number for each sample has a shape without sizes."""
    (fault,) = graph("input: []\nlayers: [{Unsqueeze: 1}, {Parameter: [1]}]\n").diagnostics[:1]
    assert fault.code == "NB302"
    (fault,) = graph("input: []\nlayers: [{Unsqueeze: $in_channels}]\n").diagnostics
    assert fault.label == "in_channels is a size of the input, and the input is one number"


def test_inputs_know_no_shape() -> None:
    """The shape is the shape of what they name, also in a stack inside the network."""
    text = "input: [4]\nlayers:\n  s: {a4: ReLU, b: {ReLU, inputs: a$in_features}}\n"
    assert [fault.code for fault in graph(text).diagnostics] == ["NB110"]


def test_a_fault_beside_the_outputs() -> None:
    """The network has its outputs, but it is not whole, and nothing walks through it."""
    found = graph("input: [24]\nlayers:\n  a: ReLU\n  b: [3]\noutputs: {y: a}\n")
    assert [fault.code for fault in found.diagnostics] == ["NB108"]
    assert (found.block, stacks(found)) == (None, {})


def test_a_fault_above_the_layers() -> None:
    """Lints wait for a whole network, also if the fault stands in `vars` or `inputs`."""
    found = graph("input: [4]\nvars: {v: $w}\nlayers: {a: ReLU, b: {Linear: $v}}\noutputs: a\n")
    assert [fault.code for fault in found.diagnostics] == ["NB110"]
    assert found.block is None


def test_a_budget_of_a_part() -> None:
    """While a layer is missing, sums and names of weights are not compared."""
    text = (
        "input: [24]\nlayers:\n  a: {Linear: 3}\n  b: [{Linaer: 3}]\noutputs: a\n"
        "budget: {params: 1}\ninit: [{match: b.0, normal_: {}}]\n"
    )
    assert [fault.code for fault in graph(text).diagnostics] == ["NB103"]


def test_an_index_after_a_fault_of_the_inputs() -> None:
    """The repeated layer has an index, although its inputs are not known."""
    text = "input: [4]\nlayers:\n  a: {Linear: $(3 + index), repeat: 2, inputs: nothing}\n"
    assert [fault.code for fault in graph(text).diagnostics] == ["NB213"]
