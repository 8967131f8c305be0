"""A network as it was read: its nodes in the order of execution, and the stacks around them.

Each reader (torch.fx, torch.export, ONNX, a printed module) returns a `Network`; `folding` makes
YAML of it. None of this needs torch.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.tensor import Tensor
    from netbuild.graph.value import Value


class Node(NamedTuple):
    """A layer or an operation at its place.

    `path` is the name of its module, such as `layer1.0.conv1`, so that names in `state_dict()`
    stay. An operation stands in the stack whose `forward` calls it, under a name of its own:
    `layer1.0.add`. All paths differ.
    """

    path: str
    #: The item's name in a config: torch's class, or an operation such as `Add`.
    type: str
    #: The fields of the item, as YAML holds them, without those that have their default.
    arguments: Mapping[str, Any]
    #: The values that it reads, by the names of the item's inputs. A value with an empty path is
    #: an input of the network.
    inputs: tuple[tuple[str, Value], ...]
    #: The results by name, as the item names them. The shapes have no batch axis.
    outputs: Mapping[str, Tensor] = MappingProxyType({})
    #: The path of the first node with the same module.
    reuses: str | None = None
    #: The lower-case keys beside the item, such as `tie` or `freeze`.
    modifiers: Mapping[str, Any] = MappingProxyType({})
    #: Why a config cannot hold it; None if it can. `type` then says what it is in the source.
    gap: str | None = None


class Stack(NamedTuple):
    """A module that contains others. `type` is the name of its class."""

    path: str
    type: str
    #: The path of the first stack that is the same module.
    reuses: str | None = None
    #: The values that its `forward` takes, by the names of its arguments, if the reader knows them.
    inputs: Mapping[str, Value] = MappingProxyType({})


class Network(NamedTuple):
    """A network that was read, named as its class."""

    name: str
    inputs: Mapping[str, Tensor]
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Value]
    #: The stacks around the nodes, by path.
    stacks: Mapping[str, Stack] = MappingProxyType({})
    #: Comments at the head of the config.
    notes: tuple[str, ...] = ()
