"""Where the values of a tensor lie in memory: the distances between neighbours on each axis.

Strides count values, and have the batch as axis 0; shapes are without the batch. Strides of None
are the usual ones, of values that lie in order, one after the other. The rules are those of torch's
`TensorImpl`, `computeStride` and `TensorIterator` in `c10/core` and `aten/src/ATen`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from netbuild.components.tensor import Tensor, product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.components.tensor import Shape

Strides: TypeAlias = "tuple[int, ...] | None"

#: The number of samples for which strides are computed. Any number greater than 1 gives the same
#: order of axes.
BATCH = 1009


class Placed(NamedTuple):
    """A tensor in memory, and whether the backward pass gives it a gradient."""

    shape: Shape
    strides: Strides = None
    gradient: bool = True
    dtype: str = "float32"
    #: Whether it has a batch axis; a parameter may have none.
    batched: bool = True
    #: The number of the first input that is the same tensor, if a layer reads a tensor twice.
    same: int | None = None

    @property
    def nbytes(self) -> int:
        """The bytes of one sample, each value counted at each of its positions."""
        return Tensor(self.shape, self.dtype).nbytes

    @property
    def sizes(self) -> Shape:
        """The sizes of all axes, with the batch."""
        return (BATCH, *self.shape)

    @property
    def distances(self) -> tuple[int, ...]:
        """The strides as numbers."""
        return in_order(self.sizes) if self.strides is None else self.strides

    @property
    def in_order(self) -> bool:
        """Whether the values lie in order."""
        return self.strides is None or is_in_order(self.sizes, self.strides)

    @property
    def channels_last(self) -> bool:
        """Whether the values lie in order with the channels as innermost axis."""
        order = (0, *range(2, len(self.sizes)), 1)
        return len(order) in {4, 5} and self.moved(order)

    def moved(self, order: Sequence[int]) -> bool:
        """Whether the values lie in order after the axes, with the batch, get another order."""
        sizes, strides = self.sizes, self.distances
        return is_in_order([sizes[n] for n in order], [strides[n] for n in order])

    def merged(self, *axes: int) -> bool:
        """Whether these axes, in this order and with the batch as 0, are one without a copy."""
        sizes = [self.sizes[n] for n in axes]
        strides = [self.distances[n] for n in axes]
        return viewed(sizes, strides, (product(tuple(sizes)),)) is not None


def in_order(sizes: Sequence[int]) -> tuple[int, ...]:
    """Return the strides of values that lie in order.

    >>> in_order((2, 3, 4))
    (12, 4, 1)
    """
    strides, step = [], 1
    for size in reversed(sizes):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


def is_in_order(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether values lie in order; the stride of an axis of size 1 does not count."""
    step = 1
    for size, stride in zip(reversed(sizes), reversed(strides), strict=True):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def placed(sizes: Sequence[int], strides: Sequence[int]) -> Strides:
    """Return strides, or None for the usual ones. An axis of size 1 has a stride too."""
    found = tuple(strides)
    return None if found == in_order(sizes) else found


def ordered(sizes: Sequence[int], order: Sequence[int]) -> Strides:
    """Return the strides of values whose axes lie in memory in this order, the outermost first."""
    strides = [0] * len(sizes)
    for axis, step in zip(order, in_order([sizes[n] for n in order]), strict=True):
        strides[axis] = step
    return placed(sizes, strides)


def viewed(
    sizes: Sequence[int], strides: Sequence[int], shape: Sequence[int]
) -> tuple[int, ...] | None:
    """Return the strides of a view with another shape; None if the shape needs a copy.

    >>> viewed((2, 3, 4), (12, 4, 1), (2, 12))
    (12, 1)
    >>> viewed((2, 4, 3), (12, 1, 4), (2, 12)) is None
    True
    """
    found = [0] * len(shape)
    place = len(shape) - 1
    base, wanted, there = strides[-1] if strides else 1, 1, 1
    for axis in range(len(sizes) - 1, -1, -1):
        there *= sizes[axis]
        ends = axis == 0 or (sizes[axis - 1] != 1 and strides[axis - 1] != there * base)
        if not ends:
            continue
        while place >= 0 and (wanted < there or shape[place] == 1):
            found[place] = wanted * base
            wanted *= shape[place]
            place -= 1
        if wanted != there:
            return None
        if axis > 0:
            base, wanted, there = strides[axis - 1], 1, 1
    return tuple(found) if place == -1 else None


