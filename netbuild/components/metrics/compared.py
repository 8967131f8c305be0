"""What a metric compares, by the loss that it goes with and the shape of its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.components.target import Classes

if TYPE_CHECKING:
    from netbuild.components.losses.loss import Loss
    from netbuild.components.metrics.metric import Task
    from netbuild.components.tensor import Shape


class Compared(NamedTuple):
    """What a metric compares for one sample.

    `size` is the number of classes, of labels (several yes or no), or of columns of values.
    `places` are the axes of a sample at each of which it compares.
    """

    task: Task | None
    size: int
    places: Shape


def compared(loss: Loss, *y: Shape) -> Compared:
    """Return what a metric compares with a loss, for outputs of these shapes."""
    if loss.classifies:
        target = loss.wanted(*y)
        assert isinstance(target, Classes)
        return Compared("multiclass", target.classes, target.shape)
    return of_values(y[0], loss.labels_axis) if not loss.binary else _binary(loss, y[0])


def of_values(y: Shape, axis: int = 1) -> Compared:
    """Return what a metric compares of values: the columns are the first axis of a sample."""
    number = axis - 1 if axis > 0 else axis
    places = y[:number] + (y[number + 1 :] if axis > 0 else ())
    return Compared(None, y[number] if y else 1, places)


def _binary(loss: Loss, y: Shape) -> Compared:
    """Return what a metric compares of one yes or no, or of several along an axis."""
    _, count, places = of_values(y, loss.labels_axis)
    return Compared("multilabel" if count > 1 else "binary", count, places)


def has_probabilities(loss: Loss) -> bool:
    """Whether a loss says the probability of each class. A margin loss knows scores only."""
    return (
        loss.binary
        or loss.applies is not None
        or loss.takes
        in {
            "probabilities",
            "logarithms",
            "features",
        }
    )
