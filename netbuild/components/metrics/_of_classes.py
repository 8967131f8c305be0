"""What metrics of predicted classes have in common."""

from typing import ClassVar

from netbuild.components.fields import PositiveInt
from netbuild.components.metrics.metric import Average, Metric, Share, Task

ALL: tuple[Task, ...] = ("binary", "multiclass", "multilabel")


class OfClasses(Metric):
    """Compares predicted classes with the true ones."""

    compares = "classes"
    tasks: ClassVar[tuple[Task, ...]] = ALL
    adds_up = True
    package = "classification"
    decided: ClassVar[tuple[str, ...]] = ("task", "num_classes", "num_labels", "ignore_index")

    threshold: Share = 0.5
    """Probability above which a yes or no is a yes; without effect for one of several classes."""


class Averaged(OfClasses):
    """Is computed for each class, or for all classes together."""

    last = "average top_k"

    average: Average = "micro"
    """micro counts all classes together; macro is the mean over classes; weighted weighs that mean
    by the number of true samples; none gives a list with a value for each class."""
    top_k: PositiveInt = 1
    """How many classes with the highest scores count as predicted; for one of several classes."""
