"""Losses that compare the outputs of a network with one another."""

from collections.abc import Callable
from typing import Any

from netbuild.components.fields import Bool, Float, PositiveFloat
from netbuild.components.losses.loss import Reduced, expect_axes, mismatch
from netbuild.components.target import Nothing, Signs, Target
from netbuild.components.tensor import Shape, times


class _Pair(Reduced):
    """Takes two outputs of one shape."""

    inputs = ("input1", "input2")

    margin: Float = 0.0
    """How far one output must exceed the other for a loss of 0."""

    def compare(self, target: Target, *y: Shape) -> None:
        _expect_alike(self.inputs, y)
        wanted = self.wanted(*y)
        # A class number is not a sign.
        if target.tensor != wanted.tensor:
            raise mismatch(f"it compares with {wanted}, and the data has {target}")


class MarginRankingLoss(_Pair):
    """max(0, −t · (y₁ − y₂) + margin), averaged.

    Takes two outputs of one shape, and a target of the same shape: 1 where the first output
    should be larger, −1 where the second output should be larger.

    loss: {MarginRankingLoss: {margin: 0.1}}
    """

    takes = "scores"

    def wanted(self, *y: Shape) -> Target:
        return Signs(y[0])


class CosineEmbeddingLoss(_Pair):
    """1 − cos(y₁, y₂) where t is 1, and max(0, cos(y₁, y₂) − margin) where t is −1, averaged.

    Takes two outputs (features), and one target per sample: 1 for a similar pair, −1 for a
    different pair.

    loss: {CosineEmbeddingLoss: {margin: 0.5}}
    """

    takes = "features"

    margin: Float = 0.0
    """Largest cosine of a different pair with a loss of 0; from −1 to 1, usually 0 to 0.5."""

    def wanted(self, *y: Shape) -> Target:
        return Signs(())

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], "features", rank=1)
        super().compare(target, *y)


class _Triplet(Reduced):
    """Takes three outputs of one shape, and no target."""

    inputs = ("anchor", "positive", "negative")
    compares = False
    takes = "features"
    last = "swap reduction"

    margin: PositiveFloat = 1.0
    """How much farther the negative must be than the positive for a loss of 0."""
    swap: Bool = False
    """Whether the negative is measured from the anchor or the positive, whichever is nearer."""

    def wanted(self, *y: Shape) -> Target:
        return Nothing()

    def compare(self, target: Target, *y: Shape) -> None:
        if not y[0]:
            raise mismatch("it measures distances on the last axis, and the outputs have no axis")
        _expect_alike(self.inputs, y)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y)


class TripletMarginLoss(_Triplet):
    """max(0, d(a, p) − d(a, n) + margin), averaged, with d the p-norm of the difference.

    Takes three outputs (*, features) of one shape: an anchor a, a positive p similar to it, and a
    negative n different from it. There is no target. With `swap`, d(p, n) replaces d(a, n) where
    it is smaller.

    loss: {TripletMarginLoss: {margin: 0.2}}
    """

    p: Float = 2.0
    """Power of the norm: 1 adds the absolute differences, 2 is the Euclidean distance."""
    eps: Float = 1e-6
    """Added to each difference, so that the gradient of a distance of 0 is finite."""


class TripletMarginWithDistanceLoss(_Triplet):
    """TripletMarginLoss with the Euclidean distance.

    A file cannot set torch's `distance_function`, which is a Python function.

    loss: {TripletMarginWithDistanceLoss: {swap: true}}
    """


def _expect_alike(names: tuple[str, ...], y: tuple[Shape, ...]) -> None:
    """Refuse outputs that differ in shape: torch would stretch axes of size 1.

    Raises:
        ShapeError: names the first output that differs.
    """
    for name, shape in zip(names, y, strict=True):
        if shape != y[0]:
            first, other = (times(s) for s in (y[0], shape))
            raise mismatch(f"{names[0]} is {first}, and {name} is {other}: they must be equal")
