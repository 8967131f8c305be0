"""Transposed convolutions: https://docs.pytorch.org/docs/stable/nn.html#convolution-layers."""

from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import core_schema

from netbuild.components.fields import Paddings, Sizes, Wants
from netbuild.components.first_values import FirstValues, by_size, fans
from netbuild.components.layers._convolution import Convolution
from netbuild.components.layers._lazy import Lazy
from netbuild.components.layers._sizes import DOT, MINUS, signed
from netbuild.components.layers._spatial import N, by_name, sizes_of
from netbuild.components.layers.formula import Equation, Formulas, biased, formula
from netbuild.components.layers.layer import Window, parameters
from netbuild.components.layers.sight import Sight
from netbuild.components.tensor import Shape, ShapeError, product

_NoPaddingMode = Annotated[
    Literal["zeros"],
    Wants("zeros, the only mode that torch has here", core_schema.literal_schema(["zeros"])),
]


class _ConvTranspose(Convolution):
    """Each axis becomes (n − 1)s − 2p + d(k − 1) + output_padding + 1; a _Conv makes n of it.

    `padding` removes places at both ends of the output, `output_padding` adds places at its end.
    """

    last = "groups bias dilation padding_mode"

    kernel_size: Sizes
    """Size of the window that each value spreads over, along each axis."""
    stride: Sizes = 1
    """Distance in the result between the windows of neighbouring values; 2 doubles the size."""
    padding: Paddings = 0
    """Places removed at both ends of each axis of the result."""
    output_padding: Paddings = 0
    """Places added only at the end of each axis; fewer than stride or dilation."""
    dilation: Sizes = Field(1, validate_default=True)
    """Distance between the places that a kernel writes to; 1 writes to neighbouring places."""
    padding_mode: _NoPaddingMode = "zeros"
    """The only mode of torch here: it pads with zeros."""

    @field_validator("output_padding")
    @classmethod
    def _one_output_padding_per_axis(cls, value: Any) -> Any:
        return cls._one_per_axis(value)

    def output_shape(self, x: Shape) -> Shape:
        self._expect_groups(x, self.groups)
        sizes = []
        added = self.per_axis(self.output_padding)
        for n, k, s, p, d, o in zip(x[1:], *self._geometry(), added, strict=True):
            if o >= s and o >= d:  # torch: `slow_conv_transpose2d_shape_check`
                message = f"output_padding {o} must be less than stride {s} or dilation {d}"
                raise ShapeError("NB204", message, at="output_padding")
            size = (n - 1) * s - 2 * p + d * (k - 1) + o + 1
            if size < 1:
                raise ShapeError(
                    "NB204",
                    f"padding {p} removes all places of an output axis",
                    at="padding",
                    formula=f"({n} {MINUS} 1){DOT}{s} {MINUS} 2{DOT}{p} + {d}{DOT}({k} {MINUS} 1)"
                    f" + {o} + 1 = {signed(size)}",
                )
            sizes.append(size)
        return (self.out_channels, *sizes)

    def _geometry(self) -> Window:
        """Return the window that an input position spreads over the output."""
        fields = (self.kernel_size, self.stride, self.padding, self.dilation)
        return Window(*(self.per_axis(field) for field in fields))

    def weights(self, x: Shape) -> dict[str, Shape]:
        weight = (x[0], self.out_channels // self.groups, *self.per_axis(self.kernel_size))
        return parameters(weight, (self.out_channels,) if self.bias else None)

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        weights = self.weights(x)
        return dict.fromkeys(weights, by_size("fan_in", fans(weights["weight"])["fan_in"]))

    def macs(self, x: Shape) -> int:
        """Each input value is multiplied with one window over the output channels of its group."""
        return product(x) * product(self.weights(x)["weight"][1:])

    def window(self, x: Shape) -> Window | None:
        """Neighbouring positions see different parts of the kernel, unless the stride is 1.

        With stride 1, it is a convolution with the flipped kernel and padding d(k − 1) − p.
        """
        kernel, stride, padding, dilation = self._geometry()
        if any(s != 1 for s in stride):
            return None
        axes = zip(kernel, padding, dilation, strict=True)
        return Window(kernel, stride, tuple(d * (k - 1) - p for k, p, d in axes), dilation)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        """Position t sees (t + p − d(k − 1)) / s to (t + p) / s, whose windows reach it."""
        if axis == 0:
            return super().sees(axis, *x)
        kernel, stride, padding, dilation = (part[axis - 1] for part in self._geometry())
        first = Fraction(padding - dilation * (kernel - 1), stride)
        return Sight(axis, Fraction(1, stride), first, Fraction(padding, stride))

    def spread(self) -> Window | None:
        return self._geometry()

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def formulas(self, x: Shape) -> Formulas:
        rule = "(n − 1)·stride − 2·padding + dilation·(kernel_size − 1) + output_padding + 1"
        fields = ("kernel_size", "stride", "padding", "dilation", "output_padding")
        each = (self.per_axis(getattr(self, field)) for field in fields)
        sizes = [
            Equation(rule, dict(zip(("n", *fields), numbers, strict=True)))
            for numbers in zip(x[1:], *each, strict=True)
        ]
        numbers, places = self.numbers(x), sizes_of(x[1:])
        weight = "in_channels·(out_channels / groups)·∏ kernel_size"
        macs = weight.replace("·", f"·{'·'.join(places)}·", 1)
        return Formulas(
            by_name(formula("out_channels", out_channels=self.out_channels), *sizes),
            biased(Equation(weight, numbers), Equation("out_channels", numbers), self.weights(x)),
            {"": Equation(macs, {**numbers, **places})},
            terms=N | dict.fromkeys(places, "the size in the input"),
        )


class ConvTranspose1d(_ConvTranspose):
    """1-D transposed convolution: (C, L) to (out_channels, L').

    L' = (L − 1)s − 2p + d(k − 1) + output_padding + 1.

    - ConvTranspose1d: {out_channels: 8, kernel_size: 4, stride: 2, padding: 1}  # 4×10 to 8×20
    """

    rank = 1
    arrangement = "in order"


class ConvTranspose2d(_ConvTranspose):
    """2-D transposed convolution: (C, H, W) to (out_channels, H', W'), sizes as in ConvTranspose1d.

    - ConvTranspose2d: {out_channels: 16, kernel_size: 2, stride: 2}  # 32×7×7 to 16×14×14
    """

    rank = 2


class ConvTranspose3d(_ConvTranspose):
    """3-D transposed convolution: (C, D, H, W) to (out_channels, D', H', W').

    The sizes of the axes are as in ConvTranspose1d.

    - ConvTranspose3d: {out_channels: 2, kernel_size: 3}  # 1×4×4×4 to 2×6×6×6
    """

    rank = 3


class LazyConvTranspose1d(Lazy, ConvTranspose1d):
    """ConvTranspose1d without the field in_channels: (C, L) to (out_channels, L').

    - LazyConvTranspose1d: {out_channels: 8, kernel_size: 3}  # 4×10 to 8×12
    """

    in_channels: ClassVar[None] = None


class LazyConvTranspose2d(Lazy, ConvTranspose2d):
    """ConvTranspose2d without the field in_channels: (C, H, W) to (out_channels, H', W').

    - LazyConvTranspose2d: {out_channels: 6, kernel_size: 5}  # 1×24×24 to 6×28×28
    """

    in_channels: ClassVar[None] = None


class LazyConvTranspose3d(Lazy, ConvTranspose3d):
    """ConvTranspose3d without the field in_channels: (C, D, H, W) to (out_channels, D', H', W').

    - LazyConvTranspose3d: {out_channels: 2, kernel_size: 3}  # 1×7×7×7 to 2×9×9×9
    """

    in_channels: ClassVar[None] = None
