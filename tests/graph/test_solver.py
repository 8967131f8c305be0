"""Fixes of shape faults: each, applied to the text, makes a network that validates and builds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import torch

from netbuild.builder import module as builder
from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import errors
from netbuild.syntax.parser import from_bytes
from tests.components.layers import FAMILIES
from tests.components.layers.contract import text_of_case

if TYPE_CHECKING:
    from netbuild.diagnostics.diagnostic import Fix
    from netbuild.graph.graph import Graph

#: Networks with one fault each, and the titles of the fixes that are offered.
NETWORKS = """
# window
input: [1, 5, 5]
layers:
  - Conv2d: {out_channels: 16, kernel_size: 7}
= padding: 1 gives 16×1×1, or kernel_size: 5 gives 16×1×1

# window of one axis
input: [1, 9, 3]
layers:
  - Conv2d:
      out_channels: 2
      kernel_size: [3, 5]
= padding: 1 gives 2×9×1, or kernel_size: [3, 3] gives 2×7×1

# bare window
input: [1, 4, 4]
layers: [MaxPool2d: 6]
= padding: 1 gives 1×1×1, or kernel_size: 4 gives 1×1×1

# groups
input: [12, 8, 8]
layers: [Conv2d: {out_channels: 20, kernel_size: 3, groups: 5}]
= groups: 4 gives 20×6×6

# rank
input: [3, 8, 8]
layers:
  - Conv1d: {out_channels: 4, kernel_size: 3}
  - ReLU
= Conv2d gives 4×6×6

# norm behind a flatten
input: [3, 8, 8]
layers: [Flatten, BatchNorm2d]
= BatchNorm1d gives 192

# features of a picture
input: [3, 8, 8]
layers:
  - Conv2d: {out_channels: 4, kernel_size: 1}
  - Linear: {in_features: 256, out_features: 10}  # a head
= Flatten before this layer gives 10, or in_features: 8 gives 4×8×10

# in a flow list
input: [3, 8, 8]
layers: [ReLU, Linear: {in_features: 192, out_features: 10}]
= Flatten before this layer gives 10, or in_features: 8 gives 3×8×10

# by name
input: [3, 8, 8]
layers:
  act: ReLU
  head: {BatchNorm1d: {momentum: 0.2}}
= Flatten before this layer gives 192, or BatchNorm2d gives 3×8×8

# the batch axis
input: [3, 8, 8]
layers: [{Flatten: {start_dim: 0}}]
= start_dim: 1 gives 192

# sizes
input: [400]
layers: [Unflatten: {dim: 1, unflattened_size: [16, 6, 6]}]
= unflattened_size: [16, 5, 5] gives 16×5×5

# whole numbers
input: [16]
layers: [Embedding: {num_embeddings: 9, embedding_dim: 4}]
= dtype: int64 for the input gives 16×4

# whole numbers by name
inputs: {x: {shape: [16], dtype: int64}, y: [16]}
layers: {a: {Linear: 4, inputs: x}, b: {Linear: 4, inputs: y}}
= dtype: float32 for x gives 4

# in place
input: [3, 8, 8]
layers:
  - Conv2d: {out_channels: 3, kernel_size: 1}
  - Sigmoid
  - ReLU: {inplace: true}
= inplace: false gives 3×8×8

# branches
input: [3, 8, 8]
layers:
  left: {Conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}
  right: {Conv2d: {out_channels: 6, kernel_size: 3, padding: 1}, inputs: input}
  norm: BatchNorm2d
  add: {Add, inputs: [left, norm]}
= out_channels: 6 in left gives 6×8×8, or out_channels: 4 in right gives 4×8×8

# a pool of one pixel
input: [3, 1, 1]
layers: [MaxPool2d: 2]
= padding: 1 gives 3×1×1

# a pool that has nothing else
input: [7, 1, 4]
layers: [LPPool2d: {norm_type: 2, kernel_size: 2}]
= kernel_size: 1 gives 7×1×4

# a dilated window
input: [3, 4, 4]
layers: [Conv2d: {out_channels: 8, kernel_size: 3, dilation: 4}]
= padding: 3 gives 8×2×2, or dilation: 1 gives 8×2×2, or kernel_size: 1 gives 8×4×4

# a flatten of one axis
input: [4, 4, 4]
layers: [Flatten: {start_dim: 4}]
= start_dim: 2 gives 4×16

# an axis swapped with itself
input: [4, 5, 6]
layers: [Transpose: {dim0: 3, dim1: 4}]
= dim1: 2 gives 4×6×5

# pixels of other channels
input: [3, 8, 8]
layers:
  conv: {Conv2d: {out_channels: 3, kernel_size: 3}}
  up: {PixelShuffle: 2}
