"""Load the weights of a file into a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.runs.weights import compare, read_shapes, read_tensors

if TYPE_CHECKING:
    from torch import nn

    from netbuild.graph.graph import Graph


def load(module: nn.Module, graph: Graph) -> None:
    """Load the file of weights that a config names into its module.

    A module on the meta device has no memory for weights and is left unchanged.
    """
    pretrained = graph.config.pretrained
    if pretrained is None or any(tensor.is_meta for tensor in module.state_dict().values()):
        return
    tensors = read_tensors(pretrained.file)
    fitting = compare(read_shapes(pretrained.file), graph.tensors, pretrained.leave_out).fitting
    module.load_state_dict({name: tensors[name] for name in fitting}, strict=False)
