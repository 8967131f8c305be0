"""Selections: https://docs.pytorch.org/docs/stable/torch.html#indexing-slicing."""

from collections.abc import Sequence
from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import Int, PositiveInt, Wants, either, whole
from netbuild.components.layers._view import View
from netbuild.components.layers.formula import (
    Equation,
    Formulas,
    by_axis,
    formula,
    unchanged,
    without,
)
from netbuild.components.layers.layer import Layer, Memory, Window
from netbuild.components.layers.layout import BATCH, Placed, Strides, placed
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, axis

#: The largest number of results of one layer: each result needs a name.
_MOST_CHUNKS = 1000
_Chunks = Annotated[
    int,
    Wants(
        f"a whole number from 1 to {_MOST_CHUNKS}",
        core_schema.int_schema(strict=True, ge=1, le=_MOST_CHUNKS),
    ),
]
_Sections = Annotated[
    int | tuple[int, ...],
    Wants(
        "a whole number of at least 1, or a list of them",
        either(
            whole(1),
            core_schema.tuple_schema(
                [whole(1)], variadic_item_index=0, min_length=1, max_length=_MOST_CHUNKS
            ),
        ),
    ),
]


class Select(View):
    """Takes one slice of the axis `dim` and removes the axis: (A, n, B) to (A, B).

    - Select: {dim: 1, index: 0}  # 197×768 to 768
    """

    function = "select"

    dim: Int
    """Axis of the slice; the axis is removed."""
    index: Int
    """Number of the slice, from 0; negative ones count from the end."""

    def output_shape(self, x: Shape) -> Shape:
        position = axis(self.dim, x, at="dim")
        n = x[position]
        if not -n <= self.index < n:
            message = (
                f"index {self.index} is out of the range of axis {position + 1}: {-n} to {n - 1}"
            )
            raise ShapeError("NB204", message, at="index")
        return (*x[:position], *x[position + 1 :])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        here = axis(self.dim, x[0], at="dim")
        index = self.index % x[0][here]
        return Sight(None, 1, index, index) if axis_ == here else Sight(axis_ - (axis_ > here))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        strides = list(x[0].distances)
        del strides[axis(self.dim, x[0].shape, at="dim") + 1]
        return (placed((BATCH, *y[0]), strides),)

    def formulas(self, x: Shape) -> Formulas:
        return Formulas(without(x, [axis(self.dim, x, at="dim")]))


class Narrow(View):
    """Takes `length` slices of the axis `dim`, beginning at `start`: (A, n, B) to (A, length, B).

    - Narrow: {dim: 1, start: -3, length: 2}  # 10×64 to 2×64
    """

    function = "narrow"

    dim: Int
    """Axis of the slices."""
    start: Int
    """Number of the first slice, from 0; negative ones count from the end."""
    length: PositiveInt
    """Number of slices."""

    def output_shape(self, x: Shape) -> Shape:
        position, start = axis(self.dim, x, at="dim"), self._start(x)
        n = x[position]
        if not 0 <= start <= n - self.length:
            message = f"{self.length} slices from {self.start} on exceed an axis of {n}"
            at = "length" if 0 <= start < n else "start"
            raise ShapeError("NB204", message, at=at)
        return (*x[:position], self.length, *x[position + 1 :])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        start = self._start(x[0]) if axis_ == axis(self.dim, x[0], at="dim") else 0
        return Sight(axis_, 1, start, start)

    def formulas(self, x: Shape) -> Formulas:
        sizes = [unchanged(n) for n in x]
        sizes[axis(self.dim, x, at="dim")] = formula("length", length=self.length)
        return Formulas(by_axis(sizes))

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (placed((BATCH, *y[0]), x[0].distances),)

    def _start(self, x: Shape) -> int:
        n = x[axis(self.dim, x, at="dim")]
        return self.start + n if self.start < 0 else self.start

    def window(self, x: Shape) -> Window | None:
        """Position i comes from the input's position i + start: a padding of −start."""
        here, start = axis(self.dim, x, at="dim"), self._start(x)
        ones = (1,) * (len(x) - 1)
        padding = tuple(-start if place == here else 0 for place in range(1, len(x)))
        return Window(ones, ones, padding, ones)


