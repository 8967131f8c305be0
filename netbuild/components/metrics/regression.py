"""Regression: metrics of values.

ŷ is a prediction and t its target. The columns of values are the channels of a sample.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import field_validator

from netbuild.components.fields import (
    Bool,
    Float,
    NaturalInt,
    PositiveInt,
    SizeFromInput,
    Wants,
    one_of,
    real,
    unwanted,
)
from netbuild.components.metrics.metric import Metric, Outputs, Reduced, Task


class _OfValues(Metric):
    """Compares values with targets of the same shape."""

    compares: ClassVar[Literal["values", "distributions", "draws"]] = "values"
    higher_is_better = False
    adds_up = True
    package = "regression"


class _OfColumns(_OfValues):
    """Is computed over all values, or for each column."""

    last = "num_outputs"

    num_outputs: PositiveInt = 1
    """1 takes all values together; the number of columns gives a list with one value for each."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return self.num_outputs == 1


class MeanAbsoluteError(_OfColumns):
    """The mean of |ŷ − t|.

    metrics: MeanAbsoluteError
    """


class MeanSquaredError(_OfColumns):
    """The mean of (ŷ − t)², or its root.

    metrics: {MeanSquaredError: {squared: false}, name: rmse}
    """

    squared: Bool = True
    """Whether it is the mean square; false is its root."""


class MeanAbsolutePercentageError(_OfValues):
    """The mean of |ŷ − t| / |t|, as a share and not in percent. |t| counts as at least 1.17e-06.

    metrics: MeanAbsolutePercentageError
    """


class SymmetricMeanAbsolutePercentageError(_OfValues):
    """The mean of 2 · |ŷ − t| / (|t| + |ŷ|), from 0 to 2.

    metrics: SymmetricMeanAbsolutePercentageError
    """


class WeightedMeanAbsolutePercentageError(_OfValues):
    """The sum of |ŷ − t| divided by the sum of |t|.

    metrics: WeightedMeanAbsolutePercentageError
    """


class MeanSquaredLogError(_OfValues):
    """The mean of (log(1 + ŷ) − log(1 + t))². All values are above −1.

    metrics: MeanSquaredLogError
    """


class LogCoshError(_OfColumns):
    """The mean of log cosh(ŷ − t): the square of small errors, the amount of large ones.

    metrics: LogCoshError
    """


class MinkowskiDistance(_OfValues):
    """(Σ |ŷ − t|^p)^(1/p) over all values of all samples.

    metrics: {MinkowskiDistance: 3}
    """

    p: Annotated[float, Wants("a number of at least 1", real(ge=1))]
    """The power."""


class TweedieDevianceScore(_OfValues):
    """The mean deviance of a Tweedie distribution: 0 is normal, 1 Poisson, 2 gamma.

    Above 0, predictions must be greater than 0; from 2 on, targets too.

    metrics: {TweedieDevianceScore: 1}
    """

    power: Float = 0.0
    """The power of the mean with which the variance grows; there is none between 0 and 1."""

    @field_validator("power")
    @classmethod
    def _exists(cls, power: Any) -> Any:
        if 0 < power < 1:
            raise unwanted("0, a number below 0, or a number of at least 1")
        return power


class CriticalSuccessIndex(_OfValues):
    """TP / (TP + FP + FN), where values of at least `threshold` are a yes.

    metrics: {CriticalSuccessIndex: 0.5}
    """

    higher_is_better = True

    threshold: Float
    """The smallest value that is a yes."""


class R2Score(_OfValues):
    """1 − Σ (ŷ − t)² / Σ (t − mean of t)²: the share of the targets' spread that is explained.

    Of several columns it is the mean. A single sample has none. Where all targets are equal, it is
    1 without errors and 0 with errors.

    metrics: R2Score
    """

    higher_is_better = True

    adjusted: NaturalInt = 0
    """Number of regressors by which the value is corrected; 0 corrects nothing."""
    multioutput: Outputs = "uniform_average"
    """The mean over columns, the mean weighted by their variances, or a list (raw_values)."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return self.multioutput != "raw_values"


class ExplainedVariance(_OfValues):
    """1 − Var(ŷ − t) / Var(t): R2Score that forgives a constant error.

    metrics: ExplainedVariance
    """

    higher_is_better = True

    multioutput: Outputs = "uniform_average"
    """The mean over columns, the mean weighted by their variances, or a list (raw_values)."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return self.multioutput != "raw_values"


