"""The contract of a metric: what it compares, and whether it adds up. Nothing is computed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from netbuild.components.component import Component
from netbuild.components.fields import Wants, either, many, one_of, optional, real, whole

if TYPE_CHECKING:
    from pydantic_core.core_schema import CoreSchema

#: The kinds of classification: one yes or no, one of several classes, several yes or no.
Task = Literal["binary", "multiclass", "multilabel"]

_WORDS = ("micro", "macro", "weighted", "none")
Average = Annotated[Literal["micro", "macro", "weighted", "none"], one_of(*_WORDS)]
#: The average of a metric that torchmetrics does not pool over classes.
Macro = Annotated[Literal["macro", "weighted", "none"], one_of("macro", "weighted", "none")]
Outputs = Annotated[
    Literal["raw_values", "uniform_average", "variance_weighted"],
    one_of("raw_values", "uniform_average", "variance_weighted"),
]
Reduced = Annotated[Literal["mean", "sum", "none"], one_of("mean", "sum", "none")]
Share = Annotated[float, Wants("a number from 0 to 1", real(ge=0, le=1))]
OptionalShare = Annotated[
    float | None, Wants("a number above 0 up to 1, or null", optional(real(gt=0, le=1)))
]
OptionalCount = Annotated[
    int | None, Wants("a whole number of at least 1, or null", optional(whole(1)))
]
_NUMBERS: CoreSchema = many(real(ge=0, le=1), at_least=1)
Thresholds = Annotated[
    int | tuple[float, ...] | None,
    Wants(
        "a whole number of at least 2, a list of numbers from 0 to 1, or null",
        optional(either(whole(2), _NUMBERS)),
    ),
]


def optional_word(*words: str) -> Wants:
    """Return the mark of a field that takes one of a few words, or null."""
    mark = one_of(*words)
    return Wants(f"{mark.phrase}, or null", optional(mark.schema))


class Metric(Component):
    """A metric of torchmetrics. Its predictions and targets come from the loss that it goes with.

    It lacks the arguments that the loss decides, and torchmetrics' `validate_args`. It also lacks
    `multidim_average`: its `samplewise` returns a value for each sample, and no metric of an epoch.
    """

    #: What it compares: predicted classes, probabilities of classes, values, distributions
    #: over the last axis, several draws of a value (`draws`), regions of an image, or the items of
    #: each sample by their scores.
    compares: ClassVar[
        Literal["classes", "probabilities", "values", "distributions", "draws", "regions", "items"]
    ]
    #: The kinds of classification that it measures; of values it measures none.
    tasks: ClassVar[tuple[Task, ...]] = ()
    #: Whether a larger value is better. None where neither is, or where the value is no number.
    higher_is_better: ClassVar[bool | None] = None
    #: Whether netbuild adds it up batch by batch. Any other metric keeps every prediction. So it
    #: is measured in the validation alone, by torchmetrics.
    adds_up: ClassVar[bool] = False
    #: The package of torchmetrics.
    package: ClassVar[str]
    #: The arguments of torchmetrics that the loss and the network decide.
    decided: ClassVar[tuple[str, ...]] = ()

    def is_number(self, task: Task | None, columns: int) -> bool:
        """Whether its value is one number for a task, and for so many classes or columns."""
        if task == "binary":
            return True
        words = {getattr(self, name, None) for name in ("average", "reduction")}
        return "none" not in words and not getattr(self, "per_class", False)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of torchmetrics' constructor that a file can write."""
        return {
            name: list(value) if isinstance(value := getattr(self, name), tuple) else value
            for name in type(self).model_fields
        }


def key_of(name: str) -> str:
    """Return the name of a metric in `metrics.jsonl`.

    >>> [key_of(name) for name in ("F1Score", "AUROC", "MeanIoU", "KLDivergence")]
    ['f1_score', 'auroc', 'mean_iou', 'kl_divergence']
    """
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower().replace("io_u", "iou")
