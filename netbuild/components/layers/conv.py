"""Convolutions: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html and its kin."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.fields import (
    Wants,
    either,
    many,
    one_of,
    unwanted,
    whole,
)
from netbuild.components.first_values import FirstValues, by_size, fans
from netbuild.components.layers._convolution import Convolution
from netbuild.components.layers._lazy import Lazy
from netbuild.components.layers._spatial import N, by_name, sizes_of, slide, slide_formulas
from netbuild.components.layers.formula import Equation, Formulas, biased, formula, unchanged
from netbuild.components.layers.layer import Needs, Window, parameters
from netbuild.components.layers.layout import Placed
from netbuild.components.tensor import Shape, ShapeError, product

_Padding = Annotated[
    int | tuple[int, ...] | Literal["same", "valid"],
    Wants(
        "a whole number of at least 0, a list with one for each axis, same or valid",
        either(whole(0), many(whole(0)), core_schema.literal_schema(["same", "valid"])),
    ),
]
_PaddingMode = Annotated[
    Literal["zeros", "reflect", "replicate", "circular"],
    one_of("zeros", "reflect", "replicate", "circular"),
]


class _Conv(Convolution):
    """Each axis becomes ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1."""

    slides = True
    last = "dilation groups bias padding_mode"

    padding: _Padding = 0
    """Places added at both ends of each axis; same keeps the size, valid adds no places."""
    padding_mode: _PaddingMode = "zeros"
    """Values of these places: 0, the mirrored input, its border value, or its other end."""

    @field_validator("padding")
    @classmethod
    def _same_has_stride_one(cls, padding: Any, info: Any) -> Any:
        stride = info.data.get("stride", 1)
        if padding == "same" and any(
            s != 1 for s in (stride if isinstance(stride, tuple) else [stride])
        ):
            raise unwanted("a number (same needs stride 1)")
        return padding

    def output_shape(self, x: Shape) -> Shape:
        self._expect_groups(x, self.groups)
        if self.padding_mode in {"reflect", "circular"}:
            self._expect_enough_to_copy(x)
        if self.padding == "same":
            return (self.out_channels, *x[1:])
        return (self.out_channels, *slide(x, *self._geometry()))

    def _geometry(self) -> Window:
        """Return the window that slides over the axes; `same` pads by its reach."""
        kernel, dilation = self.per_axis(self.kernel_size), self.per_axis(self.dilation)
        if self.padding == "same":
            padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True))
        else:
            padding = self.per_axis(0 if self.padding == "valid" else self.padding)
        return Window(kernel, self.per_axis(self.stride), padding, dilation)

    def _expect_enough_to_copy(self, x: Shape) -> None:
        """Refuse a padding longer than the values that the axis can copy.

        Reflection copies the values inside the border, and circular padding the other side.
        """
        kernel, _, padding, dilation = self._geometry()
        for n, k, p, d in zip(x[1:], kernel, padding, dilation, strict=True):
            longest = d * (k - 1) - p if self.padding == "same" else p
            if longest > n - (self.padding_mode == "reflect"):
                message = (
                    f"padding {longest} is too large for an axis of {n} in mode {self.padding_mode}"
                )
                raise ShapeError("NB204", message, at="padding")

    def weights(self, x: Shape) -> dict[str, Shape]:
        weight = (self.out_channels, x[0] // self.groups, *self.per_axis(self.kernel_size))
        return parameters(weight, (self.out_channels,) if self.bias else None)

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        weights = self.weights(x)
        return dict.fromkeys(weights, by_size("fan_in", fans(weights["weight"])["fan_in"]))

    def macs(self, x: Shape) -> int:
        """Each output value multiplies one window over the channels of its group."""
        return product(self.output_shape(x)) * product(self.weights(x)["weight"][1:])

    def window(self, x: Shape) -> Window | None:
        return self._geometry()

    def saved(self, x: Shape) -> tuple[str, ...]:
        copied = self.padding_mode == "circular" or (
            self.padding_mode == "zeros" and self.workspace(x) > 0
        )
        return () if copied else ("input",)

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """A padding of values keeps the input only for the gradient of the input."""
        found = super().needs(*x, learns=learns)
        padded = self.padding_mode not in {"zeros", "circular"}
        return found._replace(inputs=()) if padded and not x[0].gradient else found

    def workspace(self, x: Shape) -> int:
        """The padded copy of the input, if the convolution cannot pad by itself.

        It can pad both sides with the same number of zeros. Other modes copy even without padding.
        """
        kernel, _, padding, dilation = self._geometry()
        reach = tuple(d * (k - 1) for k, d in zip(kernel, dilation, strict=True))
        added = reach if self.padding == "same" else tuple(2 * p for p in padding)
        if self.padding_mode == "zeros":
            added = tuple(a % 2 for a in added)
            if not any(added):
                return 0
        return 4 * x[0] * product(tuple(n + a for n, a in zip(x[1:], added, strict=True)))

    def formulas(self, x: Shape) -> Formulas:
        numbers = self.numbers(x)
        if self.padding == "same":
            sizes = [unchanged(n) for n in x[1:]]
        else:
            sizes = slide_formulas(x, self._geometry())
        places = sizes_of(self.output_shape(x)[1:])
        weight = "out_channels·(in_channels / groups)·∏ kernel_size"
        macs = weight.replace("·", f"·{'·'.join(places)}·", 1)
        bias = Equation("out_channels", numbers)
        return Formulas(
            by_name(formula("out_channels", out_channels=self.out_channels), *sizes),
            biased(Equation(weight, numbers), bias, self.weights(x)),
            {"": Equation(macs, {**numbers, **places})},
            terms=N,
        )


class Conv1d(_Conv):
    """1-D convolution: (C, L) to (out_channels, L'), L' = ⌊(L + 2p − d(k − 1) − 1) / s⌋ + 1.

    - Conv1d: {out_channels: 8, kernel_size: 3}  # 4×10 to 8×8
    """

    rank = 1
    arrangement = "in order"


class Conv2d(_Conv):
    """2-D convolution: (C, H, W) to (out_channels, H', W'), each ⌊(n + 2p − d(k − 1) − 1) / s⌋ + 1.

    - Conv2d: {out_channels: 6, kernel_size: 5, padding: 2}  # 1×28×28 to 6×28×28
    """

    rank = 2


class Conv3d(_Conv):
    """3-D convolution: (C, D, H, W) to (out_channels, D', H', W'), with the sizes as in Conv2d.

    - Conv3d: {out_channels: 2, kernel_size: 3, stride: 2}  # 1×9×9×9 to 2×4×4×4
    """

    rank = 3


class LazyConv1d(Lazy, Conv1d):
    """Conv1d without the field in_channels: (C, L) to (out_channels, L').

    - LazyConv1d: {out_channels: 8, kernel_size: 3}  # 4×10 to 8×8
    """

    in_channels: ClassVar[None] = None


class LazyConv2d(Lazy, Conv2d):
    """Conv2d without the field in_channels: (C, H, W) to (out_channels, H', W').

    - LazyConv2d: {out_channels: 6, kernel_size: 5}  # 1×28×28 to 6×24×24
    """

    in_channels: ClassVar[None] = None


class LazyConv3d(Lazy, Conv3d):
    """Conv3d without the field in_channels: (C, D, H, W) to (out_channels, D', H', W').

    - LazyConv3d: {out_channels: 2, kernel_size: 3}  # 1×9×9×9 to 2×7×7×7
    """

    in_channels: ClassVar[None] = None
