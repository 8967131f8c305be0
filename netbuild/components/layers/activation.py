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
from netbuild.components.layers.layer import (
    ANY,
    LOGARITHMS,
    POSITIVE,
    PROBABILITIES,
    SIGNED,
    Layer,
    Range,
)
from netbuild.components.tensor import Shape, ShapeError, Tensor, product

_NonZeroFloat = Annotated[float, Wants("a number other than 0", either(real(lt=0), real(gt=0)))]
_Kept = tuple[str, ...]
_SELU_SCALE = 1.0507009873554805
#: The numbers of the dtypes that have fewer than a file.
_RANGES = {
    "uint8": (0, (1 << 8) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
}


class _Activation(Layer):
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

    def saved(self, x: Shape) -> _Kept:
        return ("output",) if getattr(self, "inplace", False) else (self.keeps,)


class _Rectifier(_Activation):
    """Gives values of either sign, and of positive ones positive ones that are no larger."""

    results = ANY

    def range(self, *x: Range | None) -> Range | None:
        positive = x[0] is not None and x[0].least >= 0
        return x[0] if positive else self.results


class _Clip(_Activation):
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


class _Shrinking(_Activation):
    """Brings values towards 0, or to 0."""

    results = None

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(0)


class _Leaking(_Rectifier):
    """Has a slope below zero; from an overwritten input its sign can be told if it is positive."""

    @field_validator("inplace", check_fields=False)
    @classmethod
    def _tells_the_sign(cls, inplace: Any, info: Any) -> Any:
        slope = info.data.get("negative_slope", info.data.get("alpha", 1))
        if inplace and slope < 0:
            raise unwanted("false where the slope is negative: torch could not go backward")
        return inplace


class _Copying(_Activation):
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


class ReLU(_Clip):
    """max(0, x).

    - ReLU  # 6×28×28 to 6×28×28
    """

    keeps = "output"
    needs_float = False

    inplace: Bool = False

    def bounds(self) -> Range:
        return POSITIVE


class ReLU6(_Copying, _Clip):
    """min(max(0, x), 6).

    - ReLU6  # 6×28×28 to 6×28×28
    """

    needs_float = False

    inplace: Bool = False

    def bounds(self) -> Range:
        return Range(0, 6)


class LeakyReLU(_Leaking):
    """x where x > 0, else negative_slope · x.

    - LeakyReLU: 0.2  # 64 to 64
    """

    negative_slope: Float32 = 0.01
    inplace: Bool = False


class PReLU(_Rectifier):
    """x where x > 0, else weight · x, with one learned weight, or one a channel.

    - PReLU: 6  # 6×28×28 to 6×28×28
    """

    num_parameters: PositiveInt = 1
    init: Float32 = 0.25

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


class RReLU(_Rectifier):
    """x where x > 0, else a · x with a drawn from [lower, upper] in training, their mean after.

    - RReLU  # 6×28×28 to 6×28×28
    """

    lower: Float32 = 1 / 8
    upper: Float32 = Field(1 / 3, validate_default=True)
    inplace: Bool = False

    @field_validator("upper")
    @classmethod
    def _is_above_lower(cls, upper: float, info: Any) -> float:
        if upper < info.data.get("lower", upper):
            raise unwanted(f"at least lower, {info.data['lower']}")
        return upper

    def workspace(self, x: Shape) -> int:
        """The slopes that were drawn."""
        return 4 * product(x)


class ELU(_Leaking):
    """x where x > 0, else alpha · (eˣ − 1).

    - ELU  # 6×28×28 to 6×28×28
    """

    alpha: Float32 = 1.0
    inplace: Bool = False


class CELU(_Leaking):
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    - CELU: 0.5  # 6 to 6
    """

    alpha: _NonZeroFloat = 1.0
    inplace: Bool = False


class SELU(_Rectifier):
    """1.0507 · ELU with alpha 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    - SELU  # 64 to 64
    """

    self_normalising = True

    inplace: Bool = False

    def range(self, *x: Range | None) -> Range | None:
        found = super().range(*x)
        return found and Range(found.least, _SELU_SCALE * found.most)


class GELU(_Rectifier):
    """x · Φ(x), Φ being the normal distribution; `approximate: tanh` for its approximation.

    - GELU: tanh  # 64 to 64
    """

    approximate: Annotated[Literal["none", "tanh"], one_of("none", "tanh")] = "none"


class SiLU(_Copying, _Rectifier):
    """x · sigmoid(x).

    - SiLU  # 64 to 64
    """

    inplace: Bool = False


class Mish(_Copying, _Rectifier):
    """x · tanh(log(1 + eˣ)).

    - Mish  # 64 to 64
    """

    inplace: Bool = False


class Hardswish(_Copying, _Rectifier):
    """x · min(max(0, x + 3), 6) / 6.

    - Hardswish  # 64 to 64
    """

    inplace: Bool = False


class Hardsigmoid(_Copying):
    """min(max(0, x + 3), 6) / 6.

    - Hardsigmoid  # 64 to 64
    """

    results = PROBABILITIES
    saturates = 1 / 6

    inplace: Bool = False


class Hardtanh(_Limiting, _Clip):
    """min(max(min_val, x), max_val).

    - Hardtanh: 0  # 64 to 64
    """

    min_val: Float32 = -1.0
    max_val: Float32 = Field(1.0, validate_default=True)
    inplace: Bool = False

    @field_validator("max_val")
    @classmethod
    def _is_above_min_val(cls, max_val: float, info: Any) -> float:
        if max_val <= info.data.get("min_val", -math.inf):
            raise unwanted(f"a number greater than min_val, {info.data['min_val']}")
        return max_val

    def bounds(self) -> Range:
        return Range(self.min_val, self.max_val)


class Threshold(_Limiting):
    """x where x > threshold, else value.

    - Threshold: {threshold: 0.1, value: 20}  # 64 to 64
    """

    results = None

    threshold: Float32
    value: Float32
    inplace: Bool = False

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(self.value)


class Sigmoid(_Smooth):
    """1 / (1 + e⁻ˣ).

    - Sigmoid  # 6×28×28 to 6×28×28
    """

    results = PROBABILITIES
    saturates = 1 / 4


class Tanh(_Smooth):
    """tanh(x).

    - Tanh  # 6×28×28 to 6×28×28
    """

    results = SIGNED
    saturates = 1.0


class LogSigmoid(_Activation):
    """log(1 / (1 + e⁻ˣ)).

    - LogSigmoid  # 64 to 64
    """

    results = LOGARITHMS

    def workspace(self, x: Shape) -> int:
        """e^−|x|, which torch keeps on a CPU."""
        return 4 * product(x)


class Softplus(_Activation):
    """log(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    - Softplus: 2  # 64 to 64
    """

    results = POSITIVE

    beta: Float32 = 1.0
    threshold: Float32 = 20.0


class Softsign(_Floating):
    """x / (1 + |x|).

    - Softsign  # 64 to 64
    """

    results = SIGNED
    saturates = 1.0

    def workspace(self, x: Shape) -> int:
        """What is divided by."""
        return 4 * product(x)


class Tanhshrink(_Floating, _Rectifier):
    """x − tanh(x).

    - Tanhshrink  # 64 to 64
    """

    def saved(self, x: Shape) -> _Kept:
        return ()

    def workspace(self, x: Shape) -> int:
        """tanh(x)."""
        return 4 * product(x)


class Hardshrink(_Shrinking):
    """x where |x| > lambd, else 0.

    - Hardshrink  # 64 to 64
    """

    lambd: Float32 = 0.5


class Softshrink(_Shrinking):
    """x − lambd where x > lambd, x + lambd where x < −lambd, else 0.

    - Softshrink: 1.0  # 64 to 64
    """

    lambd: NaturalFloat = 0.5
