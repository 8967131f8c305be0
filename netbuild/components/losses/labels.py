"""Losses that compare scores with several labels of one sample."""

from collections.abc import Callable
from typing import Any

from netbuild.components.fields import Bool, NaturalInt
from netbuild.components.losses.loss import (
    Reduced,
    Reduction,
    expect_axes,
    mismatch,
    too_few_scores,
)
from netbuild.components.target import Classes, Labels, Target
from netbuild.components.tensor import Shape


class MultiLabelMarginLoss(Reduced):
    """Σ max(0, 1 − (y_c − y_i)) / classes over all present classes c and all absent classes i.

    Takes scores (classes) and a target of the same length: the numbers of the present classes,
    and −1 after the last one.

    loss: MultiLabelMarginLoss
    """

    takes = "scores"

    def wanted(self, *y: Shape) -> Target:
        classes = y[0][0] if y[0] else 1
        return Labels(classes, classes)

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        expect_axes(scores, "one value for each class", rank=1)
        wanted = Labels(scores[0], scores[0])
        labels = isinstance(target, Labels | Classes)
        if not labels or target.tensor.shape != scores or target.classes > scores[0]:  # type: ignore[union-attr]  # both have classes
            raise mismatch(f"it compares with {wanted}, and the data has {target}")


class CTCLoss(Reduced):
    """−log of the probability of a sequence of labels, summed over all alignments (Graves 2006).

    Takes log-probabilities (steps, classes) and any number of labels, with −1 after the last one.
    The class `blank` stands between labels. A sequence that is too long for the steps has an
    infinite loss, or 0 with `zero_infinity`. netbuild gives torch the shape and the lengths that
    it needs; all steps of a sample count.

    loss: {CTCLoss: {zero_infinity: true}}
    """

    takes = "logarithms"
    class_axis = 2
    last = "reduction zero_infinity"

    blank: NaturalInt = 0
    """Number of the class that stands for no label."""
    reduction: Reduction = "mean"
    """How losses become one: by the mean of loss / number of labels, or by their sum."""
    zero_infinity: Bool = False
    """Whether the loss of a sequence too long for its steps is 0 instead of infinite."""

    def wanted(self, *y: Shape) -> Target:
        # Equal neighbours need a blank between them. This number of labels always fits.
        steps, classes = y[0] if len(y[0]) == 2 else (1, 1)
        return Labels(classes, (steps + 1) // 2, self.blank)

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        expect_axes(scores, "steps, classes", rank=2)
        classes = scores[1]
        if self.blank >= classes:
            raise mismatch(f"blank is {self.blank}, and there are {classes} classes", at="blank")
        if not isinstance(target, Labels | Classes) or len(target.tensor.shape) != 1:
            raise mismatch(f"it compares with a list of labels, and the data has {target}")
        if target.classes > classes:
            raise too_few_scores(target.classes, classes)

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        scores = y[0]  # (samples, steps, classes)
        given = target >= 0
        steps = given.new_full((len(scores),), scores.shape[1], dtype=target.dtype)
        return forward(scores.transpose(0, 1), target.clamp(min=0), steps, given.sum(dim=1))
