"""Batch and instance normalisation: uses the statistics of each channel.

https://docs.pytorch.org/docs/stable/nn.html#normalization-layers
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import PrivateAttr

from netbuild.components.fields import (
    Bool,
    Float,
    PositiveFloat,
    SizeFromInput,
    Wants,
    optional,
    real,
)
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Formulas, biased, formula
from netbuild.components.layers.layer import Arrangement, Layer, Lazy, Modes, parameters
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.ranges import ANY
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import (
    Shape,
    ShapeError,
    Tensor,
    expect_at_least,
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


class _BatchNorm(ChannelNorm):
    """(x − mean) / √(variance + eps) · weight + bias, over the batch and the spatial axes."""

    normalises: ClassVar[Literal["batch", "processes"]] = "batch"
    modes = Modes(
        "(x − mean) / √(variance + eps) · weight + bias with the statistics of the batch; running "
        f"statistics: {FOLLOWS}",
        "(x − mean) / √(variance + eps) · weight + bias with the running statistics; without "
        "track_running_stats, as in training",
    )

    eps: PositiveFloat = 1e-5


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (C) or (C, L): each channel over the batch and L.

    - BatchNorm1d  # 120 to 120
    """

    ranks = (1, 2)
    axes = "channels, or channels and length"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (C, H, W): each channel over the batch, H and W.

    - BatchNorm2d  # 6×28×28 to 6×28×28
    """

    ranks = (3,)
    axes = AXES[2]


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (C, D, H, W): each channel over the batch, D, H and W.

    - BatchNorm3d: {affine: false}  # 4×8×8×8 to 4×8×8×8
    """

    ranks = (4,)
    axes = AXES[3]


class SyncBatchNorm(_BatchNorm):
    """Batch normalisation of (C, *): each channel over the batches of all processes and *.

    - SyncBatchNorm  # 64×7×7 to 64×7×7
    """

    axes = "channels"
    normalises = "processes"

    def output_shape(self, x: Shape) -> Shape:
        expect_at_least(1, x, self.axes)
        return x


class LazyBatchNorm1d(Lazy, BatchNorm1d):
    """Another name of BatchNorm1d, without the field `num_features`.

    - LazyBatchNorm1d  # 120 to 120
    """

    num_features: ClassVar[None] = None


class LazyBatchNorm2d(Lazy, BatchNorm2d):
    """Another name of BatchNorm2d, without the field `num_features`.

    - LazyBatchNorm2d  # 6×28×28 to 6×28×28
    """

    num_features: ClassVar[None] = None


class LazyBatchNorm3d(Lazy, BatchNorm3d):
    """Another name of BatchNorm3d, without the field `num_features`.

    - LazyBatchNorm3d  # 4×8×8×8 to 4×8×8×8
    """

    num_features: ClassVar[None] = None


class _InstanceNorm(ChannelNorm):
    """(x − mean) / √(variance + eps), over the spatial axes of each sample and channel."""

    normalises = "sample"
    modes = Modes(
        "(x − mean) / √(variance + eps) · weight + bias with the statistics of each sample; with "
        f"track_running_stats, their mean over the batch counts in {FOLLOWS}",
        "(x − mean) / √(variance + eps) · weight + bias with the running statistics; without "
        "track_running_stats, as in training",
    )

    affine: Bool = False
    track_running_stats: Bool = False
    """Whether evaluation uses the running averages; false uses each sample's own statistics."""

    def sees(self, axis: int, *x: Shape, source: int = 0, port: str | None = None) -> Sight | None:
        return across(axis, x[0][axis]) if axis else Sight(0)

    arrangement = "in order"

    def keeps_itself(self, x: Placed) -> bool:
        return x.in_order

    def workspace(self, x: Shape) -> int:
        """Each sample's means and deviations, and copies of the channels' weights and averages.

        A frozen norm computes no means and deviations.
        """
        own = 0 if self._evaluates else 2
        return 4 * x[0] * (own + self.affine + 2 * self.track_running_stats)

    def formulas(self, x: Shape) -> Formulas:
        own = "" if self._evaluates else "2 + "
        rule = f"4 B·num_features·({own}affine + 2·track_running_stats)"
        numbers = {"affine": +self.affine, "track_running_stats": +self.track_running_stats}
        kept = formula(rule, num_features=x[0], **numbers)
        return super().formulas(x)._replace(workspace=kept)

    def output_shape(self, x: Shape) -> Shape:
        super().output_shape(x)
        expect_many(x)
        return x


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (C, L): each channel of each sample over L.

    - InstanceNorm1d: {affine: true}  # 6×10 to 6×10
    """

    ranks = (2,)
    axes = AXES[1]


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (C, H, W): each channel of each sample over H and W.

    - InstanceNorm2d  # 6×28×28 to 6×28×28
    """

    ranks = (3,)
    axes = AXES[2]


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (C, D, H, W): each channel of each sample over D, H and W.

    - InstanceNorm3d  # 6×8×8×8 to 6×8×8×8
    """

    ranks = (4,)
    axes = AXES[3]


class LazyInstanceNorm1d(Lazy, InstanceNorm1d):
    """InstanceNorm1d without the field `num_features`; weights and averages are on by default.

    - LazyInstanceNorm1d  # 6×10 to 6×10
    """

    num_features: ClassVar[None] = None
    affine: Bool = True
    track_running_stats: Bool = True


class LazyInstanceNorm2d(Lazy, InstanceNorm2d):
    """InstanceNorm2d without the field `num_features`; weights and averages are on by default.

    - LazyInstanceNorm2d  # 6×28×28 to 6×28×28
    """

    num_features: ClassVar[None] = None
    affine: Bool = True
    track_running_stats: Bool = True


class LazyInstanceNorm3d(Lazy, InstanceNorm3d):
    """InstanceNorm3d without the field `num_features`; weights and averages are on by default.

    - LazyInstanceNorm3d  # 6×8×8×8 to 6×8×8×8
    """

    num_features: ClassVar[None] = None
    affine: Bool = True
    track_running_stats: Bool = True


def expect_many(x: Shape) -> None:
    """Refuse an input with one value per channel: a single value has no variance.

    Raises:
        ShapeError: the input has one value per channel.
    """
    if product(x[1:]) == 1:
        message = f"it needs more than one value per channel, and the input is {times(x)}"
        raise ShapeError("NB210", message)
