"""Initializers: https://docs.pytorch.org/docs/stable/nn.init.html.

Each initializer has the name and the arguments of a function of `torch.nn.init`, without `tensor`
and `generator`: `zeros_`, `{constant_: 0.5}`, `{normal_: {std: 0.02}}`. netbuild refuses the
values and tensors that torch refuses. `misfit` tells which tensors these are.
"""

import re
import sys
from math import prod, sqrt
from typing import Annotated, Any

from pydantic import Field, field_validator

from netbuild.components.component import Component, declared
from netbuild.components.fields import (
    MAX_FLOAT32,
    Float,
    Float32,
    NaturalFloat,
    PositiveFloat,
    PositiveInt,
    Probability,
    Wants,
    one_of,
    real,
    unwanted,
)
from netbuild.components.first_values import (
    FirstValues,
    constant,
    fans,
    normal,
    uniform,
    xavier_normal,
    xavier_uniform,
)

# Torch squares the slope, and the square must stay finite.
_Slope = Annotated[float, Wants("a number from -1e150 to 1e150", real(ge=-1e150, le=1e150))]
_Mode = Annotated[str, one_of("fan_in", "fan_out")]
_Nonlinearity = Annotated[
    str,
    one_of(
        "linear",
        *(f"conv{transposed}{rank}d" for transposed in ("", "_transpose") for rank in (1, 2, 3)),
        "sigmoid",
        "tanh",
        "relu",
        "leaky_relu",
        "selu",
    ),
]


class Initializer(Component):
    """A function of `torch.nn.init`."""

    @classmethod
    def torch_name(cls) -> str:
        """Return the name of torch's function: `KaimingNormal` is `kaiming_normal_`."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower() + "_"

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: ARG002  for those that refuse some
        """Return what a tensor of shape `x` must have, or None if torch takes it."""
        return None

    def first_values(self, x: tuple[int, ...]) -> FirstValues:
        """Return the distribution of the values of a tensor that fits."""
        raise NotImplementedError


class _Bounded(Initializer):
    """Draws values from `a` to `b`."""

    a: Float32 = 0.0
    """Smallest value."""
    b: Annotated[Float32, Field(validate_default=True)] = 1.0
    """Largest value."""

    @field_validator("b")
    @classmethod
    def _above(cls, b: Any, info: Any) -> Any:
        a = info.data.get("a", b)
        if a > b or b - a > MAX_FLOAT32:
            raise unwanted(
                f"a number of at least a, {a}, and at a distance from a that float32 can hold"
            )
        return b


class Uniform(_Bounded):
    """Draws uniformly from `a` to `b`.

    - {Linear: 120, init: {uniform_: {a: -0.1, b: 0.1}}}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return FirstValues("uniform", {"low": self.a, "high": self.b})


class Normal(Initializer):
    """Draws from a normal distribution with `mean` and standard deviation `std`.

    - {Linear: 120, init: {normal_: {std: 0.02}}}
    """

    mean: Float = 0.0
    """Mean of the values."""
    std: NaturalFloat = 1.0
    """Standard deviation of the values; with 0, all values equal the mean."""

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return FirstValues("normal", {"mean": self.mean, "deviation": self.std})


class TruncNormal(_Bounded):
    """Draws from a normal distribution, and draws values outside of `a` to `b` again.

    - {Linear: 120, init: {trunc_normal_: {std: 0.02}}}
    """

    last = "a b"

    mean: Float = 0.0
    """Mean of the normal distribution."""
    std: PositiveFloat = 1.0
    """Standard deviation of the normal distribution, before it is cut to a and b."""
    a: Float32 = -2.0
    b: Annotated[Float32, Field(validate_default=True)] = 2.0

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        values = {"mean": self.mean, "deviation": self.std, "low": self.a, "high": self.b}
        return FirstValues("truncated normal", values)

    @field_validator("b")
    @classmethod
    def _reachable(cls, b: Any, info: Any) -> Any:
        a = info.data.get("a", b)
        mean, std = (info.data.get(name) for name in ("mean", "std"))
        # Torch warns of a wrong distribution. In the worst case it draws for ever.
        if mean is not None and std is not None and not a - 2 * std <= mean <= b + 2 * std:
            raise unwanted(f"a value that puts [a, b] at most 2·std away from mean, {mean}")
        return b


class Constant(Initializer):
    """Sets all values to `val`.

    - {Linear: 120, init: {bias: {constant_: 0.1}}}
    """

    val: Float32
    """Number that all values become."""

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return constant(self.val)


class Ones(Initializer):
    """Sets all values to 1.

    - {BatchNorm2d, init: {weight: ones_}}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return constant(1.0)


class Zeros(Initializer):
    """Sets all values to 0.

    - {BatchNorm2d, init: {weight: zeros_}}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return constant(0.0)


class Eye(Initializer):
    """Sets the tensor to the identity matrix; the tensor must have two axes.

    - {Linear: 120, init: eye_}
    """

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        return None if len(x) == 2 else "two axes"

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return FirstValues("identity", {})


class Dirac(Initializer):
    """Sets a convolution to the identity: each of `groups` groups passes on its first channels.

    - {Conv2d: {out_channels: 64, kernel_size: 3}, init: dirac_}
    """

    groups: PositiveInt = 1
    """Number of groups of output channels, each with its own identity."""

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        if len(x) not in {3, 4, 5}:
            return "three to five axes"
        return f"a first axis divisible by groups, {self.groups}" if x[0] % self.groups else None

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        note = f"in each of {self.groups} groups" if self.groups > 1 else ""
        return FirstValues("identity", {}, note=note)


