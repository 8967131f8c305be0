"""Register the parametrizations of a network with torch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils import parametrizations

from netbuild.config.parametrize import tensor_name
from netbuild.graph.value import state_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor

    from netbuild.config.parametrize import Parametrized
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


def register(made: nn.Module, graph: Graph) -> None:
    """Register the parametrizations of a graph's module, in the order of its layers.

    The values that the parameters have are the first values. Random numbers come from torch's
    global generator.
    """
    for row in graph.rows:
        for name, one in {} if row.reuses else row.parametrized.items():
            within, _, own = state_key(row.path, name).rpartition(".")
            _register(made.get_submodule(within), own, row, one)


def computing(made: nn.Module, row: Row, name: str) -> nn.Module:
    """Return the module that computes a parametrized parameter of a layer."""
    return made.get_submodule(state_key(row.path, tensor_name(name, "")).removesuffix("."))


def values(graph: Graph, plain: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that `register` makes, for parameters with the values `plain`."""
    for row in graph.rows:
        for name, one in {} if row.reuses else row.parametrized.items():
            holder = nn.Module()
            holder.register_parameter("weight", nn.Parameter(plain[state_key(row.path, name)]))
            _register(holder, "weight", row, one)
            for tensors in (holder.named_parameters(), holder.named_buffers()):
                for key, tensor in tensors:
                    inner = key.removeprefix("parametrizations.weight.")
                    yield state_key(row.path, tensor_name(name, inner)), tensor.detach()


def _register(holder: nn.Module, own: str, row: Row, one: Parametrized) -> None:
    function = getattr(parametrizations, one.by.torch_name())
    arguments = one.by.arguments(transposed=row.is_transposed)
    with _of_shapes() if getattr(holder, own).is_meta else torch.no_grad():
        function(holder, own, **arguments)


@contextmanager
def _of_shapes() -> Iterator[None]:
    """Let `orthogonal` work without values. torch looks at the values, and meta has none."""
    kind: Any = parametrizations._Orthogonal  # noqa: SLF001  its maps have no public class
    before = kind.right_inverse

    def right_inverse(self: Any, matrix: Tensor) -> Tensor:
        if hasattr(self, "base"):
            larger = max(matrix.shape[-2:])
            self.base = matrix.new_empty(*matrix.shape[:-2], larger, larger)
        return torch.empty_like(matrix)

    kind.right_inverse = right_inverse
    try:
        yield
    finally:
        kind.right_inverse = before
