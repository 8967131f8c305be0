"""Accuracy, in a module of its own: it is measured where a file names no metrics."""

from netbuild.components.metrics._of_classes import Averaged


class Accuracy(Averaged):
    """The share of samples, or of places in them, whose class is predicted.

    Of several yes or no it is the share of right answers. Without arguments it is the share of all
    samples that are right. With `average: macro` it is the mean of the classes' shares.

    metrics: [Accuracy, {Accuracy: {top_k: 5}, name: top_5_accuracy}]
    """

    higher_is_better = True
