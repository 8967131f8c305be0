"""The values that share memory during tracing, and the values that the backward pass needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.layer import Operation
from netbuild.components.layers.parameter import Parameter
from netbuild.components.tensor import ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.layer import Layer, Origin
    from netbuild.components.tensor import Tensor
    from netbuild.graph.inference import Inferred
    from netbuild.graph.row import Row
    from netbuild.graph.value import Value


class Aliases:
    """The shared memory, the origins and the missing batch axes of the values so far."""

    def __init__(self) -> None:
        #: For each value, the value whose memory it shares.
        self.memory: dict[Value, Value] = {}
        #: For each value, the first layer whose backward pass needs it unchanged.
        self.needed: dict[Value, str] = {}
        #: Views that torch does not allow to overwrite, and views of them.
        self.locked: set[Value] = set()
        self.origins: dict[Value, Origin] = {}
        #: Tensors without a batch axis.
        self.loose: set[Value] = set()

    def add(self, row: Row, results: Sequence[Value]) -> None:
        """Add the results of a layer, and the values that its backward pass needs."""
        memory = row.inferred.memory
        for value in results:
            self.origins[value] = row.inferred.origin
            self.memory[value] = value
            if memory != "new" and row.sources:
                self.memory[value] = self.memory.get(row.sources[0], row.sources[0])
            if isinstance(row.layer, Parameter) and not row.layer.batch_axis:
                self.loose.add(value)
            if memory == "locked" or (memory == "view" and row.sources[0] in self.locked):
                self.locked.add(value)
        for value, _ in row.saved:
            self.needed.setdefault(self.memory.get(value, value), row.path)

    def aligned(
        self, layer: type[Layer], sources: Sequence[Value], inputs: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...]:
        """Return inputs of one rank: an input without a batch axis gets axes of size 1 in front."""
        broadcasts = issubclass(layer, Operation) and layer.broadcasts
        if len(inputs) < 2 or not broadcasts or not self.loose:
            return inputs
        rank = max(len(x.shape) for x in inputs)
        return tuple(
            x._replace(shape=(1,) * (rank - len(x.shape)) + x.shape) if value in self.loose else x
            for value, x in zip(sources, inputs, strict=True)
        )

    def check(self, inferred: Inferred, sources: Sequence[Value]) -> None:
        """Refuse a layer that conflicts with the layers before it.

        Raises:
            ShapeError: the layer overwrites a tensor that another layer needs, an input has no
                batch axis, or the layers that its inputs come from do not fit.
        """
        if not sources:
            return
        if inferred.memory == "overwritten":
            self._check_not_needed(sources[0])
        if self.loose:
            self._check_batch(inferred.layer, sources)
        y = next(iter(inferred.outputs.values())).shape
        inferred.layer.expect_origins(y, *map(self.origins.get, sources))

    def _check_not_needed(self, first: Value) -> None:
        """Refuse a layer that overwrites a tensor that an earlier layer needs for backward."""
        message = ""
        reader = self.needed.get(self.memory.get(first, first))
        if reader:
            message = f"the layer overwrites its input, which the backward pass of {reader} needs"
        elif first in self.locked:
            message = "the layer overwrites a view of another tensor, which torch forbids"
        if message:
            raise ShapeError("NB211", message, at="inplace")

    def _check_batch(self, layer: Layer, sources: Sequence[Value]) -> None:
        """Refuse a tensor without a batch axis if the layer does not repeat it for each sample."""
        loose = [value in self.loose for value in sources]
        repeats = isinstance(layer, Operation) and layer.broadcasts
        if any(loose) and (all(loose) or not repeats):
            message = "the layer reads a Parameter without a batch axis: only joins such as Add "
            message += "repeat it for each sample, and they need an input with a batch axis"
            raise ShapeError("NB212", message)
