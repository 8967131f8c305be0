"""Load the weights of a file into a module."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.checks.pretrained import unreadable
from netbuild.diagnostics.exceptions import ConfigError, WeightsError
from netbuild.runs.weights import compare, each_tensor, read_shapes, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor, nn

    from netbuild.config.pretrained import Pretrained
    from netbuild.graph.graph import Graph


def load(module: nn.Module, graph: Graph) -> None:
    """Load the file of weights that a config names into its module.

    A module on the meta device has no memory for weights and is left unchanged.
    """
    pretrained = graph.config.pretrained
    if pretrained is None or any(tensor.is_meta for tensor in module.state_dict().values()):
        return
    with _reading(graph, pretrained):
        fitting = _fitting(graph, pretrained)
        tensors = read_tensors(pretrained.file)
    module.load_state_dict({name: tensors[name] for name in fitting}, strict=False)


def values(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that `load` loads, one after the other."""
    pretrained = graph.config.pretrained
    if pretrained is not None:
        with _reading(graph, pretrained):
            yield from each_tensor(pretrained.file, _fitting(graph, pretrained))


@contextmanager
def _reading(graph: Graph, pretrained: Pretrained) -> Iterator[None]:
    """Turn the exceptions of a file that cannot be read into a fault of the config.

    A check has read the names and shapes, but only torch reads the values.
    """
    try:
        yield
    except (OSError, WeightsError) as error:
        raise ConfigError([unreadable(graph.config, pretrained, error)]) from error


def _fitting(graph: Graph, pretrained: Pretrained) -> tuple[str, ...]:
    return compare(read_shapes(pretrained.file), graph.tensors, pretrained.leave_out).fitting
