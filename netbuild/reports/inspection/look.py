"""The values of a network for one sample or a batch, layer by layer, and what is wrong."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from netbuild.components.layers.layer import Modes

#: What can be wrong with a layer.
Kind = Literal["not finite", "dead", "vanishing", "exploding"]


class Values(NamedTuple):
    """The values of a tensor in numbers. The shape has the batch as its first axis.

    Mean, deviation, least and largest are those of the finite values; NaN if there is none. The
    deviation divides by n. `zeros` and `nonfinite` are shares of all values, from 0 to 1. `counts`
    are the numbers of values in equal parts of the range from `least` to `largest`.
    """

    shape: tuple[int, ...]
    mean: float
    deviation: float
    least: float
    largest: float
    zeros: float
    nonfinite: float
    counts: tuple[int, ...]


class WeightLook(NamedTuple):
    """A weight of a layer: its norm, and the norm of its gradient; None without a gradient.

    A norm is the square root of the sum of all squares.
    """

    norm: float
    gradient: float | None = None


class LayerLook(NamedTuple):
    """A layer: its first result in training and in evaluation, and what the backward pass gives.

    `training` or `evaluation` is None if the network was not run so, or does not compute the layer.
    """

    path: str
    type: str
    #: The line of the file.
    line: int
    training: Values | None
    evaluation: Values | None
    #: Both formulas, if the layer computes something else in training.
    modes: Modes | None = None
    #: The numbers of these formulas for this batch, a phrase for each mode.
    numbers: Modes | None = None
    #: The norm of the gradient of the loss at the first result; None without `backward`, or if
    #: the loss does not depend on it.
    gradient: float | None = None
    #: Its weights by their names in the module.
    weights: Mapping[str, WeightLook] = MappingProxyType({})

    @property
    def values(self) -> Values | None:
        """The values in evaluation; if there are none, in training."""
        return self.evaluation or self.training

    @property
    def differs(self) -> bool:
        """Whether the values in training are others than those in evaluation."""
        if self.training is None or self.evaluation is None:
            return False
        pairs = zip(self.training[1:7], self.evaluation[1:7], strict=True)
        # rounding differs where torch takes another way to the same number
        size = max(abs(self.evaluation.least), abs(self.evaluation.largest), 1e-12)
        return not all(a == b or (a != a and b != b) or abs(a - b) <= 1e-5 * size for a, b in pairs)  # noqa: PLR0124  NaN


class Mark(NamedTuple):
    """Something that is wrong with a layer, in a sentence, and what helps against it."""

    kind: Kind
    path: str
    text: str
    advice: str


class Pictures(NamedTuple):
    """The arrays of the first sample that a page shows, by name or by path.

    `attention` is (heads, query, key), in evaluation. `filters` are the weights of convolutions
    that read an input. `maps` are results in evaluation.
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    filters: Mapping[str, Any]
    maps: Mapping[str, Any]
    attention: Mapping[str, Any]
    #: The names of the classes, if the data names them.
    classes: tuple[str, ...] | None = None
    #: Whether the only output holds scores of classes.
    scores: bool = False
    #: The target of the sample, if it has one.
    targets: Mapping[str, Any] = MappingProxyType({})


class Look(NamedTuple):
    """One sample, or a batch, on its way through a network."""

    name: str
    #: The file or the run.
    place: str
    #: Which weights, which samples, and which random numbers.
    weights: str
    sample: str
    seed: int
    samples: int
    inputs: Mapping[str, Values]
    #: The outputs of the first sample in evaluation that are a few numbers, by name.
    outputs: Mapping[str, tuple[float, ...]]
    layers: tuple[LayerLook, ...]
    marks: tuple[Mark, ...]
    #: What the user should know, a sentence each.
    notes: tuple[str, ...] = ()
    #: What the backward pass began with, as `loss` or `the sum of the outputs`, and its value.
    objective: str | None = None
    loss: float | None = None
    pictures: Pictures | None = None

    def layer(self, path: str) -> LayerLook:
        """Return the layer with a path.

        Raises:
            KeyError: there is none.
        """
        for one in self.layers:
            if one.path == path:
                return one
        raise KeyError(path)

    @property
    def differs(self) -> bool:
        """Whether any layer has other values in training than in evaluation."""
        return any(one.differs for one in self.layers)