class RelativeSquaredError(_OfValues):
    """Σ (ŷ − t)² / Σ (t − mean of t)², or its root; of several columns the mean.

    metrics: RelativeSquaredError
    """

    decided: ClassVar[tuple[str, ...]] = ("num_outputs",)

    squared: Bool = True
    """Whether it is the ratio of squares; false is its root."""


class _Kept(_OfValues):
    """Needs every prediction."""

    adds_up = False


class NormalizedRootMeanSquaredError(_Kept):
    """The root of the mean squared error, divided by a size of the targets.

    metrics: {NormalizedRootMeanSquaredError: {normalization: range}}
    """

    last = "num_outputs"

    normalization: Annotated[
        Literal["mean", "range", "std", "l2"], one_of("mean", "range", "std", "l2")
    ] = "mean"
    """The divisor: the targets' mean, range, standard deviation or Euclidean norm."""
    num_outputs: PositiveInt = 1
    """1 takes all values together; the number of columns gives a list with one value for each."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return self.num_outputs == 1


class _Correlation(_Kept):
    """Correlates predictions with targets, for each column."""

    last = "num_outputs"
    higher_is_better = True

    num_outputs: SizeFromInput = None
    """Number of columns; of several columns the value is a list."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return columns == 1


class PearsonCorrCoef(_Correlation):
    """The linear correlation of predictions and targets, from −1 to 1.

    metrics: PearsonCorrCoef
    """


class SpearmanCorrCoef(_Correlation):
    """The linear correlation of the ranks of predictions and targets, from −1 to 1.

    metrics: SpearmanCorrCoef
    """


class KendallRankCorrCoef(_Correlation):
    """The share of pairs of samples in the same order, minus the share in the opposite order.

    metrics: {KendallRankCorrCoef: {variant: c}}
    """

    variant: Annotated[Literal["a", "b", "c"], one_of("a", "b", "c")] = "b"
    """How equal values count; a assumes that there are none."""


class ConcordanceCorrCoef(_Correlation):
    """2 · Cov(ŷ, t) / (Var ŷ + Var t + (mean ŷ − mean t)²): also measures shift and scale.

    metrics: ConcordanceCorrCoef
    """


class ContinuousRankedProbabilityScore(_Kept):
    """The mean of |x − t| − ½ |x − x′| over the draws x, x′ of each prediction.

    The output has the shape of the target and one more axis with the draws.

    metrics: {ContinuousRankedProbabilityScore, inputs: draws, target: spend}
    """

    compares = "draws"


class _OfDistributions(_Kept):
    """Compares distributions along the last axis of (samples, d)."""

    compares = "distributions"
    decided: ClassVar[tuple[str, ...]] = ("log_prob",)

    reduction: Reduced = "mean"
    """How the values of all samples become one; none gives a list."""


class KLDivergence(_OfDistributions):
    """Σ t · log(t / ŷ) for the distribution t of the target and the predicted one ŷ.

    metrics: KLDivergence
    """


class JensenShannonDivergence(_OfDistributions):
    """The mean divergence of two distributions from their mean.

    metrics: JensenShannonDivergence
    """


class CosineSimilarity(_Kept):
    """The cosine of the angle between a prediction and its target, both (samples, d).

    torchmetrics adds the samples up; write `reduction: mean` for their mean.

    metrics: {CosineSimilarity: {reduction: mean}}
    """

    compares = "distributions"
    higher_is_better = True

    reduction: Reduced = "sum"
    """How the values of all samples become one; none gives a list."""
