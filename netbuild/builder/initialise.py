"""Fill the weights of a module by the rules of `init`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.init import plan

if TYPE_CHECKING:
    from torch import nn

    from netbuild.graph.graph import Graph


def initialise(module: nn.Module, graph: Graph) -> None:
    """Initialise the parameters of a graph's module, in the order of its layers.

    Random values come from torch's global generator, like torch's own initial weights.
    """
    from torch.nn import init

    for name, initializer in plan(graph.rows, graph.config.init).items():
        function = getattr(init, initializer.torch_name())
        function(module.get_parameter(name), **initializer.model_dump())
