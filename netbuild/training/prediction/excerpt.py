"""A part of a network that is computed alone: a stack, a layer, or the network itself.

All that can be known of it is known without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.lint.flow import Flow
from netbuild.components.tensor import Tensor, times
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.graph.graph import InnerStack, results, stacks
from netbuild.graph.paths import paths, unknown
from netbuild.graph.row import Block
from netbuild.graph.value import Value, value_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.ranges import Range
    from netbuild.graph.graph import Graph
    from netbuild.graph.row import Row


class Excerpt(NamedTuple):
    """A part of a network without faults that reads one tensor of floats."""

    graph: Graph
    #: Its path; empty for the whole network.
    path: str
    #: The layer; None for a stack and for the whole network.
    row: Row | None
    #: Its path among the modules of the built network. A Reuse has the path of its original.
    module: str
    input: Tensor
    #: The results by name, and where the network has them.
    values: Mapping[str, Value]
    outputs: Mapping[str, Tensor]

    def __str__(self) -> str:
        return self.path or "the network"

    def only(self) -> str:
        """Return the name of its only result.

        Raises:
            TrainingError: it gives several results.
        """
        if len(self.outputs) > 1:
            told = ", ".join(self.outputs)
            raise TrainingError(
                f"{self} gives {told}, but the file holds one result of each sample: name a part "
                "with one result, or write a .npz file"
            )
        return next(iter(self.outputs))

    def picture(self) -> str:
        """Return the name of its only result, which is a picture: C×H×W or H×W.

        Raises:
            TrainingError: it gives several results, or no picture.
        """
        name = self.only()
        shape = self.outputs[name].shape
        if len(shape) != 2 and not (len(shape) == 3 and shape[0] in {1, 3}):
            given = f"{times(shape)} values" if shape else "one value"
            raise TrainingError(
                f"{self} gives {given} for each sample, and no picture: a picture is H×W, 1×H×W "
                "or 3×H×W. A .npz file holds values of any shape"
            )
        return name

    def range(self, name: str) -> Range | None:
        """Return the range of a result, if its layers decide it, as Sigmoid and Tanh do."""
        return Flow(self.graph).ranges.get(self.values[name])

    def is_score(self, name: str) -> bool:
        """Whether a result holds scores: a loss of the network takes the sigmoid of them."""
        whole = results(self.graph)
        return any(
            term.loss.applies == "sigmoid" and whole[output] == self.values[name]
            for term in self.graph.config.losses
            for output in term.compared(self.graph.outputs)
        )


def excerpt(graph: Graph, path: str = "") -> Excerpt:
    """Return the stack or the layer at a path, or the whole network without a path.

    Raises:
        TrainingError: there is no such part, or noise cannot be its input.
    """
    assert graph.block is not None
    inputs = graph.config.inputs
    tensors = {Value("", name): tensor for name, tensor in inputs.items() if tensor is not None}
    tensors |= {Value(r.path, port): x for r in graph.rows for port, x in r.outputs.items()}
    row = next((row for row in graph.rows if row.path == path), None)
    inner: InnerStack | None = None
    shares = False
    if not path:
        reads, values = tuple(Value("", name) for name in inputs), results(graph)
    elif row is not None:
        reads, values = row.sources, {port: Value(path, port) for port in row.outputs}
        shares = any(row.shares)
    else:
        inner = stacks(graph).get(path)
        if inner is None or path not in paths(graph):
            raise TrainingError(unknown(graph, path))
        reads, values = tuple(inner.reads.values()), dict(inner.values)
        shares = bool(inner.member.shared)
    _expect_noise(
        path, [*map(value_name, reads)], [tensors[value] for value in reads], shares=shares
    )
    outputs = {name: tensors[value] for name, value in values.items()}
    module = _module(graph.block, path) if path else ""
    return Excerpt(graph, path, row, module, tensors[reads[0]], values, outputs)


def _expect_noise(path: str, names: list[str], tensors: list[Tensor], *, shares: bool) -> None:
    """Check that a part reads one tensor of floats, with a value for each sample.

    Raises:
        TrainingError: it does not.
    """
    who = path or "the network"
    elsewhere = "another part" if path else "a part"
    if not names:
        raise TrainingError(f"{who} reads nothing, so it takes no noise: name {elsewhere}")
    if len(names) > 1:
        raise TrainingError(
            f"{who} reads {len(names)} tensors, {', '.join(names)}, but noise is one tensor: "
            f"name {elsewhere}, which reads one"
        )
    if not tensors[0].floating:
        raise TrainingError(
            f"{who} reads whole numbers or truth values ({tensors[0].dtype}), but noise is of "
            f"floats: name {elsewhere}, which reads floats"
        )
    if shares:
        raise TrainingError(
            f"{who} reads {names[0]}, which all samples share, but noise differs from sample to "
            f"sample: name {elsewhere}"
        )


def _module(block: Block, path: str) -> str:
    """Return the path of a module in the built network, for the path of a layer or a stack."""
    found: list[str] = []
    names = path.split(".")
    while names:
        member = next(one for one in block.members if one.name == names[0])
        found.append(member.module or member.name)
        names = names[1:]
        if isinstance(member.part, Block):
            block = member.part
    return ".".join(found)
