"""The bases of activations: what each keeps for the backward pass, and the range that it gives."""

import math
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from netbuild.components.fields import Bool, unwanted
from netbuild.components.layers.layer import ANY, Layer, Range
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

#: The numbers of the dtypes that have fewer than a file.
_RANGES = {
    "uint8": (0, (1 << 8) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}


class Activation(Layer):
    """Element by element, any shape to the same."""

    activates = True

    #: Whether the backward pass needs what came in or what went out.
    keeps: ClassVar[Literal["input", "output"]] = "input"
    #: Whether torch counts with booleans where it counts with whole numbers.
    takes_bool: ClassVar[bool] = False

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        if x[0].dtype == "bool" and not self.takes_bool:
            raise ShapeError("NB207", "it computes with numbers, and gets bool")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return (self.keeps,)


class Overwriting(Activation):
    """May put its result in the place of its input."""

    last = "inplace"

    inplace: Bool = False
    """Whether the result takes the memory of the input, which is then gone."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("output",) if self.inplace else (self.keeps,)


class Rectifier(Activation):
    """Gives values of either sign, and of positive ones positive ones that are no larger."""

    results = ANY

    def range(self, *x: Range | None) -> Range | None:
        positive = x[0] is not None and x[0].least >= 0
        return x[0].with_(0) if x[0] and positive else self.results


class Clip(Activation):
    """Gives each value, or a bound in its place."""

    results = None

    def bounds(self) -> Range:
        """Return the least and the greatest result."""
        raise NotImplementedError

    def range(self, *x: Range | None) -> Range | None:
        if x[0] is None:
            return None
        least, most = self.bounds()
        return Range(min(max(x[0].least, least), most), max(min(x[0].most, most), least))


class Shrinking(Activation):
    """Brings values towards 0, or to 0."""

    results = None

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(0)


class Leaking(Overwriting, Rectifier):
    """Has a slope below zero; from an overwritten input its sign can be told if it is positive."""

    @field_validator("inplace")
    @classmethod
    def _tells_the_sign(cls, inplace: Any, info: Any) -> Any:
        slope = info.data.get("negative_slope", info.data.get("alpha", 1))
        if inplace and slope < 0:
            raise unwanted("false where the slope is negative: torch could not go backward")
        return inplace


class Copying(Overwriting):
    """Copies the input that it overwrites, which its backward pass needs as it was."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return () if self.memory() == "overwritten" else ("input",)

    def workspace(self, x: Shape) -> int:
        return 4 * product(x) * (self.memory() == "overwritten")


class Limiting(Copying):
    """Compares with numbers of its own, which have to be of the input's dtype."""

    needs_float = False

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        least, most = _RANGES.get(x[0].dtype, (-math.inf, math.inf))
        for name in type(self).model_fields:
            value = getattr(self, name)
            if not least <= value <= most:
                message = (
                    f"{name} {value} is beyond the numbers of its input, which is {x[0].dtype}"
                )
                raise ShapeError("NB207", message, at=name)


class Floating(Activation):
    """Makes floating-point numbers of whole ones."""

    needs_float = False

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(x[0].shape, x[0].dtype if x[0].floating else "float32")}


class Smooth(Floating):
    """Keeps its output; takes booleans for 0 and 1."""

    keeps = "output"
    takes_bool = True
