"""Constants: torch's functions give the same shapes, dtypes and values."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
import torch
from torch import tensor

import netbuild as package
from netbuild.builder import constants, first_values
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.syntax.parser import from_bytes

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph


def network(constant: str, more: str = "") -> Graph:
    """Return a network of one input, a constant with these fields, and more layers."""
    text = f"input: [1]\nlayers:\n  c: {{Constant: {constant}}}\n{more}"
    return infer(read(from_bytes("net.yaml", text.encode())))


#: The fields of a constant, and its value.
VALUES = {
    "2": tensor(2),
    "0.5": tensor(0.5),
    "true": tensor(True),
    "[1, 2]": tensor([1, 2]),
    "[[1, 2.5], [true, -.inf]]": tensor([[1, 2.5], [1, -torch.inf]]),
    "[[[1, 2]], [[3, 4]]]": tensor([[[1, 2]], [[3, 4]]]),
    "{value: [0, 2], dtype: bool}": tensor([False, True]),
    "{value: [0, 255], dtype: uint8}": tensor([0, 255], dtype=torch.uint8),
    "{value: [1, 2], dtype: float32}": tensor([1.0, 2.0]),
    "{arange: 5}": torch.arange(5),
    "{arange: [5]}": torch.arange(5),
    "{arange: [2, 7, 2]}": torch.arange(2, 7, 2),
    "{arange: [7, 2, -2]}": torch.arange(7, 2, -2),
    "{arange: [0, 1, 0.1]}": torch.arange(0, 1, 0.1),
    "{arange: [-1, 1.5, 0.3]}": torch.arange(-1, 1.5, 0.3),
    "{arange: 4, dtype: float32}": torch.arange(4, dtype=torch.float32),
    "{arange: 4.0}": torch.arange(4.0),
    "{linspace: [-1, 1, 5]}": torch.linspace(-1, 1, 5),
    "{linspace: [3, 1, 1]}": torch.linspace(3, 1, 1),
    "{linspace: [0, 9, 4], dtype: int64}": torch.linspace(0, 9, 4, dtype=torch.int64),
    "{logspace: [0, 2, 3]}": torch.logspace(0, 2, 3),
    "{logspace: [0, -8, 8, 2]}": torch.logspace(0, -8, 8, 2),
    "{logspace: [0, 38, 2]}": torch.logspace(0, 38, 2),
    "{eye: 3}": torch.eye(3),
    "{eye: [2, 3], dtype: bool}": torch.eye(2, 3, dtype=torch.bool),
    "{eye: 1}": torch.eye(1),
    "{ones: [2, 3]}": torch.ones(2, 3),
    "{ones: []}": torch.ones([]),
    "{zeros: 4, dtype: int32}": torch.zeros(4, dtype=torch.int32),
    "{full: [[2, 2], -.inf]}": torch.full((2, 2), -torch.inf),
    "{full: [3, 7]}": torch.full((3,), 7),
    "{full: [[], true]}": torch.full([], True),
}


@pytest.mark.parametrize(("fields", "expected"), VALUES.items(), ids=VALUES)
def test_values(fields: str, expected: torch.Tensor) -> None:
    """The shape, the dtype and the range are known, and each sample gets the value."""
    graph = network(fields)
    (row,) = graph.rows
    assert graph.output == (tuple(expected.shape), str(expected.dtype).removeprefix("torch."))
    assert graph.constants_bytes == expected.nbytes
    assert torch.equal(constants.values(graph)["c"], expected)
    known = row.layer.range()
    assert known is not None
    ends = tensor([known.least, known.most], dtype=torch.float)
    torch.testing.assert_close(ends, torch.stack([expected.min(), expected.max()]).float())
    module = package.build(graph.config)
    assert torch.equal(module(torch.ones(3, 1)), expected.expand(3, *expected.shape))
    assert module.state_dict() == {}


#: The fields of a constant, and what the fault says.
FAULTS = {
    "{}": (
        "NB105",
        "it needs one of value, arange, linspace, logspace, eye, ones, zeros, full, or",
    ),
    "[1, [2]]": ("NB106", "value wants lists of one length on each axis"),
    "[]": ("NB106", "value wants a number, or lists of numbers"),
    "[[]]": ("NB106", "value wants a number, or lists of numbers"),
    "one": ("NB106", "value wants a number, or lists of numbers"),
    ".nan": ("NB008", ""),
    "1.0e+39": ("NB106", "value wants float32 numbers"),
    "{value: [[[[[[[1]]]]]]]}": ("NB106", "with at most 6 axes"),
    "{ones: 2, arange: 3}": ("NB106", "ones wants null beside arange: one field gives"),
    "{arange: [1, 1]}": ("NB106", "arange wants numbers with at least one value"),
    "{arange: [1, 5, -1]}": ("NB106", "arange wants numbers with at least one value"),
    "{arange: [1, 5, 0]}": ("NB106", "arange wants numbers with at least one value"),
    "{arange: [1, 2, 3, 4]}": ("NB106", "arange wants end, or [start, end]"),
    "{arange: 4, dtype: bool}": ("NB106", "dtype wants a dtype of numbers: torch has no arange"),
    "{arange: 4.5, dtype: int64}": ("NB106", "dtype wants float32 for arange with fractions"),
    "{value: 256, dtype: uint8}": ("NB106", "dtype wants a dtype that holds 256"),
    "{linspace: [0, 1, 0]}": ("NB106", "linspace wants a whole number of at least 1 as its third"),
    "{linspace: [0, 1, 2.5]}": (
        "NB106",
        "linspace wants a whole number of at least 1 as its third",
    ),
    "{logspace: [0, 400, 5]}": ("NB106", "logspace wants ends within float32"),
    "{logspace: [0, 1000000000, 5]}": ("NB106", "logspace wants ends within float32"),
    "{linspace: [0, 1.0e+39, 5]}": ("NB106", "linspace wants ends within float32"),
    "{arange: [0, 1.0e+39, 1.0e+38]}": ("NB106", "arange wants float32 numbers"),
    "{logspace: [0, 1, 2, -1]}": ("NB106", "logspace wants a base greater than 0"),
    "{eye: [1, 2, 3]}": ("NB106", "eye wants a size, or [rows, columns]"),
    "{full: [2]}": ("NB106", "full wants [sizes, number]"),
    "{zeros: [0]}": ("NB106", "zeros wants a size, or a list of sizes"),
    "{zeros: [2000000000, 2000000000, 4]}": ("NB209", "has too many values"),
    "{arange: [0, 1.0e+30, 1.0e-30]}": ("NB209", "has too many values"),
    "{arange: [0, 1.0e+300, 1.0e-300]}": ("NB106", "arange wants numbers with"),
}


@pytest.mark.parametrize(("fields", "expected"), FAULTS.items(), ids=FAULTS)
def test_faults(fields: str, expected: tuple[str, str]) -> None:
    """A wrong value has a fault at its place."""
    (fault,) = network(fields).diagnostics
    assert fault.code == expected[0]
    assert expected[1] in str(fault.label)


KEPT = """
input: [3]
layers:
  table: {Constant: [[1, 2, 3], [4, 5, 6.5]]}
  s: {inputs: table, layers: {p: Softmax, t: {Constant: {persistent: %s}}, u: Tanh}}
  a: {Select: {dim: 1, index: 0}}
  y: {Add, inputs: [input, a]}
