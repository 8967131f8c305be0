"""Pooling: https://docs.pytorch.org/docs/stable/nn.html#pooling-layers."""

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import (
    Bool,
    OptionalSizes,
    Paddings,
    PositiveInt,
    Sizes,
    Wants,
    either,
    optional,
    unwanted,
    whole,
)
from netbuild.components.layers._max_pool import WithIndices
from netbuild.components.layers._sizes import DOT, MINUS, signed
from netbuild.components.layers._spatial import N, Spatial, by_name, slide, slide_formulas
from netbuild.components.layers.formula import Formula, Formulas, formula, unchanged
from netbuild.components.layers.layer import Origin, Range, Window
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, product, times

_NonZero = Annotated[
    int | None,
    Wants(
        "a whole number other than 0",
        optional(either(whole(1), core_schema.int_schema(strict=True, lt=0))),
    ),
]
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


class _Pool(Spatial):
    """(C, *) to (C, *), each axis ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1; stride is kernel_size."""

    pools = True
    slides = True

    kernel_size: Sizes
    stride: OptionalSizes = None
    padding: Paddings = 0

    @field_validator("padding")
    @classmethod
    def _at_most_half_the_kernel(cls, padding: Any, info: Any) -> Any:
        kernel = info.data.get("kernel_size")
        if kernel is not None:
            pairs = zip(_each(padding, cls.rank), _each(kernel, cls.rank), strict=True)
            if any(2 * p > k for p, k in pairs):
                raise unwanted("at most half of kernel_size")
        return padding

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        ceil_mode: bool = getattr(self, "ceil_mode", False)
        return (x[0], *slide(x, *self._geometry(), ceil_mode=ceil_mode))

    def _geometry(self) -> Window:
        kernel = self.per_axis(self.kernel_size)
        stride = kernel if self.stride is None else self.per_axis(self.stride)
        dilation = self.per_axis(getattr(self, "dilation", 1))
        return Window(kernel, stride, self.per_axis(self.padding), dilation)

    def window(self, x: Shape) -> Window | None:
        return self._geometry()

    def formulas(self, x: Shape) -> Formulas:
        ceil_mode: bool = getattr(self, "ceil_mode", False)
        sizes = slide_formulas(x, self._geometry(), ceil_mode=ceil_mode)
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=_terms(self.stride))


def _terms(stride: int | Shape | None) -> dict[str, str]:
    """Return what the formulas name beside fields, and a stride that is left out."""
    return N | ({"stride": "kernel_size, as none is written"} if stride is None else {})


def _each(value: int | Shape, rank: int) -> Shape:
    return value if isinstance(value, tuple) else (value,) * rank


class _MaxPool(WithIndices, _Pool):
    """The largest value of each window; with `return_indices`, where it was as a second result."""

    dilation: Sizes = 1
    return_indices: Bool = False
    ceil_mode: Bool = False

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        _, strides, paddings, dilations = self._geometry()
        for n, s, p, d in zip(x[1:], strides, paddings, dilations, strict=True):
            # A window that begins in the padding has its first value at this place of the input.
            if any(start % d >= n for start in range(-p, 0, s)):
                message = f"with dilation {d} a window sees nothing but padding on an axis of {n}"
                raise ShapeError("NB204", message, at="dilation")
        return y

    def formulas(self, x: Shape) -> Formulas:
        return super().formulas(x)._replace(workspace=self.kept_indices(x))


class MaxPool1d(_MaxPool):
    """1-D max pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − d(k − 1) − 1) / s⌋ + 1.

    - MaxPool1d: 2  # 4×9 to 4×4
    """

    rank = 1


class MaxPool2d(_MaxPool):
    """2-D max pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.

    - MaxPool2d: {kernel_size: 3, stride: 2, padding: 1}  # 64×112×112 to 64×56×56
    """

    rank = 2


class MaxPool3d(_MaxPool):
    """3-D max pooling: (C, D, H, W) to (C, D', H', W'), each axis as in MaxPool2d.

    - MaxPool3d: 2  # 1×8×8×8 to 1×4×4×4
    """

    rank = 3


class _AvgPool(_Pool):
    """The mean of each window."""

    ceil_mode: Bool = False
    count_include_pad: Bool = True

    def range(self, *x: Range | None) -> Range | None:
        """Zeros around count; a divisor of another size makes a sum of the mean."""
        if getattr(self, "divisor_override", None) is not None:
            return None
        padded = self.count_include_pad and any(self.per_axis(self.padding))
        return x[0] and (x[0].with_(0) if padded else x[0])

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class AvgPool1d(_AvgPool):
    """1-D average pooling: (C, L) to (C, L'), L' = ⌊(L + 2p − k) / s⌋ + 1.

    - AvgPool1d: 3  # 4×9 to 4×3
    """

    rank = 1


