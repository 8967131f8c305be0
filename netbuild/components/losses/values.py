"""Losses that compare the output, value by value, with a target of the same shape."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from netbuild.components.fields import Bool, Float, NaturalFloat, PositiveFloat, one_of
from netbuild.components.losses.loss import (
    Repeated,
    ValueLoss,
    Weights,
    expect_repeatable,
    mismatch,
)
from netbuild.components.target import Signs, Target
from netbuild.components.tensor import Shape, times


class _FloatLoss(ValueLoss):
    """Takes floating-point targets only: torch has no gradient for whole-number targets."""

    def _takes(self, target: Target) -> bool:
        return target.tensor.floating


class L1Loss(ValueLoss):
    """|y − t|, averaged. Takes values of any shape and a target of the same shape.

    loss: L1Loss
    """

    scales = (1,)


class MSELoss(ValueLoss):
    """(y − t)², averaged. Takes values of any shape and a target of the same shape.

    loss: MSELoss
    """

    scales = (1,)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        # Before 2.10, torch does not turn whole numbers into floats here.
        return forward(*y, target if target.is_floating_point() else target.float())


class SmoothL1Loss(ValueLoss):
    """½ (y − t)² / beta where |y − t| < beta, and |y − t| − beta / 2 elsewhere, averaged.

    Takes values of any shape and a target of the same shape.

    loss: {SmoothL1Loss: {beta: 0.5}}
    """

    last = "beta"
    scales = (1,)

    beta: NaturalFloat = 1.0
    """Error at which the loss turns from a square into a line; 0 makes it L1Loss."""


class HuberLoss(_FloatLoss):
    """½ (y − t)² where |y − t| < delta, and delta · (|y − t| − delta / 2) elsewhere, averaged.

    Takes values of any shape and a target of the same shape.

    loss: {HuberLoss: {delta: 0.5}}
    """

    last = "delta"
    scales = (1,)

    delta: PositiveFloat = 1.0
    """Error at which the loss turns from a square into a line of slope delta."""


class KLDivLoss(_FloatLoss):
    """t · (log t − y), averaged: the divergence of probabilities t from log-probabilities y.

    Takes log-probabilities of any shape, such as LogSoftmax gives, and probabilities of the same
    shape. With `log_target` the target holds their logarithms. `batchmean` divides the sum by the
    number of samples, and is the mathematical divergence; `mean` divides by the number of values.

    loss: {KLDivLoss: {reduction: batchmean}}
    """

    takes = "logarithms"
    last = "log_target"

    reduction: Annotated[
        Literal["mean", "sum", "batchmean"], one_of("mean", "sum", "batchmean")
    ] = "mean"  # type: ignore[assignment]  # one more reduction
    """How losses become one: mean of all values, sum, or sum / number of samples (batchmean)."""
    log_target: Bool = False
    """Whether the targets are log-probabilities, like the output."""


class PoissonNLLLoss(ValueLoss):
    """exp(y) − t · y, averaged; with `log_input: false`, y − t · log(y + eps).

    Takes logarithms of rates of any shape, or the rates themselves, and counts of the same shape.
    `full` adds Stirling's approximation of log t!.

    loss: {PoissonNLLLoss: {full: true}}
    """

    log_input: Bool = True
    """Whether the network gives the logarithm of the rate; false means the rate itself."""
    full: Bool = False
    """Whether Stirling's approximation of log t! is added, for targets above 1."""
    eps: Float = 1e-8
    """Added to a rate before its logarithm, because log 0 is infinite."""

    @property
    def logarithmic(self) -> bool:
        return self.log_input

    def nonnegative(self) -> dict[str, str]:
        return {} if self.log_input else {"input": "rate"}


class GaussianNLLLoss(ValueLoss):
    """½ (log v + (y − t)² / v), averaged, with the variance v of at least eps.

    Takes two outputs: means of any shape, and variances. The target has the shape of the means. The
    variances have the same shape, or lack its last axis, or have size 1 on one axis. `full` adds
    ½ log 2π.

    loss: GaussianNLLLoss
    """

    inputs = ("input", "var")
    scales = (1, 2)

    full: Bool = False
    """Whether the constant ½ log 2π is added; it changes no gradient."""
    eps: Float = 1e-6
    """Smallest variance; smaller variances are raised to it."""

    def compare(self, target: Target, *y: Shape) -> None:
        super().compare(target, *y)
        mean, var = y
        fits = var == mean or (mean and var == mean[:-1])
        if not fits and not _repeats_along_one(var, mean):
            shown = times(var)
            message = f"var is {shown}, and it needs one variance for each of {times(mean) or 1}"
            raise mismatch(message)

    def nonnegative(self) -> dict[str, str]:
        return {"var": "variance"}

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        mean, var = y
        if _repeats_along_one(var.shape, mean.shape):  # before 2.10, torch knows the last axis only
            var = var.expand_as(mean)
        return forward(mean, target, var)


