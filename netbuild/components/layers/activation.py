"""Activations: https://docs.pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity."""

import math
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from netbuild.components.fields import (
    Float32,
    NaturalFloat,
    PositiveInt,
    Wants,
    either,
    one_of,
    real,
    unwanted,
)
from netbuild.components.first_values import FirstValues, constant
from netbuild.components.layers._activation import (
    Activation,
    Clip,
    Copying,
    Floating,
    Leaking,
    Limiting,
    Overwriting,
    Rectifier,
    Shrinking,
    Smooth,
)
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Modes
from netbuild.components.layers.ranges import LOGARITHMS, POSITIVE, PROBABILITIES, SIGNED, Range
from netbuild.components.tensor import Shape, ShapeError, product

_NonZeroFloat = Annotated[float, Wants("a number other than 0", either(real(lt=0), real(gt=0)))]
_Kept = tuple[str, ...]
_SELU_SCALE = 1.0507009873554805


class ReLU(Overwriting, Clip):
    """max(0, x).

    - ReLU  # 6×28×28 to 6×28×28
    """

    keeps = "output"
    needs_float = False

    def bounds(self) -> Range:
        return POSITIVE


class ReLU6(Copying, Clip):
    """min(max(0, x), 6).

    - ReLU6  # 6×28×28 to 6×28×28
    """

    needs_float = False

    def bounds(self) -> Range:
        return Range(0, 6)


class LeakyReLU(Leaking):
    """x where x > 0, else negative_slope · x.

    - LeakyReLU: 0.2  # 64 to 64
    """

    negative_slope: Float32 = 0.01
    """Slope for negative values; 0 is ReLU, 1 changes nothing."""


class PReLU(Rectifier):
    """x where x > 0, else weight · x, with one learned weight for all channels or for each.

    - PReLU: 6  # 6×28×28 to 6×28×28
    """

    num_parameters: PositiveInt = 1
    """Number of learned slopes: 1, or the number of channels."""
    init: Float32 = 0.25
    """Initial slope."""

    def output_shape(self, x: Shape) -> Shape:
        if self.num_parameters not in {1, *x[:1]}:
            channels = f"the {x[0]} channels" if x else "a number of channels"
            message = f"num_parameters {self.num_parameters} is neither 1 nor {channels}"
            raise ShapeError("NB202", message, at="num_parameters")
        return x

    def weights(self, x: Shape) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        return {"weight": constant(self.init)}

    def formulas(self, x: Shape) -> Formulas:
        weight = formula("num_parameters", num_parameters=self.num_parameters)
        return Formulas(weights={"weight": weight})


class RReLU(Overwriting, Rectifier):
    """x where x > 0, else a · x; a is random in [lower, upper] in training, later their mean.

    - RReLU  # 6×28×28 to 6×28×28
    """

    modes = Modes(
        "x where x > 0, else a · x, with a random a in [lower, upper] for each value",
        "x where x > 0, else (lower + upper) / 2 · x",
    )

    lower: Float32 = 1 / 8
    """Smallest random slope for negative values."""
    upper: Float32 = Field(1 / 3, validate_default=True)
    """Largest random slope for negative values."""

    @field_validator("upper")
    @classmethod
    def _is_above_lower(cls, upper: float, info: Any) -> float:
        if upper < info.data.get("lower", upper):
            raise unwanted(f"a number of at least lower, {info.data['lower']}")
        return upper

    @property
    def switches(self) -> bool:
        return self.lower < self.upper

    arrangement = "in order"

    def stilled(self) -> dict[str, Any]:
        mean = (self.lower + self.upper) / 2
        return {"lower": mean, "upper": mean}

    def workspace(self, x: Shape) -> int:
        """The random slopes."""
        return 4 * product(x)


class ELU(Leaking):
    """x where x > 0, else alpha · (eˣ − 1).

    - ELU  # 6×28×28 to 6×28×28
    """

    alpha: Float32 = 1.0
    """Depth of the curve: for very negative x the result is close to −alpha."""


class CELU(Leaking):
    """x where x > 0, else alpha · (e^(x / alpha) − 1).

    - CELU: 0.5  # 6 to 6
    """

    alpha: _NonZeroFloat = 1.0
    """Depth of the curve: for very negative x the result is close to −alpha."""


