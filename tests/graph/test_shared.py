"""Parameters in joins and in stacks: every result has the batch of the network's inputs."""

from __future__ import annotations

import pytest
import torch

import netbuild as package
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

LOOSE = "{Parameter: {shape: [4], batch_axis: false}, init: ones_}"


def built(text: str) -> torch.nn.Module:
    """Return the module of a text."""
    return package.build(read(from_bytes("net.yaml", text.encode())))


def faults(text: str) -> list[tuple[str, int, int]]:
    """Return the code, the line and the column of each fault of a text."""
    found = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    return [(fault.code, fault.span.line, fault.span.column) for fault in found]


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("inputs", ["[p, q]", "[q, p]", "[p, q, p]"])
def test_parameters_that_are_joined_with_each_other(batch: int, inputs: str) -> None:
    """The one with a batch axis is repeated for each sample, and the sum has the batch."""
    text = f"""
input: [4]
layers:
  p: {{Parameter: [4], init: {{constant_: 2}}}}
  q: {LOOSE}
  s: {{Add, inputs: {inputs}}}
  c: {{Concat, inputs: [input, s]}}
"""
    x = torch.randn(batch, 4)
    sum_ = 3.0 if inputs.count(",") == 1 else 5.0
    torch.testing.assert_close(built(text)(x), torch.cat([x, torch.full((batch, 4), sum_)], 1))


@pytest.mark.parametrize("order", ["left: q, right: input", "right: input, left: q"])
def test_a_stack_takes_its_batch_from_an_input_that_has_one(order: str) -> None:
    """Where a Parameter without a batch axis is its first input, the second one decides."""
    text = f"""
input: [5, 4]
layers:
  q: {{Parameter: {{shape: [5, 4], batch_axis: false}}, init: ones_}}
  s:
    inputs: {{{order}}}
    layers:
      p: {{Parameter: [1, 4]}}
      m: {{Multiply, inputs: [left, right]}}
      c: {{Concat, inputs: [m, p]}}
"""
    x = torch.randn(3, 5, 4)
    torch.testing.assert_close(built(text)(x), torch.cat([x, torch.zeros(3, 1, 4)], 1))


def test_a_parameter_that_comes_out_of_a_stack() -> None:
    """It still lacks its batch axis there, so that the other Parameter is repeated."""
    text = f"""
input: [4]
layers:
  s: {{layers: {{a: ReLU, q: {LOOSE}}}, outputs: {{q: q, a: a}}}}
  p: {{Parameter: [4]}}
  t: {{Maximum, inputs: [p, s.q]}}
  c: {{Concat, inputs: [t, s.a]}}
"""
    x = torch.rand(3, 4)
    torch.testing.assert_close(built(text)(x), torch.cat([torch.ones(3, 4), x], 1))


def test_a_stack_that_reads_no_batch() -> None:
    """Nothing says how often its Parameters are repeated."""
    stack = "{inputs: {a: q}, layers: {p: {Parameter: [4]}, s: {Add, inputs: [a, p]}}}"
    text = f"input: [4]\nlayers:\n  q: {LOOSE}\n  s: {stack}\n"
    assert faults(text) == [("NB212", 4, 15)]


def test_a_reuse_without_the_batch_of_its_module() -> None:
    """The module takes its batch from an input that has none in the second call."""
    text = f"""
inputs: {{x: [4], y: [4]}}
layers:
  q: {LOOSE}
  s: {{inputs: {{a: x, b: y}}, layers: {{p: {{Parameter: [4]}}, s: {{Add, inputs: [a, b, p]}}}}}}
  t: {{Reuse: s, inputs: {{a: %s, b: %s}}}}
outputs: [s, t]
"""
    assert faults(text % ("q", "y")) == [("NB215", 6, 7)]
    x, y = torch.randn(2, 3, 4)
    first, second = built(text % ("y", "x"))(x, y)
    assert torch.equal(first, second)
    lacks_left = text.replace("a: x, b: y", "a: q, b: y")
    first, second = built(lacks_left % ("x", "y"))(x, y)
    torch.testing.assert_close(first, 1 + y)
    torch.testing.assert_close(second, x + y)


def test_a_repeated_parameter_reads_nothing() -> None:
    """It needs no input, and takes none of several."""
    text = """
inputs: {x: [4], y: [4]}
layers:
  p: {Parameter: [4], repeat: 2}
  a: {Add, inputs: [x, p, y]}
"""
    x, y = torch.randn(2, 3, 4)
    torch.testing.assert_close(built(text)(x, y), x + y)
