"""Matrix products: https://docs.pytorch.org/docs/stable/generated/torch.matmul.html."""

from netbuild.components.layers._broadcast import (
    broadcast_formulas,
    expect_same_rank,
    size_of,
)
from netbuild.components.layers._join import Join
from netbuild.components.layers.formula import (
    Equation,
    Formulas,
    Numbers,
    by_axis,
    unchanged,
)
from netbuild.components.layers.layer import Needs, Window
from netbuild.components.layers.layout import BATCH, Placed, placed
from netbuild.components.layers.sight import Sight, every, repeated
from netbuild.components.tensor import BYTES, Shape, ShapeError, product, times


class MatMul(Join):
    """The matrix product of the last two axes: (*, N, M) and (*, M, P) to (*, N, P).

    - {MatMul, inputs: [queries, keys]}  # 8×10×64 and 8×64×10 to 8×10×10
    """

    function = "matmul"
    broadcasts = True
    least_axes = 2

    # torch multiplies matrices of whole numbers only on a CPU
    needs_float = True

    def batch_axis(self, number: int, x: Shape) -> bool:
        """One matrix behind a stack has none: torch then computes a single product.

        It is `should_fold` in `aten/src/ATen/native/LinearAlgebra.cpp`.
        """
        return number == 0 or product(x[:-2]) > 1

    def output_shape(self, x: Shape, other: Shape) -> Shape:
        expect_same_rank(x, other)
        if len(x) < 2:
            message = (
                f"it needs matrices (*, N, M), and the inputs are {times(x)} and {times(other)}"
            )
            raise ShapeError("NB201", message)
        stacked = tuple(size_of(place, (x, other)) for place in range(len(x) - 2))
        if x[-1] != other[-2]:
            message = f"axis {len(x)} is {x[-1]} in input 1 ({times(x)})"
            message += f" and axis {len(x) - 1} is {other[-2]} in input 2 ({times(other)})"
            raise ShapeError("NB212", f"{message}: they must be equal")
        return (*stacked, x[-2], other[-1])

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        n, rank = x[source][axis], len(x[0])
        if axis == rank - 1 - source:  # columns of input, rows of other
            # A row of `input` may hold zeros for later rows of `other`, such as causal weights.
            return every(n)._replace(loose=source == 1)
        wider = max(shape[axis] for shape in x) if axis < rank - 2 else n
        return repeated(axis, n, wider)

    def macs(self, x: Shape, other: Shape) -> int:
        return product(self.output_shape(x, other)) * x[-1]

    def formulas(self, x: Shape, other: Shape) -> Formulas:
        stacked, rows, columns = self.output_shape(x, other)[:-2], x[-2], other[-1]
        numbers: Numbers = {"N": rows, "M": x[-1], "P": columns, "stacked": stacked}
        sizes = [*map(unchanged, stacked), Equation("N", numbers), Equation("P", numbers)]
        if x[:-2] != other[:-2]:
            sizes[:-2] = (broadcast_formulas(x[:-2], other[:-2]) or {}).values()
        terms = {"N": "the rows of input", "M": "its columns", "P": "the columns of other"}
        rule = "∏ stacked·N·M·P" if stacked else "N·M·P"
        if stacked:
            terms["stacked"] = "the sizes of the axes before the matrices"
        return Formulas(by_axis(sizes), macs={"": Equation(rule, numbers)}, terms=terms)

    def window(self, x: Shape, other: Shape) -> Window | None:
        """Every value depends on a whole row and a whole column."""
        return None

    def saved(self, x: Shape, other: Shape) -> tuple[str, ...]:
        stacked = self.output_shape(x, other)[:-2]
        given = zip(self.inputs, (x, other), strict=True)
        return tuple(name for name, shape in given if shape[:-2] == stacked)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """Each matrix for the gradient of the other one: itself, or a copy of a stack."""
        rows = range(1 + len(x[0].shape) - 1)
        if not x[1].batched and product(x[1].shape[:-2]) == 1:  # one matrix for all rows
            itself = x[0].merged(*rows)
            matrices = (0,) * (x[1].gradient and itself) + (1,) * x[0].gradient
            return Needs(matrices, (), x[0].nbytes if x[1].gradient and not itself else 0)
        if not x[0].batched and len(x[0].shape) == 2:  # one matrix before those of the samples
            itself = _turned(x[1]).merged(0, 1)
            matrices = (0,) * x[1].gradient + (1,) * (x[0].gradient and itself)
            return Needs(matrices, (), x[1].nbytes if x[0].gradient and not itself else 0)
        stacked = self.output_shape(x[0].shape, x[1].shape)[:-2]
        kept: list[int] = []
        workspace = 0
        for number, (one, other) in enumerate((x, x[::-1])):
            wide = _repeated(one, stacked)
            if other.gradient and wide.merged(*range(1 + len(stacked))):
                kept.append(number)
            elif other.gradient:
                workspace += wide.nbytes
        return Needs(tuple(kept), (), workspace)

    def workspace(self, x: Shape, other: Shape) -> int:
        """Torch copies a stack of matrices that repeats, and keeps the copy."""
        stacked = self.output_shape(x, other)[:-2]
        copies = [product((*stacked, *s[-2:])) for s in (x, other) if s[:-2] != stacked]
        return sum(copies) * BYTES["float32"]


def _turned(x: Placed) -> Placed:
    """Return the transposed matrices of each sample, without a copy."""
    batch, rows, columns = x.distances
    shape = (x.shape[1], x.shape[0])
    return Placed(shape, placed((BATCH, *shape), (batch, columns, rows)), x.gradient, x.dtype)


def _repeated(x: Placed, stacked: Shape) -> Placed:
    """Return matrices repeated to a stack of this shape, without a copy."""
    batch, *strides = x.distances
    pairs = zip(x.shape, stacked, strides, strict=False)
    repeated = [0 if n == 1 != wide else step for n, wide, step in pairs]
    shape = (*stacked, *x.shape[-2:])
    found = placed((BATCH, *shape), (batch, *repeated, *strides[-2:]))
    return Placed(shape, found, x.gradient, x.dtype)
