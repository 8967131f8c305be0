"""One layer of a graph, and the stacks that hold layers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.graph.value import NOWHERE, Reach, Ref, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape, Tensor
    from netbuild.config.init import Init
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.inference import Inferred
    from netbuild.syntax.item import Item


class Row(NamedTuple):
    """One layer at its place: what it is, what reaches it and what it gives."""

    path: str
    inferred: Inferred
    sources: tuple[Value, ...]
    reach: Reach | None
    #: The item as it is written, and what its expressions can name.
    item: Item
    names: Mapping[str, Any]
    init: Init | None = None
    #: Whether training leaves its weights as they are.
    frozen: bool = False
    #: The path of the layer whose weights these are, where it is called again.
    reuses: str | None = None

    @property
    def span(self) -> Span:
        """Where its type is written."""
        return self.item.type.span

    @property
    def layer(self) -> Layer:
        """The layer, its fields validated."""
        return self.inferred.layer

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """What reaches it."""
        return self.inferred.inputs

    @property
    def outputs(self) -> dict[str, Tensor]:
        """What it gives, by name, the one that is passed on first."""
        return self.inferred.outputs

    @property
    def type(self) -> str:
        """What is built, as torch calls it."""
        return self.inferred.type

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.inferred.shapes[0]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs, on which the rules of a layer depend."""
        return self.inferred.shapes

    @property
    def receptive_field(self) -> Shape | None:
        """What an output position sees of the network's input; None where it has no place."""
        return self.reach.size if self.reach and self.reach != NOWHERE else None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of torch's constructor."""
        return self.inferred.arguments

    @property
    def weights(self) -> dict[str, Shape]:
        """The shapes of the parameters, by their names in the module; none of a layer's again."""
        return {} if self.reuses else self.inferred.weights

    @property
    def buffers(self) -> dict[str, Tensor]:
        """What `state_dict()` holds beside the parameters; nothing of a layer's again."""
        return {} if self.reuses else self.inferred.buffers

    @property
    def tensors(self) -> dict[str, Shape]:
        """The shapes of its parameters and buffers, by their names in the module."""
        return self.weights | {name: buffer.shape for name, buffer in self.buffers.items()}

    @property
    def params(self) -> int:
        """The number of learned values."""
        return 0 if self.reuses else self.inferred.params

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return 0 if self.frozen else self.params

    @property
    def learns(self) -> bool:
        """Whether it has weights that training changes, its own or another layer's."""
        return bool(self.inferred.weights) and not self.frozen

    @property
    def macs(self) -> int:
        """The multiplications for one sample."""
        return self.inferred.macs

    @property
    def output(self) -> Tensor:
        """The result that is passed on."""
        return next(iter(self.inferred.outputs.values()))

    @property
    def passed_on(self) -> Value:
        """Where the result that is passed on comes from."""
        return Value(self.path, next(iter(self.inferred.outputs)))

    @property
    def saved(self) -> list[tuple[Value, Tensor]]:
        """The inputs and results that training keeps of one sample for the backward pass."""
        inferred = self.inferred
        kept = inferred.saved
        if self.frozen:
            kept -= set(self.layer.saved_for_weights)
        if not kept:
            return []
        reads = zip(inferred.input_names, self.sources, inferred.inputs, strict=False)
        found = [(value, tensor) for name, value, tensor in reads if name in kept]
        gives = inferred.outputs.items()
        return found + [(Value(self.path, name), y) for name, y in gives if name in kept]

    @property
    def is_plain(self) -> bool:
        """Whether `nn.Sequential` can hold it: a module of one input that gives its one result."""
        return self.inferred.is_plain


class Call(NamedTuple):
    """The item of a block as it is written, and what its expressions can name."""

    item: Item
    names: Mapping[str, Any]


class Calls(NamedTuple):
    """The items that hold layers and are none themselves, by their paths."""

    blocks: Mapping[str, Call] = MappingProxyType({})
    #: Where each `Reuse` is written.
    reuses: Mapping[str, Span] = MappingProxyType({})


class Member(NamedTuple):
    """A layer or a stack at its place in a stack, with what it reads by the names inside.

    `module` is the member whose module is called again, where it is not its own.
    """

    name: str
    part: Row | Block
    reads: Mapping[str, Ref]
    span: Span
    module: str | None = None


class Block(NamedTuple):
    """A stack as it is wired: its inputs by name, its members in order, and its results.

    `type` is the name of the block that it is, where it is one.
    """

    inputs: tuple[str, ...]
    members: tuple[Member, ...]
    outputs: Mapping[str, Ref]
    type: str = ""

    @property
    def is_chain(self) -> bool:
        """Whether each member reads just the one before, and the last one's result is the only."""
        if len(self.inputs) != 1:
            return False
        ref = Ref("", self.inputs[0])
        for member in self.members:
            part = member.part
            single = part.is_plain if isinstance(part, Row) else len(part.outputs) == 1
            if not single or member.module or list(member.reads.values()) != [ref]:
                return False
            outputs = part.outputs
            ref = Ref(member.name, next(iter(outputs)))
        return list(self.outputs.values()) == [ref]

    @property
    def needs_order(self) -> bool:
        """Whether a layer of it, not of a stack within, needs its inputs in order."""
        rows = (member.part for member in self.members if isinstance(member.part, Row))
        return any(row.layer.needs_order for row in rows)
