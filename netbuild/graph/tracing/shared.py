"""Values that all samples share: Parameters, constants, and what is computed from these alone.

Such a value has a batch axis of 1, and is computed once a batch. A layer that reads it beside a
value of each sample reads it once for each sample. An operation that broadcasts also takes it with
fewer axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.components.layers.layer import Operation
from netbuild.components.tensor import ShapeError, product, times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.layers.layer import Layer
    from netbuild.components.tensor import Tensor


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


def check(layer: Layer, inputs: Sequence[Tensor], shares: Sequence[bool]) -> None:
    """Refuse a layer that needs more than one sample, if all samples share its inputs.

    Raises:
        ShapeError: the layer draws random numbers, or has one value for a mean over the batch.
    """
    if not inputs or not all(shares):
        return
    if layer.draws:
        message = "it draws random numbers in training, and all samples share its input:"
        message += " they would all get the same draw"
        help_ = "first join the input with a value of each sample, for example by Add"
        raise ShapeError("NB218", message, help=help_)
    x = inputs[0].shape
    if layer.normalises in {"batch", "processes"} and product(x[1:]) == 1:
        message = f"all samples share its input of {times(x)}, so a batch has one value for each"
        raise ShapeError("NB210", f"{message} channel: torch needs more than 1 value")
