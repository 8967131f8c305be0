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
    """How much larger the one has to be than the other to cost nothing."""

    def compare(self, target: Target, *y: Shape) -> None:
        _expect_alike(self.inputs, y)
        wanted = self.wanted(*y)
        # The number of a class is no sign.
        if target.tensor != wanted.tensor:
            raise mismatch(f"it compares with {wanted}, and the data has {target}")


class MarginRankingLoss(_Pair):
    """max(0, −t · (y₁ − y₂) + margin), averaged.

    Takes two outputs of one shape, and a target of the same: 1 where the first should be the
    larger, −1 where the second should.

    loss: {MarginRankingLoss: {margin: 0.1}}
    """

    takes = "scores"

    def wanted(self, *y: Shape) -> Target:
        return Signs(y[0])


class CosineEmbeddingLoss(_Pair):
    """1 − cos(y₁, y₂) where t is 1, and max(0, cos(y₁, y₂) − margin) where t is −1, averaged.

    Takes two outputs (features), and a single target: 1 for what is alike, −1 for what is not.

    loss: {CosineEmbeddingLoss: {margin: 0.5}}
    """

    takes = "features"

    margin: Float = 0.0
    """Largest cosine at which what is unlike costs nothing; from −1 to 1, 0 to 0.5 is usual."""

    def wanted(self, *y: Shape) -> Target:
        return Signs(())

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], "features", rank=1)
        super().compare(target, *y)


class _Triplet(Reduced):
    """Takes three outputs of one shape, and no target."""

    inputs = ("anchor", "positive", "negative")
    takes = "features"
    last = "swap reduction"

    margin: PositiveFloat = 1.0
    """How much further than what is alike the unlike has to be, to cost nothing."""
    swap: Bool = False
    """Whether the unlike is measured from the nearer of the anchor and what is like it."""

    def wanted(self, *y: Shape) -> Target:
        return Nothing()

    def compare(self, target: Target, *y: Shape) -> None:
        if not y[0]:
            raise mismatch("it measures distances along the last axis, and the outputs have none")
        _expect_alike(self.inputs, y)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y)


class TripletMarginLoss(_Triplet):
    """max(0, d(a, p) − d(a, n) + margin), averaged, with d the p-norm of the difference.

    Takes three outputs (*, features) of one shape: an anchor a, something like it, p, and something
    unlike it, n; a target is not read. With `swap`, d(p, n) counts where it is less than d(a, n).

    loss: {TripletMarginLoss: {margin: 0.2}}
    """

    p: Float = 2.0
    """Power of the norm: 1 adds up differences, 2 is the Euclidean distance."""
    eps: Float = 1e-6
    """Added to each difference, so that the gradient of a distance of 0 is finite."""


class TripletMarginWithDistanceLoss(_Triplet):
    """TripletMarginLoss with the Euclidean distance.

    torch takes any distance as `distance_function`, which is left out: it is a function of Python.

    loss: {TripletMarginWithDistanceLoss: {swap: true}}
    """


def _expect_alike(names: tuple[str, ...], y: tuple[Shape, ...]) -> None:
    """Refuse outputs that differ in shape: torch would stretch axes of size 1.

    Raises:
        ShapeError: names the first that differs.
    """
    for name, shape in zip(names, y, strict=True):
        if shape != y[0]:
            first, other = (times(s) for s in (y[0], shape))
            raise mismatch(f"{names[0]} is {first}, and {name} is {other}: they must be alike")