"""


@pytest.mark.parametrize("persistent", ["true", "false"])
def test_the_value_of_an_input(persistent: str) -> None:
    """It is computed when the network is built, also behind the border of a stack."""
    text = KEPT.replace(
        "p: Softmax, t: {Constant: {", "p: {Softmax: 1}, t: {inputs: p, Constant: {"
    )
    graph = infer(read(from_bytes("net.yaml", (text % persistent).encode())))
    module = package.build(graph.config)
    kept = tensor([[1, 2, 3], [4, 5, 6.5]]).softmax(0)
    x = torch.randn(2, 3)
    torch.testing.assert_close(module(x), x + kept[0].tanh())
    unpickled = pickle.loads(pickle.dumps(module))  # noqa: S301  a module of this test
    for one in (module, deepcopy(module), unpickled):
        assert list(one.state_dict()) == (["s.t"] if persistent == "true" else [])
        torch.testing.assert_close(one(x), x + kept[0].tanh())
    buffers = dict(module.named_buffers())
    assert {name: buffers[name] for name, _ in first_values.values(graph)} == buffers


def test_a_persistent_constant_beside_samples() -> None:
    """It is repeated for each sample, also in a module that is unpickled."""
    text = """
input: [2, 3]
layers:
  t: {Constant: {value: [[1, 2, 3]], persistent: true, dtype: float32}}
  c: {Concat, inputs: [t, input]}
