"""The loss and the metrics of an epoch, as sums over its samples on the device.

The sums of parts of an epoch, or of several processes, merge into the sums of the whole. The
program waits for the device only when it reads a value.

Small batches wait, and are counted together: a call of torch takes longer than counting some
hundred scores. Losses are added in the order of their batches, and classes are whole numbers of
hits. So the sums are the same, bit for bit, whenever they are read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from netbuild.components.metrics import OF_CLASSES, OF_VALUES
from netbuild.diagnostics.exceptions import TrainingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from torch import Tensor

    from netbuild.training.data.batches import Inputs, Targets
    from netbuild.training.parallel.distributed import World
    from netbuild.training.step.criterion import Criterion

#: Why labels do not count.
UNCOUNTED = "the loss ignores each of them, or gives its class the weight 0"
#: The most batches, and the most scores, that wait to be counted together.
_BATCHES, _SCORES = 64, 1 << 16
#: A function that maps the outputs and targets of a batch to its summands, by name.
_Sums: TypeAlias = "Callable[[Tensor, Tensor], dict[str, Tensor | float]]"


class Measures:
    """Sums over all samples that were added, by name."""

    def __init__(self, criterion: Criterion, names: Iterable[str], device: torch.device) -> None:
        self.criterion, self.names = criterion, tuple(names)
        self.of_classes = {_SUMS[name]: None for name in self.names if name in OF_CLASSES}
        self.values = [name for name in self.names if name in OF_VALUES]
        self.of_values = {_SUMS[name]: None for name in self.values if name in _SUMS}
        # Double precision keeps counts and long sums exact. Apple's GPUs do not have it.
        self.dtype = torch.float32 if device.type == "mps" else torch.float64
        self.device = device
        self.sums: dict[str, Tensor | float] = {}
        #: For each loss, the value and the weight of each batch that waits.
        self.losses: list[list[tuple[Tensor, Tensor | float]]] = [[] for _ in criterion.parts]
        #: The outputs and the targets of the batches whose classes wait.
        self.outputs: list[tuple[Tensor, Tensor]] = []
        self.waiting = 0  # scores
        # Where the loss itself has weights that compute the scores, each step changes them.
        learns = any(True for _ in criterion.first.module.parameters())
        self.most = 1 if learns else _SCORES

    def add(self, losses: Sequence[Tensor | None], x: Inputs, y: Any, targets: Targets) -> None:
        """Add a batch, given the value of each loss: a mean over samples, or a sum.

        A loss is None if no label of the batch counts for it.
        """
        samples = targets[0].shape[0]
        if not samples:  # the share of this process is empty
            return
        for number, (part, loss) in enumerate(zip(self.criterion.parts, losses, strict=True)):
            if loss is None:
                self._add(f"weight{number}", 0)
                continue
            weight = samples if part.summed else part.divisor(x, targets)
            self.losses[number].append((loss.detach(), weight))
        output, target = self.criterion.compared(x, y, targets)
        if self.of_classes:
            self.outputs.append((output, target))
            self.waiting += output.numel()
        if self.waiting >= self.most or len(self.losses[0]) >= _BATCHES:
            self._count()
        if self.values:
            values, target = self.criterion.values(output, target)
            values, target = values.to(self.dtype), target.to(self.dtype)
            self._compare(self.of_values, values, target)
            if "r2" in self.names:
                self._explain(values, target)

    def _count(self) -> None:
        """Add the batches that wait to the sums."""
        for number, (part, waiting) in enumerate(
            zip(self.criterion.parts, self.losses, strict=True)
        ):
            values, weights = _numbers(v for v, _ in waiting), _numbers(w for _, w in waiting)
            for value, weight in zip(values, weights, strict=True):
                self._add(f"weight{number}", weight)
                self._add(f"value{number}", value if part.summed else value * weight)
            waiting.clear()
        if self.outputs:
            output, target = map(torch.cat, zip(*self.outputs, strict=True))
            self._compare(self.of_classes, *self.criterion.classes(output, target))
            self.outputs, self.waiting = [], 0

    def _compare(self, sums: Iterable[_Sums], output: Tensor, target: Tensor) -> None:
        for summed in sums:
            for name, value in summed(output, target).items():
                self._add(name, value)

    def _add(self, name: str, value: Tensor | float) -> None:
        """Add a value, on the device of the value."""
        before = self.sums.get(name)
        if not isinstance(value, torch.Tensor):
            self.sums[name] = value if before is None else before + value
        else:
            if not isinstance(before, torch.Tensor):  # nothing yet, or 0 of a batch that is ignored
                before = value.new_full(value.shape, before or 0, dtype=self.dtype)
                self.sums[name] = before
            before.add_(value)

    def _explain(self, values: Tensor, target: Tensor) -> None:
        """Add the squared errors, and the distances of the targets from a shift, per channel.

        The places of a sample count as samples. The shift is the first target. Squares of the
        targets themselves would lose the digits of a small spread around a large mean.
        """
        values, target = _channels_last(values), _channels_last(target)
        if "shift" not in self.sums:
            self.sums["shift"] = target[0].clone()
        distances = target - self.sums["shift"]
        self._add("rows", len(target))
        self._add("distance", distances.sum(0))
        self._add("distance_squared", distances.square().sum(0))
        self._add("unexplained", (values - target).square().sum(0))

    def tensors(self) -> dict[str, Tensor]:
        """Return the sums as tensors in the memory of the program."""
        self._count()
        return {
            name: torch.as_tensor(value, dtype=self.dtype, device="cpu")
            for name, value in self.sums.items()
        }

    def of_all(self, world: World) -> dict[str, Tensor]:
        """Return the merged sums of all processes. A process may have added nothing."""
        merged = Measures(self.criterion, self.names, self.device)
        for sums in world.gather(self.tensors()):
            merged.merge(sums)
        return merged.tensors()

    def merge_all(self, world: World) -> None:
        """Merge the sums of the other processes with the ones of this process."""
        if world.size > 1:
            self.load_state_dict(self.of_all(world))

    def merge(self, sums: dict[str, Tensor]) -> None:
        """Merge the sums of other samples with the ones of this object.

        Their distances are from another shift.
        """
        sums = {name: value.to(self.device) for name, value in sums.items()}
        if "shift" in sums:
            shift = sums.pop("shift")
            apart = shift - self.sums.setdefault("shift", shift)
            rows, distance = sums["rows"], sums["distance"]
            sums["distance"] = distance + rows * apart
            sums["distance_squared"] = (
                sums["distance_squared"] + (2 * distance + rows * apart) * apart
            )
        for name, value in sums.items():
            self._add(name, value)

    @property
    def counted(self) -> bool:
        """Whether a label has counted for each loss, so that there is a mean loss."""
        self._count()
        parts = range(len(self.criterion.parts))
        return all(float(self.sums.get(f"weight{part}", 0)) > 0 for part in parts)

    def expect_loss(self, what: str, *, labels: bool = True) -> None:
        """Refuse measures whose mean loss does not exist, or is not finite.

        Without `labels`, the loss may lack labels that count.

        Raises:
            TrainingError: the message says what is missing in `what`.
        """
        counted = self.counted
        if not self.sums:
            raise TrainingError(f"the data has no samples for {what}")
        if not counted:
            if labels:
                raise TrainingError(f"no label of {what} counts: {UNCOUNTED}")
            return
        loss = self.means("")["_loss"]
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in {what}")

    def means(self, prefix: str) -> dict[str, Any]:
        """Return the loss and the metrics of all added samples, each name with a prefix.

        A mean over nothing is NaN: the loss and the metrics of labels that are all ignored.
        """
        sums, terms = self.tensors(), [part.term for part in self.criterion.parts]
        values = [_ratio(sums, f"value{n}", f"weight{n}") for n in range(len(terms))]
        weighed = (value * term.weight for value, term in zip(values, terms, strict=True))
        found: dict[str, Any] = {"loss": sum(weighed)}
        for name in self.names:
            found[name] = _VALUES[name](sums)
        found |= {term.name: v for term, v in zip(terms, values, strict=True) if term.named}
        return {f"{prefix}_{name}": value for name, value in found.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Replace the sums with the sums of a checkpoint.

        Raises:
            LookupError, TypeError, ValueError, RuntimeError: there are no metrics of these sums.
        """
        for number, part in enumerate(self.criterion.parts):
            if (weighed := state.get(f"loss{number}")) is not None:  # as earlier versions wrote it
                state = state | {f"value{number}": weighed / part.term.weight}
        self.sums = {name: value.to(self.device) for name, value in state.items()}
        self.means("")


