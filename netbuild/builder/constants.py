"""The values of the constants of a network. They are the same each time it is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netbuild.builder import operations
from netbuild.builder.layer import layer
from netbuild.components.layers.constant import Constant
from netbuild.components.layers.operation import Operation
from netbuild.graph.value import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from torch import Tensor

    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


@torch.no_grad()
def values(graph: Graph) -> dict[str, Tensor]:
    """Return the values of all constants by their paths, without a batch axis.

    A constant with an input keeps the value that the layers before it compute. These layers read
    constants only, and have no weights.
    """
    constants = [row for row in graph.rows if isinstance(row.layer, Constant)]
    if not constants:
        return {}
    found: dict[Value, Tensor] = {}
    needed = _needed(graph.rows, constants)
    for row in graph.rows:
        if row.path not in needed:
            continue
        x = [found[source] for source in row.sources]
        if isinstance(row.layer, Constant):
            results = {"output": x[0] if x else made(row.layer).unsqueeze(0)}
        else:
            results = operations.results(row, _forward(row), x)
        found |= {Value(row.path, port): y for port, y in results.items()}
    return {row.path: found[row.passed_on].squeeze(0).clone() for row in constants}


def made(constant: Constant) -> Tensor:
    """Return the values that the fields of a constant give."""
    name, arguments, dtype = constant.call()
    made: Tensor = getattr(torch, name)(*arguments, dtype=getattr(torch, dtype))
    return made


def _needed(rows: Iterable[Row], constants: Iterable[Row]) -> set[str]:
    """Return the paths of constants, and of the layers that constants keep values of."""
    needed = {row.path for row in constants}
    for row in reversed([*rows]):
        if row.path in needed:
            needed.update(source.path for source in row.sources)
    return needed


def _forward(row: Row) -> Callable[..., Any]:
    """Return the function that a layer without weights computes."""
    described, arguments = row.layer, row.arguments
    if not isinstance(described, Operation):
        return layer(described, arguments).eval()
    return operations.forward(described, arguments, _called)


def _called(function: Callable[..., Any], *x: Any, **keywords: Any) -> Any:
    return function(*x, **keywords)
