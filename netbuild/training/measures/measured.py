"""The metrics of a training: each goes with a loss, and has sums or kept predictions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from netbuild.config.metrics import loss_of
from netbuild.training.measures import classes, kept, regions, values
from netbuild.training.measures.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import Tensor

    from netbuild.config.metrics import MetricTerm
    from netbuild.training.measures.kinds import Kind
    from netbuild.training.measures.seen import Part


class Measured(NamedTuple):
    """A metric, the number of its loss, and the kind of its sums; None if it keeps predictions."""

    term: MetricTerm
    number: int
    kind: Kind | None
    #: Whether each value of an output is a yes or no, and not one of two classes.
    binary: bool

    @property
    def prefix(self) -> str:
        """What the names of its sums begin with. Runs of earlier releases have no prefix."""
        return f"{self.number}: " if self.number else ""


class Metrics:
    """The metrics of a training. Metrics of one loss and one kind share their sums.

    `keeping` measures also those that keep every prediction.
    """

    def __init__(
        self, terms: Iterable[MetricTerm], parts: Sequence[Part], *, keeping: bool = False
    ) -> None:
        self.parts = parts
        self.all = [_measured(term, parts) for term in terms if keeping or term.metric.adds_up]
        #: The kinds of sums, by the number of a loss and the name of the kind.
        kinds = {(one.number, one.kind.name): one for one in self.all if one.kind}
        self.kinds = {
            (number, name): one
            for (number, name), one in kinds.items()
            if not any((number, more) in kinds for more in classes.FOLLOWS.get(name, ()))
        }
        #: The losses whose predictions are kept.
        self.keeps = {one.number for one in self.all if one.kind is None}
        self.kept: dict[int, list[tuple[Tensor, Tensor]]] = {}

        #: The numbers of the losses with which metrics go, in rising order.
        self.numbers = sorted({number for number, _ in self.kinds} | self.keeps)
        self._own = {number: self._of(number) for number in self.numbers}

    def _of(self, number: int) -> tuple[str, list[Kind], bool]:
        """Return the prefix and the kinds of a loss, and whether a former run names its metrics."""
        own = [one for (of, _), one in self.kinds.items() if of == number]
        kinds = [one.kind for one in own if one.kind is not None]
        return f"{number}: " if number else "", kinds, any(one.term.former for one in own)

    def sums(
        self, number: int, output: Tensor, target: Tensor, before: Mapping[str, Any]
    ) -> Iterator[tuple[str, Tensor | float]]:
        """Yield what a batch adds to the sums, by name; `before` are the sums so far.

        Keep the predictions of the batch, if a metric needs them.
        """
        prefix, kinds, former = self._own[number]
        if prefix:
            before = {n.removeprefix(prefix): v for n, v in before.items() if n.startswith(prefix)}
        seen = Seen(self.parts[number], output, target, two_classes=former, before=before)
        for kind in kinds:
            for name, summand in kind.sums(seen).items():
                yield prefix + name, summand
        if number in self.keeps:
            loss = self.parts[number].term.loss
            of_batch = seen.scores if loss.classifies else seen.output
            self.kept.setdefault(number, []).append((of_batch.cpu(), target.cpu()))

    def merge(self, of_processes: Sequence[Mapping[int, list[tuple[Tensor, Tensor]]]]) -> None:
        """Replace what is kept with the predictions of all processes."""
        self.kept = {
            number: kept.interleaved([list(own.get(number, ())) for own in of_processes])
            for number in self.keeps
        }

    def values(self, sums: Mapping[str, Tensor]) -> dict[str, Any]:
        """Return the values of all metrics, by key.

        Raises:
            TrainingError: torchmetrics cannot compute one of them.
        """
        whole = {number: self._whole(number) for number in self.keeps}
        found = {}
        for one in self.all:
            metric, part = one.term.metric, self.parts[one.number]
            if one.kind is None:
                seen = whole[one.number]
                found[one.term.key] = math.nan if seen is None else kept.value(metric, seen)
                continue
            own = sums
            if one.prefix:
                own = {
                    n.removeprefix(one.prefix): v
                    for n, v in sums.items()
                    if n.startswith(one.prefix)
                }
            if metric.compares == "regions":
                found[one.term.key] = regions.value(metric, own)
            elif metric.compares == "values":
                found[one.term.key] = values.value(metric, own)
            else:
                found[one.term.key] = classes.value(
                    metric, classes.completed(own), binary=one.binary, ignored=part.ignored
                )
        return found

    def _whole(self, number: int) -> Seen | None:
        """Return the predictions and targets of all batches; None without any."""
        if not self.kept.get(number):
            return None
        output, target = kept.joined(self.kept[number])
        self.kept[number] = [(output, target)]
        seen = Seen(self.parts[number], output, target)
        if seen.loss.classifies:
            seen.__dict__["scores"] = output  # the scores were kept
            if not len(seen.classes[1]) and not target.is_floating_point():
                return None
        return seen


def _measured(term: MetricTerm, parts: Sequence[Part]) -> Measured:
    losses = [part.term for part in parts]
    loss = loss_of(term, losses)
    assert loss is not None, "a metric without a loss is a fault"
    metric = term.metric
    binary = loss.loss.binary and not term.former
    number = next(n for n, one in enumerate(losses) if one is loss)
    kind = None
    if metric.adds_up:
        if metric.compares == "regions":
            kind = regions.kind_of(metric)
        elif metric.compares == "values":
            kind = values.kind_of(metric)
        else:
            kind = classes.kind_of(metric, binary=binary)
    return Measured(term, number, kind, binary)


def of_former(sums: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the sums of a checkpoint of an earlier release with the names of this one."""
    renamed = {"told_of_five": "told_of_5", "among_five": "among_5"}
    return {renamed.get(name, name): value for name, value in sums.items()}
