"""Losses that compare one value per class with the number of the right class."""

from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Any, ClassVar

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.component import LARGEST
from netbuild.components.fields import (
    Bool,
    Float,
    Int,
    PositiveFloat,
    PositiveInt,
    Probability,
    SizeFromInput,
    Wants,
    many,
    optional,
    unwanted,
    whole,
)
from netbuild.components.losses.loss import (
    Loss,
    Reduced,
    Reduction,
    Weights,
    expect_axes,
    expect_weights,
    mismatch,
    too_few_scores,
)
from netbuild.components.target import Classes, Labels, Signs, Target, Values
from netbuild.components.tensor import Shape, product, times


class _Weighed(Reduced):
    """Weights the loss of each class."""

    classifies = True
    last = "weight reduction"

    weight: Weights = None
    """Factor of each class, larger for rare classes; null is 1 for all."""
    reduction: Reduction = "mean"
    """How the losses of all samples become one: by their mean or their sum."""


class _ClassLoss(_Weighed):
    """Takes scores (classes) and one class, or scores (classes, *) and a class at each place *."""

    last = "reduction"

    ignore_index: Int = -100
    """Number in the target whose samples or places are ignored; it needs no class of its own."""
    reduction: Reduction = "mean"
    """How losses become one: by their mean, weighted by class, or their sum."""

    def wanted(self, *y: Shape) -> Target:
        return Classes(y[0][0] if y[0] else 1, y[0][1:], self.ignore_index)

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        _expect_scores(scores)
        expect_classes(target, scores[0], scores[1:], ignored=self.ignore_index)
        expect_weights(self.weight, scores[0])


class CrossEntropyLoss(_ClassLoss):
    """−w_c · log softmax(y)_c for the class c, averaged over samples and places with weights w.

    Takes raw scores (classes) and a class number, or raw scores (classes, *) and a class number at
    each place (*). The target may also be probabilities p of the output's shape; then the loss is
    −Σ w_c · p_c · log softmax(y)_c. `label_smoothing` ε mixes the target with ε / classes.
    `ignore_index` is a number in the target that is ignored, and no class.

    loss: {CrossEntropyLoss: {label_smoothing: 0.1}}
    """

    takes = "scores"
    applies = "softmax"
    of_applied = "NLLLoss"
    last = "reduction label_smoothing"

    label_smoothing: Probability = 0.0
    """Share of the target that is spread evenly over all classes; 0 leaves the target unchanged."""

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        if isinstance(target, Values | Signs) and scores and target.shape == scores:
            if self.ignore_index >= 0:
                message = f"ignore_index names a class, and the data has {target}"
                raise mismatch(message, at="ignore_index")
            expect_weights(self.weight, scores[0])
        else:
            super().compare(target, *y)


class NLLLoss(_ClassLoss):
    """−w_c · y_c for the class c, averaged over samples and places with weights w.

    Takes log-probabilities (classes) and a class number, or log-probabilities (classes, *) and a
    class number at each place (*). LogSoftmax gives log-probabilities.

    loss: NLLLoss
    """

    takes = "logarithms"
    of_scores = "CrossEntropyLoss"


class NLLLoss2d(NLLLoss):
    """A deprecated name of torch for NLLLoss. netbuild builds NLLLoss.

    loss: NLLLoss2d
    """

    @classmethod
    def torch_name(cls) -> str:
        return "NLLLoss"


class MultiMarginLoss(_Weighed):
    """Σ_i w_c · max(0, margin − y_c + y_i)^p / classes over all classes i except the class c.

    Takes scores (classes) and a class number. Weston and Watkins 1999.

    loss: {MultiMarginLoss: {p: 2}}
    """

    takes = "scores"

    p: Annotated[int, Wants("1 or 2", core_schema.int_schema(strict=True, ge=1, le=2))] = 1
    """Power of the hinge, 1 or 2; 2 punishes large errors more."""
    margin: Float = 1.0
    """How far the right class must score above every other class for a loss of 0."""

    def wanted(self, *y: Shape) -> Target:
        return Classes(y[0][0] if y[0] else 1)

    def compare(self, target: Target, *y: Shape) -> None:
        (scores,) = y
        expect_axes(scores, "one value for each class", rank=1)
        expect_classes(target, scores[0], ())
        expect_weights(self.weight, scores[0])


class LinearCrossEntropyLoss(_Weighed):
    """CrossEntropyLoss after a linear layer that belongs to the loss.

    Takes features (in_features); the linear layer computes num_classes · ∏ out_features scores from
    them. The target is class numbers of shape out_features, or probabilities
    (num_classes, *out_features). A file cannot set torch's `options`, which are a Python object:
    they save memory and change no result.

    loss: {LinearCrossEntropyLoss: {num_classes: 1000}}
    """

    since: ClassVar[str | None] = "2.13"
    takes = "features"
    classes_field = "num_classes"
    last = "reduction weight ignore_index label_smoothing"

    in_features: SizeFromInput = None
    """Number of features that the network outputs."""
    num_classes: PositiveInt
    """Number of classes that the loss scores."""
    out_features: Annotated[
        tuple[int, ...], Wants("a list of whole numbers of at least 1", many(whole(1)))
    ] = ()
    """Sizes of the axes of places, one class for each place; [] is one class per sample."""
    bias: Bool = False
    """Whether each score has a learned bias."""
    reduction: Reduction = "mean"
    """How losses become one: by their mean, weighted by class, or their sum."""
    ignore_index: Annotated[int | None, Wants("a whole number or null", optional(whole()))] = None
    """Number in the target whose samples or places are ignored; null is −100."""
    label_smoothing: Probability = 0.0
    """Share of the target that is spread evenly over all classes; 0 leaves the target unchanged."""

    @field_validator("weight")
    @classmethod
    def _one_for_each_class(cls, weight: Any, info: Any) -> Any:
        classes = info.data.get("num_classes")
        if weight is not None and classes is not None and len(weight) != classes:
            raise unwanted(f"a list of {classes} numbers, one for each of num_classes")
        return weight

    def wanted(self, *y: Shape) -> Target:
        ignored = -100 if self.ignore_index is None else self.ignore_index
        return Classes(self.num_classes, self.out_features, ignored)

    def compare(self, target: Target, *y: Shape) -> None:
        expect_axes(y[0], "in_features", rank=1)
        scores = (self.num_classes, *self.out_features)
        if isinstance(target, Values | Signs) and target.shape == scores:
            if self.ignore_index is not None:
                message = f"ignore_index names a class, and the data has {target}"
                raise mismatch(message, at="ignore_index")
            return
        expect_classes(target, scores[0], scores[1:], ignored=self.ignore_index)

    def decide(self, *y: Shape) -> dict[str, Any]:
        return {"in_features": y[0][-1]}

    def weights(self, *y: Shape) -> dict[str, Shape]:
        scores = self.num_classes * product(self.out_features)
        weight = {"linear.weight": (scores, y[0][-1])}
        return weight | ({"linear.bias": (scores,)} if self.bias else {})


