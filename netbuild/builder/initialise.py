"""Fill the weights of a module by the rules of `init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.init import plan, rules_of
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from netbuild.components.initializers import Initializer
    from netbuild.graph.graph import Graph


def initialise(module: nn.Module, graph: Graph) -> None:
    """Initialise the parameters of a graph's module, in the order of its layers.

    Random values come from torch's global generator, like torch's own initial weights.
    """
    for name, initializer in plan(graph.rows, rules_of(graph)).items():
        _fill(module.get_parameter(name), initializer)


def values(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the parameters that `initialise` changes, with the same random values."""
    import torch

    shapes = {state_key(row.path, n): x for row in graph.rows for n, x in row.weights.items()}
    for name, initializer in plan(graph.rows, rules_of(graph)).items():
        tensor = torch.empty(shapes[name])
        _fill(tensor, initializer)
        yield name, tensor


def _fill(tensor: Tensor, initializer: Initializer) -> None:
    from torch.nn import init

    getattr(init, initializer.torch_name())(tensor, **initializer.model_dump())
