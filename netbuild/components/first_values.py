"""The values with which a parameter begins: their distribution, and the rule for its width.

Layers say what torch does by default (`Layer.first_values`), initializers what they do. In torch,
`_calculate_fan_in_and_fan_out` of `torch.nn.init` defines the two fans of a weight.
"""

from collections.abc import Mapping
from math import sqrt
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from netbuild.components.tensor import Shape, product

Distribution: TypeAlias = Literal[
    "constant", "uniform", "normal", "truncated normal", "orthogonal", "sparse", "identity", "file"
]


class FirstValues(NamedTuple):
    """The distribution of the first values of a tensor, with its numbers by name.

    A constant has a `value`, a uniform distribution `low` and `high`, and a normal one a `mean` and
    a `deviation`. `rule` is the formula of `high` or of the deviation, and `numbers` are for the
    names in it. `note` names values that differ.
    """

    distribution: Distribution
    values: Mapping[str, float]
    rule: str = ""
    numbers: Mapping[str, float] = MappingProxyType({})
    note: str = ""


def constant(value: float) -> FirstValues:
    """Return a tensor of equal values."""
    return FirstValues("constant", {"value": value})


def uniform(bound: float, rule: str, **numbers: float) -> FirstValues:
    """Return a uniform distribution from −bound to bound."""
    return FirstValues("uniform", {"low": -bound, "high": bound}, rule, numbers)


def normal(deviation: float, rule: str = "", **numbers: float) -> FirstValues:
    """Return a normal distribution with mean 0."""
    return FirstValues("normal", {"mean": 0.0, "deviation": deviation}, rule, numbers)


def by_size(name: str, size: int) -> FirstValues:
    """Return the default of linear layers, convolutions and recurrent layers: up to 1 / √size."""
    return uniform(1 / sqrt(size), f"1 / √{name}", **{name: size})


def fans(shape: Shape) -> dict[str, int]:
    """Return the numbers of inputs and outputs of a weight with at least two axes."""
    window = product(shape[2:])
    return {"fan_in": shape[1] * window, "fan_out": shape[0] * window}


def xavier_uniform(shape: Shape) -> FirstValues:
    """Return the distribution of Glorot and Bengio 2010."""
    both = fans(shape)
    return uniform(sqrt(6 / sum(both.values())), "√(6 / (fan_in + fan_out))", **both)


def xavier_normal(shape: Shape) -> FirstValues:
    """Return the normal distribution of Glorot and Bengio 2010."""
    both = fans(shape)
    return normal(sqrt(2 / sum(both.values())), "√(2 / (fan_in + fan_out))", **both)


def scale_and_shift(weights: Mapping[str, Shape]) -> dict[str, FirstValues]:
    """Return the first values of a norm: a bias begins with 0, every other weight with 1."""
    return {name: constant(0.0 if name == "bias" else 1.0) for name in weights}
