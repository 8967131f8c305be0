"""Shared by operations on one tensor: views of its memory, and lists of its axes."""

from collections.abc import Sequence
from typing import Annotated

from netbuild.components.fields import Wants, either, many, whole
from netbuild.components.layers.layer import Layer, Memory, Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, viewed
from netbuild.components.layers.operation import Operation
from netbuild.components.tensor import Shape, ShapeError, axis

Axes = Annotated[
    int | tuple[int, ...],
    Wants("a whole number, or a list of whole numbers", either(whole(), many(whole(), at_least=1))),
]


def axes(dims: int | Shape, x: Shape, *, at: str) -> Shape:
    """Return the positions in `x` of torch's axes; each axis may occur once.

    Raises:
        ShapeError: an axis does not exist, is the batch axis, or occurs twice.
    """
    positions = tuple(axis(dim, x, at=at) for dim in each(dims))
    for number, position in enumerate(positions):
        if position in positions[:number]:
            raise ShapeError("NB205", f"{at} names axis {position + 1} twice", at=at)
    return positions


def each(value: int | Shape) -> Shape:
    """Return one number or several as a tuple."""
    return value if isinstance(value, tuple) else (value,)


class Rearranging(Layer):
    """Gives the same values in another shape, in the same memory."""

    needs_float = False
    rearranges = True

    def memory(self, *x: Placed) -> Memory:
        return "view"

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The strides of the view of this shape; None if the shape needs a copy."""
        if x[0].strides is None:
            return (None,) * len(y)
        return tuple(viewed(x[0].sizes, x[0].distances, (BATCH, *shape)) for shape in y)

    def window(self, x: Shape) -> Window | None:
        """Output positions do not match input positions."""
        return None


class Regrouping(Rearranging):
    """Gives all values in another shape: in the same memory if it can, else in a copy."""

    def memory(self, *x: Placed) -> Memory:
        if not x or x[0].strides is None:
            return "view"
        sizes = (BATCH, *self.output_shape(x[0].shape))
        return "view" if viewed(x[0].sizes, x[0].distances, sizes) is not None else "new"


class View(Rearranging, Operation):
    """Gives all or some of the values, in the same memory."""