class _Parts(View):
    """Splits the axis `dim` into parts, each of which is a result."""

    gives_tuple = True

    dim: Int = 1
    """Axis that is split; 1 is the channels."""

    def _starts(self, n: int) -> list[tuple[int, int]]:
        """Return where the parts of an axis of n begin, and how long they are."""
        raise NotImplementedError

    def _of_axis(self, x: Shape) -> list[tuple[int, int]]:
        return self._starts(x[axis(self.dim, x, at="dim")])

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        shape, dtype = x[0]
        position = axis(self.dim, shape, at="dim")
        return {
            str(number): Tensor((*shape[:position], part, *shape[position + 1 :]), dtype)
            for number, (_, part) in enumerate(self._of_axis(shape))
        }

    def _formulas(self, x: Shape, parts: Sequence[Equation], terms: dict[str, str]) -> Formulas:
        """Return the formulas of all results, with those of the axis that is split."""
        position, found = axis(self.dim, x, at="dim"), []
        for part in parts:
            sizes = [unchanged(size) for size in x]
            sizes[position] = part
            found.append(by_axis(sizes))
        results = {str(number): sizes for number, sizes in enumerate(found)}
        return Formulas(found[0], results=results, terms=terms)

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        here = axis_ == axis(self.dim, x[0], at="dim")
        start = self._of_axis(x[0])[int(port or 0)][0] if here else 0
        return Sight(axis_, 1, start, start)

    def memory(self, *x: Placed) -> Memory:
        return "locked"

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return tuple(placed((BATCH, *shape), x[0].distances) for shape in y)

    def window(self, x: Shape) -> Window | None:
        """Positions keep their neighbours, but not their numbers."""
        return Layer.window(self, x)


class Chunk(_Parts):
    """Splits the axis `dim` into `chunks` parts of ⌈n / chunks⌉; the last one may be smaller.

    - Chunk: 2  # 6×8 to 3×8, 1: 3×8
    """

    function = "chunk"

    last = "dim"

    chunks: _Chunks
    """Number of parts."""

    def _starts(self, n: int) -> list[tuple[int, int]]:
        size = -(-n // self.chunks)
        count = -(-n // size)
        if count != self.chunks:
            message = f"an axis of {n} makes {count} chunks of {size}, not {self.chunks}"
            raise ShapeError(
                "NB204", message, at="chunks", formula=f"⌈{n} / {self.chunks}⌉ = {size}"
            )
        return [(start, min(size, n - start)) for start in range(0, n, size)]

    def formulas(self, x: Shape) -> Formulas:
        n = x[axis(self.dim, x, at="dim")]
        each = formula("⌈n / chunks⌉", n=n, chunks=self.chunks)
        before = formula("n − (chunks − 1)·⌈n / chunks⌉", n=n, chunks=self.chunks)
        parts = [each] * (self.chunks - 1) + [before]
        return self._formulas(x, parts, {"n": "the size of the axis that is split"})


class Split(_Parts):
    """Splits the axis `dim` into parts of one size or of given sizes: (n, A) to (a, A), (b, A).

    Of one size, the last part may be smaller.

    - Split: [64, 32]  # 96×8 to 64×8, 1: 32×8
    """

    function = "split"

    last = "dim"

    split_size_or_sections: _Sections
    """Size of each part, or a list with the size of every part."""

    def _starts(self, n: int) -> list[tuple[int, int]]:
        at, sizes = "split_size_or_sections", self.split_size_or_sections
        if isinstance(sizes, int):
            count = -(-n // sizes)
            if count > _MOST_CHUNKS:
                message = f"an axis of {n} makes {count:,} parts, and {_MOST_CHUNKS:,} are allowed"
                raise ShapeError("NB204", message, at=at)
            return [(start, min(sizes, n - start)) for start in range(0, n, sizes)]
        if sum(sizes) != n:
            added = " + ".join(map(str, sizes))
            message = f"the sections add up to {sum(sizes)}, and axis {self.dim} has {n}"
            raise ShapeError("NB202", message, at=at, formula=f"{added} = {sum(sizes)}")
        return [(sum(sizes[:number]), size) for number, size in enumerate(sizes)]

    def formulas(self, x: Shape) -> Formulas:
        n, sizes = x[axis(self.dim, x, at="dim")], self.split_size_or_sections
        if not isinstance(sizes, int):
            return self._formulas(x, [formula("section", section=size) for size in sizes], {})
        size = formula("min(split_size, n)", split_size=sizes, n=n)
        parts = [size] * (-(-n // sizes))
        if n % sizes and len(parts) > 1:
            parts[-1] = formula("n − split_size·⌊n / split_size⌋", split_size=sizes, n=n)
        return self._formulas(x, parts, {"n": "the size of the axis that is split"})
