"""Activations: https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity."""

import math
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from netbuild.components.fields import (
    Bool,
    Float32,
    NaturalFloat,
    PositiveInt,
    Wants,
    either,
    one_of,
    real,
    unwanted,
)
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Layer, Modes
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

_NonZeroFloat = Annotated[float, Wants("a number other than 0", either(real(lt=0), real(gt=0)))]
_Kept = tuple[str, ...]
#: The numbers of the dtypes that have fewer than a file.
_RANGES = {
    "uint8": (0, (1 << 8) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}


class _Activation(Layer):
    """Element by element, any shape to the same."""

    #: Whether the backward pass needs what came in or what went out.
    keeps: ClassVar[Literal["input", "output"]] = "input"
    #: Whether torch counts with booleans where it counts with whole numbers.
    takes_bool: ClassVar[bool] = False

    def expect_dtypes(self, *x: Tensor) -> None:
        super().expect_dtypes(*x)
        if x[0].dtype == "bool" and not self.takes_bool:
            raise ShapeError("NB207", "it computes with numbers, and gets bool")

    def saved(self, x: Shape) -> _Kept:
        return (self.keeps,)


class _Overwriting(_Activation):
    """May put its result in the place of its input."""

    last = "inplace"

    inplace: Bool = False
    """Whether the result takes the memory of the input, which is then gone."""

    def saved(self, x: Shape) -> _Kept:
        return ("output",) if self.inplace else (self.keeps,)


class _Leaking(_Overwriting):
    """Has a slope below zero; from an overwritten input its sign can be told if it is positive."""

    @field_validator("inplace")
    @classmethod
    def _tells_the_sign(cls, inplace: Any, info: Any) -> Any:
        slope = info.data.get("negative_slope", info.data.get("alpha", 1))
        if inplace and slope < 0:
            raise unwanted("false where the slope is negative: torch could not go backward")
        return inplace


class _Copying(_Overwriting):
    """Copies the input that it overwrites, which its backward pass needs as it was."""

    def saved(self, x: Shape) -> _Kept:
        return () if self.memory() == "overwritten" else ("input",)

    def workspace(self, x: Shape) -> int:
        return 4 * product(x) * (self.memory() == "overwritten")


class _Limiting(_Copying):
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


class _Floating(_Activation):
    """Makes floating-point numbers of whole ones."""

    needs_float = False

    def outputs(self, *x: Tensor) -> dict[str, Tensor]:
        return {"output": Tensor(x[0].shape, x[0].dtype if x[0].floating else "float32")}


class _Smooth(_Floating):
    """Keeps its output; takes booleans for 0 and 1."""

    keeps = "output"
    takes_bool = True


class ReLU(_Overwriting):
    """max(0, x).

    - ReLU  # 6×28×28 to 6×28×28
    """

    keeps = "output"
    needs_float = False


class ReLU6(_Copying):
    """min(max(0, x), 6).

    - ReLU6  # 6×28×28 to 6×28×28
    """

    needs_float = False


class LeakyReLU(_Leaking):
    """x where x > 0, else negative_slope · x.

    - LeakyReLU: 0.2  # 64 to 64
    """

    negative_slope: Float32 = 0.01
    """Slope below 0; 0 is ReLU, 1 changes nothing."""


class PReLU(_Activation):
    """x where x > 0, else weight · x, with one learned weight, or one a channel.

    - PReLU: 6  # 6×28×28 to 6×28×28
    """

    num_parameters: PositiveInt = 1
    """Number of learned slopes: 1 for all channels, or one for each."""
    init: Float32 = 0.25
    """Slope that training begins with."""

    def output_shape(self, x: Shape) -> Shape:
        if self.num_parameters not in {1, *x[:1]}:
            channels = f"the {x[0]} channels" if x else "a number of channels"
            message = f"num_parameters {self.num_parameters} is neither 1 nor {channels}"
            raise ShapeError("NB202", message, at="num_parameters")
        return x

    def weights(self, x: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def formulas(self, x: Shape) -> Formulas:
        weight = formula("num_parameters", num_parameters=self.num_parameters)
        return Formulas(weights={"weight": weight})


class RReLU(_Overwriting):
    """x where x > 0, else a · x with a drawn from [lower, upper] in training, their mean after.

    - RReLU  # 6×28×28 to 6×28×28
    """

    modes = Modes(
        "x where x > 0, else a · x with a drawn from [lower, upper] for each value",
        "x where x > 0, else (lower + upper) / 2 · x",
    )

    lower: Float32 = 1 / 8
    """Smallest slope below 0 that is drawn."""
    upper: Float32 = Field(1 / 3, validate_default=True)
    """Largest slope below 0 that is drawn."""

    @field_validator("upper")
    @classmethod
    def _is_above_lower(cls, upper: float, info: Any) -> float:
        if upper < info.data.get("lower", upper):
            raise unwanted(f"at least lower, {info.data['lower']}")
        return upper

    @property
    def switches(self) -> bool:
        return self.lower < self.upper

    def workspace(self, x: Shape) -> int:
        """The slopes that were drawn."""
        return 4 * product(x)


class ELU(_Leaking):
    """x where x > 0, else alpha · (eˣ − 1).

    - ELU  # 6×28×28 to 6×28×28
    """

    alpha: Float32 = 1.0
    """How deep it goes: far below 0 it comes close to −alpha."""


class CELU(_Leaking):
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    - CELU: 0.5  # 6 to 6
    """

    alpha: _NonZeroFloat = 1.0
    """How deep it goes: far below 0 it comes close to −alpha."""


class SELU(_Overwriting):
    """1.0507 · ELU with alpha 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    - SELU  # 64 to 64
    """


class GELU(_Activation):
    """x · Φ(x), Φ being the normal distribution; `approximate: tanh` for its approximation.

    - GELU: tanh  # 64 to 64
    """

    approximate: Annotated[Literal["none", "tanh"], one_of("none", "tanh")] = "none"
    """Whether Φ is exact (none), or approximated by tanh."""


class SiLU(_Copying):
    """x · sigmoid(x).

    - SiLU  # 64 to 64
    """


class Mish(_Copying):
    """x · tanh(log(1 + eˣ)).

    - Mish  # 64 to 64
    """


class Hardswish(_Copying):
    """x · min(max(0, x + 3), 6) / 6.

    - Hardswish  # 64 to 64
    """


class Hardsigmoid(_Copying):
    """min(max(0, x + 3), 6) / 6.

    - Hardsigmoid  # 64 to 64
    """


class Hardtanh(_Limiting):
    """min(max(min_val, x), max_val).

    - Hardtanh: 0  # 64 to 64
    """

    min_val: Float32 = -1.0
    """Least result: smaller values become this."""
    max_val: Float32 = Field(1.0, validate_default=True)
    """Largest result: larger values become this."""

    @field_validator("max_val")
    @classmethod
    def _is_above_min_val(cls, max_val: float, info: Any) -> float:
        if max_val <= info.data.get("min_val", -math.inf):
            raise unwanted(f"a number greater than min_val, {info.data['min_val']}")
        return max_val


class Threshold(_Limiting):
    """x where x > threshold, else value.

    - Threshold: {threshold: 0.1, value: 20}  # 64 to 64
    """

    threshold: Float32
    """Values that are not above this are replaced."""
    value: Float32
    """What they are replaced by."""


class Sigmoid(_Smooth):
    """1 / (1 + e⁻ˣ).

    - Sigmoid  # 6×28×28 to 6×28×28
    """


class Tanh(_Smooth):
    """tanh(x).

    - Tanh  # 6×28×28 to 6×28×28
    """


class LogSigmoid(_Activation):
    """log(1 / (1 + e⁻ˣ)).

    - LogSigmoid  # 64 to 64
    """

    def workspace(self, x: Shape) -> int:
        """e^−|x|, which torch keeps on a CPU."""
        return 4 * product(x)


class Softplus(_Activation):
    """log(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    - Softplus: 2  # 64 to 64
    """

    beta: Float32 = 1.0
    """How sharp the bend at 0 is; larger is closer to ReLU."""
    threshold: Float32 = 20.0
    """Where beta · x is above this, x itself is the result: it differs by almost nothing."""


class Softsign(_Floating):
    """x / (1 + |x|).

    - Softsign  # 64 to 64
    """

    def workspace(self, x: Shape) -> int:
        """What is divided by."""
        return 4 * product(x)


class Tanhshrink(_Floating):
    """x − tanh(x).

    - Tanhshrink  # 64 to 64
    """

    def saved(self, x: Shape) -> _Kept:
        return ()

    def workspace(self, x: Shape) -> int:
        """tanh(x)."""
        return 4 * product(x)


class Hardshrink(_Activation):
    """x where |x| > lambd, else 0.

    - Hardshrink  # 64 to 64
    """

    lambd: Float32 = 0.5
    """Values from −lambd to lambd become 0."""


class Softshrink(_Activation):
    """x − lambd where x > lambd, x + lambd where x < −lambd, else 0.

    - Softshrink: 1.0  # 64 to 64
    """

    lambd: NaturalFloat = 0.5
    """How far values move towards 0; smaller ones become 0."""
