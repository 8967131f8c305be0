"""Segmentation: metrics of the regions of each image, and their mean over images.

The places of an image are the axes of the target behind the samples.
"""

from typing import Annotated, ClassVar, Literal

from netbuild.components.fields import Bool, Wants, many, one_of, optional, real
from netbuild.components.metrics.metric import Average, Metric, Task


class _OfRegions(Metric):
    """Compares the predicted and the true region of each class."""

    compares = "regions"
    tasks: ClassVar[tuple[Task, ...]] = ("binary", "multiclass", "multilabel")
    higher_is_better = True
    package = "segmentation"
    decided: ClassVar[tuple[str, ...]] = ("num_classes", "input_format")

    include_background: Bool = True
    """Whether class 0 counts."""


class _Summed(_OfRegions):
    """Adds up over images."""

    adds_up = True


class DiceScore(_Summed):
    """2 · |A ∩ B| / (|A| + |B|) for the true region A and the predicted one B.

    metrics: DiceScore
    """

    average: Average = "macro"
    """micro takes the classes together; macro is the mean over the classes of an image; weighted
    weighs it by their true places; none gives a list with a value for each class."""
    aggregation_level: Annotated[
        Literal["samplewise", "global"], one_of("samplewise", "global")
    ] = "samplewise"
    """Whether it is the mean over images, or the score of all images together."""


class MeanIoU(_Summed):
    """|A ∩ B| / |A ∪ B| for the true region A and the predicted one B; the mean over classes.

    metrics: MeanIoU
    """

    per_class: Bool = False
    """Whether the value is a list with one for each class."""


class GeneralizedDiceScore(_OfRegions):
    """DiceScore of all classes together, weighted so that small regions count like large ones.

    metrics: {GeneralizedDiceScore: {weight_type: simple}}
    """

    per_class: Bool = False
    """Whether the value is a list with one for each class."""
    weight_type: Annotated[
        Literal["square", "simple", "linear"], one_of("square", "simple", "linear")
    ] = "square"
    """The weight of a region of n true places: 1 / n², 1 / n, or 1."""


class HausdorffDistance(_OfRegions):
    """The largest distance from a place of one border to the nearest place of the other border.

    metrics: {HausdorffDistance: {distance_metric: chessboard}}
    """

    higher_is_better = False

    include_background: Bool = False
    """Whether class 0 counts."""
    distance_metric: Annotated[
        Literal["euclidean", "chessboard", "taxicab"], one_of("euclidean", "chessboard", "taxicab")
    ] = "euclidean"
    """The distance of two places."""
    spacing: Annotated[
        tuple[float, ...] | None,
        Wants(
            "a list of numbers greater than 0, one for each axis, or null",
            optional(many(real(gt=0), at_least=1)),
        ),
    ] = None
    """The size of a place along each axis; null is 1."""
    directed: Bool = False
    """Whether only the distances from the predicted border to the true one count."""
