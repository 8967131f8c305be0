"""Values that all samples share: Parameters, constants, and what is computed from these alone.

Such a value has a batch axis of 1, and is computed once a batch. A layer that reads it beside a
value of each sample reads it once for each sample. An operation that broadcasts also takes it with
fewer axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import ShapeError, product, times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor
    from netbuild.graph.row import Row
    from netbuild.graph.tracing.scope import Signal
    from netbuild.graph.value import Value


def aligned(
    layer: type[Layer], inputs: tuple[Tensor, ...], shares: Sequence[bool]
) -> tuple[Tensor, ...]:
    """Return inputs of one rank: a shared input gets axes of size 1 in front.

    An input with a value for each sample keeps its axes: torch would align its batch with another
    axis.
    """
    if len(inputs) < 2 or not any(shares):
        return inputs
    if not issubclass(layer, Operation) or not layer.broadcasts:
        return inputs
    rank = max(len(x.shape) for x in inputs)
    return tuple(
        x._replace(shape=(1,) * (rank - len(x.shape)) + x.shape)
        if shared and len(x.shape) >= layer.least_axes
        else x
        for x, shared in zip(inputs, shares, strict=True)
    )


def check_kept(
    layer: Layer, sources: Sequence[Value], shares: Sequence[bool], rows: Mapping[str, Row]
) -> None:
    """Refuse an input of a `Constant` whose value is not known when the network is built.

    Raises:
        ShapeError: the input has a value for each sample, or training changes it.
    """
    if not layer.is_tensor or not sources:
        return
    if not all(shares):
        message = "it keeps one value, and its input has a value for each sample"
        raise ShapeError("NB205", message, help="let it read Constants, or what they give")
    waiting, seen = list(sources), set(sources)
    while waiting:
        row = rows[waiting.pop().path]
        if row.inferred.weights or (row.buffers and not row.layer.is_tensor):
            message = f"it keeps one value, and training changes the values of {row.path}"
            raise ShapeError("NB205", message, help="let it read Constants, or what they give")
        new = [source for source in row.sources if source not in seen]
        seen.update(new)
        waiting += new


def kept_from_outside(rows: Iterable[Row], module: str) -> Row | None:
    """Return a constant in a stack that keeps a value from outside of it; None if there is none."""
    within = [row for row in rows if row.path == module or row.path.startswith(f"{module}.")]
    paths = {row.path for row in within}
    feeding: set[str] = set()
    kept = None
    for row in reversed(within):
        if row.layer.is_tensor and row.sources:
            kept = row
        if row.path in feeding or (row.layer.is_tensor and row.sources):
            found = {source.path for source in row.sources}
            if not found <= paths:
                return kept
            feeding |= found
    return None


def check(
    layer: Layer, inputs: Sequence[Tensor], shares: Sequence[bool], around: Iterable[Signal]
) -> None:
    """Refuse a layer that needs more than one sample, if all samples share its inputs.

    `around` are the inputs of its stack. A layer without inputs finds the batch there.

    Raises:
        ShapeError: the layer draws random numbers, or has one value for a mean over the batch.
    """
    if layer.for_each_sample and all(x.shared for x in around):
        message = "it draws for each sample, and all inputs of its stack are shared by the samples"
        help_ = "move it out of the stack, or let the stack read a value of each sample too"
        raise ShapeError("NB218", message, help=help_)
    if not inputs or not all(shares):
        return
    if layer.draws:
        message = "it draws random numbers, and all samples share its input and so the draw"
        help_ = "first join the input with a value of each sample, for example by Add"
        raise ShapeError("NB218", message, help=help_)
    x = inputs[0].shape
    if layer.normalises in {"batch", "processes"} and product(x[1:]) == 1:
        message = f"all samples share its input of {times(x)}, so a batch has one value for each"
        raise ShapeError("NB210", f"{message} channel: torch needs more than 1 value")
