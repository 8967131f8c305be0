"""Normalisation: https://docs.pytorch.org/docs/stable/nn.html#normalization-layers."""

from typing import Annotated, Any, ClassVar

from netbuild.component import FromInput
from netbuild.fields import (
    Bool,
    Float,
    PositiveFloat,
    PositiveInt,
    SizeFromInput,
    Wants,
    either,
    many,
    optional,
    real,
    whole,
)
from netbuild.layers.layer import (
    Layer,
    Shape,
    ShapeError,
    Tensor,
    expect_rank,
    parameters,
    product,
    times,
)
from netbuild.layers.spatial import AXES

_Momentum = Annotated[float | None, Wants("a number, or null for a plain mean", optional(real()))]
_TrailingSizes = Annotated[
    int | tuple[int, ...] | None,
    Wants(
        "a whole number of at least 1, or a list of them",
        optional(either(whole(1), many(whole(1), at_least=1))),
    ),
    FromInput(),
]


class _Norm(Layer):
    """Keeps the shape; the input is kept for the backward pass."""

    def saved(self, x: Shape) -> tuple[str, ...]:
        return ("input",)


class _ChannelNorm(_Norm):
    """Normalises (C, *), with one weight, one bias and one running mean and variance a channel."""

    #: The numbers of axes that torch takes, without the batch.
    ranks: ClassVar[tuple[int, ...]]
    axes: ClassVar[str]

    num_features: SizeFromInput = None
    eps: Float = 1e-5
    momentum: _Momentum = 0.1
    affine: Bool = True
    track_running_stats: Bool = True
    bias: Bool = True

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, self.axes, ranks=self.ranks)
        return x

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"num_features": x[0]}

    def weights(self, x: Shape) -> dict[str, Shape]:
        return parameters((x[0],), (x[0],) if self.bias else None) if self.affine else {}

    def buffers(self, x: Shape) -> dict[str, Tensor]:
        if not self.track_running_stats:
            return {}
        return {
            "running_mean": Tensor((x[0],)),
            "running_var": Tensor((x[0],)),
            "num_batches_tracked": Tensor((), "int64"),
        }


class _BatchNorm(_ChannelNorm):
    """(x − mean) / √(variance + eps) · weight + bias, over the batch and the spatial axes."""

    eps: PositiveFloat = 1e-5


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (C) or (C, L), each channel over the batch and L.

    >>> BatchNorm1d().weights((120,))
    {'weight': (120,), 'bias': (120,)}
    """

    ranks = (1, 2)
    axes = "channels, or channels and length"


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (C, H, W), each channel over the batch, H and W.

    >>> sorted(BatchNorm2d().buffers((6, 28, 28)))
    ['num_batches_tracked', 'running_mean', 'running_var']
    """

    ranks = (3,)
    axes = AXES[2]


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (C, D, H, W), each channel over the batch, D, H and W.

    >>> BatchNorm3d(affine=False).weights((4, 8, 8, 8))
    {}
    """

    ranks = (4,)
    axes = AXES[3]


class _InstanceNorm(_ChannelNorm):
    """(x − mean) / √(variance + eps), over the spatial axes of each sample and channel."""

    affine: Bool = False
    track_running_stats: Bool = False

    def workspace(self, x: Shape) -> int:
        """Each sample's mean and deviation, and copies of the channels' weights and means."""
        return 4 * x[0] * (2 + self.affine + 2 * self.track_running_stats)

    def output_shape(self, x: Shape) -> Shape:
        super().output_shape(x)
        if product(x[1:]) == 1:
            message = f"it needs more than one value per channel, and the input is {times(x)}"
            raise ShapeError("NB210", message)
        return x


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (C, L), each channel over L.

    >>> InstanceNorm1d(affine=True).weights((6, 10))
    {'weight': (6,), 'bias': (6,)}
    """

    ranks = (2,)
    axes = AXES[1]


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (C, H, W), each channel over H and W.

    >>> InstanceNorm2d().weights((6, 28, 28))
    {}
    """

    ranks = (3,)
    axes = AXES[2]


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (C, D, H, W), each channel over D, H and W.

    >>> InstanceNorm3d().output_shape((6, 8, 8, 8))
    (6, 8, 8, 8)
    """

    ranks = (4,)
    axes = AXES[3]


class LayerNorm(_Norm):
    """Layer normalisation over the last axes, (*, *normalized_shape) to the same.

    Left out, `normalized_shape` is the last axis.

    >>> LayerNorm(normalized_shape=(28, 28)).weights((6, 28, 28))
    {'weight': (28, 28), 'bias': (28, 28)}
    """

    normalized_shape: _TrailingSizes = None
    eps: Float = 1e-5
    elementwise_affine: Bool = True
    bias: Bool = True

    def decide(self, x: Shape) -> dict[str, Any]:
        written = self.normalized_shape
        if isinstance(written, tuple):
            return {"normalized_shape": x[-len(written) :]}
        return {"normalized_shape": x[-1]}

    def workspace(self, x: Shape) -> int:
        """A mean and a deviation for each place that is normalised."""
        sizes = self.decide(x)["normalized_shape"]
        return 8 * product(x) // product(sizes if isinstance(sizes, tuple) else (sizes,))

    def weights(self, x: Shape) -> dict[str, Shape]:
        if not self.elementwise_affine:
            return {}
        sizes = self.decide(x)["normalized_shape"]
        shape = sizes if isinstance(sizes, tuple) else (sizes,)
        return parameters(shape, shape if self.bias else None)


class GroupNorm(_Norm):
    """Group normalisation of (C, *), over the channels of each of `num_groups` groups and *.

    >>> GroupNorm(num_groups=3).output_shape((6, 28, 28))
    (6, 28, 28)
    """

    num_groups: PositiveInt
    num_channels: SizeFromInput = None
    eps: Float = 1e-5
    affine: Bool = True
    bias: Bool = True

    def output_shape(self, x: Shape) -> Shape:
        if x[0] % self.num_groups:
            message = f"{x[0]} channels do not divide into {self.num_groups} groups"
            raise ShapeError("NB203", message, at="num_groups")
        return x

    def decide(self, x: Shape) -> dict[str, Any]:
        return {"num_channels": x[0]}

    def workspace(self, x: Shape) -> int:
        """A mean and a deviation for each group."""
        return 8 * self.num_groups

    def weights(self, x: Shape) -> dict[str, Shape]:
        return parameters((x[0],), (x[0],) if self.bias else None) if self.affine else {}


class LocalResponseNorm(_Norm):
    """x / (k + alpha / size · Σ x²)^beta over `size` neighbouring channels; (C, *) to the same.

    >>> LocalResponseNorm(size=5).output_shape((96, 54, 54))
    (96, 54, 54)
    """

    size: PositiveInt
    alpha: Float = 1e-4
    beta: Float = 0.75
    k: Float = 1.0

    def output_shape(self, x: Shape) -> Shape:
        expect_rank(x, "channels and at least one more", ranks=tuple(range(2, max(len(x), 2) + 1)))
        return x

    def workspace(self, x: Shape) -> int:
        """The squares, padded by `size` − 1 channels, and two steps of their power."""
        return 4 * (2 * product(x) + (x[0] + self.size - 1) * product(x[1:]))