class AdaptiveLogSoftmaxWithLoss(Loss):
    """−log softmax over many classes; the loss has its own weights, more for frequent classes.

    Takes features (in_features) and a class number. Class 0 must be the most frequent one, and the
    last class the rarest one. The head scores the classes below the first cutoff, and one score for
    each cluster of the classes between two cutoffs. Cluster i reduces the features to
    ⌊in_features / div_value^i⌋. Grave et al. 2017.

    loss: {AdaptiveLogSoftmaxWithLoss: {n_classes: 10000, cutoffs: [100, 1000]}}
    """

    classifies = True
    takes = "features"
    classes_field = "n_classes"

    in_features: SizeFromInput = None
    """Number of features that the network outputs."""
    n_classes: PositiveInt
    """Number of classes; class 0 must be the most frequent one."""
    cutoffs: Annotated[
        tuple[int, ...],
        Wants("a list of whole numbers of at least 1", many(whole(1), at_least=1)),
    ]
    """First classes of the clusters; the head scores the classes below the first cutoff itself."""
    div_value: PositiveFloat = 4.0
    """Factor by which the number of features shrinks from one cluster to the next."""
    head_bias: Bool = False
    """Whether the scores of the head have a learned bias."""

    @field_validator("cutoffs")
    @classmethod
    def _rises(cls, cutoffs: Any, info: Any) -> Any:
        classes = info.data.get("n_classes")
        rises = all(a < b for a, b in pairwise(cutoffs))
        if classes is not None and not (rises and cutoffs[-1] < classes):
            raise unwanted(f"rising whole numbers below n_classes, {classes}")
        return cutoffs

    def wanted(self, *y: Shape) -> Target:
        return Classes(self.n_classes)

    def compare(self, target: Target, *y: Shape) -> None:
        (features,) = y
        expect_axes(features, "in_features", rank=1)
        expect_classes(target, self.n_classes, ())
        widths = self._widths(features[0])
        if widths is None or max(widths) > LARGEST:
            message = f"{features[0]} features divided by powers of div_value exceed any memory"
            raise mismatch(message, at="div_value")

    def decide(self, *y: Shape) -> dict[str, Any]:
        return {"in_features": y[0][-1]}

    def weights(self, *y: Shape) -> dict[str, Shape]:
        features = y[0][-1]
        head = self.cutoffs[0] + len(self.cutoffs)
        shapes: dict[str, Shape] = {"head.weight": (head, features)}
        if self.head_bias:
            shapes["head.bias"] = (head,)
        ends = (*self.cutoffs[1:], self.n_classes)
        sizes = [end - start for start, end in zip(self.cutoffs, ends, strict=True)]
        for i, (width, size) in enumerate(zip(self._widths(features) or (), sizes, strict=False)):
            shapes[f"tail.{i}.0.weight"] = (width, features)
            shapes[f"tail.{i}.1.weight"] = (size, width)
        return shapes

    def run(self, forward: Callable[..., Any], y: tuple[Any, ...], target: Any) -> Any:
        return forward(*y, target).loss

    def _widths(self, features: int) -> tuple[int, ...] | None:
        """Return the number of features of each cluster; None if a number has no bound.

        Divides floating-point numbers, as torch does, so that both round in the same way.
        """
        try:
            return tuple(
                int(features // self.div_value ** (i + 1)) for i in range(len(self.cutoffs))
            )
        except (OverflowError, ZeroDivisionError, ValueError):
            return None


def _expect_scores(y: Shape) -> None:
    if not y:
        raise mismatch("it needs one value for each class, and the network gives one value")


def expect_classes(
    target: Target, classes: int, places: Shape, *, ignored: int | None = None
) -> None:
    """Refuse a target without class numbers, with other places, or with more classes than scores.

    Raises:
        ShapeError: the target does not fit the scores.
    """
    # −1 follows the last label, and ignore_index may be −1.
    if not isinstance(target, Classes) and not (isinstance(target, Labels) and ignored == -1):
        raise mismatch(f"it compares with a class, and the data has {target}")
    if target.tensor.shape != places:
        where = f" at each of {times(places)} places" if places else ""
        raise mismatch(f"it compares with a class{where}, and the data has {target}")
    # The last class of the data may be the ignored one; it needs no score.
    if target.classes - (ignored == target.classes - 1) > classes:
        raise too_few_scores(target.classes, classes)
