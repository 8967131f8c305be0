"""Initializers: https://docs.pytorch.org/docs/stable/nn.init.html.

They have the names of the functions of `torch.nn.init`, and their arguments without `tensor` and
`generator`: `zeros_`, `{constant_: 0.5}`, `{normal_: {std: 0.02}}`. What is
refused is what torch refuses; `misfit` says which tensors.
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

# Torch squares it.
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
        """Return what such a tensor would have to be, where torch refuses it."""
        return None


class _Bounded(Initializer):
    """Draws from `a` to `b`."""

    a: Float32 = 0.0
    """Least value."""
    b: Annotated[Float32, Field(validate_default=True)] = 1.0
    """Largest value."""

    @field_validator("b")
    @classmethod
    def _above(cls, b: Any, info: Any) -> Any:
        a = info.data.get("a", b)
        if a > b or b - a > MAX_FLOAT32:
            raise unwanted(
                f"a number of at least a, {a}, and not further away than float32 reaches"
            )
        return b


class Uniform(_Bounded):
    """Evenly from `a` to `b`.

    - {Linear: 120, init: {uniform_: {a: -0.1, b: 0.1}}}
    """


class Normal(Initializer):
    """Normally around `mean` with the standard deviation `std`.

    - {Linear: 120, init: {normal_: {std: 0.02}}}
    """

    mean: Float = 0.0
    """Mean of the values."""
    std: NaturalFloat = 1.0
    """Standard deviation of the values; 0 makes them all the mean."""


class TruncNormal(_Bounded):
    """Normally around `mean`, drawn again until it lies from `a` to `b`.

    - {Linear: 120, init: {trunc_normal_: {std: 0.02}}}
    """

    last = "a b"

    mean: Float = 0.0
    """Mean of the normal distribution."""
    std: PositiveFloat = 1.0
    """Standard deviation of the normal distribution, before values outside are left out."""
    a: Float32 = -2.0
    b: Annotated[Float32, Field(validate_default=True)] = 2.0

    @field_validator("b")
    @classmethod
    def _reachable(cls, b: Any, info: Any) -> Any:
        a = info.data.get("a", b)
        mean, std = (info.data.get(name) for name in ("mean", "std"))
        # Torch warns that the distribution may be wrong, and draws for ever in the worst case.
        if mean is not None and std is not None and not a - 2 * std <= mean <= b + 2 * std:
            raise unwanted(f"to lie, with a, at most 2·std from mean, {mean}")
        return b


class Constant(Initializer):
    """`val` everywhere.

    - {Linear: 120, init: {bias: {constant_: 0.1}}}
    """

    val: Float32
    """What every value becomes."""


class Ones(Initializer):
    """1 everywhere.

    - {BatchNorm2d, init: {weight: ones_}}
    """


class Zeros(Initializer):
    """0 everywhere.

    - {BatchNorm2d, init: {weight: zeros_}}
    """


class Eye(Initializer):
    """The identity, for tensors of two axes.

    - {Linear: 120, init: eye_}
    """

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        return None if len(x) == 2 else "two axes"


class Dirac(Initializer):
    """The identity of convolutions: each of `groups` passes its first channels on.

    - {Conv2d: {out_channels: 64, kernel_size: 3}, init: dirac_}
    """

    groups: PositiveInt = 1
    """Number of groups of output channels, each with an identity of its own."""

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        if len(x) not in {3, 4, 5}:
            return "three to five axes"
        return f"a first axis that groups {self.groups} divides" if x[0] % self.groups else None


class _Fan(Initializer):
    """Depends on the number of inputs and outputs of each weight."""

    def misfit(self, x: tuple[int, ...]) -> str | None:
        return "at least two axes" if len(x) < 2 else None


class _Xavier(_Fan):
    """Glorot and Bengio 2010: as wide as the inputs and outputs of each weight allow."""

    gain: NaturalFloat = 1.0
    """Factor of all values, to make up for what an activation behind takes away."""


class XavierUniform(_Xavier):
    """Evenly from −b to b with b = gain · √(6 / (fan_in + fan_out)). Glorot and Bengio 2010.

    - {Linear: 120, init: {xavier_uniform_: {gain: 2}}}
    """

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        if len(x) < 2:
            return super().misfit(x)
        bound = self.gain * sqrt(6 / ((x[0] + x[1]) * prod(x[2:])))
        return f"a gain smaller than {self.gain}" if 2 * bound > MAX_FLOAT32 else None


class XavierNormal(_Xavier):
    """Normally with std = gain · √(2 / (fan_in + fan_out)). Glorot and Bengio 2010.

    - {Linear: 120, init: xavier_normal_}
    """


class _Kaiming(_Fan):
    """He et al. 2015; the gain is that of the nonlinearity, with `a` the slope of a leaky one."""

    a: _Slope = 0.0
    """Slope below 0 of the activation behind, for leaky_relu; 0 is ReLU."""
    mode: _Mode = "fan_in"
    """What is kept: the variance of values forward (fan_in), or of gradients back (fan_out)."""
    nonlinearity: _Nonlinearity = "leaky_relu"
    """Activation behind, which decides the gain."""


class KaimingUniform(_Kaiming):
    """Evenly from −b to b with b = gain · √(3 / fan). He et al. 2015.

    - {Linear: 120, init: {kaiming_uniform_: {nonlinearity: relu}}}
    """


class KaimingNormal(_Kaiming):
    """Normally with std = gain / √fan. He et al. 2015.

    - {Linear: 120, init: {kaiming_normal_: {nonlinearity: relu, mode: fan_out}}}
    """


class Orthogonal(_Fan):
    """`gain` times an orthogonal matrix of the first axis and all others. Saxe et al. 2013.

    - {Linear: 120, init: {orthogonal_: {gain: 0.5}}}
    """

    gain: Float = 1.0
    """Factor of the orthogonal matrix; 1 keeps the length of vectors."""


class Sparse(Initializer):
    """Normally with `std`, and in each column a part `sparsity` of zeros. Martens 2010.

    - {Linear: 120, init: {sparse_: {sparsity: 0.9}}}
    """

    sparsity: Probability
    """Part of each column that is 0, from 0 to 1."""
    std: NaturalFloat = 0.01
    """Standard deviation of the other values."""

    def misfit(self, x: tuple[int, ...]) -> str | None:  # noqa: D102  as Initializer.misfit
        return None if len(x) == 2 else "two axes"


INITIALIZERS = {
    component.torch_name(): component
    for component in declared(Initializer, sys.modules[__name__]).values()
}