def _repeats_along_one(x: Shape, y: Shape) -> bool:
    """Whether x has size 1 on one axis and the sizes of y on the others.

    This is torch's own test: the sizes that differ add up to 1.
    """
    return len(x) == len(y) and sum(a for a, b in zip(x, y, strict=True) if a != b) == 1


class BCELoss(_FloatLoss):
    """−w · (t · log y + (1 − t) · log(1 − y)), averaged.

    Takes probabilities of any shape, such as Sigmoid gives, and a target of the same shape, from 0
    to 1. `weight` has one factor w for each place of the last axis, or of several axes: nested
    lists in the shape channels×1×1 have one for each channel.

    loss: BCELoss
    """

    binary = True
    takes = "probabilities"
    of_scores = "BCEWithLogitsLoss"
    repeated = ("weight",)

    weight: Repeated = None
    """Factor of the loss at each place of the last axes; null is 1 everywhere."""

    def compare(self, target: Target, *y: Shape) -> None:
        super().compare(target, *y)
        expect_repeatable(self.weight, y[0], at="weight")

    def _takes(self, target: Target) -> bool:
        return super()._takes(target) and not isinstance(target, Signs)  # −1 is out of range


class BCEWithLogitsLoss(_FloatLoss):
    """BCELoss of sigmoid(y), computed in one step; pos_weight is a factor of t · log sigmoid(y).

    Takes raw scores of any shape and a target of the same shape, from 0 to 1. `weight` and
    `pos_weight` have one number for each place of the last axis, or of several axes: nested lists
    in the shape channels×1×1 have one for each channel.

    loss: {BCEWithLogitsLoss: {pos_weight: [3, 1]}}
    """

    binary = True
    takes = "scores"
    applies = "sigmoid"
    of_applied = "BCELoss"
    last = "reduction pos_weight"
    repeated = ("weight", "pos_weight")

    weight: Repeated = None
    """Factor of the loss at each place of the last axes; null is 1 everywhere."""
    pos_weight: Repeated = None
    """Factor of targets of 1, at each place of the last axes; above 1 gives fewer misses."""

    def compare(self, target: Target, *y: Shape) -> None:
        super().compare(target, *y)
        expect_repeatable(self.weight, y[0], at="weight")
        expect_repeatable(self.pos_weight, y[0], at="pos_weight")


class MultiLabelSoftMarginLoss(ValueLoss):
    """BCELoss of sigmoid(y), averaged over the classes first and then over everything else.

    Takes raw scores (*, classes) and a target of the same shape: 1 for each present class, 0 for
    each absent class. `weight` has one factor for each class.

    loss: MultiLabelSoftMarginLoss
    """

    binary = True
    labels_axis = -1
    takes = "scores"
    applies = "sigmoid"

    weight: Weights = None
    """Factor of each class in the mean; null is 1."""

    def compare(self, target: Target, *y: Shape) -> None:
        super().compare(target, *y)
        if not y[0]:
            raise mismatch("it needs one value for each class, and the network gives one value")
        if self.weight is not None and len(self.weight) not in {1, y[0][-1]}:
            message = f"weight has {len(self.weight)} numbers for a last axis of {y[0][-1]}"
            raise mismatch(message, at="weight")


class _SignLoss(ValueLoss):
    """Takes an output of any shape and a target of the same shape, of 1 and −1."""

    signed = True

    def wanted(self, *y: Shape) -> Target:
        return Signs(y[0])

    def _takes(self, target: Target) -> bool:
        return target.tensor.floating  # a class number is not a sign


class HingeEmbeddingLoss(_SignLoss):
    """y where t is 1, and max(0, margin − y) where t is −1, averaged.

    Takes distances of any shape and a target of the same shape: 1 for a similar pair, −1 for a
    different pair.

    loss: {HingeEmbeddingLoss: {margin: 0.5}}
    """

    margin: Float = 1.0
    """Smallest distance of a different pair with a loss of 0."""


class SoftMarginLoss(_SignLoss):
    """log(1 + exp(−t · y)), averaged. Takes scores of any shape and a target of the same shape, ±1.

    loss: SoftMarginLoss
    """

    binary = True
    takes = "scores"