class SELU(Overwriting, Rectifier):
    """1.0507 · ELU with alpha 1.6733, which keeps mean 0 and variance 1 (Klambauer et al. 2017).

    - SELU  # 64 to 64
    """

    self_normalising = True

    def range(self, *x: Range | None) -> Range | None:
        found = super().range(*x)
        return found and Range(found.least, _SELU_SCALE * found.most)


class GELU(Rectifier):
    """x · Φ(x), with the normal distribution function Φ; `approximate: tanh` approximates Φ.

    - GELU: tanh  # 64 to 64
    """

    approximate: Annotated[Literal["none", "tanh"], one_of("none", "tanh")] = "none"
    """Whether Φ is exact (none) or approximated by tanh."""


class SiLU(Copying, Rectifier):
    """x · sigmoid(x).

    - SiLU  # 64 to 64
    """


class Mish(Copying, Rectifier):
    """x · tanh(log(1 + eˣ)).

    - Mish  # 64 to 64
    """


class Hardswish(Copying, Rectifier):
    """x · min(max(0, x + 3), 6) / 6.

    - Hardswish  # 64 to 64
    """


class Hardsigmoid(Copying):
    """min(max(0, x + 3), 6) / 6.

    - Hardsigmoid  # 64 to 64
    """

    results = PROBABILITIES
    saturates = 1 / 6


class Hardtanh(Limiting, Clip):
    """min(max(min_val, x), max_val).

    - Hardtanh: 0  # 64 to 64
    """

    min_val: Float32 = -1.0
    """Smallest result: smaller values become min_val."""
    max_val: Float32 = Field(1.0, validate_default=True)
    """Largest result: larger values become max_val."""

    @field_validator("max_val")
    @classmethod
    def _is_above_min_val(cls, max_val: float, info: Any) -> float:
        if max_val <= info.data.get("min_val", -math.inf):
            raise unwanted(f"a number greater than min_val, {info.data['min_val']}")
        return max_val

    def bounds(self) -> Range:
        return Range(self.min_val, self.max_val)


class Threshold(Limiting):
    """x where x > threshold, else value.

    - Threshold: {threshold: 0.1, value: 20}  # 64 to 64
    """

    results = None

    threshold: Float32
    """Values up to the threshold are replaced."""
    value: Float32
    """Replacement for these values."""

    def range(self, *x: Range | None) -> Range | None:
        return x[0] and x[0].with_(self.value)


class Sigmoid(Smooth):
    """1 / (1 + e⁻ˣ).

    - Sigmoid  # 6×28×28 to 6×28×28
    """

    results = PROBABILITIES
    saturates = 1 / 4


class Tanh(Smooth):
    """tanh(x).

    - Tanh  # 6×28×28 to 6×28×28
    """

    results = SIGNED
    saturates = 1.0


class LogSigmoid(Activation):
    """log(1 / (1 + e⁻ˣ)).

    - LogSigmoid  # 64 to 64
    """

    results = LOGARITHMS

    arrangement = "in order"

    def workspace(self, x: Shape) -> int:
        """e^−|x|; torch keeps it on a CPU."""
        return 4 * product(x)


class Softplus(Activation):
    """log(1 + e^(beta · x)) / beta; x itself where beta · x > threshold.

    - Softplus: 2  # 64 to 64
    """

    results = POSITIVE

    beta: Float32 = 1.0
    """Sharpness of the bend at 0; a larger beta is closer to ReLU."""
    threshold: Float32 = 20.0
    """Where beta · x is above the threshold, the result is x; the difference is tiny."""


class Softsign(Floating):
    """x / (1 + |x|).

    - Softsign  # 64 to 64
    """

    results = SIGNED
    saturates = 1.0

    def workspace(self, x: Shape) -> int:
        """The divisor 1 + |x|."""
        return 4 * product(x)


class Tanhshrink(Floating, Rectifier):
    """x − tanh(x).

    - Tanhshrink  # 64 to 64
    """

    def saved(self, x: Shape) -> _Kept:
        return ()

    def workspace(self, x: Shape) -> int:
        """tanh(x)."""
        return 4 * product(x)


class Hardshrink(Shrinking):
    """x where |x| > lambd, else 0.

    - Hardshrink  # 64 to 64
    """

    lambd: Float32 = 0.5
    """Values from −lambd to lambd become 0."""


class Softshrink(Shrinking):
    """x − lambd where x > lambd, x + lambd where x < −lambd, else 0.

    - Softshrink: 1.0  # 64 to 64
    """

    lambd: NaturalFloat = 0.5
    """Distance that values move towards 0; values from −lambd to lambd become 0."""
