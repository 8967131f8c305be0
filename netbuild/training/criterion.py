"""A declared loss as torch computes it, and what an epoch adds up of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.losses.classes import AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss
from netbuild.training.failure import TrainingError

if TYPE_CHECKING:
    from pathlib import Path

    from netbuild.graph import Graph
    from netbuild.losses import Loss
    from netbuild.training.position import Sums

#: The fields that torch takes as tensors.
_TENSORS = ("weight", "pos_weight")


class Criterion:
    """The loss of a graph: a module of torch, which may learn weights of its own."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        assert graph.config.loss is not None
        names = list(graph.outputs)
        #: The outputs that the loss reads, by their positions.
        self.reads = [names.index(name) for name in graph.compared]
        self.declared: Loss = graph.config.loss
        self.module: Any
        arguments = self.declared.arguments(*(y.shape for y in graph.compared.values()))
        for name in _TENSORS:
            if arguments.get(name) is not None:
                arguments[name] = torch.tensor(arguments[name])
        self.module = getattr(nn, self.declared.torch_name())(**arguments).to(device)

    def __call__(self, y: Any, target: torch.Tensor) -> Any:
        """Return the loss of a batch of what the network gives: one number."""
        with warnings.catch_warnings():
            # `reduction: mean` is what was asked for.
            warnings.filterwarnings("ignore", "reduction: 'mean' divides the total loss")
            return self.declared.run(self.module, self._compared(y), target)

    def load(self, state: dict[str, Any], place: Path) -> None:
        """Go back to what a checkpoint holds of the loss's own weights.

        Raises:
            TrainingError: it holds none, or those of another loss.
        """
        try:
            self.module.load_state_dict(state["loss"])
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            message = f"the checkpoint {place} is no state of this training"
            raise TrainingError(message) from error

    def classifies(self, targets: torch.Tensor) -> bool:
        """Whether there is an accuracy: the targets are numbers of classes, told apart by it."""
        return self.declared.classifies and not targets.is_floating_point()

    def add(self, sums: Sums, value: float, y: Any, target: torch.Tensor) -> None:
        """Add a batch whose loss is known."""
        weight = self._weight(target)
        sums.weight += weight
        sums.loss += value if self._summed else value * weight
        if self.classifies(target):
            told = target != self._ignored
            with torch.no_grad():
                hits = (self._classes(self._compared(y)[0]) == target) & told
            sums.correct += int(hits.sum())
            sums.told += int(told.sum())

    def _compared(self, y: Any) -> tuple[torch.Tensor, ...]:
        """Return what the loss reads of what the network gives, one output or a tuple of them."""
        outputs = (y,) if isinstance(y, torch.Tensor) else tuple(y)
        return tuple(outputs[position] for position in self.reads)

    @property
    def _summed(self) -> bool:
        return getattr(self.module, "reduction", "mean") == "sum"

    @property
    def _ignored(self) -> int:
        """The class that does not count; torch's default where there is none."""
        ignored: int | None = getattr(self.module, "ignore_index", None)
        return -100 if ignored is None else ignored

    def _weight(self, target: torch.Tensor) -> float:
        """Return by what torch divided the sum of a batch's losses: samples, or in proportion."""
        if self._summed or not self.classifies(target) or not hasattr(self.module, "ignore_index"):
            return len(target)
        counted = target[target != self._ignored]
        classes = self.module.weight
        return float(counted.numel() if classes is None else classes[counted].sum())

    def _classes(self, y: torch.Tensor) -> torch.Tensor:
        """Return the class that has the highest score, for each sample and place."""
        match self.declared:
            case AdaptiveLogSoftmaxWithLoss():
                best: torch.Tensor = self.module.predict(y)
                return best
            case LinearCrossEntropyLoss(num_classes=classes, out_features=places):
                y = self.module.linear(y).reshape(len(y), classes, *places)
        return y.argmax(dim=1)