class AvgPool2d(_AvgPool):
    """2-D average pooling: (C, H, W) to (C, H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    - AvgPool2d: 2  # 6×28×28 to 6×14×14
    """

    rank = 2

    divisor_override: _NonZero = None


class AvgPool3d(_AvgPool):
    """3-D average pooling: (C, D, H, W) to (C, D', H', W'), each ⌊(n + 2p − k) / s⌋ + 1.

    - AvgPool3d: {kernel_size: 2, ceil_mode: true}  # 1×5×5×5 to 1×3×3×3
    """

    rank = 3

    divisor_override: _NonZero = None

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        _expect_kernel_inside(x, self.per_axis(self.kernel_size))
        return y


def _expect_kernel_inside(x: Shape, kernel: Shape) -> None:
    """Refuse what torch refuses of a mean in 3-D alone: it looks at the input itself."""
    for n, k in zip(x[1:], kernel, strict=True):
        if n < k:
            message = f"kernel_size {k} is larger than the input {n}, without padding or ceil_mode"
            raise ShapeError("NB204", message, at="kernel_size")


class _LPPool(Spatial):
    """(Σ xᵖ)^(1/p) over each window, with norm_type for p; .inf gives the largest |x|."""

    needs_float = False
    results = None
    slides = True

    norm_type: _Norm
    kernel_size: Sizes
    stride: OptionalSizes = None
    ceil_mode: Bool = False

    def expect_dtypes(self, *x: Tensor) -> None:
        """A power of whole numbers is a float; their max pool works on a CPU alone."""
        if self._is_max() and not x[0].floating:
            message = f"the largest is taken of floating-point numbers, and it gets {x[0].dtype}"
            raise ShapeError("NB207", message, at="norm_type")

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        dtype = x[0].dtype if x[0].floating else "float32"
        return {"output": Tensor(self.output_shape(x[0].shape), dtype)}

    def output_shape(self, x: Shape) -> Shape:
        self.expect_axes(x)
        return (x[0], *slide(x, *self._geometry(), ceil_mode=self.ceil_mode))

    def _geometry(self) -> Window:
        kernel = self.per_axis(self.kernel_size)
        stride = kernel if self.stride is None else self.per_axis(self.stride)
        return Window(kernel, stride, (0,) * self.rank, (1,) * self.rank)

    def window(self, x: Shape) -> Window | None:
        return self._geometry()

    def _is_max(self) -> bool:
        return abs(self.norm_type) == float("inf")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def workspace(self, x: Shape) -> int:
        """What torch computes on the way; it is composed of a mean or a max pool and arithmetic.

        A max pool keeps |x| and its indices. Else it is xᵖ, and of their mean m: m, sign(m),
        relu(|m|), and the product of these with the kernel's size.
        """
        before, behind = product(x), product(self.output_shape(x))
        if self._is_max():
            return before * BYTES["float32"] + behind * BYTES["int64"]
        return (before + 4 * behind) * BYTES["float32"]

    def formulas(self, x: Shape) -> Formulas:
        sizes = slide_formulas(x, self._geometry(), ceil_mode=self.ceil_mode)
        rule = "4 B·∏ input + 8 B·∏ output" if self._is_max() else "4 B·(∏ input + 4·∏ output)"
        kept = formula(rule, input=x, output=self.output_shape(x))
        terms = _terms(self.stride)
        return Formulas(by_name(unchanged(x[0]), *sizes), workspace=kept, terms=terms)


class LPPool1d(_LPPool):
    """1-D power-average pooling: (C, L) to (C, L'), L' = ⌊(L − k) / s⌋ + 1.

    - LPPool1d: {norm_type: 2, kernel_size: 3}  # 4×9 to 4×3
    """

    rank = 1

    kernel_size: PositiveInt  # torch multiplies by it, and takes no list of one


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

    def output_shape(self, x: Shape) -> Shape:
        y = super().output_shape(x)
        if not self._is_max():
            _expect_kernel_inside(x, self.per_axis(self.kernel_size))
        return y


