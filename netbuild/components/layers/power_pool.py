"""Power-average pooling: https://docs.pytorch.org/docs/stable/generated/torch.nn.LPPool2d.html."""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.fields import Bool, PositiveInt, Wants, either
from netbuild.components.layers._pool import Pooling, expect_kernel_inside
from netbuild.components.layers._spatial import by_name, slide, slide_formulas
from netbuild.components.layers.formula import Formulas, formula, unchanged
from netbuild.components.layers.layer import Window
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, product

_Norm = Annotated[
    float,
    Wants(
        "a number other than 0, or .inf",
        either(
            core_schema.float_schema(strict=True, gt=0),
            core_schema.float_schema(strict=True, lt=0),
        ),
    ),
]


class _LPPool(Pooling):
    """(Σ xᵖ)^(1/p) over each window, with norm_type for p; .inf gives the largest |x|."""

    needs_float = False
    results = None
    slides = True

    last = "kernel_size stride ceil_mode"

    norm_type: _Norm
    """Power p: 1 adds the values, 2 is their Euclidean length, .inf takes the largest |x|."""
    ceil_mode: Bool = False
    """Whether the last window may reach beyond the end; false ignores the rest of the axis."""

    def expect_dtypes(self, *x: Tensor) -> None:
        """Powers turn whole numbers into floats; torch's max pool of whole numbers needs a CPU."""
        if self._is_max() and not x[0].floating:
            message = f"an infinite norm takes floating-point numbers, and it gets {x[0].dtype}"
            raise ShapeError("NB207", message, at="norm_type")

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        dtype = x[0].dtype if x[0].floating else "float32"
        return {"output": Tensor(self.output_shape(x[0].shape), dtype)}

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        return (x[0], *slide(x, *self._geometry(), ceil_mode=self.ceil_mode))

    def _geometry(self) -> Window:
        kernel = self.per_axis(self.kernel_size)
        return Window(kernel, self.steps(), (0,) * self.rank, (1,) * self.rank)

    def window(self, x: Shape) -> Window | None:
        return self._geometry()

    def _is_max(self) -> bool:
        return abs(self.norm_type) == float("inf")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def workspace(self, x: Shape) -> int:
        """The intermediate results of torch, which combines a mean or max pool with arithmetic.

        A max pool keeps |x| and its indices. Other norms keep xᵖ and, for the mean m of a window,
        four values: m, sign(m), relu(|m|), and their product with the kernel's size.
        """
        before, behind = product(x), product(self.output_shape(x))
        if self._is_max():
            return before * BYTES["float32"] + behind * BYTES["int64"]
        return (before + 4 * behind) * BYTES["float32"]

    def formulas(self, x: Shape) -> Formulas:
        sizes = slide_formulas(x, self._geometry(), ceil_mode=self.ceil_mode)
        rule = "4 B·∏ input + 8 B·∏ output" if self._is_max() else "4 B·(∏ input + 4·∏ output)"
        kept = formula(rule, input=x, output=self.output_shape(x))
        return Formulas(by_name(unchanged(x[0]), *sizes), workspace=kept, terms=self.terms())


class LPPool1d(_LPPool):
    """1-D power-average pooling: (C, L) to (C, L'), L' = ⌊(L − k) / s⌋ + 1.

    - LPPool1d: {norm_type: 2, kernel_size: 3}  # 4×9 to 4×3
    """

    rank = 1

    kernel_size: PositiveInt  # torch multiplies by this number, and takes no list


class LPPool2d(_LPPool):
    """2-D power-average pooling: (C, H, W) to (C, H', W'), each ⌊(n − k) / s⌋ + 1.

    - LPPool2d: {norm_type: 2, kernel_size: [3, 2], stride: 2}  # 4×9×9 to 4×4×4
    """

    rank = 2


class LPPool3d(_LPPool):
    """3-D power-average pooling: (C, D, H, W) to (C, D', H', W'), each ⌊(n − k) / s⌋ + 1.

    - LPPool3d: {norm_type: 1, kernel_size: 2}  # 4×8×8×6 to 4×4×4×3
    """

    rank = 3
    arrangement = "in order"

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        if not self._is_max():
            expect_kernel_inside(x, self.per_axis(self.kernel_size))
        return y