"""
    module = package.build(read(from_bytes("net.yaml", text.encode())))
    x = torch.randn(4, 2, 3)
    for one in (module, pickle.loads(pickle.dumps(module))):  # noqa: S301  a module of this test
        one.load_state_dict({"t": tensor([[4.0, 5.0, 6.0]])})
        assert torch.equal(one(x), torch.cat([tensor([[[4.0, 5.0, 6.0]]]).expand(4, 1, 3), x], 1))


def test_an_input_that_changes() -> None:
    """Only values that are known when the network is built are kept."""
    for source in ("input", "p", "l"):
        more = "  p: {Parameter: [1]}\n  l: {Linear: 1, inputs: c}\n"
        more += f"  k: {{Constant, inputs: {source}}}\n"
        (fault,) = network("[1.0]", more).diagnostics
        assert (fault.code, fault.span.line) == ("NB205", 6)
    more = "  k: {Constant: {ones: 2}, inputs: c}\n"
    (fault,) = network("[1.0]", more).diagnostics
    assert fault.label == "it keeps the value of its input, and ones would give another one"


def test_a_reuse_of_a_kept_value() -> None:
    """A module keeps one value; a Reuse with another one would be wrong."""
    stack = (
        "{inputs: {x: input, t: c}, layers: {k: {Constant, inputs: t}, a: {Add, inputs: [x, k]}}}"
    )
    more = f"  s: {stack}\n  d: {{Constant: [2.0]}}\n  r: {{Reuse: s, inputs: {{x: s, t: d}}}}\n"
    (fault,) = network("[1.0]", more).diagnostics
    assert (fault.code, fault.span.line) == ("NB215", 6)
    assert fault.label == "s.k keeps the value that it has in the first call of s"
    own = stack.replace("t: c", "t: input").replace("inputs: t}", "inputs: d}")
    own = own.replace("layers: {k:", "layers: {d: {Constant: [1.0]}, k:")
    within = network("[1.0]", f"  s: {own}\n  r: {{Reuse: s, inputs: {{x: s, t: s}}}}\n")
    assert [fault.code for fault in within.diagnostics] == ["NB302"]  # nothing reads c


#: A constant, and what the fault of an Embedding with 4 rows says.
INDICES = {
    "{arange: 4}": "",
    "{arange: 5}": "it has rows for 0 to 3, and c has numbers up to 4",
    "[[0, 3], [-1, 2]]": "it has rows for 0 to 3, and c has the number -1",
}


@pytest.mark.parametrize(("fields", "expected"), INDICES.items(), ids=INDICES)
def test_indices(fields: str, expected: str) -> None:
    """An Embedding has a row for each number of a constant, also without data."""
    more = "  f: Flatten\n  e: {Embedding: {num_embeddings: 4, embedding_dim: 2}}\n"
    found = [fault for fault in network(fields, more).diagnostics if fault.code == "NB411"]
    assert [fault.label for fault in found] == ([expected] if expected else [])


def test_a_table_with_a_gap_is_not_written_as_one_row() -> None:
    """No fix guesses the number that is missing."""
    text = "input: [4]\nlayers:\n  c: {Constant: [[1, 2], [3]]}\n"
    (fault,) = infer(read(from_bytes("net.yaml", text.encode()))).diagnostics
    assert (fault.code, fault.help, fault.fixes) == ("NB106", None, ())