def is_channels_last(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether torch takes values of four or five axes for channels last.

    It is `is_channels_last_strides_2d` and its 3-D kin in `c10/core/MemoryFormat.h`.
    """
    if len(sizes) not in {4, 5} or strides[1] == 0:
        return False
    least = 0
    for axis in (1, *range(len(sizes) - 1, 1, -1), 0):
        if strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * max(sizes[axis], 1)
    return True


def channels_last(sizes: Sequence[int]) -> Strides:
    """Return the strides of values with the channels as innermost axis."""
    return ordered(sizes, (0, *range(2, len(sizes)), 1))


def of_channels(x: Placed, shape: Shape) -> Strides:
    """Return the strides of a result that has channels last if the input has them last."""
    if x.strides is None or not is_channels_last(x.sizes, x.strides):
        return None
    sizes = (BATCH, *shape)
    return channels_last(sizes) if len(sizes) == len(x.sizes) else None


def of_channels_1d(x: Placed, shape: Shape) -> Strides:
    """Return the same for (C, L), which torch treats as (C, 1, L)."""
    if x.strides is None:
        return None
    batch, channels, length = x.strides
    row = x.shape[1] * length
    image = Placed((x.shape[0], 1, x.shape[1]), (batch, channels, row, length))
    found = of_channels(image, (shape[0], 1, shape[1]))
    return None if found is None else placed((BATCH, *shape), (found[0], found[1], found[3]))


def elementwise(shape: Shape, x: Sequence[Placed]) -> Strides:
    """Return the strides of a result that is computed element by element; inputs broadcast.

    Its axes lie in the order of the axes of the first input that tells their order.
    """
    alike = all(one.shape == shape for one in x)
    if alike and all(one.in_order for one in x):
        return None
    sizes = (BATCH, *shape)
    if alike and all(one.channels_last for one in x):
        return channels_last(sizes)
    operands = [_repeated(one, sizes) for one in x]
    if alike and all(given == operands[0] for given in operands) and _is_dense(sizes, operands[0]):
        return placed(sizes, operands[0])
    order = _sorted_axes(sizes, operands)  # the innermost axis first
    return ordered(sizes, order[::-1])


def _repeated(x: Placed, sizes: Shape) -> tuple[int, ...]:
    """Return the strides of an input that is repeated to larger sizes: 0 where it repeats."""
    pairs = zip(x.sizes, x.distances, sizes, strict=True)
    return tuple(0 if size == 1 != wide else stride for size, stride, wide in pairs)


def _is_dense(sizes: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the values fill their memory without gaps or repetitions."""
    step = 1
    for stride, size in sorted(zip(strides, sizes, strict=True), key=lambda pair: pair[0]):
        if size != 1:
            if stride != step:
                return False
            step *= size
    return True


def _sorted_axes(sizes: Sequence[int], operands: Sequence[Sequence[int]]) -> list[int]:
    """Return the axes as `TensorIteratorBase::reorder_dimensions` sorts them, innermost first."""

    def compare(one: int, other: int) -> int:
        for strides in operands:
            a, b = strides[one], strides[other]
            if 0 in {a, b}:
                continue
            if a != b:
                return -1 if a < b else 1
            if sizes[one] > sizes[other]:
                return 1
        return 0

    order = list(reversed(range(len(sizes))))
    for i in range(1, len(order)):  # the insertion sort of torch, which ties depend on
        moving = i
        for j in range(i - 1, -1, -1):
            found = compare(order[j], order[moving])
            if found > 0:
                order[j], order[moving] = order[moving], order[j]
                moving = j
            elif found < 0:
                break
    return order
