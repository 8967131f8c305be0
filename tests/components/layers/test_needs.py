"""What a layer keeps for its backward pass, by the layouts and gradients of its inputs.

Each row of the tables stands in a network behind layers that move or cut the values in memory, with
and without gradients, and with weights that learn or not.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import torch

from netbuild.builder.module import module
from netbuild.components.tensor import Tensor
from tests.components.layers import FAMILIES
from tests.components.layers.contract import graph_of, torch_may_warn, wires
from tests.graph.memory_fuzz import Drawn, torch_keeps
from tests.tables import hold, over

if TYPE_CHECKING:
    from netbuild.components.tensor import Shape
    from tests.components.layers.contract import Row

#: What a network of two or three samples does not tell, by the type of layer.
EXCUSED = {
    "CrossMapLRN2d": "it keeps its divisor in a variable, which no hook sees",
    "LSTM": "without a projection, oneDNN keeps whole pages of memory",
    "Fold": "its result lies in a larger buffer",
}


def results(row: Row) -> tuple[str, ...]:
    """Return the names of the results of a row's layer."""
    count = len(row.inputs)
    names = ["input"] if count == 1 else [f"in{number}" for number in range(count)]
    item = {**row.config, "inputs": wires(row.type, names, row.names)}
    graph = graph_of([item], *row.inputs)
    return tuple(graph.rows[-1].outputs)


ROWS = [
    row
    for kind, family in FAMILIES.items()
    for row in family.rows
    if row.type == kind
    and row.inputs
    and (kind not in EXCUSED or "proj_size" in row.fields)
    and (row.names or all(x.floating for x in row.inputs))
    and "lengths" not in row.names  # its networks draw numbers that are no lengths
]


LAYOUTS = ("in order", "moved", "channels last", "cut", "by steps")


def before(shape: Shape, layout: str) -> tuple[Shape, list[dict[str, Any]]] | None:
    """Return layers that give this shape in a layout, and the shape that they read."""
    n = len(shape)
    if layout == "in order":
        return shape, []
    if layout == "cut":
        if not n:
            return None
        whole = (shape[0] + 1, *shape[1:])
        return whole, [{"Narrow": {"dim": 1, "start": 1, "length": shape[0]}}]
    if layout == "by steps":
        return (shape, [{"GRU": shape[1]}]) if n == 2 else None
    order = [n - 1, *range(n - 1)] if layout == "channels last" else [*range(1, n), 0]
    if n < 2 or (layout == "moved" and n < 3):
        return None
    source = [0] * n
    for place, axis in enumerate(order):
        source[axis] = shape[place]
    return tuple(source), [{"Permute": {"dims": [0, *(axis + 1 for axis in order)]}}]


def network(
    row: Row, layout: str, *, freeze: bool, gradients: tuple[bool, ...]
) -> tuple[dict[str, Shape], dict[str, Any]] | None:
    """Return the inputs and layers of a network that ends with the layer of a row."""
    inputs: dict[str, Shape] = {}
    layers: dict[str, Any] = {}
    read = []
    for number, (x, gradient) in enumerate(zip(row.inputs, gradients, strict=True)):
        found = before(x.shape, layout) if x.floating else (x.shape, [])
        if found is None and row.names and number:  # a mask of few axes
            found = x.shape, []
        if found is None:
            return None
        inputs[f"in{number}"], items = found
        source = f"in{number}" if len(row.inputs) > 1 else "input"
        for place, item in enumerate(
            [*([{"PReLU": {}}] if gradient and x.floating else []), *items]
        ):
            layers[f"a{number}{place}"] = {**item, "inputs": source}
            source = f"a{number}{place}"
        read.append(source)
    inputs_ = wires(row.type, read, row.names)
    layers["it"] = {row.type: row.fields, "inputs": inputs_, "freeze": freeze}
    return inputs, layers


