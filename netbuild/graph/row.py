"""One layer of a graph, and the stacks of layers."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import Tensor, product
from netbuild.config.init import is_weight
from netbuild.config.parametrize import tensor_name
from netbuild.graph.value import NOWHERE, Reach, Ref, Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Shape
    from netbuild.config.blocks import Definition
    from netbuild.config.init import Init, Rule
    from netbuild.config.parametrize import Parametrized
    from netbuild.config.pretrained import Given
    from netbuild.config.ties import Tie
    from netbuild.diagnostics.diagnostic import Span
    from netbuild.graph.inference import Inferred
    from netbuild.syntax.item import Item


class Recomputed(NamedTuple):
    """A stack that the backward pass computes again: its path, and what it reads."""

    path: str
    inputs: tuple[tuple[Value, Tensor], ...]


class Row(NamedTuple):
    """One layer at its place in the network, with its inputs and results."""

    path: str
    inferred: Inferred
    sources: tuple[Value, ...]
    reach: Reach | None
    #: The item before expressions are evaluated, and the names for its expressions.
    item: Item
    names: Mapping[str, Any]
    init: Init | None = None
    #: Whether training leaves its weights unchanged.
    frozen: bool = False
    #: The first epoch in which it learns, if `freeze` and `train.unfreeze` name it. It does not
    #: count as frozen.
    unfreezes: int | None = None
    #: Whether all samples share each of its inputs.
    shares: tuple[bool, ...] = ()
    #: The path of the first layer with the same weights, if this layer is a reuse of it.
    reuses: str | None = None
    #: The parameters that are parameters of other layers, by their names in the module.
    ties: Mapping[str, Tie] = MappingProxyType({})
    #: The parameters that are computed from other tensors, by their names in the module.
    parametrized: Mapping[str, Parametrized] = MappingProxyType({})
    #: The names of the parameters that training changes, if a tie makes them differ from `frozen`.
    learned: frozenset[str] | None = None
    #: The outermost stack around it that the backward pass computes again.
    recomputed: Recomputed | None = None
    #: Whether the built network computes it. An operation whose result nothing reads is left out.
    is_built: bool = True

    @property
    def span(self) -> Span:
        """The place of its type in the text."""
        return self.item.type.span

    @property
    def shared(self) -> bool:
        """Whether all samples share its results, which are then computed once a batch."""
        return all(self.shares) and not self.layer.for_each_sample

    @property
    def layer(self) -> Layer:
        """The layer with validated fields."""
        return self.inferred.layer

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The tensors that the layer reads."""
        return self.inferred.inputs

    @property
    def outputs(self) -> dict[str, Tensor]:
        """The results by name. The next layer reads the first one."""
        return self.inferred.outputs

    @property
    def type(self) -> str:
        """The name of the built module in torch."""
        return self.inferred.type

    @property
    def x(self) -> Shape:
        """The shape of the first input."""
        return self.inferred.shapes[0]

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the inputs."""
        return self.inferred.shapes

    @property
    def receptive_field(self) -> Shape | None:
        """The part of the network's input that an output position sees; None if it has no place."""
        return self.reach.size if self.reach and self.reach != NOWHERE else None

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of torch's constructor."""
        return self.inferred.arguments

    @property
    def weights(self) -> dict[str, Shape]:
        """The shapes of its own parameters, by their names in the module; empty for a reuse.

        A tied parameter belongs to another layer.
        """
        if self.reuses:
            return {}
        own = self.inferred.weights
        return {n: own[n] for n in own if n not in self.ties} if self.ties else own

    @property
    def parameters(self) -> dict[str, Shape]:
        """The shapes of its learned tensors, by their names in the module; empty for a reuse.

        They are `weights`, but for the tensors from which a parametrized parameter is computed.
        """
        if not self.parametrized or self.reuses:
            return self.weights
        own = self.weights
        found = {name: shape for name, shape in own.items() if name not in self.parametrized}
        for name, one in self.parametrized.items():
            for tensor, shape in one.by.parameters(own[name]).items():
                found[tensor_name(name, tensor)] = shape
        return found

    @property
    def is_transposed(self) -> bool:
        """Whether it is a transposed convolution, whose weights have the inputs first."""
        return self.type.startswith("ConvTranspose")

    @property
    def tied(self) -> dict[str, str]:
        """The names in `state_dict()` of its tied parameters' tensors, by their names here."""
        return {} if self.reuses else {name: tie.target for name, tie in self.ties.items()}

    @property
    def buffers(self) -> dict[str, Tensor]:
        """The buffers in `state_dict()`, by their names in the module; empty for a reuse."""
        if self.reuses:
            return {}
        found = dict(self.inferred.buffers)
        for name, one in self.parametrized.items():
            sizes = one.by.buffers(self.weights[name], transposed=self.is_transposed)
            found |= {tensor_name(name, own): Tensor(size) for own, size in sizes.items()}
        return found

    @property
    def tensors(self) -> dict[str, Shape]:
        """The shapes of its parameters and buffers, by their names in the module.

        `state_dict()` holds them. It also has a copy of each tied parameter.
        """
        if self.reuses:
            return {}
        buffers = {name: buffer.shape for name, buffer in self.buffers.items()}
        if not self.parametrized:
            return self.inferred.weights | buffers
        tied = {name: self.inferred.weights[name] for name in self.tied}
        return self.parameters | tied | buffers

    @property
    def params(self) -> int:
        """The number of learned values."""
        if (self.ties or self.parametrized) and not self.reuses:
            return sum(map(product, self.parameters.values()))
        return 0 if self.reuses else self.inferred.params

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return 0 if self.frozen else self.params

    @property
    def learns(self) -> bool:
        """Whether training changes its weights, also if it shares them with another layer."""
        if self.learned is not None:
            return bool(self.learned)
        return bool(self.inferred.weights) and not self.frozen

    @property
    def has_learning_weight(self) -> bool:
        """Whether one of its weights learns. A bias that learns needs nothing of the input."""
        return self.learns if self.learned is None else any(map(is_weight, self.learned))

    @property
    def macs(self) -> int:
        """The number of multiplications for one sample."""
        return self.inferred.macs if self.is_built else 0

    @property
    def output(self) -> Tensor:
        """The first result, which the next layer reads."""
        return next(iter(self.inferred.outputs.values()))

    @property
    def passed_on(self) -> Value:
        """The value of the first result."""
        return Value(self.path, next(iter(self.inferred.outputs)))

    @property
    def is_plain(self) -> bool:
        """Whether `nn.Sequential` can contain the layer: a module with one input and one result."""
        return self.inferred.is_plain


