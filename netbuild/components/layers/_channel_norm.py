"""The base of norms that use the statistics of each channel."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import PrivateAttr

from netbuild.components.fields import (
    Bool,
    Float,
    SizeFromInput,
    Wants,
    optional,
    real,
)
from netbuild.components.first_values import FirstValues, scale_and_shift
from netbuild.components.layers.formula import Formulas, biased, formula
from netbuild.components.layers.layer import Arrangement, Layer, parameters
from netbuild.components.layers.ranges import ANY
from netbuild.components.tensor import (
    Shape,
    ShapeError,
    Tensor,
    expect_rank,
    product,
    times,
)

_Momentum = Annotated[float | None, Wants("a number, or null for a plain mean", optional(real()))]


#: How running averages change; the variance of the batch is unbiased.
FOLLOWS = "running ← (1 − momentum) · running + momentum · batch"


class ChannelNorm(Layer):
    """Normalises (C, *), with a weight, a bias, a running mean and variance for each channel."""

    #: The numbers of axes that torch takes, not counting the batch axis.
    ranks: ClassVar[tuple[int, ...]]
    axes: ClassVar[str]

    fields_since: ClassVar[Mapping[str, str]] = {"bias": "2.12"}
    results = ANY
    arrangement: ClassVar[Arrangement] = "channels"

    num_features: SizeFromInput = None
    """Number of channels of the input."""
    eps: Float = 1e-5
    """Added to the variance to avoid a division by 0."""
    momentum: _Momentum = 0.1
    """Share of a new batch in the running averages; null takes the plain mean of all batches."""
    affine: Bool = True
    """Whether each channel has a learned factor."""
    track_running_stats: Bool = True
    """Whether evaluation uses the running averages; false uses each batch's own statistics."""
    bias: Bool = True
    """Whether each channel also has a learned bias, if affine is true."""

    #: Whether it uses the running statistics in training too, and keeps them.
    _evaluates: bool = PrivateAttr(default=False)

    @property
    def switches(self) -> bool:
        return self.track_running_stats and not self._evaluates

    @property
    def evaluates(self) -> bool:
        return self._evaluates

    def frozen(self) -> Layer:
        if not self.track_running_stats:
            return self
        frozen = self.model_copy()
        frozen._evaluates = True  # noqa: SLF001  a copy of this layer
        return frozen

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, self.axes, ranks=self.ranks)
        return x

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"num_features": x[0]}

    def centres(self, *x: Shape) -> bool:
        """With momentum 0, the running mean stays 0, so evaluation subtracts nothing."""
        return self.normalises != "mixture" and self.momentum != 0 and not self._evaluates

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)

    def weights(self, x: Shape) -> dict[str, Shape]:
        return parameters((x[0],), (x[0],) if self.bias else None) if self.affine else {}

    def first_values(self, x: Shape) -> dict[str, FirstValues]:
        return scale_and_shift(self.weights(x))

    def formulas(self, x: Shape) -> Formulas:
        each = formula("num_features", num_features=x[0])
        return Formulas(weights=biased(each, each, self.weights(x)))

    def buffers(self, x: Shape) -> dict[str, Tensor]:
        if not self.track_running_stats:
            return {}
        return {
            "running_mean": Tensor((x[0],)),
            "running_var": Tensor((x[0],)),
            "num_batches_tracked": Tensor((), "int64"),
        }


def expect_many(x: Shape) -> None:
    """Refuse an input with one value per channel: a single value has no variance.

    Raises:
        ShapeError: the input has one value per channel.
    """
    if product(x[1:]) == 1:
        message = f"it needs more than one value per channel, and the input is {times(x)}"
        raise ShapeError("NB210", message)