= out_channels: 4 in conv gives 1×12×12

# branches of other strides
input: [3, 8, 8]
layers:
  left: {Conv2d: {out_channels: 4, kernel_size: 3, stride: 2, padding: 1}}
  right: {Conv2d: {out_channels: 6, kernel_size: 1}, inputs: input}
  cat: {Concat, inputs: [left, right]}
= stride: 1 in left gives 10×8×8, or stride: 2 in right gives 10×4×4
"""
CASES = re.findall(r"# (.*)\n((?:.+\n)*?)= (.*)\n", NETWORKS)


def found(text: str) -> Graph:
    """Return what netbuild infers of a text, faults included."""
    return infer(read(from_bytes("net.yaml", text.encode())))


def applied(text: str, fix: Fix) -> str:
    """Return a text with the edits of a fix, by plain slicing."""
    lines = text.splitlines(keepends=True)
    starts = [sum(map(len, lines[:n])) for n in range(len(lines) + 1)]
    places = [
        (
            starts[e.span.line - 1] + e.span.column - 1,
            starts[e.span.end_line - 1] + e.span.end_column - 1,
            e.text,
        )
        for e in fix.edits
    ]
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def builds(text: str) -> list[tuple[int, ...]]:
    """Return the shapes that torch gives for a text without faults."""
    graph = found(text)
    assert errors(graph.diagnostics) == [], text
    with torch.device("meta"):
        module = builder.module(graph)
        x = [
            torch.zeros(2, *x.shape, dtype=getattr(torch, x.dtype))
            for x in graph.config.inputs.values()
            if x
        ]
        y: Any = module(*x)
    return [tuple(part.shape[1:]) for part in (y if isinstance(y, tuple) else (y,))]


@pytest.mark.parametrize(
    ("text", "titles"), [pytest.param(*rest, id=name) for name, *rest in CASES]
)
def test_fixes(text: str, titles: str) -> None:
    """The nearest few are offered, with the shapes that they really give."""
    (fault,) = errors(found(text).diagnostics)
    assert dict(fault.notes)["fix"] == titles == ", or ".join(fix.title for fix in fault.fixes)
    for fix in fault.fixes:
        last = builds(applied(text, fix))[-1]
        assert fix.title.endswith(f" gives {'×'.join(map(str, last))}")


def test_all_networks_are_tried() -> None:
    """None is lost between the lines."""
    assert len(CASES) == NETWORKS.count("\n# ") == 22


def test_the_literal_behind_an_expression() -> None:
    """The edit of an expression goes to the literal that gives it its value."""
    text = "input: [1, 5, 5]\nvars: {k: 7}\nlayers: [Conv2d: {out_channels: 2, kernel_size: $k}]\n"
    (fault,) = found(text).diagnostics
    padding, size = fault.fixes
    assert padding.title == "padding: 1 gives 2×1×1"
    assert size.title == "kernel_size: 5 gives 2×1×1, in line 2"
    (edit,) = size.edits
    assert (edit.span[1:], edit.text) == ((2, 11, 2, 12), "5")


@pytest.mark.parametrize(
    ("input_", "layer"),
    [
        ("[3, 8, 8]", "PixelShuffle: 2"),
        ("[7, 4, 4]", "ChannelShuffle: 2"),
        ("[64]", "Unflatten: {dim: 1, unflattened_size: [3, 5, 5]}"),
    ],
)
def test_nothing_is_offered(input_: str, layer: str) -> None:
    """A layer that would do nothing, or a size of -1 that nobody has written, is no fix."""
    (fault,) = found(f"input: {input_}\nlayers: [{layer}]\n").diagnostics
    assert fault.fixes == ()


BROKEN = 97  # what is added to a number so that it fits nothing


def broken() -> list[tuple[str, str]]:
    """Return files of one layer each of which one number is far too large."""
    texts = []
    for family in FAMILIES.values():
        for row in family.rows:
            for field, value in row.fields.items():
                if type(value) is int:
                    case = row.case._replace(fields={**row.fields, field: value + BROKEN})
                    texts.append((f"{row.type}.{field}", text_of_case(case)))
    return texts


@pytest.mark.slow
def test_fixes_of_any_layer() -> None:
    """Whatever number of whatever layer is wrong, what is offered validates and runs in torch."""
    tried = 0
    for name, text in broken():
        faults = errors(found(text).diagnostics)
        if len(faults) != 1 or not faults[0].code.startswith("NB2"):
            continue
        for fix in faults[0].fixes:
            shapes = builds(applied(text, fix))
            assert fix.title.endswith(f" gives {'×'.join(map(str, shapes[0])) or 'scalar'}"), name
            tried += 1
    assert tried > 100
