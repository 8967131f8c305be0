"""Batch and instance normalisation: uses the statistics of each channel.

https://docs.pytorch.org/docs/stable/nn.html#normalization-layers
"""

from typing import ClassVar, Literal

from netbuild.components.fields import (
    Bool,
    PositiveFloat,
)
from netbuild.components.layers._channel_norm import FOLLOWS, ChannelNorm, expect_many
from netbuild.components.layers._lazy import Lazy
from netbuild.components.layers._spatial import AXES
from netbuild.components.layers.formula import Formulas, formula
from netbuild.components.layers.layer import Modes
from netbuild.components.layers.layout import Placed
from netbuild.components.layers.sight import Sight, across
from netbuild.components.tensor import (
    Shape,
    expect_at_least,
)


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