def compare(
    row: Row, layout: str, *, freeze: bool, gradients: tuple[bool, ...], read: str = ""
) -> None:
    """Compare the bytes that netbuild counts for a network with the bytes that torch keeps.

    The network gives all results of the layer, or only the one that is `read`.
    """
    drawn = network(row, layout, freeze=freeze, gradients=gradients)
    if drawn is None:
        return
    inputs, layers = drawn
    given = [(s, x.dtype) for s, x in zip(inputs.values(), row.inputs, strict=True)]
    tensors = [x._replace(shape=s) for x, (s, _) in zip(row.inputs, given, strict=True)]
    sections = {"outputs": f"it.{read}"} if read else {}
    graph = graph_of(layers, *tensors, **sections)
    assert graph.block is not None, graph.diagnostics
    drawn_ = Drawn(json.dumps(layers), given)
    more, less = (torch_keeps(graph, drawn_, batch) for batch in (3, 2))
    assert graph.activations_bytes == more - less, (layout, freeze, gradients, read)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout: str) -> None:
    """Inputs in five layouts, with a layer that learns and with a frozen one."""

    def compared(row: Row) -> None:
        for freeze in (False, True):
            compare(row, layout, freeze=freeze, gradients=(True,) * len(row.inputs))

    hold(compared, ROWS, lambda row: row.id)


@pytest.mark.slow
@over(ROWS, lambda row: row.id)
def test_gradients(row: Row) -> None:
    """A gradient for no input, or for one of several."""
    count = len(row.inputs)
    none = (False,) * count
    compare(row, "in order", freeze=False, gradients=none)
    for number in range(count) if count > 1 else ():
        one = (*none[:number], True, *none[number + 1 :])
        if row.names and "Transformer" in row.type and "mask" in row.names[number]:
            compare(row, "in order", freeze=False, gradients=one)
            continue  # a frozen transformer behind a mask that learns counts too little
        for freeze in (False, True):
            compare(row, "in order", freeze=freeze, gradients=one)


@pytest.mark.slow
@over(ROWS, lambda row: row.id)
def test_results(row: Row) -> None:
    """Only one of several results is read: what torch keeps for the others is free."""
    every = (True,) * len(row.inputs)
    names = results(row)
    for read in names if len(names) > 1 else ():
        for freeze in (False, True):
            compare(row, "in order", freeze=freeze, gradients=every, read=read)


def gives_its_input(layer: dict[str, Any], *inputs: Tensor) -> tuple[bool, bool]:
    """Return whether the result is the very tensor of the input: what netbuild says, and torch."""
    graph = graph_of([layer], *inputs)
    x = torch.zeros(2, *inputs[0].shape, dtype=getattr(torch, inputs[0].dtype))
    with torch_may_warn():
        results = module(graph)(x)
    given = any(y is x for y in (results if isinstance(results, tuple) else (results,)))
    return graph.rows[-1].inferred.memory in {"same", "overwritten"}, given


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        ({"Identity": {}}, True),
        ({"Flatten": {"start_dim": 2, "end_dim": 2}}, True),
        ({"Flatten": {}}, False),
        ({"Dropout": 0.0}, True),
        ({"Dropout": 0.1}, False),
        ({"Dropout": 0.1, "freeze": True}, True),
        ({"Dropout1d": 0.0}, True),
        ({"AlphaDropout": 0.0}, True),
        ({"FeatureAlphaDropout": 0.0}, True),
        ({"ELU": {"inplace": True}}, True),
        ({"Expand": [3, 4]}, False),
        ({"Reshape": [3, 4]}, False),
        ({"Narrow": {"dim": 1, "start": 0, "length": 3}}, False),
        ({"To": "float32"}, True),
        ({"To": "int64"}, False),
        ({"Detach": {}}, False),
    ],
    ids=str,
)
def test_the_same_tensor(layer: dict[str, Any], expected: bool) -> None:  # noqa: FBT001
    """Some layers pass on their very input; attention asks whether its inputs are one tensor."""
    assert gives_its_input(layer, Tensor((3, 4))) == (expected, expected)


@pytest.mark.slow
@over(ROWS, lambda row: row.id)
def test_no_other_layer_gives_the_same_tensor(row: Row) -> None:
    """Each row gives its input if netbuild says so, and only then."""
    if len(row.inputs) == 1:
        said, given = gives_its_input(row.config, *row.inputs)
        assert said == given
