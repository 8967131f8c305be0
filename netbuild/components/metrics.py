"""The section `metrics:`: what is measured beside the loss, by name.

    metrics: [accuracy, macro_f1]

Without it a network that tells classes apart has its accuracy measured.
"""

from __future__ import annotations

#: Those of classes, and those of values, each with what it is.
OF_CLASSES = {
    "accuracy": "the part of samples, or of places in them, whose class has the highest score",
    "top_5_accuracy": "the part whose class is among the five highest scores",
    "macro_f1": "the mean over the classes of F1, 2·TP / (2·TP + FP + FN), 0 where none is there",
    "confusion_matrix": "how many of each class (rows) were taken for each class (columns)",
}
OF_VALUES = {
    "mae": "the mean absolute error",
    "rmse": "the root of the mean squared error",
    "r2": "1 − the squared error / that of the mean of the targets",
}
METRICS = OF_CLASSES | OF_VALUES
