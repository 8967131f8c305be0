"""The names of metrics in runs of earlier releases, each with the metric that they are now."""

from typing import NamedTuple

from netbuild.components.metrics.accuracy import Accuracy
from netbuild.components.metrics.classification import ConfusionMatrix, F1Score
from netbuild.components.metrics.metric import Metric
from netbuild.components.metrics.regression import MeanAbsoluteError, MeanSquaredError, R2Score


class Former(NamedTuple):
    """The metric of a former name, and the item with which a file names it now."""

    metric: Metric
    item: str


FORMER = {
    "accuracy": Former(Accuracy(), "Accuracy"),
    "top_5_accuracy": Former(Accuracy(top_k=5), "{Accuracy: {top_k: 5}, name: top_5_accuracy}"),
    "macro_f1": Former(F1Score(average="macro"), "{F1Score: {average: macro}, name: macro_f1}"),
    "confusion_matrix": Former(ConfusionMatrix(), "ConfusionMatrix"),
    "mae": Former(MeanAbsoluteError(), "{MeanAbsoluteError, name: mae}"),
    "rmse": Former(
        MeanSquaredError(squared=False), "{MeanSquaredError: {squared: false}, name: rmse}"
    ),
    "r2": Former(R2Score(), "{R2Score, name: r2}"),
}
