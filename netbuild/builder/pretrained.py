"""Load the weights of a file into a module."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.checks.pretrained import stored, two_values, unreadable, weights_of
from netbuild.diagnostics.exceptions import ConfigError, WeightsError
from netbuild.runs.weights import compare, each_tensor, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
        names = _fitting(graph, pretrained)
        tensors = read_tensors(weights_of(pretrained.file))
        _expect_equal(graph, pretrained, names)
    module.load_state_dict({name: tensors[held] for name, held in names.items()}, strict=False)


def values(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that `load` loads, one after the other."""
    pretrained = graph.config.pretrained
    if pretrained is not None:
        with _reading(graph, pretrained):
            names = _fitting(graph, pretrained)
            _expect_equal(graph, pretrained, names)
            here = {held: graph.ties.get(name, name) for name, held in names.items()}
            for held, tensor in each_tensor(weights_of(pretrained.file), here):
                yield here[held], tensor


@contextmanager
def _reading(graph: Graph, pretrained: Pretrained) -> Iterator[None]:
    """Turn the exceptions of a file that cannot be read into a fault of the config.

    A check has read the names and shapes, but only torch reads the values.
    """
    try:
        yield
    except (OSError, WeightsError) as error:
        raise ConfigError([unreadable(graph.config, pretrained, error)]) from error


def _expect_equal(graph: Graph, pretrained: Pretrained, names: Mapping[str, str]) -> None:
    """Refuse a file that has two tensors for one parameter: the later one would win.

    Raises:
        ConfigError: the copies of a tied parameter differ.
    """
    for pair in graph.ties.items():
        if not {*pair} <= names.keys():
            continue
        held = [names[name] for name in pair]
        (_, one), (_, other) = each_tensor(weights_of(pretrained.file), held)
        if not one.equal(other):
            raise ConfigError([two_values(graph.config, pretrained, *pair)])


def _fitting(graph: Graph, pretrained: Pretrained) -> dict[str, str]:
    """Return the names in the file of the tensors that fit, by their names in the network."""
    held, names = stored(pretrained)
    fitting = compare(held, graph.tensors, pretrained.leave_out, graph.ties).fitting
    return {name: names.in_file[name] for name in fitting}
