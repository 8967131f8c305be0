"""The graph of a text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

SIAMESE = """
inputs: {anchor: [1, 8, 8], other: [1, 8, 8]}
layers:
  encoder:
    inputs: anchor
    layers: [Conv2d: {out_channels: 4, kernel_size: 3}, ReLU, Flatten, Linear: 5]
  same: {Reuse: encoder, inputs: other}
outputs: [encoder, same]
"""

TOKENS = """
input: [6, 8]
layers:
  class_token: {Parameter: {shape: [1, 8]}}
  tokens: {Concat, inputs: [class_token, input]}
  position: {Parameter: {shape: [7, 8]}, init: {normal_: {std: 0.02}}}
  placed: {Add, inputs: [tokens, position]}
  scale: {Parameter: {shape: [7, 8], batch_axis: false}, init: ones_}
  scaled: {Multiply, inputs: [placed, scale]}
  first: {Select: {dim: 1, index: 0}}
"""


def graph(text: str) -> Graph:
    """Return what is inferred of a file without faults."""
    found = infer(read(from_bytes("network.yaml", text.encode())))
    assert [str(fault) for fault in errors(found.diagnostics)] == []
    return found
