"""A network with everything inferred: its rows, how they are wired, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.layers.layer import Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.config import Config
    from netbuild.diagnostic import Diagnostic, Span
    from netbuild.inferred import Inferred
    from netbuild.initialisation import Init
    from netbuild.layers.layer import Layer, Shape, Window

#: The result that a reader gets who names none.
OUTPUT = "output"


class Reach(NamedTuple):
    """The receptive field of a position, and how far apart neighbouring positions look."""

    size: Shape
    stride: Shape

    def through(self, window: Window) -> Reach:
        """Return the reach behind a window: r + (k − 1)·d·j and j·s for each axis."""
        size = tuple(
            r + (k - 1) * d * j
            for r, j, k, d in zip(
                self.size, self.stride, window.kernel, window.dilation, strict=True
            )
        )
        stride = tuple(j * s for j, s in zip(self.stride, window.stride, strict=True))
        return Reach(size, stride)

    def repeated(self, sizes: Shape, wider: Shape) -> Reach:
        """Return the reach where an axis of one position is repeated to a wider one.

        All its positions look at the same place then, and its stride says nothing more.
        """
        axes = zip(self.stride, sizes, wider, strict=True)
        return Reach(self.size, tuple(1 if size == 1 < wide else s for s, size, wide in axes))

    def joined(self, other: Reach) -> Reach:
        """Return the largest over two paths that meet."""
        size = tuple(map(max, self.size, other.size))
        return Reach(size, tuple(map(max, self.stride, other.stride)))


#: What does not come from the network's input looks nowhere, and joins what does.
NOWHERE = Reach((), ())


class Value(NamedTuple):
    """A result of a layer, by its path, or an input of the network, whose path is empty."""

    path: str
    port: str


def state_key(path: str, parameter: str) -> str:
    """Return what `state_dict()` calls a parameter of the layer at a path."""
    return f"{path}.{parameter}" if parameter else path


class Row(NamedTuple):
    """One layer at its place: what it is, what reaches it and what it gives."""

    path: str
    inferred: Inferred
    sources: tuple[Value, ...]
    reach: Reach | None
    span: Span
    init: Init | None = None
    #: Whether training leaves its weights as they are.
    frozen: bool = False
    #: The path of the layer whose weights these are, where it is called again.
    reuses: str | None = None

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


class Ref(NamedTuple):
    """What a member reads: a result of a member of its stack, or an input of the stack.

    `member` is empty for an input.
    """

    member: str
    port: str


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


class Given(NamedTuple):
    """A stack within a stack: how it is wired there, and the values that it gives, by name."""

    member: Member
    block: Block
    values: Mapping[str, Value]

    @property
    def first(self) -> Value:
        """The value that it passes on."""
        return next(iter(self.values.values()))


def results(graph: Graph) -> dict[str, Value]:
    """Return the values that a network without faults gives, by name."""
    assert graph.block is not None
    return _given(graph.block, _own(graph.block), "", {})


def stacks(graph: Graph) -> dict[str, Given]:
    """Return each stack within the network's own by its path; none after a fault."""
    found: dict[str, Given] = {}
    if graph.block is not None:
        _given(graph.block, _own(graph.block), "", found)
    return found


def _own(block: Block) -> dict[str, Value]:
    return {name: Value("", name) for name in block.inputs}


def _given(
    block: Block, inputs: Mapping[str, Value], path: str, found: dict[str, Given]
) -> dict[str, Value]:
    """Return what a stack gives for what it reads, and note what those within it give."""
    made = {Ref("", name): value for name, value in inputs.items()}
    for member in block.members:
        part = member.part
        if isinstance(part, Row):
            values = {port: Value(part.path, port) for port in part.outputs}
        else:
            read = {name: made[ref] for name, ref in member.reads.items()}
            values = _given(part, read, f"{path}{member.name}.", found)
            found[f"{path}{member.name}"] = Given(member, part, values)
        made |= {Ref(member.name, port): value for port, value in values.items()}
    return {port: made[ref] for port, ref in block.outputs.items()}


class Graph(NamedTuple):
    """A network with everything inferred: what `summary` prints and `build` builds.

    After a fault the rows end with the last layer whose shape is known, `outputs` is empty and
    `block` is None.
    """

    config: Config
    rows: tuple[Row, ...]
    block: Block | None
    outputs: Mapping[str, Tensor]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def output(self) -> Tensor | None:
        """What the network gives, or the first of it; None after a fault."""
        return next(iter(self.outputs.values()), None)

    @property
    def compared(self) -> dict[str, Tensor]:
        """The outputs that the first loss reads, in its order, by their names."""
        terms = self.config.terms
        return terms[0].compared(self.outputs) if terms else dict(self.outputs)

    @property
    def params(self) -> int:
        """The number of learned values."""
        return sum(row.params for row in self.rows)

    @property
    def tensors(self) -> dict[str, Shape]:
        """The shapes of all that `state_dict()` holds, parameters and buffers, by their names."""
        return {
            state_key(row.path, name): shape
            for row in self.rows
            for name, shape in row.tensors.items()
        }

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def macs(self) -> int:
        """The multiplications for one sample."""
        return sum(row.macs for row in self.rows)

    @property
    def weights_bytes(self) -> int:
        """The memory of the parameters."""
        return sum(Tensor(w).nbytes for row in self.rows for w in row.weights.values())

    @property
    def activations_bytes(self) -> int:
        """The memory that training keeps of one sample for the backward pass.

        A tensor that two layers keep counts once, and so does a view of it. Constants that do not
        grow with the batch, such as the statistics of a batch norm, are left out. Up to the first
        layer whose weights learn there is nothing to go back for. Frozen recurrent and attention
        layers keep less than is counted.
        """
        from netbuild import memory

        return sum(kept.nbytes for kept in memory.kept(self.rows))
