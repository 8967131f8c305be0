"""The memory of a training step, and what a layer may overwrite: netbuild against torch."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml
from torch.utils.flop_counter import FlopCounterMode

from netbuild.builder.module import build
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports.explanation.memory import kept
from netbuild.syntax.parser import from_bytes
from tests.graph import memory_fuzz
from tests.graph.kept_bytes import KEPT

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph


def network(text: str) -> Graph:
    """Return the network of a text, with its faults."""
    return infer(read(from_bytes("network.yaml", text.encode())))


@pytest.mark.parametrize(("text", "expected"), KEPT.values(), ids=KEPT)
def test_kept_bytes(text: str, expected: int) -> None:
    """They are the ones counted by hand, and torch keeps as many."""
    graph = network(text)
    assert graph.activations_bytes == expected
    drawn = memory_fuzz.drawn_of(graph, text)
    more, less = (memory_fuzz.torch_keeps(graph, drawn, batch) for batch in (3, 2))
    assert more - less == expected
    assert sum(count.total for count in kept(graph).values()) == expected


def test_a_gru_keeps_the_result_of_a_gru_itself() -> None:
    """It lies by steps in memory, as the second one needs it; the first copies for each direction.

    16 steps of 64 values: two copies, and the values of the first one once. A cell has 7 numbers a
    step for each of 32 values, without the last state, and its first state.
    """
    gru = {"GRU": {"hidden_size": 32, "bidirectional": True}}
    graph = network(yaml.safe_dump({"input": [16, 64], "layers": [gru, gru]}))
    cells = 4 * ((7 * 16 - 1) * 32 + 32)
    assert graph.activations_bytes == 4 * (3 * 16 * 64 + cells) == 69_632


#: Layers that overwrite their input, and the reason why torch refuses them; "" where it runs.
IN_PLACE = {
    "the base of a Chunk": (
        """
input: [4]
layers:
  l: {Linear: 8}
  c: {Chunk: 2}
  r: {ReLU: {inplace: true}, inputs: l}
  g: {Multiply, inputs: [c, c.1]}
  a: {Concat, inputs: [r, g]}
""",
        "the layer overwrites its input, and g reads c.0, a part of it, after this",
    ),
    "the base of a Chunk that is an output": (
        """
input: [4]
layers:
  l: {Linear: 8}
  c: {Chunk: 2}
  r: {ReLU: {inplace: true}, inputs: l}
outputs: {r: r, part: c.1}
""",
        "the layer overwrites its input, and an output reads c.1, a part of it, after this",
    ),
    "the base of a Chunk that nothing reads any more": (
        """
input: [4]
layers:
  l: {Linear: 8}
  c: {Chunk: 2}
  g: {Add, inputs: [c, c.1]}
  r: {ReLU: {inplace: true}, inputs: l}
outputs: {r: r, g: g}
""",
        "",
    ),
    "the base of a Select": (
        """
input: [4, 2]
layers:
  l: {Linear: 8}
  s: {Select: {dim: 1, index: 0}}
  r: {ReLU: {inplace: true}, inputs: l}
  g: {GELU: {}, inputs: s}
outputs: {r: r, g: g}
""",
        "",
    ),
    "another part of a tensor that is needed": (
        """
input: [4, 2]
layers:
  l: {Linear: 8}
  s: {Select: {dim: 1, index: 0}}
  g: GELU
  t: {Select: {dim: 1, index: 1}, inputs: l}
  r: {ReLU: {inplace: true}}
outputs: {r: r, g: g}
""",
        "the layer overwrites its input, which the backward pass of g needs",
    ),
    "what a GRU behind a GRU needs": (
        """
input: [6, 8]
layers:
  a: {GRU: 8}
  b: {GRU: 8}
  d: {Dropout: {inplace: true}, inputs: a}
  s: {Add, inputs: [b, d]}
""",
        "the layer overwrites its input, which the backward pass of b needs",
    ),
    "what a GRU has copied": (
        """
input: [6, 8]
layers:
  a: {Linear: 8}
  b: {GRU: 8}
  d: {Dropout: {inplace: true}, inputs: a}
  s: {Add, inputs: [b, d]}
""",
        "",
    ),
    "what attention behind attention needs": (
        """
input: [6, 8]
layers:
  a: {MultiheadAttention: 2}
  b: {MultiheadAttention: 2}
  d: {ReLU: {inplace: true}, inputs: a}
  s: {Add, inputs: [b, d]}
""",
        "the layer overwrites its input, which the backward pass of b needs",
    ),
    "what a norm at the start of a transformer needs": (
        """
input: [6, 8]
layers:
  a: {Linear: 8}
  b: {TransformerEncoderLayer: {nhead: 2, norm_first: true}}
  d: {ReLU: {inplace: true}, inputs: a}
  s: {Add, inputs: [b, d]}
