"""The loss of a network in torch: one module, or a weighted sum of several modules."""

from __future__ import annotations

import contextlib
import copy
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from netbuild.builder.arguments import differing
from netbuild.components.losses.classes import AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss
from netbuild.components.losses.values import BCELoss, KLDivLoss
from netbuild.config.metrics import with_alone
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.data import scaling
from netbuild.training.step.nonfinite import tensors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from netbuild.config.against import Against
    from netbuild.config.losses import LossTerm
    from netbuild.graph.graph import Graph
    from netbuild.training.data.batches import IndexedSplit, Inputs, Targets
    from netbuild.training.data.scaling import Scale

#: Fields that torch's modules take as tensors.
_TENSORS = ("weight", "pos_weight")
_HALF = (torch.float16, torch.bfloat16)


class Criterion:
    """The loss of a graph: modules of torch, and their sum. Some modules have learned weights.

    `losses` has the value of each loss, in the order of the config, and `total` weighs and adds
    them.
    """

    def __init__(
        self, graph: Graph, device: torch.device, class_weights: torch.Tensor | None = None
    ) -> None:
        self.parts = [
            LossModule(term, graph, device, class_weights) for term in graph.config.losses
        ]
        self.first = self.parts[0]
        losses, metrics = graph.config.losses, graph.config.metrics
        #: The losses, and what metrics compare that go with none of them.
        self.compared = [
            *self.parts,
            *(
                LossModule(term, graph, device, None)
                for term in with_alone(losses, metrics)[len(losses) :]
            ),
        ]
        #: The names of the losses.
        self.names = [part.term.name for part in self.parts]
        self._weights = [part.term.weight for part in self.parts]
        self._weighs = any(weight != 1 for weight in self._weights)
        modules = [part.module for part in self.parts]
        self.module: Any = modules[0] if len(modules) == 1 else nn.ModuleList(modules)

    def of(self, numbers: Iterable[int]) -> Criterion:
        """Return a criterion of some of the losses, with the same modules."""
        found = copy.copy(self)
        found.parts = [self.parts[number] for number in numbers]
        found.names = [part.term.name for part in found.parts]
        found._weights = [part.term.weight for part in found.parts]  # noqa: SLF001
        return found

    @property
    def positions(self) -> set[int]:
        """The positions of all outputs that the losses read."""
        return {position for part in self.parts for position in part.positions}

    def losses(self, x: Inputs, y: Any, targets: Targets) -> list[Any]:
        """Return the value of each loss for a batch; None where no label of the batch counts.

        Args:
            x: the inputs of the network.
            y: its output, or its outputs.
            targets: the targets of the data. Without samples, no loss counts.
        """
        if not targets[0].shape[0]:  # the share of this process is empty
            return [None] * len(self.parts)
        return [part(x, y, targets) for part in self.parts]

    def total(self, losses: list[Any], y: Any, shares: Sequence[Any] | None = None) -> Any:
        """Return the weighted sum of losses, each multiplied by its share if there are shares.

        A loss of which no label counts is 0. Its outputs have gradients of 0 instead of None:
        several processes expect a gradient of every weight.
        """
        parts = losses
        if self._weighs:
            weighed = zip(losses, self._weights, strict=True)
            parts = [loss if loss is None or w == 1 else loss * w for loss, w in weighed]
        if shares is not None:
            pairs = zip(parts, shares, strict=True)
            parts = [loss if loss is None else loss * share for loss, share in pairs]
        if any(loss is None for loss in losses):
            parts = [part for part in parts if part is not None]
            parts += [_nothing(output) for output in tensors(y)]
        return summed(parts)

    def look(self, *splits: IndexedSplit, augmented: bool = False) -> None:
        """Record whether any target of some splits has the class that its loss ignores.

        Masks that are augmented get this class where they come in from outside of the picture.
        """
        for part in self.parts:
            if not part.reads_target:
                continue
            each = (
                part.against((), (), targets)
                for split in splits
                for targets in split.each_targets()
            )
            part.ignores = any(
                part.ignores_some(t) or (augmented and part.has_classes(t) and t.ndim > 2)
                for t in each
            )

    def expect_labels(self, split: IndexedSplit, what: str) -> None:
        """Refuse targets without a label that counts: their mean loss does not exist.

        Raises:
            TrainingError: the message says why no label of `what` counts.
        """
        for part in self.parts:
            if not part.reads_target:
                continue
            reasons = []
            for targets in split.each_targets():
                reasons.append(part.without_labels(part.against((), (), targets)))
                if not reasons[-1]:
                    break
            if all(reasons):  # the longest one names both, weights of 0 and what is ignored
                raise TrainingError(f"no label of {what} counts: {max(reasons, key=len)}")

    def weights(self, x: Inputs, targets: Targets) -> list[torch.Tensor | float | None]:
        """Return the divisor of each module's mean over a batch; None for a sum."""
        return [None if part.summed else part.divisor(x, targets) for part in self.parts]

    def load(self, state: dict[str, Any], place: Path) -> None:
        """Load the learned weights of the loss from the state of a checkpoint.

        The weights of classes come from the config.

        Raises:
            TrainingError: the state lacks these weights, or belongs to another loss.
        """
        try:
            self.load_state_dict(state["loss"])
        except (KeyError, TypeError, RuntimeError, AttributeError) as error:
            message = f"the checkpoint {place} does not hold the state of this training"
            raise TrainingError(message) from error

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Load the learned weights of the loss.

        Raises:
            KeyError, RuntimeError: the state belongs to another loss.
        """
        learned = {name: state[name] for name, _ in self.module.named_parameters()}
        self.module.load_state_dict(learned, strict=False)


class LossModule:
    """One loss of the sum, as a module of torch."""

    def __init__(
        self, term: LossTerm, graph: Graph, device: torch.device, class_weights: torch.Tensor | None
    ) -> None:
        self.term = term
        compared = term.compared(graph.outputs)
        names = list(graph.outputs)
        #: The positions of the outputs that the loss reads.
        self.reads = [names.index(name) for name in compared]
        found = graph.against(term)
        #: The positions of all outputs that it reads or compares them with.
        compared_with = [found.name] if found.kind == "output" else []
        self.positions = {*self.reads, *map(names.index, compared_with)}
        #: Whether the loss compares with a target of the data.
        self.reads_target = found.kind == "target"
        #: Whether it may compare with labels, which are then known before the network runs.
        self.has_labels = found.kind in {"target", "input"}
        #: Returns the tensor with which a batch is compared, given the inputs of the network, its
        #: outputs, and the targets of the data.
        self.against = _getter(found, graph, self.reads[0], device)
        arguments = term.loss.arguments(*(y.shape for y in compared.values()))
        weighed = term.loss.classifies and found.kind == "target"
        if class_weights is not None and weighed and "weight" in type(term.loss).model_fields:
            arguments["weight"] = class_weights.tolist()
        for name in _TENSORS:
            if arguments.get(name) is not None:
                arguments[name] = torch.tensor(arguments[name])
        kind = getattr(import_module(term.loss.home), term.loss.torch_name())
        self.module: Any = kind(**differing(kind, term.loss, arguments)).to(device)
        self.quiet = _quietly if isinstance(term.loss, KLDivLoss) else contextlib.nullcontext
        scaled_by = _target_scale(graph, found)
        #: The scale of its target on the device; None for a target in its own unit.
        self.scale = scaled_by and scaled_by.on(device, torch.float32)
        #: How its first output becomes a value in the unit of the target.
        self.unit = _unit(graph, next(iter(compared)))
        #: Whether the loss of a batch is the sum over its samples, and not the mean.
        self.summed = getattr(term.loss, "reduction", "mean") == "sum"
        #: Whether it has weights of its own.
        self.learns = any(True for _ in self.module.parameters())
        #: Whether targets may have the class that the loss ignores.
        self.ignores = True
        self.can_ignore = term.loss.classifies and hasattr(self.module, "ignore_index")
        weight = arguments.get("weight")
        #: Whether a class has the weight 0, so that its samples do not count in a mean.
        self.has_zero = weight is not None and not bool(weight.all())

    def __call__(self, x: Inputs, y: Any, targets: Targets) -> Any:
        """Return the loss of a batch: one number, or None if no label of the batch counts."""
        target = self.against(x, y, targets)
        if not self.counts(target):
            return None
        if self.scale is not None:
            target = self.scale.scaled(target.float())
        with self.quiet():
            return self.term.loss.run(self.module, _read(y, self.reads), target)

    @property
    def ignored(self) -> int:
        """The class that the loss ignores; torch's default if the config does not name one."""
        ignored: int | None = getattr(self.module, "ignore_index", None)
        return -100 if ignored is None else ignored

    def has_classes(self, target: torch.Tensor) -> bool:
        """Whether targets are numbers of classes, so that the loss may ignore a class."""
        return self.can_ignore and not target.is_floating_point()

    def ignores_some(self, targets: torch.Tensor) -> bool:
        """Whether any target has the class that the loss ignores."""
        return self.has_classes(targets) and bool((targets == self.ignored).any())

    def counts(self, target: torch.Tensor) -> bool:
        """Whether a batch has a loss. torch's mean is NaN if its divisor is 0."""
        if not self.term.loss.divides_by_labels or self.summed or not self.has_classes(target):
            return True
        if not (self.ignores or self.has_zero):
            return True
        return bool(self.weight(target) if self.has_zero else (target != self.ignored).any())

    def divisor(self, x: Inputs, targets: Targets) -> torch.Tensor | float:
        """Return the divisor of torch's mean over a batch, before the network has run."""
        samples = targets[0].shape[0]
        divides = self.can_ignore and self.term.loss.divides_by_labels
        if not (divides and self.has_labels and samples):
            return samples
        return self.weight(self.against(x, (), targets))

    def weight(self, target: torch.Tensor) -> torch.Tensor | float:
        """Return the divisor of torch's mean: the number of samples, or their summed weights."""
        if not self.has_classes(target):
            return len(target)
        weights = getattr(self.module, "weight", None)
        if weights is None and not self.ignores:
            return target.numel()
        classes = target.flatten()
        if self.ignores:
            classes = classes[classes != self.ignored]
        return classes.numel() if weights is None else weights[classes].sum()

    def without_labels(self, targets: torch.Tensor) -> str:
        """Return why no label of some targets counts; "" if one does, or if there are none."""
        if not len(targets) or not self.has_classes(targets) or self.weight(targets):
            return ""
        called = type(self.term.loss).__name__
        if bool((targets == self.ignored).all()):
            return f"each is {self.ignored}, the class that {called} ignores"
        ignored = f", or is {self.ignored}, which it ignores" if self.ignores_some(targets) else ""
        return f"each has a class to which {called} gives the weight 0{ignored}"

    def is_computed(self, y: Any) -> bool:
        """Whether a part of the network has computed all that the loss reads."""
        outputs = _outputs(y)
        return all(outputs[position] is not None for position in self.positions)

    def output(self, y: Any) -> torch.Tensor:
        """Return the first output that the loss reads, without its gradient.

        It is in the unit of the target. Half precision becomes single, so that functions of the
        output are not rounded again.
        """
        output = _read(y, self.reads)[0].detach()
        if self.unit is not None:
            return self.unit.back(output)
        return output.float() if output.dtype in _HALF else output

    def all_scores(self, y: Any) -> torch.Tensor:
        """Return the scores of the classes, (n, classes), for each sample and place."""
        return self.scores(self.output(y)).movedim(1, -1).flatten(0, -2)

    def scores(self, y: torch.Tensor) -> torch.Tensor:
        """Return the score of each class, along axis 1, for each sample and place.

        If the loss has a notion of probability, their softmax is the probability of each class.
        """
        match self.term.loss:
            case loss if loss.classifies and loss.takes == "probabilities":
                return y.log()
            case BCELoss():
                return torch.stack((torch.log1p(-y), y.log()), 1)
            case loss if loss.binary:
                return torch.stack(
                    (torch.zeros_like(y), y), 1
                )  # their softmax is (1 − sigmoid(y), sigmoid(y))
            case AdaptiveLogSoftmaxWithLoss():
                scores: torch.Tensor = self.module.log_prob(y)
                return scores
            case LinearCrossEntropyLoss(num_classes=classes, out_features=places):
                y = self.module.linear(y).reshape(len(y), classes, *places)
        return y


