"""Joins: https://docs.pytorch.org/docs/stable/torch.html#pointwise-ops."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Annotated, Any, ClassVar, Literal

from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import Int, Wants, either, optional, real
from netbuild.components.layers._broadcast import (
    broadcast,
    broadcast_formulas,
    contradiction,
    expect_no_bool,
    expect_same_rank,
    promoted,
)
from netbuild.components.layers._join import Join
from netbuild.components.layers.formula import (
    Equation,
    Formulas,
    by_axis,
    formula,
    unchanged,
)
from netbuild.components.layers.layer import Needs, Window
from netbuild.components.layers.layout import (
    BATCH,
    Placed,
    Strides,
    channels_last,
    is_channels_last,
)
from netbuild.components.layers.ranges import Range, hull
from netbuild.components.layers.sight import Sight, repeated
from netbuild.components.tensor import BYTES, Shape, ShapeError, Tensor, axis, product, times

#: The largest float32; torch takes no larger scalar.
LARGEST_FLOAT = 3.4028234663852886e38
_Factor = Annotated[
    int | float,
    Wants(
        "a number",
        either(
            core_schema.int_schema(strict=True, ge=-LARGEST, le=LARGEST),
            real(ge=-LARGEST_FLOAT, le=LARGEST_FLOAT),
        ),
    ),
]
_Rounding = Annotated[
    Literal["trunc", "floor"] | None,
    Wants("trunc, floor or null", optional(core_schema.literal_schema(["trunc", "floor"]))),
]


class _Elementwise(Join):
    """Computes element by element; axes of size 1 repeat."""

    broadcasts = True
    arrangement = "as input"

    def output_shape(self, *x: Shape) -> Shape:
        return broadcast(*x)

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return repeated(axis, x[source][axis], max(shape[axis] for shape in x))

    def formulas(self, *x: Shape) -> Formulas:
        return Formulas(broadcast_formulas(*x))


class _Scaled(_Elementwise):
    """Multiplies the second input by `alpha`, in the dtype of the result."""

    alpha: _Factor = 1
    """Factor of the second input; 1 takes it unchanged."""

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        outputs = super().outputs(*x)
        dtype = outputs["output"].dtype
        if dtype != "float32" and isinstance(self.alpha, float):
            message = f"alpha is {self.alpha}, and {dtype} inputs need a whole number"
            raise ShapeError("NB207", message, at="alpha")
        if dtype == "uint8" and abs(self.alpha) > 255:
            message = f"alpha is {self.alpha}, and the largest uint8 is 255"
            raise ShapeError("NB207", message, at="alpha")
        return outputs

    def arguments(self, *x: Shape) -> dict[str, Any]:
        """Leave out a factor of 1: people write `torch.add(a, b)`."""
        return {} if self.alpha == 1 else {"alpha": self.alpha}


class _Folding(_Elementwise):
    """Combines two or more inputs from the left: (a ∘ b) ∘ c."""

    variadic = True

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        return {"output": reduce(forward, x)}


class _KeepingBoth(_Folding):
    """Keeps both operands of each step for backward: all inputs and intermediate results."""

    #: Whether an operand is kept only if the other one needs a gradient.
    for_the_other: ClassVar[bool] = True

    def needs(self, *x: Placed, learns: bool) -> Needs:
        kept: list[int] = []
        workspace = 0
        left = x[0]
        for number, right in enumerate(x[1:], start=1):
            either = left.gradient or right.gradient
            if right.gradient if self.for_the_other else either:
                workspace += left.nbytes if number > 1 and left.batched else 0
                kept += [0] if number == 1 else []
            if left.gradient if self.for_the_other else either:
                kept.append(number)
            both = (Tensor(one.shape, one.dtype) for one in (left, right))
            shape, dtype = broadcast(left.shape, right.shape), promoted(*both)
            left = Placed(shape, None, either, dtype, left.batched or right.batched)
        return Needs(tuple(kept), (), workspace)

    def saved(self, *x: Shape) -> tuple[str, ...]:
        return self.inputs

    def workspace(self, *x: Shape) -> int:
        between = [product(broadcast(*x[:count])) for count in range(2, len(x))]
        return sum(between) * BYTES["float32"]

    def formulas(self, *x: Shape) -> Formulas:
        between = tuple(product(broadcast(*x[:count])) for count in range(2, len(x)))
        kept = formula("4 B·(Σ steps)", steps=between) if between else None
        terms = {"steps": "the number of values of each intermediate result"} if between else {}
        return super().formulas(*x)._replace(workspace=kept, terms=terms)


class Add(_Scaled, _Folding):
    """input + alpha · other, or the sum of several inputs: (*) and (*) to (*).

    - {Add, inputs: [body, shortcut]}  # 64×8×8 and 64×8×8 to 64×8×8
    """

    function = "add"

    def output_shape(self, *x: Shape) -> Shape:
        if len(x) > 2 and self.alpha != 1:
            message = f"alpha scales the second of two inputs, and there are {len(x)} inputs"
            raise ShapeError("NB212", message, at="alpha")
        return super().output_shape(*x)


class Subtract(_Scaled):
    """input − alpha · other: (*) and (*) to (*).

    - {Subtract, inputs: [left, right]}  # 3×5 and 3×1 to 3×5
    """

    function = "sub"

    def expect_dtypes(self, *x: Tensor) -> None:
        expect_no_bool(*x)


class Multiply(_KeepingBoth):
    """The product of the inputs, element by element: (*) and (*) to (*).

    - {Multiply, inputs: [features, gates]}  # 64×8×8 and 64×1×1 to 64×8×8
    """

    function = "mul"


class Divide(_Elementwise):
    """input / other, as floating-point numbers or rounded: (*) and (*) to (*).

    - {Divide, inputs: [left, right]}  # 6×8×8 and 6×8×8 to 6×8×8
    """

    function = "div"

    rounding_mode: _Rounding = None
    """Rounding of quotients: towards 0 (trunc) or down (floor); null keeps fractions."""

    def expect_dtypes(self, *x: Tensor) -> None:
        if self.rounding_mode is not None and promoted(*x) == "bool":
            message = "it rounds quotients of numbers, and both inputs are bool"
            raise ShapeError("NB207", message)

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        output = super().outputs(*x)["output"]
        return {"output": Tensor(output.shape) if self.rounding_mode is None else output}

    def saved(self, x: Shape, other: Shape) -> tuple[str, ...]:
        return self.inputs

    def needs(self, *x: Placed, learns: bool) -> Needs:
        """The divisor, and for its own gradient the dividend."""
        return Needs((0, 1) if x[1].gradient else (1,))


class Maximum(_KeepingBoth):
    """The larger of the inputs, element by element: (*) and (*) to (*).

    - {Maximum, inputs: [left, right]}  # 3×5 and 3×5 to 3×5
    """

    function = "maximum"
    for_the_other = False

    def range(self, *x: Range | None) -> Range | None:
        return hull(x)


class _Listed(Join):
    """Takes two or more inputs, as a list."""

    variadic = True

    dim: Int = 1
    """Axis along which the inputs are joined; 1 is the channels."""

    def range(self, *x: Range | None) -> Range | None:
        return hull(x)

    def run(self, forward: Callable[..., Any], *x: Any) -> dict[str, Any]:
        return {"output": forward(list(x))}

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """Channels last if all inputs have them last."""
        last = all(is_channels_last(one.sizes, one.distances) for one in x)
        return (channels_last((BATCH, *y[0])) if last else None,)


class Concat(_Listed):
    """Joins the inputs along the axis `dim`, where their sizes add up.

    - {Concat, inputs: [left, right]}  # 64×8×8 and 32×8×8 to 96×8×8
    """

    function = "cat"

    def output_shape(self, *x: Shape) -> Shape:
        expect_same_rank(*x)
        position = axis(self.dim, x[0], at="dim")
        for number, shape in enumerate(x):
            for place, (size, wanted) in enumerate(zip(shape, x[0], strict=True)):
                if size != wanted and place != position:
                    wanted_ = f"may differ only on axis {position + 1}"
                    raise contradiction(place, (0, x[0]), (number, shape), wanted_)
        return (*x[0][:position], sum(shape[position] for shape in x), *x[0][position + 1 :])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        joined = axis_ == axis(self.dim, x[0], at="dim")
        start = sum(shape[axis_] for shape in x[:source]) if joined else 0
        return Sight(axis_, 1, -start, -start)

    def formulas(self, *x: Shape) -> Formulas:
        position = axis(self.dim, x[0], at="dim")
        sizes = [unchanged(n) for n in x[0]]
        name = "sizes of the inputs"
        sizes[position] = Equation(f"Σ {name}", {name: tuple(shape[position] for shape in x)})
        return Formulas(by_axis(sizes))

    def window(self, *x: Shape) -> Window | None:
        """Along the channels, every position keeps its place."""
        return super().window(*x) if axis(self.dim, x[0], at="dim") == 0 else None


class Stack(_Listed):
    """Stacks inputs of one shape along a new axis `dim`: (*) and (*) to (2, *).

    - {Stack, inputs: [red, green, blue]}  # 3×5 and 3×5 and 3×5 to 3×3×5
    """

    function = "stack"

    dim: Int = 1
    """Position of the new axis; 1 is directly after the batch."""

    def output_shape(self, *x: Shape) -> Shape:
        for number, shape in enumerate(x, start=1):
            if shape != x[0]:
                message = f"input 1 is {times(x[0])} and input {number} is {times(shape)}"
                raise ShapeError("NB212", f"{message}: they must be equal")
        position = axis(self.dim, (*x[0], 1), at="dim")
        return (*x[0][:position], len(x), *x[0][position:])

    def sees(self, axis_: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return Sight(axis_ + (axis_ >= axis(self.dim, (*x[0], 1), at="dim")))

    def formulas(self, *x: Shape) -> Formulas:
        position = axis(self.dim, (*x[0], 1), at="dim")
        sizes, name = [unchanged(n) for n in x[0]], "number of inputs"
        number = Equation(name, {name: len(x)})
        return Formulas(by_axis([*sizes[:position], number, *sizes[position:]]))

    def window(self, *x: Shape) -> Window | None:
        """Axes change their positions."""
        return None