""",
        "the layer overwrites its input, which the backward pass of b needs",
    ),
    "what comes before the first layer that learns": (
        """
input: {shape: [6], dtype: int64}
layers:
  e: {Embedding: {num_embeddings: 9, embedding_dim: 4}, freeze: true}
  s: Sigmoid
  r: {ReLU: {inplace: true}}
  h: {Linear: 2}
""",
        "",
    ),
    "parts before the first layer that learns": (
        "input: [4]\nlayers: [{Chunk: 2}, {ReLU: {inplace: true}}, {Linear: 2}]",
        "",
    ),
    "the input of a product with a constant": (
        """
inputs: {x: [4], mask: [4]}
layers:
  l: {Linear: 4, inputs: x}
  m: {Multiply, inputs: [l, mask]}
  r: {ReLU: {inplace: true}, inputs: l}
outputs: {r: r, m: m}
""",
        "",
    ),
    "the constant of a product": (
        """
inputs: {x: [4], mask: [4]}
layers:
  l: {Linear: 4, inputs: x}
  m: {Multiply, inputs: [l, mask]}
  r: {ReLU: {inplace: true}, inputs: mask}
outputs: {r: r, m: m}
""",
        "the layer overwrites its input, which the backward pass of m needs",
    ),
    "what only a layer without a reader needs": (
        """
input: [4]
layers:
  l: {Linear: 4}
  unread: {Linear: 2}
  r: {ReLU: {inplace: true}, inputs: l}
""",
        "",
    ),
    "a copy of repeated values": (
        """
input: [1, 4]
layers: [Linear: 4, Expand: {sizes: [3, 4]}, Flatten, {ReLU: {inplace: true}}]
""",
        "",
    ),
    "a parameter": (
        """
input: [4]
layers:
  p: {Parameter: {shape: [4]}}
  r: {ReLU: {inplace: true}}
  s: {Add, inputs: [r, input]}
""",
        "the layer overwrites a Parameter or a Constant, which keeps its values",
    ),
}


@pytest.mark.parametrize(("text", "expected"), IN_PLACE.values(), ids=IN_PLACE)
def test_overwriting(text: str, expected: str) -> None:
    """NB211 speaks where torch refuses a step, and is silent where torch runs it."""
    graph = network(text)
    said = [fault.label for fault in graph.diagnostics if fault.code == "NB211"]
    assert said == ([expected] if expected else [])
    drawn = memory_fuzz.drawn_of(graph, text)
    assert memory_fuzz.disagreement(drawn)[1] == ""


def test_the_fault_of_a_repeated_layer_is_at_its_line() -> None:
    """In a stack, a block or a Reuse the fix changes the layer itself."""
    text = """
input: [4]
blocks:
  Block:
    params: []
    layers: [Linear: 4, Sigmoid, {ReLU: {inplace: true}}]
layers: [Block, Block]
"""
    (fault,) = network(text).diagnostics
    assert (fault.code, fault.span.line, fault.layer) == ("NB211", 6, "0.2")
    assert fault.fixes[0].title == "inplace: false gives 4, in each Block"


PRODUCT = {"MatMul": {}, "inputs": ["input", "input"]}
LINEAR = {"Linear": 2, "inputs": "input"}


@pytest.mark.parametrize(
    ("layers", "built"),
    [
        ({"m": PRODUCT, "l": LINEAR}, 1),
        ({"m": PRODUCT, "s": {"Softmax": -1}, "l": LINEAR}, 3),
        ({"i": {"layers": {"m": PRODUCT, "n": {**PRODUCT, "inputs": ["m", "m"]}, "l": LINEAR}}}, 1),
    ],
    ids=["an operation", "a module reads it", "in a stack"],
)
def test_what_is_not_built_has_no_multiplications(layers: Any, built: int) -> None:
    """An operation without a reader is left out; a module is called, and so is what it reads."""
    graph = network(yaml.safe_dump({"input": [16, 16], "layers": layers}, sort_keys=False))
    assert sum(row.is_built for row in graph.rows) == built
    module = build(graph.config)
    with FlopCounterMode(display=False) as counter:
        module(torch.rand(1, 16, 16))
    assert 2 * graph.macs == counter.get_total_flops()


@pytest.mark.parametrize("seed", range(8))
def test_random_networks(seed: int) -> None:
    """Torch keeps the bytes that netbuild says, and refuses what NB211 refuses."""
    assert_agreement(seed, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 108))
def test_more_random_networks(seed: int) -> None:
    """The same for more networks."""
    assert_agreement(seed, 75)


def assert_agreement(seed: int, count: int) -> None:
    """Compare random networks with torch."""
    rng = random.Random(seed)  # noqa: S311  no cryptography
    for _ in range(count):
        drawn = memory_fuzz.draw(rng)
        compared, wrong = memory_fuzz.disagreement(drawn)
        assert wrong == "", f"{compared}: {drawn.text}"
