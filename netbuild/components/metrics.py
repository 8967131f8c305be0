"""The section `metrics:`: the names of what training measures in addition to the loss.

    metrics: [accuracy, macro_f1]

Without this section, training measures the accuracy of a network that classifies.
"""

from __future__ import annotations

#: Metrics of classes and metrics of values, each with its meaning.
OF_CLASSES = {
    "accuracy": "the share of samples, or of places in them, whose class has the highest score",
    "top_5_accuracy": "the share of samples or places whose class is among the five highest scores",
    "macro_f1": "the mean of F1, 2·TP / (2·TP + FP + FN), of classes that are true or predicted",
    "confusion_matrix": "how many of each class (rows) are assigned to each class (columns)",
}
OF_VALUES = {
    "mae": "the mean absolute error",
    "rmse": "the root of the mean squared error",
    "r2": "1 − the squared error / that of the targets' mean; of several channels, the mean",
}
METRICS = OF_CLASSES | OF_VALUES
