"""Curves: metrics of the probabilities of classes, over all thresholds."""

from typing import Annotated, ClassVar, Literal

from pydantic_core import core_schema

from netbuild.components.fields import PositiveInt, Wants, one_of, real
from netbuild.components.metrics.metric import (
    Macro,
    Metric,
    OptionalShare,
    Share,
    Task,
    Thresholds,
    optional_word,
)


class _OfProbabilities(Metric):
    """Compares the probabilities of classes with the true classes."""

    compares = "probabilities"
    tasks: ClassVar[tuple[Task, ...]] = ("binary", "multiclass", "multilabel")
    package = "classification"
    decided: ClassVar[tuple[str, ...]] = ("task", "num_classes", "num_labels", "ignore_index")


class _Curve(_OfProbabilities):
    """Goes through thresholds."""

    thresholds: Thresholds = None
    """Thresholds, or their number between 0 and 1; null takes each probability that occurs."""


class AUROC(_Curve):
    """The area under the curve ROC: how probable it is that a yes scores above a no.

    metrics: AUROC
    """

    higher_is_better = True

    average: Macro = "macro"
    """macro is the mean over classes; weighted weighs it by the number of true samples; none gives
    a list with a value for each class."""
    max_fpr: OptionalShare = None
    """Largest false positive rate of the area, for a single yes or no; null is 1."""


class AveragePrecision(_Curve):
    """The area under the curve of precision and recall, as a sum over its steps.

    metrics: AveragePrecision
    """

    higher_is_better = True

    average: Macro = "macro"
    """macro is the mean over classes; weighted weighs it by the number of true samples; none gives
    a list with a value for each class."""


class ROC(_Curve):
    """The false positive rates, the true positive rates and their thresholds, as lists.

    Give it `thresholds`: otherwise the lists have an entry for each probability that occurs.

    metrics: {ROC: {thresholds: 50}}
    """

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class PrecisionRecallCurve(_Curve):
    """The precisions, the recalls and their thresholds, as lists.

    Give it `thresholds`: otherwise the lists have an entry for each probability that occurs.

    metrics: {PrecisionRecallCurve: {thresholds: 50}}
    """

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class EER(_Curve):
    """The equal error rate: where the false positive rate is the false negative rate.

    Of several classes it is a list with a value for each class, without an `average`.

    metrics: EER
    """

    higher_is_better = False

    average: Annotated[Literal["micro", "macro"] | None, optional_word("micro", "macro")] = None
    """micro takes all classes as one; macro averages their curves; null gives a list."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return task == "binary" or self.average is not None


class LogAUC(_Curve):
    """The area under the curve ROC over the logarithm of a range of false positive rates.

    Of several classes it is a list with a value for each class.

    metrics: {LogAUC: {fpr_range: [0.01, 0.1]}}
    """

    higher_is_better = True

    fpr_range: Annotated[
        tuple[float, float],
        Wants(
            "a list of two rising numbers from 0 to 1",
            core_schema.tuple_schema([real(gt=0, le=1), real(gt=0, le=1)]),
        ),
    ] = (0.001, 0.1)
    """The smallest and the largest false positive rate of the area."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return task == "binary"


class _AtFixed(_Curve):
    """Chooses the threshold at which another rate is large enough.

    Its value is a list: the rate and its threshold; of several classes a list of each.
    """

    last = "thresholds"

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class PrecisionAtFixedRecall(_AtFixed):
    """The highest precision with a recall of at least `min_recall`, and its threshold.

    metrics: {PrecisionAtFixedRecall: {min_recall: 0.9}}
    """

    min_recall: Share
    """Smallest recall."""


class RecallAtFixedPrecision(_AtFixed):
    """The highest recall with a precision of at least `min_precision`, and its threshold.

    metrics: {RecallAtFixedPrecision: {min_precision: 0.9}}
    """

    min_precision: Share
    """Smallest precision."""


class SensitivityAtSpecificity(_AtFixed):
    """The highest recall with a specificity of at least `min_specificity`, and its threshold.

    metrics: {SensitivityAtSpecificity: {min_specificity: 0.9}}
    """

    min_specificity: Share
    """Smallest specificity."""


class SpecificityAtSensitivity(_AtFixed):
    """The highest specificity with a recall of at least `min_sensitivity`, and its threshold.

    metrics: {SpecificityAtSensitivity: {min_sensitivity: 0.9}}
    """

    min_sensitivity: Share
    """Smallest recall."""


class CalibrationError(_OfProbabilities):
    """How far the probability of the predicted class is from the share of right predictions.

    Samples are put into `n_bins` bins by the probability of their predicted class.

    metrics: {CalibrationError: {n_bins: 10}}
    """

    tasks: ClassVar[tuple[Task, ...]] = ("binary", "multiclass")
    higher_is_better = False
    decided: ClassVar[tuple[str, ...]] = ("task", "num_classes", "ignore_index")

    n_bins: PositiveInt = 15
    """Number of bins between 0 and 1."""
    norm: Annotated[Literal["l1", "l2", "max"], one_of("l1", "l2", "max")] = "l1"
    """How the differences of the bins become one: their mean (l1), root mean square, or maximum."""
