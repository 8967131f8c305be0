"""A network with everything inferred: its rows, how they are wired, and what they add up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.tensor import Tensor
from netbuild.graph.row import Block, Calls, Member, Row
from netbuild.graph.value import Ref, Value, state_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.tensor import Shape
    from netbuild.config.config import Config
    from netbuild.diagnostics.diagnostic import Diagnostic


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
    #: The items of blocks and of each `Reuse`, also of a network with faults.
    calls: Calls = Calls()

    @property
    def output(self) -> Tensor | None:
        """What the network gives, or the first of it; None after a fault."""
        return next(iter(self.outputs.values()), None)

    @property
    def compared(self) -> dict[str, Tensor]:
        """The outputs that the first loss reads, in its order, by their names."""
        losses = self.config.losses
        return losses[0].compared(self.outputs) if losses else dict(self.outputs)

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
        from netbuild.graph import memory

        return sum(kept.nbytes for kept in memory.kept(self.rows))