def _getter(
    found: Against, graph: Graph, read: int, device: torch.device
) -> Callable[[Inputs, Any, Targets], torch.Tensor]:
    """Return the function that finds the tensor with which a loss compares.

    `read` is the position of the first output that the loss reads: a number has its shape.
    """
    config = graph.config
    match found.kind:
        case "output":
            position = list(graph.outputs).index(found.name)
            return lambda _x, y, _targets: _outputs(y)[position]
        case "input":
            position = list(config.inputs).index(found.name)
            return lambda x, _y, _targets: x[position]
        case "number":
            number = torch.tensor(found.number, device=device)
            return lambda _x, y, _targets: number.expand(_outputs(y)[read].shape)
    names = config.targets
    position = names.index(found.name) if found.name in names else 0
    return lambda _x, _y, targets: targets[position]


def _target_scale(graph: Graph, found: Against) -> Scale | None:
    """Return the scale of the target of a loss; None for a target in its own unit."""
    if not graph.config.preparation.normalize or found.kind != "target":
        return None
    return scaling.target_scale(graph.config, graph.outputs, found.name)


def _unit(graph: Graph, output: str) -> Scale | None:
    """Return how an output becomes a value in the unit of its target; None if it is one."""
    if not graph.config.preparation.normalize:
        return None
    return scaling.scales_of_outputs(graph.config, graph.outputs).get(output)


def summed(losses: list[Any]) -> Any:
    """Return the sum of losses. A single loss is returned unchanged, to save an operation."""
    return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


def _nothing(output: torch.Tensor) -> torch.Tensor:
    """Return a 0 that gives an output gradients of 0, also where the output is not finite."""
    return output.flatten()[:0].float().sum()


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Silence torch's warning about `reduction: mean`, which the config asks for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "reduction: 'mean' divides the total loss")
        yield


def _read(y: Any, positions: list[int]) -> tuple[torch.Tensor, ...]:
    """Return the outputs at some positions."""
    outputs = _outputs(y)
    return tuple([outputs[position] for position in positions])


def _outputs(y: Any) -> tuple[torch.Tensor, ...]:
    """Return all outputs. A network gives one output, or a tuple of them."""
    return tuple(y) if isinstance(y, tuple | list) else (y,)  # None if nothing has computed it
