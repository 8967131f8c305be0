"""A declared loss as torch computes it, and what an epoch adds up of it."""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.components.losses.classes import AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss
from netbuild.components.losses.values import BCELoss, KLDivLoss
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from netbuild.config.losses import Term
    from netbuild.graph.graph import Graph

#: The fields that torch takes as tensors.
_TENSORS = ("weight", "pos_weight")


class Criterion:
    """The loss of a graph: modules of torch, which may learn weights of their own, and their sum.

    The first of several is what metrics go by.
    """

    def __init__(
        self, graph: Graph, device: torch.device, class_weights: torch.Tensor | None = None
    ) -> None:
        self.parts = [_Part(term, graph, device, class_weights) for term in graph.config.terms]
        self.first = self.parts[0]
        modules = [part.module for part in self.parts]
        self.module: Any = modules[0] if len(modules) == 1 else nn.ModuleList(modules)

    def __call__(self, y: Any, target: torch.Tensor) -> Any:
        """Return the loss of a batch of what the network gives: one number."""
        return self.total(self.losses(y, target))

    def losses(self, y: Any, target: torch.Tensor) -> list[Any]:
        """Return the loss of a batch by each part."""
        return [part(y, target) for part in self.parts]

    def total(self, losses: list[Any], shares: Sequence[Any] | None = None) -> Any:
        """Return the sum of losses: of all of each, or of some share."""
        if shares is not None:
            losses = [loss * share for loss, share in zip(losses, shares, strict=True)]
        return summed(losses)

    def look(self, targets: torch.Tensor) -> None:
        """Note whether any of all targets is of a class that does not count."""
        for part in self.parts:
            classes = part.has_classes(targets)
            part.ignores = classes and bool((targets == part.ignored).any())

    def counts(self, target: torch.Tensor) -> bool:
        """Whether a batch has anything that counts: of nothing, torch's mean is no number."""
        return len(target) > 0 and all(part.counts(target) for part in self.parts)

    def weights(self, target: torch.Tensor) -> list[torch.Tensor | float | None]:
        """Return what each part divides the sum of a batch's losses by; None where it does not."""
        return [None if part.summed else part.weight(target) for part in self.parts]

    def load(self, state: dict[str, Any], place: Path) -> None:
        """Go back to what a checkpoint holds of what the loss learns itself.

        Weights of classes are what the config says.

        Raises:
            TrainingError: it holds nothing of it, or that of another loss.
        """
        try:
            self.load_state_dict(state["loss"])
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            message = f"the checkpoint {place} is no state of this training"
            raise TrainingError(message) from error

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go back to what the loss had learned.

        Raises:
            KeyError, RuntimeError: the state is that of another loss.
        """
        learned = {name: state[name] for name, _ in self.module.named_parameters()}
        self.module.load_state_dict(learned, strict=False)

    def values(self, y: Any, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what metrics of values compare: an output, or its probabilities, with targets."""
        part = self.first
        output = part.output(y)
        return part.scores(output).softmax(1)[:, 1] if part.term.loss.binary else output, target

    def classes(self, y: Any, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what metrics of classes compare: scores (n, classes) with n classes.

        Places of a sample count as samples do, and a class that the loss ignores not at all. Of
        targets that are probabilities the class is the likeliest.
        """
        part = self.first
        scores = part.scores(part.output(y)).movedim(1, -1).flatten(0, -2)
        if part.term.loss.binary:
            target = target > (0 if part.term.loss.signed else 0.5)
        elif target.is_floating_point():
            target = target.argmax(1)
        classes = target.flatten()
        if part.ignores:
            told = classes != part.ignored
            scores, classes = scores[told], classes[told]
        return scores, classes


class _Part:
    """One of the losses that are added up."""

    def __init__(
        self, term: Term, graph: Graph, device: torch.device, class_weights: torch.Tensor | None
    ) -> None:
        self.term = term
        compared = term.compared(graph.outputs)
        names = list(graph.outputs)
        #: The outputs that it reads, by their positions.
        self.reads = [names.index(name) for name in compared]
        arguments = term.loss.arguments(*(y.shape for y in compared.values()))
        if class_weights is not None and "weight" in type(term.loss).model_fields:
            arguments["weight"] = class_weights.tolist()
        for name in _TENSORS:
            if arguments.get(name) is not None:
                arguments[name] = torch.tensor(arguments[name])
        self.module: Any = getattr(nn, term.loss.torch_name())(**arguments).to(device)
        self.quiet = _quietly if isinstance(term.loss, KLDivLoss) else contextlib.nullcontext
        #: Whether there may be samples of the class that does not count.
        self.ignores = True

    def __call__(self, y: Any, target: torch.Tensor) -> Any:
        with self.quiet():
            loss = self.term.loss.run(self.module, _read(y, self.reads), target)
        return loss if self.term.weight == 1 else loss * self.term.weight

    @property
    def summed(self) -> bool:
        """Whether a batch's loss is the sum over its samples, not their mean."""
        return getattr(self.module, "reduction", "mean") == "sum"

    @property
    def ignored(self) -> int:
        """The class that does not count; torch's default where there is none."""
        ignored: int | None = getattr(self.module, "ignore_index", None)
        return -100 if ignored is None else ignored

    def has_classes(self, target: torch.Tensor) -> bool:
        """Whether targets are numbers of classes, of which some may not count."""
        classes = self.term.loss.classifies and hasattr(self.module, "ignore_index")
        return classes and not target.is_floating_point()

    def counts(self, target: torch.Tensor) -> bool:
        """Whether a batch has a sample that counts."""
        if not self.ignores or not self.has_classes(target):
            return True
        return bool((target != self.ignored).any())

    def weight(self, target: torch.Tensor) -> torch.Tensor | float:
        """Return by what torch divides the sum of a batch's losses: samples, or in proportion."""
        if not self.has_classes(target):
            return len(target)
        classes = target.flatten()
        if self.ignores:
            classes = classes[classes != self.ignored]
        weights = self.module.weight
        return classes.numel() if weights is None else weights[classes].sum()

    def output(self, y: Any) -> torch.Tensor:
        """Return the first output that it reads, as metrics compare it."""
        return _read(y, self.reads)[0].detach()

    def scores(self, y: torch.Tensor) -> torch.Tensor:
        """Return the score of each class, along axis 1, for each sample and place.

        Their softmax gives probabilities, as far as the loss knows of such.
        """
        match self.term.loss:
            case BCELoss():
                return torch.stack((torch.log1p(-y), y.log()), 1)
            case loss if loss.binary:
                return torch.stack((torch.zeros_like(y), y), 1)  # the softmax is the sigmoid
            case AdaptiveLogSoftmaxWithLoss():
                scores: torch.Tensor = self.module.log_prob(y)
                return scores
            case LinearCrossEntropyLoss(num_classes=classes, out_features=places):
                y = self.module.linear(y).reshape(len(y), classes, *places)
        return y


def summed(losses: list[Any]) -> Any:
    """Return the sum of losses; of a single one itself, with no operation between."""
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Have torch not warn of `reduction: mean`, which is what was asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "reduction: 'mean' divides the total loss")
        yield


def _read(y: Any, positions: list[int]) -> tuple[torch.Tensor, ...]:
    """Return some of what the network gives, one output or a tuple of them."""
    outputs = (y,) if isinstance(y, torch.Tensor) else tuple(y)
    return tuple(outputs[position] for position in positions)
