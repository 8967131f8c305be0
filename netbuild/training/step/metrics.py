"""The loss and the metrics of an epoch, as sums over its samples on the device.

The sums of parts of an epoch, or of several processes, add up to the sum of the whole. The program
waits for the device only when it reads a value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import torch

from netbuild.components.metrics import OF_CLASSES, OF_VALUES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from torch import Tensor

    from netbuild.training.parallel.distributed import World
    from netbuild.training.step.criterion import Criterion

#: A function that maps the outputs and targets of a batch to its summands, by name.
_Sums: TypeAlias = "Callable[[Tensor, Tensor], dict[str, Tensor | float]]"


class Measures:
    """Sums over all samples that were added, by name."""

    def __init__(self, criterion: Criterion, names: Iterable[str], device: torch.device) -> None:
        self.criterion, self.names = criterion, tuple(names)
        self.of_classes = {_SUMS[name]: None for name in self.names if name in OF_CLASSES}
        self.of_values = {_SUMS[name]: None for name in self.names if name in OF_VALUES}
        # Double precision keeps counts and long sums exact. Apple's GPUs do not have it.
        self.dtype = torch.float32 if device.type == "mps" else torch.float64
        self.device = device
        self.sums: dict[str, Tensor | float] = {}

    def add(self, losses: Sequence[Tensor], y: Any, target: Tensor) -> None:
        """Add a batch, given the loss of each module: a mean over samples, or a sum."""
        for number, (part, loss) in enumerate(zip(self.criterion.parts, losses, strict=True)):
            weight = len(target) if part.summed else part.weight(target)
            self._add(f"weight{number}", weight)
            self._add(f"loss{number}", loss.detach(), 1 if part.summed else weight)
        if self.of_classes:
            self._compare(self.of_classes, *self.criterion.classes(y, target))
        if self.of_values:
            self._compare(self.of_values, *self.criterion.values(y, target))

    def _compare(self, sums: Iterable[_Sums], output: Tensor, target: Tensor) -> None:
        for summed in sums:
            for name, value in summed(output, target).items():
                self._add(name, value)

    def _add(self, name: str, value: Tensor | float, times: Tensor | float = 1) -> None:
        """Add a value times a factor, on the device of the value."""
        if isinstance(times, torch.Tensor):
            value, times = value * times, 1
        before = self.sums.get(name)
        if not isinstance(value, torch.Tensor):
            self.sums[name] = value if before is None else before + value
        else:
            if before is None:
                before = self.sums[name] = value.new_zeros(value.shape, dtype=self.dtype)
            assert isinstance(before, torch.Tensor)
            before.add_(value, alpha=times)

    def tensors(self) -> dict[str, Tensor]:
        """Return the sums as tensors on the device, for a checkpoint and for other processes."""
        return {
            name: torch.as_tensor(value, dtype=self.dtype, device=self.device)
            for name, value in self.sums.items()
        }

    def add_up(self, world: World) -> None:
        """Add the sums of the other processes."""
        self.load_state_dict(world.sums(self.tensors()))

    def means(self, prefix: str) -> dict[str, Any]:
        """Return the loss and the metrics of all added samples, each name with a prefix."""
        sums = {name: value.cpu() for name, value in self.tensors().items()}
        if not sums:
            return {}
        parts = range(len(self.criterion.parts))
        losses = [float(sums[f"loss{part}"] / sums[f"weight{part}"]) for part in parts]
        found: dict[str, Any] = {"loss": sum(losses)}
        for name in self.names:
            found[name] = _VALUES[name](sums)
        return {f"{prefix}_{name}": value for name, value in found.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Replace the sums with the sums of a checkpoint."""
        self.sums = {name: value.to(self.device) for name, value in state.items()}


def _hits(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    return {"told": len(classes), "correct": (scores.argmax(1) == classes).sum()}


def _hits_of_five(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    best = scores.topk(min(5, scores.shape[1]), dim=1).indices
    return {"told_of_five": len(classes), "among_five": (best == classes[:, None]).sum()}


def _confusion(scores: Tensor, classes: Tensor) -> dict[str, Tensor | float]:
    count = scores.shape[1]
    pairs = classes * count + scores.argmax(1)
    return {"confusion": pairs.bincount(minlength=count * count).reshape(count, count)}


def _errors(values: Tensor, target: Tensor) -> dict[str, Tensor | float]:
    values, target = values.double() if values.device.type != "mps" else values, target.to(values)
    error = values - target
    return {
        "values": target.numel(),
        "absolute": error.abs().sum(),
        "squared": error.square().sum(),
        "target": target.sum(),
        "target_squared": target.square().sum(),
    }


_SUMS: dict[str, _Sums] = {
    "accuracy": _hits,
    "top_5_accuracy": _hits_of_five,
    "macro_f1": _confusion,
    "confusion_matrix": _confusion,
    **dict.fromkeys(("mae", "rmse", "r2"), _errors),
}


def _macro_f1(sums: dict[str, Tensor]) -> float:
    confusion = sums["confusion"]
    right, there = confusion.diagonal(), confusion.sum(0) + confusion.sum(1)
    return float((2 * right / there.clamp(min=1)).mean())


def _r2(sums: dict[str, Tensor]) -> float:
    spread = sums["target_squared"] - sums["target"].square() / sums["values"]
    return float(1 - sums["squared"] / spread)


_VALUES: dict[str, Any] = {
    "accuracy": lambda sums: float(sums["correct"] / sums["told"]),
    "top_5_accuracy": lambda sums: float(sums["among_five"] / sums["told_of_five"]),
    "macro_f1": _macro_f1,
    "confusion_matrix": lambda sums: sums["confusion"].long().tolist(),
    "mae": lambda sums: float(sums["absolute"] / sums["values"]),
    "rmse": lambda sums: float((sums["squared"] / sums["values"]).sqrt()),
    "r2": _r2,
}
