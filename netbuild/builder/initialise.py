"""Fill the weights of a module as the rules of `init` say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.init import plan

if TYPE_CHECKING:
    from torch import nn

    from netbuild.graph.graph import Graph


def initialise(module: nn.Module, graph: Graph) -> None:
    """Initialise the parameters of a graph's module, in the order of its layers.

    What is random is drawn from torch's generator, as torch's own initial weights are.
    """
    from torch.nn import init

    for name, initializer in plan(graph.rows, graph.config.init).items():
        function = getattr(init, initializer.torch_name())
        function(module.get_parameter(name), **initializer.model_dump())
