"""The bases of activations: what an activation keeps for backward, and its range."""

import math
from typing import Any, ClassVar, Literal

from pydantic import field_validator

from netbuild.components.fields import Bool, unwanted
from netbuild.components.layers.layer import Arrangement, Layer
from netbuild.components.layers.ranges import ANY, Range
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

#: The smallest and largest number of each dtype that holds fewer numbers than a file can write.
_RANGES = {
    "uint8": (0, (1 << 8) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}


class Activation(Layer):
    """Computes element by element; any shape to the same shape."""

    activates = True
    arrangement: ClassVar[Arrangement] = "as input"

    #: Whether the backward pass needs the input or the output.
    keeps: ClassVar[Literal["input", "output"]] = "input"
    #: Whether torch takes booleans as well as whole numbers.
    takes_bool: ClassVar[bool] = False

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        if x[0].dtype == "bool" and not self.takes_bool:
            raise ShapeError("NB207", "it computes with numbers, and gets bool")

    def saved(self, x: Shape) -> tuple[str, ...]:
        return (self.keeps,)


class Overwriting(Activation):
    """Can overwrite its input with its result."""

    last = "inplace"

    inplace: Bool = False
    """Whether the result overwrites the input in memory."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("output",) if self.inplace else (self.keeps,)


class Rectifier(Activation):
    """Gives values of both signs; a positive value becomes a positive value that is not larger."""

    results = ANY

    def range(self, *x: Range | None) -> Range | None:
        positive = x[0] is not None and x[0].least >= 0
        return x[0].with_(0) if x[0] and positive else self.results


class Clip(Activation):
    """Keeps each value within bounds."""

    results = None

    def bounds(self) -> Range:
        """Return the smallest and the largest result."""
        raise NotImplementedError

    def range(self, *x: Range | None) -> Range | None:
        if x[0] is None:
            return None
        least, most = self.bounds()
        return Range(min(max(x[0].least, least), most), max(min(x[0].most, most), least))


class Shrinking(Activation):
    """Moves values towards 0, or sets them to 0."""

    results = None

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(0)


class Leaking(Overwriting, Rectifier):
    """Has a slope for negative values; if it is positive, the result shows the input's sign."""

    @field_validator("inplace")
    @classmethod
    def _tells_the_sign(cls, inplace: Any, info: Any) -> Any:
        slope = info.data.get("negative_slope", info.data.get("alpha", 1))
        if inplace and slope < 0:
            raise unwanted("false where the slope is negative: torch's backward pass fails")
        return inplace


class Copying(Overwriting):
    """Copies the input before it overwrites it, because its backward pass needs the input."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return () if self.memory() == "overwritten" else ("input",)

    def workspace(self, x: Shape) -> int:
        return 4 * product(x) * (self.memory() == "overwritten")


class Limiting(Copying):
    """Compares the input with fields, whose numbers must fit the input's dtype."""

    needs_float = False

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        least, most = _RANGES.get(x[0].dtype, (-math.inf, math.inf))
        for name in type(self).model_fields:
            value = getattr(self, name)
            if not least <= value <= most:
                message = f"{name} {value} is out of the range of its input's dtype, {x[0].dtype}"
                raise ShapeError("NB207", message, at=name)


class Floating(Activation):
    """Turns whole numbers into floating-point numbers."""

    needs_float = False

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(x[0].shape, x[0].dtype if x[0].floating else "float32")}


class Smooth(Floating):
    """Keeps its output for backward; takes booleans as 0 and 1."""

    keeps = "output"
    takes_bool = True