def _numbers(values: Iterable[Tensor | float]) -> list[float]:
    """Return values as numbers of the program. It waits once for the device."""
    values = list(values)
    if values and isinstance(values[0], torch.Tensor):
        found: list[float] = torch.stack(values).tolist()  # type: ignore[arg-type]
        return found
    return values  # type: ignore[return-value]


def _ratio(sums: Mapping[str, Tensor], name: str, count: str) -> float:
    """Return a sum divided by another one; NaN if there is nothing to divide by."""
    by = float(sums.get(count, 0))
    return float(sums[name]) / by if by else math.nan


def _hits(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    return {"told": len(classes), "correct": (scores.argmax(1) == classes).sum()}


def _hits_of_five(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    """Count the samples with fewer than five classes before their own.

    Of equal scores, which are frequent in half precision, the class with the highest number comes
    first, as in scikit-learn. `topk` of torch takes any of them.
    """
    classes = classes[:, None]
    own = scores.gather(1, classes)
    behind = torch.arange(scores.shape[1], device=scores.device) > classes
    before = torch.where(behind, scores >= own, scores > own)
    return {"told_of_five": len(classes), "among_five": (before.sum(1) < 5).sum()}


def _confusion(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    count = scores.shape[1]
    pairs = classes * count + scores.argmax(1)
    return {"confusion": pairs.bincount(minlength=count * count).reshape(count, count)}


def _errors(values: Tensor, target: Tensor) -> dict[str, Tensor | float]:
    errors = values - target
    return {
        "values": target.numel(),
        "absolute": errors.abs().sum(),
        "squared": errors.square().sum(),
    }


def _channels_last(values: Tensor) -> Tensor:
    """Return values as (samples · places, channels)."""
    if values.ndim == 2:
        return values
    return values[:, None] if values.ndim == 1 else values.movedim(1, -1).flatten(0, -2)


_SUMS: dict[str, _Sums] = {
    "accuracy": _hits,
    "top_5_accuracy": _hits_of_five,
    "macro_f1": _confusion,
    "confusion_matrix": _confusion,
    **dict.fromkeys(("mae", "rmse"), _errors),
}


def _macro_f1(sums: dict[str, Tensor]) -> float:
    """Return the mean over the classes that occur, in the targets or in the predictions."""
    if "confusion" not in sums:
        return math.nan
    confusion = sums["confusion"]
    right, there = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    occurs = there > 0
    return float((2 * right[occurs] / there[occurs]).mean())


def _matrix(sums: dict[str, Tensor]) -> list[list[int]]:
    """Return the counts; without any sample there are no rows."""
    return sums["confusion"].long().tolist() if "confusion" in sums else []


def _r2(sums: dict[str, Tensor]) -> float:
    """Return the mean over the channels of the target, by scikit-learn's rules.

    One sample has no R². Where all targets are equal, it is 1 without errors and 0 with errors.
    """
    if float(sums.get("rows", 0)) < 2:
        return math.nan
    errors = sums["unexplained"]
    spread = sums["distance_squared"] - sums["distance"].square() / sums["rows"]
    of_equal = torch.where(errors == 0, 1.0, 0 * errors)  # NaN stays NaN
    explained = torch.where(spread > 0, 1 - errors / spread, of_equal)
    return float(explained.mean())


_VALUES: dict[str, Any] = {
    "accuracy": lambda sums: _ratio(sums, "correct", "told"),
    "top_5_accuracy": lambda sums: _ratio(sums, "among_five", "told_of_five"),
    "macro_f1": _macro_f1,
    "confusion_matrix": _matrix,
    "mae": lambda sums: _ratio(sums, "absolute", "values"),
    "rmse": lambda sums: math.sqrt(_ratio(sums, "squared", "values")),
    "r2": _r2,
}
