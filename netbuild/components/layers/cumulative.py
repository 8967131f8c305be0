"""Cumulative sums and products: https://docs.pytorch.org/docs/stable/generated/torch.cumsum.html."""

from math import inf

from netbuild.components.fields import Int
from netbuild.components.layers.layer import Window
from netbuild.components.layers.operation import Operation
from netbuild.components.layers.ranges import Range, product_of
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, Tensor, axis


class _Cumulative(Operation):
    """Combines each value with all values before it along an axis: (*) to (*)."""

    results = None

    dim: Int
    """Axis along which values are combined; 1 is the first axis after the batch."""

    def output_shape(self, x: Shape) -> Shape:
        axis(self.dim, x, at="dim")
        return x

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        dtype = x[0].dtype if x[0].floating else "int64"
        return {"output": Tensor(self.output_shape(x[0].shape), dtype)}

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        along = axis_ == axis(self.dim, x[0], at="dim") and x[0][axis_] > 1
        return Sight(axis_, 1, -inf, 0) if along else Sight(axis_)

    def window(self, x: Shape) -> Window | None:
        """The window ends at the position itself, and begins before the first one."""
        here = axis(self.dim, x, at="dim")
        ones = (1,) * (len(x) - 1)
        kernel = tuple(n if place == here else 1 for place, n in enumerate(x))[1:]
        return Window(kernel, ones, tuple(n - 1 for n in kernel), ones)


class Cumsum(_Cumulative):
    """The sum of each value and all values before it: (*) to (*). Whole numbers give int64.

    - Cumsum: 1  # 10×64 to 10×64
    """

    function = "cumsum"

    def range(self, *x: Range | None) -> Range | None:
        """Sums of positive numbers are positive."""
        if x[0] is None:
            return None
        return Range(x[0].least if x[0].least >= 0 else -inf, x[0].most if x[0].most <= 0 else inf)


class Cumprod(_Cumulative):
    """The product of each value and all values before it: (*) to (*). Whole numbers give int64.

    - Cumprod: {dim: -1}  # 10×64 to 10×64
    """

    function = "cumprod"

    def range(self, *x: Range | None) -> Range | None:
        return product_of(x[0])

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input", "output")
