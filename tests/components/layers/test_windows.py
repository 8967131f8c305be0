"""The windows of convolutions and pools: which positions of an input an output sees, in torch."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from netbuild.components.layers import LAYERS
from netbuild.components.layers._spatial import Spatial
from netbuild.components.tensor import product
from tests.components.layers import FAMILIES
from tests.components.layers.contract import results, torch_layer, torch_may_warn
from tests.components.layers.test_layers import CHAINED, declared

if TYPE_CHECKING:
    from netbuild.components.layers.layer import Window
    from tests.components.layers.contract import Row

SPATIAL = [row for row in CHAINED if issubclass(LAYERS[row.type], Spatial)]


def influence(row: Row) -> torch.Tensor:
    """Return which spatial input positions change which output positions: [inputs, outputs].

    Each input position in turn is 1, in every channel, while all others are 0; with weights of 1
    nothing cancels.
    """
    family = FAMILIES[row.type]
    module = torch_layer(family, row.case)
    for parameter in module.parameters():
        nn.init.ones_(parameter)
    channels, *spatial = row.input
    count = product(tuple(spatial))
    hot = torch.eye(count).reshape(count, 1, *spatial).expand(count, channels, *spatial)
    inputs = torch.cat([torch.zeros(1, channels, *spatial), hot])
    with torch.no_grad(), torch_may_warn():
        y = results(family, row.type, module, [inputs])[0].flatten(2)
    return (y[1:] != y[:1]).any(dim=1)


def seen(window: Window, axis: int, position: int) -> list[int]:
    """Return the input positions, inside and outside, that a window covers along an axis."""
    kernel, stride, padding, dilation = (values[axis] for values in window)
    return [position * stride - padding + dilation * step for step in range(kernel)]


def is_irregular(row: Row) -> bool:
    """Tell a layer whose windows are not all alike, or whose positions lose their places."""
    layer = declared(row)
    if row.type in {"Fold", "Unfold"} or "Fractional" in row.type:
        return True  # blocks are no positions; the windows are drawn
    if "Transpose" in row.type:  # positions between the strides see fewer
        return any(s > 1 for s in layer.per_axis(layer.stride))
    sizes = zip(row.input[1:], row.output[1:], strict=True)
    return "Adaptive" in row.type and any(n % m for n, m in sizes)


@pytest.mark.parametrize("row", SPATIAL, ids=lambda row: row.id)
def test_window_is_what_influences_an_output(row: Row) -> None:
    """Every output position depends on the input positions of its window, and on no others.

    Where the padding repeats the input, only windows that lie inside are compared; pools to a
    given size have windows of one size only where the sizes divide.
    """
    window = declared(row).window(row.input)
    spatial, out = row.input[1:], row.output[1:]
    if window is None:
        assert is_irregular(row)
        return
    touched = influence(row)
    compared = 0
    for number, position in enumerate(itertools.product(*map(range, out))):
        covered = [seen(window, axis, index) for axis, index in enumerate(position)]
        inside = [
            [i for i in places if 0 <= i < n] for places, n in zip(covered, spatial, strict=True)
        ]
        if row.fields.get("padding_mode", "zeros") != "zeros" and inside != covered:
            continue
        compared += 1
        expected = torch.zeros(spatial, dtype=torch.bool)
        for place in itertools.product(*inside):
            expected[place] = True
        assert torch.equal(touched[:, number].reshape(spatial), expected), position
    assert compared > 0
