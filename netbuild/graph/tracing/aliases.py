"""The origins of the values during tracing, and the values without a batch axis."""

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
    """The origins and the missing batch axes of the values so far."""

    def __init__(self) -> None:
        self.origins: dict[Value, Origin] = {}
        #: Tensors without a batch axis.
        self.loose: set[Value] = set()

    def add(self, row: Row, results: Sequence[Value]) -> None:
        """Add the results of a layer."""
        for value in results:
            self.origins[value] = row.inferred.origin
            if isinstance(row.layer, Parameter) and not row.layer.batch_axis:
                self.loose.add(value)

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
            ShapeError: an input has no batch axis, or the layers that its inputs come from do not
                fit.
        """
        if not sources:
            return
        if self.loose:
            self._check_batch(inferred.layer, sources)
        y = next(iter(inferred.outputs.values())).shape
        inferred.layer.expect_origins(y, *map(self.origins.get, sources))

    def _check_batch(self, layer: Layer, sources: Sequence[Value]) -> None:
        """Refuse a tensor without a batch axis if the layer does not repeat it for each sample."""
        loose = [value in self.loose for value in sources]
        repeats = isinstance(layer, Operation) and layer.broadcasts
        if any(loose) and (all(loose) or not repeats):
            message = "the layer reads a Parameter without a batch axis: only joins such as Add "
            message += "repeat it for each sample, and they need an input with a batch axis"
            raise ShapeError("NB212", message)
