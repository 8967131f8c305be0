"""Ranking: metrics of the order in which a sample's items are scored.

The items are several yes or no of a sample: it is the query, and a yes is a relevant item.
"""

from typing import Annotated, ClassVar, Literal

from netbuild.components.fields import Bool, one_of
from netbuild.components.metrics.metric import (
    Metric,
    OptionalCount,
    OptionalShare,
    Share,
    Task,
)

_Empty = Annotated[Literal["error", "skip", "neg", "pos"], one_of("error", "skip", "neg", "pos")]


class _OfItems(Metric):
    """Compares the order of items with the relevant ones."""

    compares = "items"
    tasks: ClassVar[tuple[Task, ...]] = ("multilabel",)
    higher_is_better = True
    package = "retrieval"
    decided: ClassVar[tuple[str, ...]] = ("ignore_index",)


class _OfLabels(_OfItems):
    """A metric of torchmetrics' classification."""

    package = "classification"
    decided: ClassVar[tuple[str, ...]] = ("num_labels", "ignore_index")


class MultilabelCoverageError(_OfLabels):
    """How far one must go down the order to find all relevant items, averaged over samples.

    metrics: MultilabelCoverageError
    """

    higher_is_better = False


class MultilabelRankingAveragePrecision(_OfLabels):
    """The share of relevant items among those above each relevant item, averaged.

    metrics: MultilabelRankingAveragePrecision
    """


class MultilabelRankingLoss(_OfLabels):
    """The share of pairs of a relevant and another item that are in the wrong order.

    metrics: MultilabelRankingLoss
    """

    higher_is_better = False


class _Retrieval(_OfItems):
    """Is computed for each sample, and then aggregated."""

    last = "aggregation"

    empty_target_action: _Empty = "neg"
    """What a sample without a relevant item counts: 0 (neg), 1 (pos), nothing (skip), or an error.
    """
    aggregation: Annotated[
        Literal["mean", "median", "min", "max"], one_of("mean", "median", "min", "max")
    ] = "mean"
    """How the values of all samples become one."""


class _Top(_Retrieval):
    """Looks at the first items."""

    last = "top_k aggregation"

    top_k: OptionalCount = None
    """Number of items from the top that count; null is all."""


class RetrievalAUROC(_Top):
    """The area under the curve ROC of the items of each sample.

    metrics: {RetrievalAUROC: {top_k: 5}}
    """

    last = "top_k max_fpr aggregation"

    max_fpr: OptionalShare = None
    """Largest false positive rate of the area; null is 1."""


class RetrievalFallOut(_Top):
    """The share of the other items that are among the first `top_k`.

    metrics: {RetrievalFallOut: {top_k: 5}}
    """

    higher_is_better = False

    empty_target_action: _Empty = "pos"
    """What a sample without another item counts: 0 (neg), 1 (pos), nothing (skip), or an error."""


class RetrievalHitRate(_Top):
    """Whether a relevant item is among the first `top_k`.

    metrics: {RetrievalHitRate: {top_k: 5}}
    """


class RetrievalMAP(_Top):
    """The mean average precision.

    metrics: RetrievalMAP
    """


class RetrievalMRR(_Top):
    """1 / the position of the first relevant item.

    metrics: RetrievalMRR
    """


class RetrievalNormalizedDCG(_Top):
    """The discounted gain of the order, divided by the one of the best order.

    metrics: {RetrievalNormalizedDCG: {top_k: 10}}
    """


class RetrievalPrecision(_Top):
    """The share of relevant items among the first `top_k`.

    metrics: {RetrievalPrecision: {top_k: 5}}
    """

    last = "top_k adaptive_k aggregation"

    adaptive_k: Bool = False
    """Whether `top_k` is at most the number of items."""


class RetrievalRecall(_Top):
    """The share of the relevant items that are among the first `top_k`.

    metrics: {RetrievalRecall: {top_k: 5}}
    """


class RetrievalRPrecision(_Retrieval):
    """The share of relevant items among the first n, for the number n of relevant items.

    metrics: RetrievalRPrecision
    """


class RetrievalPrecisionRecallCurve(_Retrieval):
    """The precisions and recalls among the first 1, 2, … items, and these numbers, as lists.

    metrics: {RetrievalPrecisionRecallCurve: {max_k: 10}}
    """

    last = "empty_target_action aggregation"

    max_k: OptionalCount = None
    """Largest number of items; null is all."""
    adaptive_k: Bool = False
    """Whether `max_k` is at most the number of items."""

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False


class RetrievalRecallAtFixedPrecision(_OfItems):
    """The highest recall with a precision of at least `min_precision`, and its number of items.

    metrics: {RetrievalRecallAtFixedPrecision: {min_precision: 0.8}}
    """

    min_precision: Share = 0.0
    """Smallest precision."""
    max_k: OptionalCount = None
    """Largest number of items; null is all."""
    adaptive_k: Bool = False
    """Whether `max_k` is at most the number of items."""
    empty_target_action: _Empty = "neg"
    """What a sample without a relevant item counts: 0 (neg), 1 (pos), nothing (skip), or an error.
    """

    def is_number(self, task: Task | None, columns: int) -> bool:
        return False
