"""What metrics compare in a batch: predictions and targets, as their loss understands them."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from netbuild.config.losses import LossTerm


class Part(Protocol):
    """A loss of a training, as metrics see it."""

    term: LossTerm
    #: Whether targets may have the class that the loss ignores.
    ignores: bool
    #: Whether it has weights of its own.
    learns: bool

    @property
    def ignored(self) -> int:
        """The class that the loss ignores."""

    def output(self, y: Any) -> Tensor:
        """Return the first output that the loss reads, without its gradient."""

    def scores(self, y: Tensor) -> Tensor:
        """Return the score of each class, along axis 1."""


class Seen:
    """The outputs and targets of a batch, for the metrics that go with one loss.

    What several metrics need is computed once. `two_classes` sees each yes or no as one of two
    classes, as runs of earlier releases do.
    """

    def __init__(
        self,
        part: Part,
        output: Tensor,
        target: Tensor,
        *,
        two_classes: bool = False,
        before: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.part, self.loss, self.output = part, part.term.loss, output
        self.two_classes = two_classes
        #: The sums of earlier batches.
        self.before = before
        self._target = target

    @property
    def target(self) -> Tensor:
        """The targets as they are. Where they are probabilities of classes, the most probable.

        A mixed sample whose labels are ignored has no probabilities.
        """
        if not self.loss.classifies or not self._target.is_floating_point():
            return self._target
        found = self._target.argmax(1)
        if self.part.ignores:
            found = torch.where(self._target.any(1), found, self.part.ignored)
        return found

    @cached_property
    def scores(self) -> Tensor:
        """The scores of the classes, along axis 1. Their softmax is the probability of each."""
        scores = self.part.scores(self.output)
        return scores.detach() if scores.requires_grad else scores  # some losses have weights

    @cached_property
    def classes(self) -> tuple[Tensor, Tensor]:
        """Scores, (n, classes), and true classes, (n). Each place of a sample counts as a sample.

        Places whose class the loss ignores are removed.
        """
        scores = self.scores
        if scores.ndim > 2:
            scores = scores.movedim(1, -1).flatten(0, -2)
        if self.loss.binary:
            return scores, self.truth.flatten().long()
        classes = self.target
        if classes.ndim > 1:
            classes = classes.flatten()
        if self.part.ignores:
            told = classes != self.part.ignored
            scores, classes = scores[told], classes[told]
        return scores, classes

    @cached_property
    def told(self) -> Tensor:
        """The predicted classes, (n)."""
        return self.classes[0].argmax(1)

    def among(self, k: int) -> Tensor:
        """Return whether fewer than k classes come before the true one, (n).

        Of equal scores, which are frequent in half precision, the class with the highest number
        comes first, as in scikit-learn. `topk` of torch takes any of them.
        """
        scores, classes = self.classes
        classes = classes[:, None]
        own = scores.gather(1, classes)
        behind = torch.arange(scores.shape[1], device=scores.device) > classes
        before = torch.where(behind, scores >= own, scores > own)
        return before.sum(1) < k

    @cached_property
    def truth(self) -> Tensor:
        """The true answers of yes or no, in the shape of the output."""
        return self._target > (0 if self.loss.signed else 0.5)

    @cached_property
    def wide(self) -> Tensor:
        """The output in double precision, which Apple's GPUs do not have."""
        return self.output if self.output.device.type == "mps" else self.output.double()

    @cached_property
    def probabilities(self) -> Tensor:
        """The probability of each yes, in the shape of the output."""
        return self.wide.sigmoid() if self.loss.takes == "scores" else self.wide

    def answers(self, threshold: float) -> tuple[Tensor, Tensor]:
        """Return the predicted and the true answers, (n, labels); places count as samples."""
        if threshold == 0.5 and self.loss.takes == "scores":
            told = self.output > 0  # a sigmoid rounds scores close to 0
        else:
            told = self.probabilities > threshold
        return self._by_label(told), self._by_label(self.truth)

    @property
    def labels(self) -> tuple[Tensor, Tensor]:
        """The probability of each yes and the true answers, (n, labels)."""
        return self._by_label(self.probabilities), self._by_label(self.truth)

    def _by_label(self, x: Tensor) -> Tensor:
        if x.ndim == 1:
            return x[:, None]
        return x.movedim(self.loss.labels_axis, -1).flatten(0, -2)

    @cached_property
    def values(self) -> tuple[Tensor, Tensor]:
        """Predicted values and targets in double precision, in the shape of the output.

        Of a yes or no the value is the probability of yes. Logarithms become what they stand for.
        """
        target = self._target.to(self.wide.dtype)
        if self.loss.binary:
            return self.probabilities, target
        if not self.loss.logarithmic or self.two_classes:
            return self.wide, target
        both = getattr(self.loss, "log_target", False)
        return self.wide.exp(), target.exp() if both else target

    @property
    def distributions(self) -> tuple[Tensor, Tensor]:
        """Predicted and true vectors, (n, d): probabilities, if the loss compares classes."""
        if self.loss.classifies:
            scores = self.scores if self.scores.device.type == "mps" else self.scores.double()
            return scores.softmax(1), self._target.to(scores.dtype)
        return self.values

    @cached_property
    def regions(self) -> tuple[Tensor, Tensor]:
        """The predicted and the true region of each class, (samples, classes, *places).

        Places that the loss ignores belong to no region.
        """
        if self.loss.binary:
            told, truth = (self.probabilities > 0.5), self.truth
            axis = self.loss.labels_axis
            return told.movedim(axis, 1), truth.movedim(axis, 1)
        target, classes = self.target[:, None], self.scores.shape[1]
        places = [1] * (target.ndim - 2)
        number = torch.arange(classes, device=target.device).reshape(1, classes, *places)
        told, true = self.scores.argmax(1)[:, None] == number, target == number
        if self.part.ignores:
            counts = target != self.part.ignored
            told, true = told & counts, true & counts
        return told, true

    @cached_property
    def columns(self) -> tuple[Tensor, Tensor]:
        """Predicted values and targets, (n, columns); the places of a sample count as samples."""
        values, target = self.values
        return _columns_last(values), _columns_last(target)


def _columns_last(values: Tensor) -> Tensor:
    """Return values as (samples · places, columns)."""
    if values.ndim == 2:
        return values
    return values[:, None] if values.ndim == 1 else values.movedim(1, -1).flatten(0, -2)