class Call(NamedTuple):
    """The item that uses a block, and the names for its expressions."""

    item: Item
    names: Mapping[str, Any]
    #: None for an item that is no block.
    definition: Definition | None = None
    #: The rules of `init:` in the file of the block.
    rules: tuple[Rule, ...] = ()


class LeftOut(NamedTuple):
    """A reader of a result that `when` leaves out: its name or its type, and its place."""

    name: str
    span: Span


class Calls(NamedTuple):
    """The items that use blocks and the places of each `Reuse`, by path."""

    blocks: Mapping[str, Call] = MappingProxyType({})
    #: The place of each `Reuse` in the text.
    reuses: Mapping[str, Span] = MappingProxyType({})
    #: The readers that `when` leaves out, by what they read: a layer or a stack, or an input.
    left_out: Mapping[Value, LeftOut] = MappingProxyType({})


class Member(NamedTuple):
    """A layer or a stack at its place in a stack. `reads` maps its inputs to their sources.

    `module` is the name of the member with the same module, if this member reuses one.
    """

    name: str
    part: Row | Block
    reads: Mapping[str, Ref]
    span: Span
    module: str | None = None
    #: The shapes of the inputs that all samples share.
    shared: Mapping[str, Shape] = MappingProxyType({})

    def repeats(self, name: str) -> bool:
        """Whether it reads an input once for each sample, although all samples share it."""
        if name not in self.shared:
            return False
        if isinstance(self.part, Block):
            return name in self.part.batched
        layer = self.part.layer
        return not self.part.shared and not (isinstance(layer, Operation) and layer.broadcasts)


class Block(NamedTuple):
    """A stack with its wires: the names of its inputs, its members in order, and its results.

    `type` is the name of the block; an empty text for a stack without one.
    """

    inputs: tuple[str, ...]
    #: The inputs with a value for each sample. All samples share the other ones.
    batched: tuple[str, ...]
    members: tuple[Member, ...]
    outputs: Mapping[str, Ref]
    type: str = ""
    #: The results that all samples share.
    shared: tuple[str, ...] = ()
    #: Whether the backward pass computes its activations again.
    recomputes: bool = False
    #: The files with the first weights inside.
    pretrained: tuple[Given, ...] = ()

    @property
    def is_chain(self) -> bool:
        """Whether each member reads only the one before it, and the last result is the only one."""
        if len(self.inputs) != 1 or (self.shared and self.batched):
            return False  # a result of the network that all samples share is repeated for each
        ref = Ref("", self.inputs[0])
        for member in self.members:
            part = member.part
            if isinstance(part, Row):
                single = part.is_plain
            else:
                single = len(part.outputs) == 1 and not part.recomputes
            if not single or member.module or list(member.reads.values()) != [ref]:
                return False
            outputs = part.outputs
            ref = Ref(member.name, next(iter(outputs)))
        return list(self.outputs.values()) == [ref]

    @property
    def has_statistics(self) -> bool:
        """Whether a layer within changes its buffers in training, as a batch norm does."""
        return any(
            member.part.has_statistics
            if isinstance(member.part, Block)
            else bool(member.part.inferred.buffers or member.part.parametrized)
            for member in self.members
        )

    @property
    def needs_order(self) -> bool:
        """Whether a layer of this stack, not of an inner stack, needs its inputs in order."""
        rows = (member.part for member in self.members if isinstance(member.part, Row))
        return any(row.layer.needs_order(*row.shapes) for row in rows)
