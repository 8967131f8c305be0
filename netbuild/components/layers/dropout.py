"""Dropout: https://docs.pytorch.org/docs/stable/nn.html#dropout-layers."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from netbuild.components.fields import Bool, Probability, one_of
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Layer, Memory, Modes
from netbuild.components.layers.layout import Placed, Strides, elementwise
from netbuild.components.layers.ranges import ANY, Range
from netbuild.components.tensor import Shape, expect_at_least, expect_rank, product


class _Dropping(Layer):
    """Zeroes values with probability p in training and scales the rest by 1 / (1 − p)."""

    results = None
    arrangement = "as input"
    drops: ClassVar[Literal["zeros", "alpha"]] = "zeros"
    #: The name of the other kind of dropout with the same fields and inputs, or None.
    counterpart: ClassVar[str | None]

    p: Probability
    """Probability that a value is dropped in training; 0 drops none, 1 drops all."""

    @property
    def switches(self) -> bool:
        return self.p > 0

    def stilled(self) -> dict[str, Any]:
        return {"p": 0.0}

    def range(self, *x: Range | None) -> Range | None:
        """The remaining values are divided by 1 − p."""
        if x[0] is None or self.p == 0:
            return x[0]
        scale = 1 / (1 - self.p) if self.p < 1 else 1
        return Range(scale * x[0].least, scale * x[0].most).with_(0)

    def memory(self, *x: Placed) -> Memory:
        return "same" if self.p == 0 else super().memory(*x)

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        return (x[0].strides,) if self.p == 0 else super().layouts(y, *x)

    def formulas(self, x: Shape) -> Formulas:
        kept = formula("4 B·masked", masked=self.masked(x)) if self.workspace(x) else None
        return Formulas(workspace=kept)

    def masked(self, x: Shape) -> int:
        """Return how many independent decisions the mask holds."""
        return product(x)


class _Dropout(_Dropping):
    """A dropout of torch.nn."""

    modes = Modes("each value becomes 0 with probability p, and x / (1 − p) otherwise", "x")

    p: Probability = 0.5
    """Probability that a value is dropped in training; 0 drops none, 1 drops all."""
    inplace: Bool = False
    """Whether the result overwrites the input in memory."""

    def workspace(self, x: Shape) -> int:
        """The mask, as floats: torch keeps it on a CPU. A p of 0 or 1 needs no mask."""
        return 4 * self.masked(x) if 0 < self.p < 1 else 0


class Dropout(_Dropout):
    """Zeroes single values with probability p in training; any shape to the same.

    - Dropout: 0.2  # 6×28×28 to 6×28×28
    """

    counterpart = "AlphaDropout"


_CHANNELS = Modes("each channel becomes 0 with probability p, and x / (1 − p) otherwise", "x")


class _ChannelDropout(_Dropout):
    """Zeroes whole channels with probability p in training; (C, *) to the same."""

    counterpart = "FeatureAlphaDropout"

    rank: ClassVar[int]

    modes = _CHANNELS

    p: Probability = 0.5
    """Probability that a channel is dropped in training; 0 drops none, 1 drops all."""

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, AXES[self.rank], ranks=(self.rank + 1,))
        return x

    def masked(self, x: Shape) -> int:
        return x[0]


class Dropout1d(_ChannelDropout):
    """Zeroes whole channels of (C, L) with probability p in training.

    - Dropout1d  # 6×28 to 6×28
    """

    rank = 1


class Dropout2d(_ChannelDropout):
    """Zeroes whole channels of (C, H, W) with probability p in training.

    - Dropout2d  # 6×28×28 to 6×28×28
    """

    rank = 2


class Dropout3d(_ChannelDropout):
    """Zeroes whole channels of (C, D, H, W) with probability p in training.

    - Dropout3d  # 6×8×8×8 to 6×8×8×8
    """

    rank = 3


class _AlphaDropout(_Dropout):
    """Keeps mean 0 and variance 1 after SELU; torch takes `inplace` and ignores it."""

    drops = "alpha"
    modes = Modes(
        "with probability p each value becomes a · 1.7581 · (p − 1), and a · (x + 1.7581 · p) "
        "otherwise; a = 1 / √((1 − p) · (1 + 1.7581² · p))",
        "x",
    )

    inplace: Bool = False
    """No effect: torch takes it and ignores it."""

    def range(self, *x: Range | None) -> Range | None:
        """Dropped values become negative, and all values are scaled and shifted."""
        return ANY if 0 < self.p < 1 else x[0]

    def memory(self, *x: Placed) -> Memory:
        return "same" if self.p == 0 else "new"


class AlphaDropout(_AlphaDropout):
    """Dropout that keeps mean 0 and variance 1 after SELU; any shape to the same.

    - AlphaDropout: 0.1  # 64 to 64
    """

    counterpart = "Dropout"


class FeatureAlphaDropout(_AlphaDropout):
    """AlphaDropout of whole channels: (C, *) to the same.

    - FeatureAlphaDropout  # 6×28×28 to 6×28×28
    """

    counterpart = None
    modes = Modes(AlphaDropout.modes.training.replace("value", "channel"), "x")

    p: Probability = 0.5
    """Probability that a channel is dropped in training; 0 drops none, 1 drops all."""

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(1, x, "channels")
        return x

    def masked(self, x: Shape) -> int:
        return x[0]


class StochasticDepth(_Dropping):
    """Zeroes whole samples with probability p in training; any shape to the same.

    It stands at the end of a residual branch, before the Add: Huang et al. 2016, "Deep Networks
    with Stochastic Depth", https://arxiv.org/abs/1603.09382. The module is torchvision's, and the
    built network does not need torchvision.

    - StochasticDepth: {p: 0.1, mode: row}  # 64×8×8 to 64×8×8
    """

    counterpart = None
    modes = Modes(
        "each sample, or with mode: batch all of them together, becomes 0 with probability p, "
        "and x / (1 − p) otherwise",
        "x",
    )

    p: Probability
    """Probability that a sample becomes 0 in training; 0 drops none, 1 drops all."""
    mode: Annotated[Literal["batch", "row"], one_of("batch", "row")]
    """Whether each sample is drawn by itself (row), or the whole batch at once (batch)."""

    def layouts(self, y: Sequence[Shape], *x: Placed) -> tuple[Strides, ...]:
        """Torch multiplies by one number for each sample."""
        if self.p == 0:
            return (x[0].strides,)
        return (elementwise(y[0], (x[0], Placed((1,) * len(y[0])))),)

    def workspace(self, x: Shape) -> int:
        """The factors, as floats."""
        return 4 * self.masked(x) if self.p > 0 else 0

    def masked(self, x: Shape) -> int:
        return 1 if self.mode == "row" else 0
