"""Classification: metrics of predicted classes.

TP, FP, FN and TN are the true and false, positive and negative predictions of a class.
"""

from typing import Annotated, ClassVar, Literal

from netbuild.components.fields import Bool, PositiveFloat, one_of
from netbuild.components.metrics._of_classes import Averaged, OfClasses
from netbuild.components.metrics.metric import Average, Metric, Share, Task, optional_word


class _Divided(Averaged):
    """Divides by a count that may be 0."""

    last = "average top_k zero_division"

    zero_division: Share = 0.0
    """The value where there is nothing to divide by."""


class Precision(Averaged):
    """TP / (TP + FP): the share of the predictions of a class that are right.

    For one of several classes, `average: micro` is the accuracy.

    metrics: {Precision: {average: macro}}
    """

    higher_is_better = True


class Recall(Averaged):
    """TP / (TP + FN): the share of the samples of a class that are found.

    For one of several classes, `average: micro` is the accuracy.

    metrics: {Recall: {average: macro}}
    """

    higher_is_better = True


class F1Score(_Divided):
    """2 · TP / (2 · TP + FP + FN): the harmonic mean of precision and recall.

    `average: macro` is the mean over the classes that are true or predicted. For one of several
    classes, `average: micro` is the accuracy (NB332).

    metrics: {F1Score: {average: macro}}
    """

    higher_is_better = True


class FBetaScore(_Divided):
    """(1 + β²) · TP / ((1 + β²) · TP + β² · FN + FP): F1Score that weighs recall β times as much.

    metrics: {FBetaScore: {beta: 2.0, average: macro}}
    """

    higher_is_better = True
    last = "threshold average top_k zero_division"

    beta: PositiveFloat = 1.0
    """Weight of the recall; above 1 it counts more than the precision."""


class Specificity(Averaged):
    """TN / (TN + FP): the share of the samples of other classes that are not taken for a class.

    metrics: {Specificity: {average: macro}}
    """

    higher_is_better = True


class NegativePredictiveValue(Averaged):
    """TN / (TN + FN): the share of the samples not taken for a class that are of other classes.

    metrics: {NegativePredictiveValue: {average: macro}}
    """

    higher_is_better = True


class HammingDistance(Averaged):
    """1 − the accuracy: the share of wrong answers.

    metrics: HammingDistance
    """

    higher_is_better = False


class StatScores(Averaged):
    """The counts TP, FP, TN, FN and TP + FN, as a list.

    `average: none` gives such a list for each class.

    metrics: {StatScores: {average: none}}
    """

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class JaccardIndex(OfClasses):
    """TP / (TP + FP + FN): the intersection over the union of the true and the predicted places.

    `average: macro` is the mean over the classes that are true or predicted.

    metrics: JaccardIndex
    """

    higher_is_better = True

    average: Average = "macro"
    """micro counts all classes together; macro is the mean over classes; weighted weighs that mean
    by the number of true samples; none gives a list with a value for each class."""


class ConfusionMatrix(OfClasses):
    """How many samples of each class (rows) are predicted as each class (columns).

    Of several yes or no there is a matrix for each.

    metrics: ConfusionMatrix
    """

    normalize: Annotated[
        Literal["true", "pred", "all", "none"] | None, optional_word("true", "pred", "all", "none")
    ] = None
    """Divides the counts by those of each true class, of each predicted class, or by all."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class CohenKappa(OfClasses):
    """(p − q) / (1 − q) for the accuracy p, and the accuracy q of guessing with the same counts.

    metrics: {CohenKappa: {weights: quadratic}}
    """

    tasks: ClassVar[tuple[Task, ...]] = ("binary", "multiclass")
    higher_is_better = True
    decided: ClassVar[tuple[str, ...]] = ("task", "num_classes", "ignore_index")

    weights: Annotated[
        Literal["linear", "quadratic", "none"] | None,
        optional_word("linear", "quadratic", "none"),
    ] = None
    """How an error grows with the distance of two class numbers; null counts all errors alike."""


class MatthewsCorrCoef(OfClasses):
    """The correlation of the true and the predicted classes, from −1 to 1.

    metrics: MatthewsCorrCoef
    """

    higher_is_better = True


class ExactMatch(OfClasses):
    """The share of samples of which all places, or all yes or no, are predicted.

    metrics: ExactMatch
    """

    tasks: ClassVar[tuple[Task, ...]] = ("multiclass", "multilabel")
    higher_is_better = True


class HingeLoss(Metric):
    """The mean of max(0, 1 − m) for the margin m between the true class and the best other one.

    It takes probabilities, so a margin is at most 1.

    metrics: {HingeLoss: {squared: true}}
    """

    compares = "probabilities"
    tasks: ClassVar[tuple[Task, ...]] = ("binary", "multiclass")
    higher_is_better = False
    package = "classification"
    decided: ClassVar[tuple[str, ...]] = ("task", "num_classes", "ignore_index")

    squared: Bool = False
    """Whether the hinge is squared."""
    multiclass_mode: Annotated[
        Literal["crammer-singer", "one-vs-all"], one_of("crammer-singer", "one-vs-all")
    ] = "crammer-singer"
    """Whether the true class is compared with the best other class, or each class with 0."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return task == "binary" or self.multiclass_mode == "crammer-singer"