class _Fan(Initializer):
    """Depends on the numbers of inputs (fan_in) and outputs (fan_out) of a weight."""

    def misfit(self, x: tuple[int, ...]) -> str | None:
        return "at least two axes" if len(x) < 2 else None


class _Xavier(_Fan):
    """Glorot and Bengio 2010: the width follows from the numbers of inputs and outputs."""

    gain: NaturalFloat = 1.0
    """Factor of all values. It makes up for an activation after the layer that shrinks values."""


class XavierUniform(_Xavier):
    """Draws uniformly from −b to b, b = gain · √(6 / (fan_in + fan_out)). Glorot and Bengio 2010.

    - {Linear: 120, init: {xavier_uniform_: {gain: 2}}}
    """

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        if len(x) < 2:
            return super().misfit(x)
        bound = self.gain * sqrt(6 / ((x[0] + x[1]) * prod(x[2:])))
        return f"a gain smaller than {self.gain}" if 2 * bound > MAX_FLOAT32 else None

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: D102  as Initializer.first_values
        found = xavier_uniform(x)
        if self.gain == 1:
            return found
        bound = self.gain * found.values["high"]
        return uniform(bound, f"gain·{found.rule}", gain=self.gain, **found.numbers)


class XavierNormal(_Xavier):
    """Draws normally, mean 0, std = gain · √(2 / (fan_in + fan_out)). Glorot and Bengio 2010.

    - {Linear: 120, init: xavier_normal_}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: D102  as Initializer.first_values
        found = xavier_normal(x)
        if self.gain == 1:
            return found
        deviation = self.gain * found.values["deviation"]
        return normal(deviation, f"gain·{found.rule}", gain=self.gain, **found.numbers)


class _Kaiming(_Fan):
    """He et al. 2015: `nonlinearity` decides the gain; `a` is the slope of leaky_relu."""

    a: _Slope = 0.0
    """Slope of leaky_relu for negative values; 0 is ReLU."""
    mode: _Mode = "fan_in"
    """Variance to preserve: of values forward (fan_in) or of gradients back (fan_out)."""
    nonlinearity: _Nonlinearity = "leaky_relu"
    """Activation after the layer; it decides the gain."""

    def _squared(self, x: tuple[int, ...]) -> tuple[float, str, dict[str, float]]:
        """Return the variance gain² / fan, and gain² as a rule with its numbers."""
        fan = {self.mode: fans(x)[self.mode]}
        if self.nonlinearity == "leaky_relu" and self.a != 0:
            return 2 / (1 + self.a**2) / fan[self.mode], "2 / (1 + a^2)", {"a": self.a, **fan}
        # calculate_gain of torch.nn.init: √2, 5/3 and 3/4; the other gains are 1.
        squares = {"relu": (2.0, "2"), "leaky_relu": (2.0, "2"), "tanh": (25 / 9, "(5 / 3)^2")}
        square, rule = {**squares, "selu": (9 / 16, "(3 / 4)^2")}.get(self.nonlinearity, (1.0, "1"))
        return square / fan[self.mode], rule, dict(fan)


class KaimingUniform(_Kaiming):
    """Draws uniformly from −b to b, b = gain · √(3 / fan). He et al. 2015.

    - {Linear: 120, init: {kaiming_uniform_: {nonlinearity: relu}}}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: D102  as Initializer.first_values
        variance, gain, numbers = self._squared(x)
        return uniform(sqrt(3 * variance), f"√(3·{gain} / {self.mode})", **numbers)


class KaimingNormal(_Kaiming):
    """Draws normally, mean 0, std = gain / √fan. He et al. 2015.

    - {Linear: 120, init: {kaiming_normal_: {nonlinearity: relu, mode: fan_out}}}
    """

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: D102  as Initializer.first_values
        variance, gain, numbers = self._squared(x)
        return normal(sqrt(variance), f"√({gain} / {self.mode})", **numbers)


class Orthogonal(_Fan):
    """Draws an orthogonal matrix times `gain`; axes after the first are merged. Saxe et al. 2013.

    - {Linear: 120, init: {orthogonal_: {gain: 0.5}}}
    """

    gain: Float = 1.0
    """Factor of the orthogonal matrix; 1 keeps the length of vectors."""

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return FirstValues("orthogonal", {"gain": self.gain})


class Sparse(Initializer):
    """Draws from a normal distribution; a share `sparsity` of each column is 0. Martens 2010.

    - {Linear: 120, init: {sparse_: {sparsity: 0.9}}}
    """

    sparsity: Probability
    """Share of zeros in each column, from 0 to 1."""
    std: NaturalFloat = 0.01
    """Standard deviation of the other values."""

    def first_values(self, x: tuple[int, ...]) -> FirstValues:  # noqa: ARG002, D102  as Initializer.first_values
        return FirstValues("sparse", {"sparsity": self.sparsity, "deviation": self.std})

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        return None if len(x) == 2 else "two axes"


INITIALIZERS = {
    component.torch_name(): component
    for component in declared(Initializer, sys.modules[__name__]).values()
}