class _MaxUnpool(Spatial):
    """Each value where a max pool found it, and 0 elsewhere: (C, *) to (C, *).

    Each axis becomes (n − 1)s + k − 2p, with the fields of the pool; the indices are its second
    result, whose values must lie inside the output.
    """

    inputs = ("input", "indices")
    results = None

    kernel_size: Sizes
    stride: OptionalSizes = None
    padding: Paddings = 0
    output_size: OptionalSizes = None

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(x[0])
        if x[1].dtype != "int64":
            raise ShapeError("NB207", f"indices are int64, and these are {x[1].dtype}")

    def output_shape(self, x: Shape, indices: Shape) -> Shape:
        self.expect_axes(x)
        if indices != x:
            message = f"there is an index for each value: {times(x)}, and not {times(indices)}"
            raise ShapeError("NB212", message)
        kernel = self.per_axis(self.kernel_size)
        strides = kernel if self.stride is None else self.per_axis(self.stride)
        sizes = []
        axes = zip(x[1:], kernel, strides, self.per_axis(self.padding), strict=True)
        given = (None,) * self.rank if self.output_size is None else self.per_axis(self.output_size)
        for (n, k, s, p), wanted in zip(axes, given, strict=True):
            size = (n - 1) * s + k - 2 * p
            if wanted is not None and not size - s < wanted < size + s:
                message = f"an axis of {n} makes one of {size - s + 1} to {size + s - 1}"
                raise ShapeError("NB204", f"{message}, not {wanted}", at="output_size")
            size = size if wanted is None else wanted
            if size < 1:
                message = f"padding {p} leaves nothing of an axis of {n}"
                formula = f"({n} {MINUS} 1){DOT}{s} + {k} {MINUS} 2{DOT}{p} = {signed(size)}"
                raise ShapeError("NB204", message, at="padding", formula=formula)
            sizes.append(size)
        return (x[0], *sizes)

    def expect_origins(self, y: Shape, *origins: Origin | None) -> None:
        """Refuse indices into another shape than the output's: values would land elsewhere."""
        origin = origins[1]
        if origin is None or not isinstance(origin.layer, WithIndices):
            return
        pooled, made = origin.shapes[0][1:], y[1:]
        if pooled != made:
            message = f"its indices are those of {times(pooled)}, and it makes {times(made)}"
            sizes = ", ".join(map(str, pooled))
            raise ShapeError("NB212", f"{message}: write output_size: [{sizes}]", at="output_size")

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Leave out what `forward` is given."""
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
        """The indices place the values."""
        return None

    def saved(self, x: Shape, indices: Shape) -> tuple[str, ...]:
        return ("indices",)

    def formulas(self, x: Shape, indices: Shape) -> Formulas:
        kernel = self.per_axis(self.kernel_size)
        strides = kernel if self.stride is None else self.per_axis(self.stride)
        rule = "(n − 1)·stride + kernel_size − 2·padding"
        sizes = [
            Formula(rule, {"n": n, "kernel_size": k, "stride": s, "padding": p})
            for n, k, s, p in zip(x[1:], kernel, strides, self.per_axis(self.padding), strict=True)
        ]
        if self.output_size is not None:
            written = self.per_axis(self.output_size)
            sizes = [formula("output_size", output_size=size) for size in written]
        return Formulas(by_name(unchanged(x[0]), *sizes), terms=_terms(self.stride))


class MaxUnpool1d(_MaxUnpool):
    """1-D max pooling undone: (C, L), twice, to (C, L'), L' = (L − 1)s + k − 2p.

    `output_size` is the size that was pooled, where the pool's last step left a rest of it.

    - {MaxUnpool1d: 2, inputs: [x, indices]}  # 4×5 and 4×5 of int64 to 4×10
    """

    rank = 1


class MaxUnpool2d(_MaxUnpool):
    """2-D max pooling undone: (C, H, W), twice, to (C, H', W'), each (n − 1)s + k − 2p.

    `output_size` is the size that was pooled, where the pool's last step left a rest of it.

    - {MaxUnpool2d: {kernel_size: 3, stride: 2, padding: 1}, inputs: [x, indices]}
    # 6×4×4 and 6×4×4 of int64 to 6×7×7
    """

    rank = 2


class MaxUnpool3d(_MaxUnpool):
    """3-D max pooling undone: (C, D, H, W), twice, to (C, D', H', W'), each axis as in 2-D.

    `output_size` is the size that was pooled, where the pool's last step left a rest of it.

    - {MaxUnpool3d: {kernel_size: 2, stride: 1}, inputs: [x, indices]}
    # 1×3×3×3 and 1×3×3×3 of int64 to 1×4×4×4
    """

    rank = 3
