"""Tensor operations: https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from pydantic import field_validator

from netbuild.components.fields import Int, Wants, many, unwanted, whole
from netbuild.components.layers._sizes import signed
from netbuild.components.layers._view import Axes, Regrouping, View, axes
from netbuild.components.layers.formula import (
    Equation,
    Formulas,
    axis_of_input,
    by_axis,
    formula,
    unchanged,
    without,
)
from netbuild.components.layers.layer import Layer, Memory, Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, placed
from netbuild.components.layers.sight import Sight, every, regrouped, repeated
from netbuild.components.tensor import Shape, ShapeError, axis, product, times

_Open = Annotated[
    tuple[int, ...],
    Wants("a list of whole numbers with at most one -1", many(whole(-1))),
]


def _open_once(sizes: Shape) -> Shape:
    if sizes.count(-1) > 1 or 0 in sizes:
        raise unwanted("sizes of at least 1 with at most one -1")
    return sizes


def _filled(sizes: Shape, n: int, of: str, *, at: str) -> Shape:
    """Return the sizes, with the rest of `n` in place of a -1. Messages call n `of`.

    Raises:
        ShapeError: the product of the sizes is not n.
    """
    known = product(tuple(size for size in sizes if size != -1))
    if n % known or (-1 not in sizes and n != known):
        written = "·".join(signed(size) for size in sizes) or "no axis"
        formula = f"{n} / {known} is not whole" if -1 in sizes else f"{written} = {known}, not {n}"
        raise ShapeError("NB206", f"{at} does not multiply to {of}", at=at, formula=formula)
    return tuple(n // known if size == -1 else size for size in sizes)


def _written(sizes: Shape, n: int, field: str) -> list[Equation]:
    """Return the formulas of sizes in a field, with the rest of `n` in place of a -1."""
    known = tuple(size for size in sizes if size != -1)
    left = formula("values / (∏ others)", values=n, others=known)
    return [left if size == -1 else formula(field, **{field: size}) for size in sizes]


#: The names in the formula of a -1.
_LEFT = {
    "values": "the number of values to share out",
    "others": "the other sizes, without the -1",
}


class Flatten(Regrouping):
    """Merges the axes from start_dim to end_dim into one.

    - Flatten  # 16×5×5 to 400
    """

    regroups = True

    start_dim: Int = 1
    """First merged axis; 1 is the first axis after the batch."""
    end_dim: Int = -1
    """Last merged axis; −1 is the last axis."""

    def output_shape(self, x: Shape) -> Shape:
        start, end = axis(self.start_dim, x, at="start_dim"), axis(self.end_dim, x, at="end_dim")
        if start > end:
            message = f"start_dim {self.start_dim} comes after end_dim {self.end_dim}"
            raise ShapeError("NB205", message, at="start_dim")
        return (*x[:start], product(x[start : end + 1]), *x[end + 1 :])

    def memory(self, *x: Placed) -> Memory:
        """A single axis stays as it is: torch gives the very input."""
        merged = {
            axis(dim, one.shape, at="") for one in x for dim in (self.start_dim, self.end_dim)
        }
        return "same" if len(merged) == 1 else super().memory(*x)

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return regrouped(axis_, x[0], self.output_shape(x[0]))

    def formulas(self, x: Shape) -> Formulas:
        start, end = axis(self.start_dim, x, at="start_dim"), axis(self.end_dim, x, at="end_dim")
        merged = formula("∏ merged", merged=x[start : end + 1])
        sizes = (*map(unchanged, x[:start]), merged, *map(unchanged, x[end + 1 :]))
        terms = {"merged": "the sizes of the axes from start_dim to end_dim"}
        return Formulas(by_axis(sizes), terms=terms)


class Unflatten(Regrouping):
    """Splits the axis `dim` into axes of unflattened_size; a size of -1 takes the rest.

    - Unflatten: {dim: 1, unflattened_size: [16, 5, -1]}  # 400 to 16×5×5
    """

    regroups = True

    dim: Int
    """Axis that is split; negative numbers count from the last axis."""
    unflattened_size: Annotated[
        tuple[int, ...],
        Wants("a list of whole numbers with at most one -1", many(whole(-1), at_least=1)),
    ]
    """Sizes of the new axes; a size of −1 takes the rest."""

    _one_may_be_left_open = field_validator("unflattened_size")(_open_once)

    def output_shape(self, x: Shape) -> Shape:
        position = axis(self.dim, x, at="dim")
        n = x[position]
        at = "unflattened_size"
        sizes = _filled(self.unflattened_size, n, f"the {n} of axis {self.dim}", at=at)
        return (*x[:position], *sizes, *x[position + 1 :])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return regrouped(axis_, x[0], self.output_shape(x[0]))

    def formulas(self, x: Shape) -> Formulas:
        position = axis(self.dim, x, at="dim")
        sizes = _written(self.unflattened_size, x[position], "unflattened_size")
        around = map(unchanged, x[:position]), map(unchanged, x[position + 1 :])
        return Formulas(by_axis([*around[0], *sizes, *around[1]]), terms=_LEFT)


class Reshape(Regrouping, View):
    """The same values in another shape: (*) to `shape`, which has no batch axis.

    The result is a view if the input's values are contiguous in memory. After an operation that
    moved axes, it is a copy.

    - Reshape: {shape: [16, -1]}  # 16×5×5 to 16×25
    """

    function = "reshape"

    shape: _Open
    """Sizes of the result, without the batch; a size of −1 takes the rest."""

    _one_may_be_left_open = field_validator("shape")(_open_once)

    def output_shape(self, x: Shape) -> Shape:
        n = product(x)
        return _filled(self.shape, n, f"the {n} values of {times(x)}", at="shape")

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return regrouped(axis_, x[0], self.output_shape(x[0]))

    def formulas(self, x: Shape) -> Formulas:
        return Formulas(by_axis(_written(self.shape, product(x), "shape")), terms=_LEFT)

    def arguments(self, x: Shape) -> dict[str, Any]:
        """Use the only -1 that torch takes for the batch axis, if the shape has none."""
        return {"shape": self.shape if -1 in self.shape else (-1, *self.shape)}

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        """Put the size of the batch in front of a shape with a -1."""
        if -1 not in self.shape:
            return {"output": forward(*x)}
        return {"output": forward(*x, shape=(x[0].size(0), *self.shape))}


class Permute(View):
    """Puts the axes in the order of dims, which begins with the batch: (A, B) to (B, A).

    - Permute: {dims: [0, 2, 3, 1]}  # 3×28×30 to 28×30×3
    """

    function = "permute"

    dims: Annotated[tuple[int, ...], Wants("a list of whole numbers", many(whole(), at_least=1))]
    """Axes of the input in their new order; the batch, 0, comes first."""

    def output_shape(self, x: Shape) -> Shape:
        rank = len(x) + 1
        if len(self.dims) != rank:
            message = f"dims has {len(self.dims)} axes, and with the batch there are {rank}"
            raise ShapeError("NB205", message, at="dims")
        if self.dims[0] not in {0, -rank}:
            message = f"dims begins with {self.dims[0]}, and axis 0, the batch, must come first"
            raise ShapeError("NB205", message, at="dims")
        return tuple(x[position] for position in axes(self.dims[1:], x, at="dims"))

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return Sight(axes(self.dims[1:], x[0], at="dims").index(axis_))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        order = (-1, *axes(self.dims[1:], x[0].shape, at="dims"))
        return (_moved(x[0], [place + 1 for place in order]),)

    def formulas(self, x: Shape) -> Formulas:
        order = axes(self.dims[1:], x, at="dims")
        return Formulas(by_axis(axis_of_input(place, x[place]) for place in order))


class Transpose(View):
    """Swaps two axes: (A, B) to (B, A).

    - Transpose: {dim0: 1, dim1: -1}  # 10×4×64 to 64×4×10
    """

    function = "transpose"

    dim0: Int
    """First of the two axes to swap."""
    dim1: Int
    """Second of the two axes to swap."""

    def output_shape(self, x: Shape) -> Shape:
        first, second = axis(self.dim0, x, at="dim0"), axis(self.dim1, x, at="dim1")
        y = list(x)
        y[first], y[second] = x[second], x[first]
        return tuple(y)

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        first, second = (axis(dim, x[0], at="dim0") for dim in (self.dim0, self.dim1))
        return Sight({first: second, second: first}.get(axis_, axis_))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        order = list(range(len(x[0].sizes)))
        first = axis(self.dim0, x[0].shape, at="dim0") + 1
        second = axis(self.dim1, x[0].shape, at="dim1") + 1
        order[first], order[second] = second, first
        return (_moved(x[0], order),)

    def formulas(self, x: Shape) -> Formulas:
        first, second = axis(self.dim0, x, at="dim0"), axis(self.dim1, x, at="dim1")
        swapped = {first: second, second: first}
        order = [swapped.get(place, place) for place in range(len(x))]
        return Formulas(by_axis(axis_of_input(place, x[place]) for place in order))


class Squeeze(View):
    """Removes the axes `dim` that have size 1: (A, 1, B) to (A, B).

    - Squeeze: {dim: [2, 3]}  # 64×1×1 to 64
    """

    function = "squeeze"
    regroups = True

    dim: Axes
    """Axes to remove if their size is 1; other axes stay."""

    def output_shape(self, x: Shape) -> Shape:
        named = axes(self.dim, x, at="dim")
        return tuple(n for place, n in enumerate(x) if n != 1 or place not in named)

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        removed = [place for place in axes(self.dim, x[0], at="dim") if x[0][place] == 1]
        if axis_ in removed:
            return every(1)
        return Sight(axis_ - sum(place < axis_ for place in removed))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        named = axes(self.dim, x[0].shape, at="dim")
        batch, *strides = x[0].distances
        pairs = enumerate(zip(x[0].shape, strides, strict=True))
        left = (step for place, (n, step) in pairs if n != 1 or place not in named)
        return (placed((BATCH, *y[0]), (batch, *left)),)

    def formulas(self, x: Shape) -> Formulas:
        named = axes(self.dim, x, at="dim")
        return Formulas(without(x, [place for place in named if x[place] == 1]))


class Unsqueeze(View):
    """Inserts a new axis of size 1 at `dim`: (A, B) to (A, 1, B).

    - Unsqueeze: 1  # 28×28 to 1×28×28
    """

    function = "unsqueeze"
    regroups = True

    dim: Int
    """Position of the new axis; 1 is directly after the batch."""

    def output_shape(self, x: Shape) -> Shape:
        position = axis(self.dim, (*x, 1), at="dim")  # the new axis counts too
        return (*x[:position], 1, *x[position:])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return Sight(axis_ + (axis_ >= axis(self.dim, (*x[0], 1), at="dim")))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """The new axis has the stride that torch gives it: one step of it passes the next axis."""
        position = axis(self.dim, y[0], at="dim") + 1
        sizes, strides = x[0].sizes, x[0].distances
        step = sizes[position] * strides[position] if position < len(sizes) else 1
        found = (*strides[:position], step, *strides[position:])
        return (placed((BATCH, *y[0]), found),)

    def formulas(self, x: Shape) -> Formulas:
        position = axis(self.dim, (*x, 1), at="dim")
        sizes = [axis_of_input(place, n) for place, n in enumerate(x)]
        return Formulas(by_axis([*sizes[:position], formula("1"), *sizes[position:]]))


class Expand(View):
    """Repeats axes of size 1 without a copy: (A, 1) to `sizes`. A size of -1 keeps an axis.

    - Expand: {sizes: [-1, 8, 8]}  # 64×1×1 to 64×8×8
    """

    function = "expand"
    namespace = "torch.Tensor"

    sizes: _Open
    """Sizes of the result, without the batch; −1 keeps an axis."""

    @field_validator("sizes")
    @classmethod
    def _at_least_one(cls, sizes: Any) -> Any:
        if 0 in sizes:
            raise unwanted("sizes of at least 1, or -1 to keep an axis")
        return sizes

    def output_shape(self, x: Shape) -> Shape:
        if len(self.sizes) != len(x):
            message = f"sizes has {len(self.sizes)} axes, and the input has {len(x)} ({times(x)})"
            raise ShapeError("NB201", message, at="sizes")
        for number, (size, n) in enumerate(zip(self.sizes, x, strict=True), start=1):
            if size not in {-1, n} and n != 1:
                message = f"axis {number} is {n}, and only an axis of 1 can repeat to {size}"
                raise ShapeError("NB202", message, at="sizes")
        return tuple(n if size == -1 else size for size, n in zip(self.sizes, x, strict=True))

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        n = x[0][axis_]
        return repeated(axis_, n, self.output_shape(x[0])[axis_])

    def formulas(self, x: Shape) -> Formulas:
        pairs = zip(self.sizes, x, strict=True)
        sizes = (unchanged(n) if m == -1 else formula("sizes", sizes=m) for m, n in pairs)
        return Formulas(by_axis(sizes))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """An axis that repeats has a stride of 0."""
        batch, *strides = x[0].distances
        axes_ = zip(x[0].shape, y[0], strides, strict=True)
        found = (0 if n == 1 != wide else step for n, wide, step in axes_)
        return (placed((BATCH, *y[0]), (batch, *found)),)

    def arguments(self, x: Shape) -> dict[str, Any]:
        """Rename `sizes` to the keyword of `torch.Tensor.expand`."""
        return {"size": (-1, *self.sizes)}

    def window(self, x: Shape) -> Window | None:
        """Repeated channels keep their positions; repeated positions share one."""
        return Layer.window(self, x) if self.output_shape(x)[1:] == x[1:] else None


def _moved(x: Placed, order: Sequence[int]) -> Strides:
    """Return the strides of a view with the axes, also the batch, in another order."""
    sizes, strides = x.sizes, x.distances
    return placed([sizes[n] for n in order], [strides[n] for n in order])
