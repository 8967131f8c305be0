"""What is left out, what is used again, tensors of a stack, and names of items."""

from __future__ import annotations

import json

import torch

from netbuild.builder.module import module as build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports.summary import as_json
from netbuild.syntax.parser import from_bytes
from tests.graph.blocks import SIAMESE, TOKENS, graph


def test_left_out_it_means_its_input() -> None:
    """What `when` leaves out takes no position, and whoever reads it reads what it would have."""
    text = """
input: [4]
vars: {deep: false}
layers:
  - Linear: 4
  - {Linear: 4, when: $deep, name: extra}
  - {Linear: 3, name: here}
  - {Linear: 5, when: $deep, inputs: input, name: side}
  - ReLU
  - {Linear: 2, inputs: extra}
"""
    rows = graph(text).rows
    assert [row.path for row in rows] == ["0", "here", "2", "3"]
    assert [row.sources[0].path for row in rows] == ["", "0", "", "0"]
    assert len(graph(text.replace("false", "true")).rows) == 6


def test_left_out_it_hides_an_input_of_its_name() -> None:
    """A name means the member above and not the input, whether the member is built or left out."""
    text = """
inputs: {x: [4], y: [6]}
layers:
  s:
    inputs: {a: x, b: y}
    layers: {b: {SELU, inputs: a, when: false}, c: {Tanh, inputs: b}}
"""
    assert [row.output.shape for row in graph(text).rows] == [(4,)]
    assert [row.output.shape for row in graph(text.replace("false", "true")).rows] == [(4,), (4,)]


def test_a_stack_of_nothing_is_the_identity() -> None:
    """A stack whose members are all left out gives what it is given."""
    found = graph("input: [4]\nlayers: {a: [{ReLU, when: false}], b: {Linear: 2}}")
    module = build(found)
    assert len(module.a) == 0
    assert module(torch.ones(3, 4)).shape == (3, 2)


def test_what_is_used_again_counts_once() -> None:
    """Its weights are listed once; its multiplications and its memory as often as it runs."""
    found = graph(SIAMESE)
    alone = graph(SIAMESE.replace("  same: {Reuse: encoder, inputs: other}\n", "").replace(
        "[encoder, same]", "encoder"
    ))  # fmt: skip
    assert found.params == alone.params
    assert found.macs == 2 * alone.macs
    listed = json.loads(as_json(found))["layers"]
    assert [row.get("reuses") for row in listed] == [None] * 4 + [f"encoder.{n}" for n in range(4)]
    assert [row["params"] for row in listed[4:]] == [0] * 4
    assert set(build(found).state_dict()) == set(build(alone).state_dict())


def test_a_tensor_of_a_stack_is_a_parameter() -> None:
    """It has the member's name, a batch axis that repeats, and begins as it is told."""
    module = build(graph(TOKENS))
    assert {k: tuple(v.shape) for k, v in module.named_parameters()} == {
        "class_token": (1, 1, 8),
        "position": (1, 7, 8),
        "scale": (7, 8),
    }
    assert not module.class_token.any()
    assert 0.01 < module.position.std() < 0.03
    assert (module.scale == 1).all()
    x = torch.randn(2, 6, 8)
    tokens = torch.cat([module.class_token.expand(2, -1, -1), x], 1)
    torch.testing.assert_close(module(x), ((tokens + module.position) * module.scale)[:, 0])


def test_names_may_hold_the_index() -> None:
    """What is repeated in a list has one name each, where its name holds `index`."""
    text = """
input: [4]
layers:
  - {Linear: 4, name: "layer$(index + 1)", repeat: 2}
  - ReLU
  - {Linear: 3, inputs: layer2}
"""
    rows = graph(text).rows
    assert [row.path for row in rows] == ["layer1", "layer2", "2", "3"]
    assert rows[3].sources[0].path == "layer2"
    again = text.replace("layer$(index + 1)", "l$(index // 2)")
    found = infer(read(from_bytes("network.yaml", again.encode())))
    assert [fault.code for fault in found.diagnostics][:1] == ["NB109"]


def test_names_may_hold_a_hyphen() -> None:
    """As torch's may: `forward` reads them by `getattr`."""
    text = """
input: [4]
layers:
  - {Linear: 4, name: "block-$(index)", repeat: 2}
  - {LSTM: 4, when: false, name: no-lstm}
  - {Add, inputs: [block-0, block-1], name: sum-of-both}
  - {Parameter: {shape: [4]}, name: layer-scale}
  - {Multiply, inputs: [sum-of-both, layer-scale]}
"""
    module = build(graph(text))
    assert set(module.state_dict()) == {
        *("layer-scale", "block-0.weight", "block-0.bias", "block-1.weight", "block-1.bias")
    }
    assert module(torch.ones(3, 4)).shape == (3, 4)


def test_a_table_may_hold_items() -> None:
    """A row of a list is picked by the index, and its items stand for themselves."""
    text = """
input: [8]
vars: {leaky: {LeakyReLU: 0.1}, rows: [[16, $leaky], [4, Tanh], [2, [ReLU, Dropout]]]}
blocks: {Dense: {params: {width, act}, layers: [Linear: $width, $act]}}
layers:
  - {Dense: {width: "$(rows[index][0])", act: "$(rows[index][1])"}, repeat: $(len(rows))}
"""
    types = ["Linear", "LeakyReLU", "Linear", "Tanh", "Linear", "ReLU", "Dropout"]
    assert [row.type for row in graph(text).rows] == types
