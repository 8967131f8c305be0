"""The first values of a network, one layer after the other, for processes that hold a part of it.

At no moment are the values of more than one layer in memory, but for parametrized parameters.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import torch

from netbuild.builder import constants, initialise, parametrizing, pretrained
from netbuild.builder.layer import layer
from netbuild.builder.module import has_no_module
from netbuild.components.layers.parameter import Parameter
from netbuild.graph.row import Row
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Block


def values(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the name and the first value of each parameter and buffer of a graph's module.

    They are the values that `module` begins with: the random numbers come from torch's global
    generator in the same order. If a name comes again, its later value counts. An initializer or a
    file of weights replaces the values of a layer in this way.
    """
    assert graph.block is not None
    tied = graph.ties
    computed = {state_key(row.path, name) for row in graph.rows for name in row.parametrized}
    plain: dict[str, Tensor] = {}  # of the parameters that a parametrization computes
    for name, value in chain(_made(graph.block), _constants(graph), initialise.values(graph)):
        if name in computed:
            plain[name] = value
        elif name not in tied:
            yield name, value
    yield from parametrizing.values(graph, plain)
    yield from pretrained.values(graph)


def _made(block: Block) -> Iterator[tuple[str, Tensor]]:
    """Make the layers of a stack in the order of `module`, and yield the values of each one."""
    for member in block.members:
        part = member.part
        if member.module:  # a Reuse has the values of another member
            continue
        if not isinstance(part, Row):
            yield from _made(part)
        elif isinstance(part.layer, Parameter):
            for name, shape in part.weights.items():
                yield state_key(part.path, name), torch.zeros(shape)
        elif not has_no_module(part) and not part.layer.is_tensor:
            made = layer(part.layer, part.arguments)
            for tensors in (made.named_parameters(), made.named_buffers()):
                for name, tensor in tensors:
                    yield state_key(part.path, name), tensor.detach()


def _constants(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the values of the constants by the names of their buffers."""
    tables = constants.values(graph)
    for row in graph.rows:
        if row.path in tables and not row.reuses:
            yield state_key(row.path, "" if row.buffers else "value"), tables[row.path]
