"""Unpooling: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from netbuild.components.fields import OptionalSizes, Paddings, Sizes
from netbuild.components.layers._max_pool import WithIndices
from netbuild.components.layers._pool import Pooling
from netbuild.components.layers._sizes import DOT, MINUS, signed
from netbuild.components.layers._spatial import by_name
from netbuild.components.layers.formula import Equation, Formulas, formula, unchanged
from netbuild.components.layers.layer import Window
from netbuild.components.layers.made import Origin
from netbuild.components.layers.ranges import Range
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, Tensor, times


class _MaxUnpool(Pooling):
    """Puts each value where a max pool found it, and 0 elsewhere: (C, *) to (C, *).

    Each axis becomes (n − 1)s + k − 2p, with the fields of the pool. The indices are the second
    result of the pool, and must lie inside the output.
    """

    inputs = ("input", "indices")
    results = None

    kernel_size: Sizes
    """Size of the max pool's window along each axis."""
    stride: OptionalSizes = None
    """Distance between the max pool's windows; null is kernel_size."""
    padding: Paddings = 0
    """Padding of the max pool."""
    output_size: OptionalSizes = None
    """Size of the pool's input; null is (n − 1) · stride + kernel_size − 2 · padding."""

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(x[0])
        if x[1].dtype != "int64":
            raise ShapeError("NB207", f"indices must be int64, and these are {x[1].dtype}")

    def output_shape(self, x: Shape, indices: Shape) -> Shape:
        self.expect_axes(x)
        if indices != x:
            message = f"each value needs an index: {times(x)} indices, not {times(indices)}"
            raise ShapeError("NB212", message)
        kernel = self.per_axis(self.kernel_size)
        sizes = []
        axes = zip(x[1:], kernel, self.steps(), self.per_axis(self.padding), strict=True)
        given = (None,) * self.rank if self.output_size is None else self.per_axis(self.output_size)
        for (n, k, s, p), wanted in zip(axes, given, strict=True):
            size = (n - 1) * s + k - 2 * p
            if wanted is not None and not size - s < wanted < size + s:
                message = f"an axis of {n} becomes {size - s + 1} to {size + s - 1}"
                raise ShapeError("NB204", f"{message}, not {wanted}", at="output_size")
            size = size if wanted is None else wanted
            if size < 1:
                message = f"padding {p} leaves nothing of an axis of {n}"
                formula = f"({n} {MINUS} 1){DOT}{s} + {k} {MINUS} 2{DOT}{p} = {signed(size)}"
                raise ShapeError("NB204", message, at="padding", formula=formula)
            sizes.append(size)
        return (x[0], *sizes)

    def expect_origins(self, y: Shape, *origins: Origin | None) -> None:
        """Refuse indices into another shape than the output's: values would get other places."""
        origin = origins[1]
        if origin is None or not isinstance(origin.layer, WithIndices):
            return
        pooled, made = origin.shapes[0][1:], y[1:]
        if pooled != made:
            message = f"its indices refer to {times(pooled)}, and its result is {times(made)}"
            sizes = ", ".join(map(str, pooled))
            raise ShapeError("NB212", f"{message}: write output_size: [{sizes}]", at="output_size")

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Leave out the argument that `forward` gets."""
        arguments = super().arguments(*x)
        del arguments["output_size"]
        return arguments

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        if self.output_size is None:
            return super().run(forward, *x)
        return {"output": forward(*x, output_size=list(self.per_axis(self.output_size)))}

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(0)

    def window(self, x: Shape, indices: Shape) -> Window | None:
        """The indices decide the places of the values."""
        return None

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """A value lies somewhere under the window from which it was pooled."""
        if axis == 0:
            return Sight(0)
        fields = (self.per_axis(self.kernel_size), self.steps(), self.per_axis(self.padding))
        k, s, p = (field[axis - 1] for field in fields)
        return Sight(axis, Fraction(1, s), Fraction(p - k + 1, s), Fraction(p, s))

    def saved(self, x: Shape, indices: Shape) -> tuple[str, ...]:
        return ("indices",)

    def formulas(self, x: Shape, indices: Shape) -> Formulas:
        kernel = self.per_axis(self.kernel_size)
        rule = "(n − 1)·stride + kernel_size − 2·padding"
        sizes = [
            Equation(rule, {"n": n, "kernel_size": k, "stride": s, "padding": p})
            for n, k, s, p in zip(
                x[1:], kernel, self.steps(), self.per_axis(self.padding), strict=True
            )
        ]
        if self.output_size is not None:
            written = self.per_axis(self.output_size)
            sizes = [formula("output_size", output_size=size) for size in written]
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=self.terms())


class MaxUnpool1d(_MaxUnpool):
    """Undoes 1-D max pooling: values and indices (C, L) to (C, L'), L' = (L − 1)s + k − 2p.

    Write `output_size`, the size of the pool's input, if the pool's stride left a rest.

    - {MaxUnpool1d: 2, inputs: [x, indices]}  # 4×5 and 4×5 of int64 to 4×10
    """

    rank = 1
    arrangement = "in order"


class MaxUnpool2d(_MaxUnpool):
    """Undoes 2-D max pooling: values and indices (C, H, W) to (C, H', W'), each (n − 1)s + k − 2p.

    Write `output_size`, the size of the pool's input, if the pool's stride left a rest.

    - {MaxUnpool2d: {kernel_size: 3, stride: 2, padding: 1}, inputs: [x, indices]}
    # 6×4×4 and 6×4×4 of int64 to 6×7×7
    """

    rank = 2


class MaxUnpool3d(_MaxUnpool):
    """Undoes 3-D max pooling: values and indices (C, D, H, W) to (C, D', H', W'), sizes as in 2-D.

    Write `output_size`, the size of the pool's input, if the pool's stride left a rest.

    - {MaxUnpool3d: {kernel_size: 2, stride: 1}, inputs: [x, indices]}
    # 1×3×3×3 and 1×3×3×3 of int64 to 1×4×4×4
    """

    rank = 3
    arrangement = "in order"
