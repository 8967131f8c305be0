"""Losses of kornia that compare scores of places with a mask, or with classes."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal

from netbuild.components.component import Component
from netbuild.components.fields import (
    Float,
    Int,
    NaturalFloat,
    PositiveFloat,
    PositiveInt,
    Wants,
    one_of,
    optional,
    real,
)
from netbuild.components.losses.classes import expect_classes
from netbuild.components.losses.loss import (
    Loss,
    Reduced,
    Weights,
    expect_axes,
    expect_weights,
    mismatch,
)
from netbuild.components.target import Classes, Signs, Target, Values
from netbuild.components.tensor import Shape

#: A factor from 0 to 1, or none. kornia has no default for it.
Balance = Annotated[
    float | None, Wants("a number from 0 to 1, or null", optional(real(ge=0, le=1)))
]

#: The names of the axes of an image, by their number.
_AXES = {3: "classes, height, width", 4: "classes, depth, height, width"}


class OfKornia(Component):
    """A loss of `kornia.losses`. It needs the package kornia where it trains."""

    home: ClassVar[str] = "kornia.losses"


class _Classes(OfKornia, Loss):
    """Takes raw scores (classes, height, width) and a class at each place, (height, width)."""

    inputs = ("pred",)
    classifies = True
    divides_by_labels = False
    takes = "scores"
    applies: ClassVar[Literal["softmax", "sigmoid"] | None] = "softmax"
    #: The number of axes of an output; None for one or more.
    rank: ClassVar[int | None] = 3

    def wanted(self, *y: Shape) -> Target:
        return Classes(y[0][0] if y[0] else 1, y[0][1:], getattr(self, "ignore_index", None))

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        if self.rank is not None:
            expect_axes(scores, _AXES[self.rank], rank=self.rank)
        if not scores or scores[0] < 2:
            given = f"{scores[0]} class" if scores else "one value"
            raise mismatch(f"it needs scores of at least 2 classes, and the network gives {given}")
        ignored = getattr(self, "ignore_index", None)
        expect_classes(target, scores[0], scores[1:], ignored=ignored)
        expect_weights(getattr(self, "weight", None), scores[0])


class DiceLoss(_Classes):
    """1 − 2 |X ∩ Y| / (|X| + |Y|) of each sample, averaged: X is softmax(y), Y the true classes.

    Takes raw scores (classes, height, width) and a class at each place. `micro` adds up all
    classes of a sample first. `macro` averages the losses of the classes that the target of a
    sample has. It rewards small regions more than a loss that averages over places.

    loss: [CrossEntropyLoss, DiceLoss]
    """

    average: Annotated[Literal["micro", "macro"], one_of("micro", "macro")] = "micro"
    """Whether all classes of a sample have one ratio (micro), or each class its own (macro)."""
    eps: NaturalFloat = 1e-8
    """Added to the denominator, which is 0 where a region is empty."""
    weight: Weights = None
    """Factor of each class, larger for rare classes; null is 1 for all."""
    ignore_index: Int = -100
    """Number in the target whose places are ignored."""


class TverskyLoss(_Classes):
    """1 − TP / (TP + alpha · FP + beta · FN) of each class and sample, averaged.

    Takes raw scores (classes, height, width) and a class at each place. Only classes that the
    target of a sample has count. A `beta` above `alpha` gives fewer misses; both 0.5 give the
    Dice loss. Salehi et al. 2017.

    loss: {TverskyLoss: {alpha: 0.3, beta: 0.7}}
    """

    alpha: NaturalFloat
    """Factor of the places that are falsely found."""
    beta: NaturalFloat
    """Factor of the places that are missed."""
    eps: PositiveFloat = 1e-8
    """Added to the denominator, which is 0 where a region is empty."""
    ignore_index: Int = -100
    """Number in the target whose places are ignored."""


class FocalLoss(Reduced, _Classes):
    """−alpha · (1 − p)^gamma · log p of the true class, with p = softmax(y): hard ones count more.

    Takes raw scores (classes, *) and a class at each place *, or one class. kornia's `mean` divides
    by the number of places times the number of classes, also where places are ignored. With
    `alpha` null, all classes weigh 1; otherwise class 0 weighs 1 − alpha. Lin et al. 2017.

    loss: {FocalLoss: {alpha: 0.25}}
    """

    rank = None
    last = "reduction weight ignore_index"

    alpha: Balance
    """Factor of all classes but class 0, which has 1 − alpha; null is 1 for all."""
    gamma: NaturalFloat = 2.0
    """Power of 1 − p; 0 weighs easy and hard places alike."""
    weight: Weights = None
    """Factor of each class, larger for rare classes; null is 1 for all."""
    ignore_index: Int = -100
    """Number in the target whose samples or places are ignored."""


class LovaszSoftmaxLoss(_Classes):
    """A smooth bound of 1 − IoU of each class and sample, averaged: the Lovász extension.

    Takes raw scores (classes, height, width) and a class at each place. Berman et al. 2018.

    loss: LovaszSoftmaxLoss
    """

    weight: Weights = None
    """Factor of each class in the mean over all classes; null is 1 for all."""


class _Hausdorff(Reduced, _Classes):
    """Takes probabilities, and a class at each place."""

    takes = "probabilities"
    applies = None

    alpha: Float = 2.0
    """Power of the number of an erosion: larger punishes distant errors more."""
    k: PositiveInt = 10
    """Number of erosions: errors that are further apart than this look alike."""

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y, target.unsqueeze(1))  # kornia wants an axis of channels


class HausdorffERLoss(_Hausdorff):
    """The Hausdorff distance of regions, estimated by k erosions of the squared errors.

    Takes probabilities (classes, height, width), such as a softmax over the classes gives, and a
    class at each place. Karimi et al. 2019.

    loss: [{NLLLoss, inputs: logs}, {HausdorffERLoss: {k: 5}, inputs: probabilities}]
    """


class HausdorffERLoss3D(_Hausdorff):
    """HausdorffERLoss of volumes. Takes probabilities (classes, depth, height, width).

    loss: HausdorffERLoss3D
    """

    rank = 4


class _Yes(OfKornia, Loss):
    """Takes raw scores, and 0 or 1 in the same shape."""

    inputs = ("pred",)
    binary = True
    takes = "scores"

    def compare(self, target: Target, *y: Shape) -> None:
        fits = target.tensor.shape == y[0] and target.tensor.floating
        if not fits or isinstance(target, Signs):
            raise mismatch(f"it compares with {Values(y[0])}, and the data has {target}")


class BinaryFocalLossWithLogits(Reduced, _Yes):
    """BCEWithLogitsLoss times (1 − p)^gamma, where p is the probability of the true answer.

    Takes raw scores (labels, *) and a target of the same shape, from 0 to 1. `alpha` is the factor
    of a target of 1, and 1 − alpha the one of 0; null is 1 for both. Lin et al. 2017.

    loss: {BinaryFocalLossWithLogits: {alpha: 0.25}}
    """

    applies = "sigmoid"
    last = "reduction pos_weight weight ignore_index"

    alpha: Balance
    """Factor of targets of 1; targets of 0 have 1 − alpha. Null is 1 for both."""
    gamma: NaturalFloat = 2.0
    """Power of 1 − p; 0 weighs easy and hard places alike."""
    pos_weight: Weights = None
    """Factor of targets of 1 for each label; null is 1."""
    weight: Weights = None
    """Factor of each label; null is 1."""
    ignore_index: Int = -100
    """Number in the target whose places are ignored."""

    def compare(self, target: Target, *y: Shape) -> None:
        super().compare(target, *y)
        if not y[0]:
            raise mismatch("it needs one value for each label, and the network gives one value")
        expect_weights(self.pos_weight, y[0][0], at="pos_weight")
        expect_weights(self.weight, y[0][0])


class LovaszHingeLoss(_Yes):
    """A smooth bound of 1 − IoU of the foreground of each sample, averaged.

    Takes one raw score for each place, (1, height, width), and 0 or 1 in the same shape. Berman et
    al. 2018.

    loss: [BCEWithLogitsLoss, LovaszHingeLoss]
    """

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], "1, height, width", rank=3)
        if y[0][0] != 1:
            raise mismatch(f"it needs 1 channel, and the network gives {y[0][0]}")
        super().compare(target, *y)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y, target.squeeze(1))  # kornia wants no axis of channels
