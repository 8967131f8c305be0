"""A network as nested stacks with wires by name, as a config has it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.graph.value import OUTPUT, Ref

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.tensor import Shape


class Leaf(NamedTuple):
    """A layer, an operation, a block or a `Reuse` as a member of a stack."""

    name: str
    type: str
    arguments: Mapping[str, Any]
    #: The sources of its inputs, by the names of the inputs.
    reads: tuple[tuple[str, Ref], ...]
    modifiers: Mapping[str, Any] = MappingProxyType({})
    #: The names of its results. The next member reads the first one.
    ports: tuple[str, ...] = (OUTPUT,)
    #: The name of the member with the same module, for a `Reuse`.
    module: str | None = None
    #: Comments above it: what is missing there, and why.
    notes: tuple[str, ...] = ()
    #: Its path in the network that was read.
    path: str = ""
    #: The shape that an expression in its arguments knows; None if it is not known.
    x: Shape | None = None
    #: The values of the parameters of a block that it need not write.
    defaults: Mapping[str, Any] = MappingProxyType({})
    #: The name of its last copy, if it is repeated.
    last: str = ""


class Group(NamedTuple):
    """A stack with its members, as a member of another stack or as the whole network."""

    name: str
    #: The name of its class in the source.
    type: str
    #: The names of its inputs.
    inputs: tuple[str, ...]
    members: tuple[Member, ...]
    #: The sources of its results, by the names of the results.
    outputs: Mapping[str, Ref]
    #: The sources of its inputs, by the names of the inputs.
    reads: tuple[tuple[str, Ref], ...] = ()
    modifiers: Mapping[str, Any] = MappingProxyType({})
    notes: tuple[str, ...] = ()
    #: Comments behind its last member.
    notes_below: tuple[str, ...] = ()
    path: str = ""
    x: Shape | None = None
    last: str = ""
    #: Whether it is written as a list; None if the names of its members tell.
    listed: bool | None = None

    @property
    def ports(self) -> tuple[str, ...]:
        """The names of its results."""
        return tuple(self.outputs)


Member: TypeAlias = Leaf | Group


class Expression(str):
    """A text that a config evaluates, such as `$channels`. Other texts are written as they are."""

    __slots__ = ()


class Block(NamedTuple):
    """A block: its stack with expressions, and its parameters with their defaults."""

    name: str
    body: Group
    #: A default is None for a parameter that each use gives.
    params: Mapping[str, Any]
