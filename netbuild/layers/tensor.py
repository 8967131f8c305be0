"""Layers that only rearrange: https://docs.pytorch.org/docs/stable/generated/torch.nn.Flatten.html."""

from typing import Annotated, Any

from pydantic import field_validator

from netbuild.fields import Int, Wants, many, unwanted, whole
from netbuild.layers.arithmetic import signed
from netbuild.layers.layer import Layer, Memory, Shape, ShapeError, Window, axis, product


class _Rearranging(Layer):
    """The same values in another shape, in the same memory."""

    needs_float = False

    def memory(self) -> Memory:
        return "view"

    def window(self, x: Shape) -> Window | None:
        """The positions lose their places."""
        return None


class Flatten(_Rearranging):
    """Merges the axes from start_dim to end_dim into one.

    >>> Flatten().output_shape((16, 5, 5))
    (400,)
    """

    start_dim: Int = 1
    end_dim: Int = -1

    def output_shape(self, x: Shape) -> Shape:
        start, end = axis(self.start_dim, x, at="start_dim"), axis(self.end_dim, x, at="end_dim")
        if start > end:
            message = f"start_dim {self.start_dim} comes after end_dim {self.end_dim}"
            raise ShapeError("NB205", message, at="start_dim")
        return (*x[:start], product(x[start : end + 1]), *x[end + 1 :])


class Unflatten(_Rearranging):
    """Splits the axis `dim` into axes of unflattened_size; a -1 among them takes what is left.

    >>> Unflatten(dim=1, unflattened_size=(16, 5, -1)).output_shape((400,))
    (16, 5, 5)
    """

    dim: Int
    unflattened_size: Annotated[
        tuple[int, ...],
        Wants("a list of whole numbers, of which one may be -1", many(whole(-1), at_least=1)),
    ]

    @field_validator("unflattened_size")
    @classmethod
    def _one_may_be_left_open(cls, sizes: Any) -> Any:
        if sizes.count(-1) > 1 or 0 in sizes:
            raise unwanted("sizes of at least 1, of which one may be -1")
        return sizes

    def output_shape(self, x: Shape) -> Shape:
        position = axis(self.dim, x, at="dim")
        given, n = self.unflattened_size, x[position]
        known = product(tuple(size for size in given if size != -1))
        if n % known or (-1 not in given and n != known):
            written = "·".join(signed(size) for size in given)
            raise ShapeError(
                "NB206",
                f"unflattened_size does not multiply to the {n} of axis {self.dim}",
                at="unflattened_size",
                formula=f"{written} = {known} for an axis of {n}"
                if -1 not in given
                else f"{n} / {known} is not whole",
            )
        sizes = tuple(n // known if size == -1 else size for size in given)
        return (*x[:position], *sizes, *x[position + 1 :])
