"""A network with all shapes inferred: its layers, its wires, and its totals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.components.tensor import Tensor
from netbuild.diagnostics.above import above
from netbuild.graph.row import Block, Calls, Member, Row
from netbuild.graph.value import Ref, Value, state_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from netbuild.components.tensor import Shape
    from netbuild.config.against import Against
    from netbuild.config.config import Config
    from netbuild.config.losses import LossTerm
    from netbuild.config.pretrained import Given
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.graph.memory import Kept


class InnerStack(NamedTuple):
    """A stack inside another stack: its member there, its block, and its results by name.

    `reads` are the values that it reads, by the names of its inputs.
    """

    member: Member
    block: Block
    values: Mapping[str, Value]
    reads: Mapping[str, Value]

    @property
    def first(self) -> Value:
        """The result that the next member reads."""
        return next(iter(self.values.values()))


def results(graph: Graph) -> dict[str, Value]:
    """Return the results of a network without faults, by name."""
    assert graph.block is not None
    return _results(graph.block, _inputs(graph.block), "", {})


def stacks(graph: Graph) -> dict[str, InnerStack]:
    """Return each inner stack of the network by its path; an empty dictionary after a fault."""
    inner: dict[str, InnerStack] = {}
    if graph.block is not None:
        _results(graph.block, _inputs(graph.block), "", inner)
    return inner


def _inputs(block: Block) -> dict[str, Value]:
    return {name: Value("", name) for name in block.inputs}


def _results(
    block: Block, inputs: Mapping[str, Value], path: str, inner: dict[str, InnerStack]
) -> dict[str, Value]:
    """Return the results of a stack for its inputs; add the stacks inside it to `inner`."""
    by_ref = {Ref("", name): value for name, value in inputs.items()}
    for member in block.members:
        part = member.part
        if isinstance(part, Row):
            values = {port: Value(part.path, port) for port in part.outputs}
        else:
            read = {name: by_ref[ref] for name, ref in member.reads.items()}
            values = _results(part, read, f"{path}{member.name}.", inner)
            inner[f"{path}{member.name}"] = InnerStack(member, part, values, read)
        by_ref |= {Ref(member.name, port): value for port, value in values.items()}
    return {port: by_ref[ref] for port, ref in block.outputs.items()}


def _files(block: Block, path: str) -> Iterator[tuple[str, tuple[Given, ...]]]:
    """Yield the files of weights beside the stacks in a stack, but for the calls of a Reuse."""
    for member in block.members:
        if isinstance(member.part, Block) and member.module is None:
            inner = f"{path}{member.name}"
            if member.part.pretrained:
                yield inner, member.part.pretrained
            yield from _files(member.part, f"{inner}.")


class Graph(NamedTuple):
    """A network with all shapes inferred. `summary` prints it, and `build` builds it.

    After a fault in the layers, `block` is None, and the rows are the layers whose shapes are
    known. `outputs` is empty if one of them is not known.
    """

    config: Config
    rows: tuple[Row, ...]
    block: Block | None
    outputs: Mapping[str, Tensor]
    diagnostics: tuple[Diagnostic, ...]
    #: The items of blocks and of each `Reuse`. They exist after a fault too.
    calls: Calls = Calls()
    #: The number of members of all stacks, with those that a fault or `when` leaves without a row.
    members: int = 0

    def __repr__(self) -> str:
        line: str = above("reports.showing.graph", "line")(self)
        return f"<Graph {line}>"

    def __str__(self) -> str:
        text: str = above("reports.showing.graph", "text")(self)
        return text

    def __rich__(self) -> Any:
        return above("reports.showing.graph", "Table")(self)

    def _repr_html_(self) -> str:
        html: str = above("reports.showing.graph", "html")(self)
        return html

    @property
    def output(self) -> Tensor | None:
        """The first output of the network; None after a fault."""
        return next(iter(self.outputs.values()), None)

    @property
    def compared(self) -> dict[str, Tensor]:
        """The outputs that the first loss reads, by name, in the order of its inputs."""
        losses = self.config.losses
        return losses[0].compared(self.outputs) if losses else dict(self.outputs)

    def against(self, term: LossTerm) -> Against:
        """Return what a loss of a network without faults compares with."""
        found = self.config.against(term, self.outputs)
        assert found is not None, "a loss without a target has a fault"
        return found

    @property
    def params(self) -> int:
        """The number of learned values."""
        return sum(row.params for row in self.rows)

    @property
    def tensors(self) -> dict[str, Shape]:
        """The shapes of all parameters and buffers, by their names in `state_dict()`."""
        return {
            state_key(row.path, name): shape
            for row in self.rows
            for name, shape in row.tensors.items()
        }

    @property
    def ties(self) -> dict[str, str]:
        """The tied parameters: the tensor of each one, both by their names in `state_dict()`."""
        return {
            state_key(row.path, name): target
            for row in self.rows
            if row.ties
            for name, target in row.tied.items()
        }

    @property
    def files(self) -> dict[str, tuple[Given, ...]]:
        """The files of weights by the path of what they fill: stacks, and "" for the network."""
        own = {"": self.config.pretrained} if self.config.pretrained else {}
        if self.block is None or not self.config.inner_files:
            return own
        return own | dict(_files(self.block, ""))

    @property
    def trainable(self) -> int:
        """The number of values that training changes."""
        return sum(row.trainable for row in self.rows)

    @property
    def macs(self) -> int:
        """The number of multiplications for one sample.

        What all samples share counts once, although it is computed once a batch.
        """
        return sum(row.macs for row in self.rows)

    @property
    def weights_bytes(self) -> int:
        """The bytes of the parameters."""
        return sum(Tensor(w).nbytes for row in self.rows for w in row.parameters.values())

    @property
    def constants_bytes(self) -> int:
        """The bytes of the constants, which are not learned."""
        rows = (row for row in self.rows if row.layer.is_tensor and not row.inferred.weights)
        return sum(row.output.nbytes for row in rows if not row.reuses)

    @property
    def activations_bytes(self) -> int:
        """The bytes that training keeps of one sample for the backward pass.

        A tensor that two layers keep, or that has a view, counts once. Constants that do not grow
        with the batch, such as the statistics of a batch norm, do not count. Layers before the
        first layer with trainable weights keep nothing, because the backward pass ends there.
        """
        return sum(kept.nbytes for kept in self.kept)

    @property
    def shared_activations_bytes(self) -> int:
        """The bytes that training keeps once a batch, of values that all samples share."""
        return sum(kept.shared_nbytes for kept in self.kept)

    @property
    def again_bytes(self) -> int:
        """The most bytes that a stack adds for one sample while it is computed again."""
        stacks: dict[str, int] = {}
        if any(row.recomputed for row in self.rows):
            for kept in self.kept:
                stacks[kept.stack] = stacks.get(kept.stack, 0) + kept.again
        return max(stacks.values(), default=0)

    @property
    def kept(self) -> Iterator[Kept]:
        """The memory that each layer keeps in training, in the order of `rows`."""
        from netbuild.graph import memory

        return memory.kept(self.rows, results(self).values() if self.block else None)
