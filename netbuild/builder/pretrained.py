"""Load the weights of files into a module."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from netbuild.checks.pretrained import filled, two_values, unreadable, weights_of
from netbuild.diagnostics.exceptions import ConfigError, WeightsError
from netbuild.runs.weights import each_tensor, read_tensors

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn

    from netbuild.checks.pretrained import Filled
    from netbuild.config.pretrained import Given
    from netbuild.graph.graph import Graph


def load(module: nn.Module, graph: Graph) -> None:
    """Load the files of weights that a config names into its module, one after the other.

    A module on the meta device has no memory for weights and is left unchanged.
    """
    if not graph.files or any(tensor.is_meta for tensor in module.state_dict().values()):
        return
    for given, names in _by_file(graph):
        with _reading(given):
            tensors = read_tensors(weights_of(given.pretrained.file))
        state = {name: tensors[held] for name, held in names.items()}
        module.load_state_dict(state, strict=False)


def values(graph: Graph) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that `load` loads, one after the other."""
    for given, names in _by_file(graph) if graph.files else ():
        with _reading(given):
            here = {held: graph.ties.get(name, name) for name, held in names.items()}
            for held, tensor in each_tensor(weights_of(given.pretrained.file), here):
                yield here[held], tensor


@contextmanager
def _reading(given: Given) -> Iterator[None]:
    """Turn the exceptions of a file that cannot be read into a fault of the config.

    A check has read the names and shapes, but only torch reads the values.
    """
    try:
        yield
    except (OSError, WeightsError) as error:
        raise ConfigError([unreadable(given, error)]) from error


def _by_file(graph: Graph) -> list[tuple[Given, dict[str, str]]]:
    """Return the files with the names that they hold, by the names in the network.

    Raises:
        ConfigError: a file does not fit, or cannot be read.
    """
    found, faults = filled(graph)
    if faults:  # a file has changed since the network was checked
        raise ConfigError(faults)
    _expect_equal(graph, found)
    files: dict[int, tuple[Given, dict[str, str]]] = {}
    for name, (given, held) in found.items():
        files.setdefault(id(given), (given, {}))[1][name] = held
    return [*files.values()]


def _expect_equal(graph: Graph, found: Mapping[str, Filled]) -> None:
    """Refuse files that have two tensors for one parameter: the later one would win.

    Raises:
        ConfigError: the copies of a tied parameter differ, or a file cannot be read.
    """
    for pair in graph.ties.items():
        if {*pair} <= found.keys():
            one, other = (found[name] for name in pair)
            if one != other and not _value(one).equal(_value(other)):
                raise ConfigError([two_values(one, other, *pair)])


def _value(filled: Filled) -> Tensor:
    with _reading(filled.given):
        ((_, tensor),) = each_tensor(weights_of(filled.given.pretrained.file), [filled.name])
    return tensor
