"""From a config to its rows: names, repetition, expressions and totals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.diagnostics.diagnostic import Document, errors
from netbuild.syntax.parser import parse

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph


def graph(layers: str, shape: str = "[3, 8, 8]", rest: str = "") -> Graph:
    """Infer a network from its layers, written as a flow list or mapping."""
    text = f"input: {shape}\n{rest}\nlayers: {layers}\n"
    return infer(read(parse(Document("net.yaml", text))))


@pytest.mark.parametrize(
    ("layers", "paths"),
    [
        ("[ReLU, Tanh]", ["0", "1"]),
        ("{a: ReLU, b: Tanh}", ["a", "b"]),
        ("{0: ReLU, b2: Tanh}", ["0", "b2"]),
        ("[ReLU, {Tanh, name: t}, ReLU]", ["0", "t", "2"]),
        ("[[ReLU, [Tanh]], {a: {b: ReLU}}]", ["0.0", "0.1.0", "1.a.b"]),
        ("[{ReLU, repeat: 2}, Tanh]", ["0", "1", "2"]),
        ("[{ReLU, repeat: 2, name: act}, Tanh]", ["act.0", "act.1", "1"]),
        ("{act: {ReLU, repeat: 2}, b: Tanh}", ["act.0", "act.1", "b"]),
        ("{act: {ReLU, repeat: 1}}", ["act.0"]),
        ("[{layers: [ReLU, Tanh], repeat: 2}]", ["0.0", "0.1", "1.0", "1.1"]),
        ("{s: {layers: {a: ReLU}, repeat: 2}}", ["s.0.a", "s.1.a"]),
        ("[{layers: [ReLU], name: s}]", ["s.0"]),
        ("{layers: [ReLU]}", ["0"]),
    ],
)
def test_paths(layers: str, paths: list[str]) -> None:
    """Layers are named by index in a list and by key in a mapping, nested with dots."""
    found = graph(layers)
    assert not found.diagnostics
    assert [row.path for row in found.rows] == paths


@pytest.mark.parametrize(
    ("layers", "outputs"),
    [
        ("[Flatten, Linear: $(in_features // 2)]", [(192,), (96,)]),
        (
            "[{Conv2d: {out_channels: $(in_channels * 2), kernel_size: 1}, repeat: 2}]",
            [(6, 8, 8), (12, 8, 8)],
        ),
        ("[Flatten, {Linear: $(w * (index + 1)), repeat: 3}]", [(192,), (4,), (8,), (12,)]),
        ("[Flatten, {Linear: '$(sizes[index])', repeat: $(1 + 1)}]", [(192,), (7,), (9,)]),
        ("[MaxPool2d: '$(in_shape[1] // 4)']", [(3, 4, 4)]),
        ("[$act, {Flatten, name: $label}]", [(3, 8, 8), (192,)]),
    ],
)
def test_expressions(layers: str, outputs: list[tuple[int, ...]]) -> None:
    """Expressions see the variables, the item's own input, and its index within a repeat."""
    found = graph(layers, rest="vars: {w: 4, sizes: [7, 9], act: ReLU, label: flat}")
    assert not errors(found.diagnostics)
    assert [row.output.shape for row in found.rows] == outputs


def test_shapes_are_not_guessed_behind_a_fault() -> None:
    """Behind a fault the shape is unknown: fields are still checked, shapes are not blamed."""
    found = graph(
        "[ReLU, Relu, Conv2d: {out_channels: 3, kernel_size: 99}, Linear: {out_feature: 3}]"
    )
    assert [row.path for row in found.rows] == ["0"]
    assert found.output is None
    assert [(d.code, d.layer) for d in found.diagnostics] == [("NB103", "1"), ("NB104", "3")]


@pytest.mark.parametrize(
    ("layers", "fields"),
    [
        ("[Conv2d: {out_channels: 2, kernel_size: 3}]", [(3, 3)]),
        ("[{Conv2d: {out_channels: 2, kernel_size: 3, padding: 1}, repeat: 3}]", [(7, 7)]),
        ("[MaxPool2d: 2, Conv2d: {out_channels: 2, kernel_size: 3}, ReLU]", [(6, 6)]),
        ("[Conv2d: {out_channels: 2, kernel_size: [3, 1], dilation: 2}]", [(5, 1)]),
        ("[AdaptiveAvgPool2d: 1]", [(8, 8)]),
        ("[AdaptiveAvgPool2d: 3]", [None]),
        ("[Flatten]", [None]),
        ("[Conv2d: {out_channels: 2, kernel_size: 3}, Flatten, Linear: 2]", [None]),
        # One weight a channel is the same everywhere: neighbours still look one apart.
        (
            "[AdaptiveAvgPool2d: 1, {Multiply, inputs: [0, input]}, MaxPool2d: [3, 3]]",
            [(10, 10)],
        ),
    ],
)
def test_receptive_field(layers: str, fields: list[tuple[int, ...] | None]) -> None:
    """The receptive field grows by (k − 1)·d·stride a window, and ends where places are lost."""
    assert [graph(layers).rows[-1].receptive_field] == fields


def test_totals_are_sums() -> None:
    """Totals are the sums over the rows."""
    found = graph("[Conv2d: {out_channels: 4, kernel_size: 3}, BatchNorm2d, Flatten, Linear: 10]")
    assert found.params == sum(row.params for row in found.rows) == 112 + 8 + 1450
    assert found.macs == sum(row.macs for row in found.rows) == 4 * 36 * 27 + 1440
    assert found.weights_bytes == 4 * found.params
    assert found.trainable == found.params


def test_a_lint_is_silent_where_there_is_a_fault() -> None:
    """Warnings are about networks that work: beside a fault there is none."""
    assert [d.code for d in graph("[Flatten, Linear: 2, Linear: 3]").diagnostics] == ["NB301"]
    assert [d.code for d in graph("[Flatten, Linear: 2, Linear: 0]").diagnostics] == ["NB106"]
