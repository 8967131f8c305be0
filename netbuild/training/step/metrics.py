"""The loss and the metrics of an epoch, as sums over its samples on the device.

The sums of parts of an epoch, or of several processes, merge into the sums of the whole. The
program waits for the device only when it reads a value.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.measures.measured import Metrics, of_former
from netbuild.training.measures.values import SPREADS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

    from netbuild.config.metrics import MetricTerm
    from netbuild.training.data.batches import Inputs, Targets
    from netbuild.training.parallel.distributed import World
    from netbuild.training.step.criterion import Criterion

#: Why labels do not count.
UNCOUNTED = "the loss ignores each of them, or gives its class the weight 0"


class Measures:
    """Sums over all samples that were added, by name.

    `keeping` measures also the metrics that keep every prediction, as a validation does.
    """

    def __init__(
        self,
        criterion: Criterion,
        terms: Iterable[MetricTerm],
        device: torch.device,
        *,
        keeping: bool = False,
    ) -> None:
        self.criterion, self.terms, self.keeping = criterion, tuple(terms), keeping
        self.metrics = Metrics(self.terms, criterion.compared, keeping=keeping)
        # Double precision keeps counts and long sums exact. Apple's GPUs do not have it.
        self.dtype = torch.float32 if device.type == "mps" else torch.float64
        self.device = device
        self.sums: dict[str, Tensor | float] = {}

    def add(self, losses: Sequence[Tensor | None], x: Inputs, y: Any, targets: Targets) -> None:
        """Add a batch, given the value of each loss: a mean over samples, or a sum.

        A loss is None if no label of the batch counts for it.
        """
        samples = len(targets[0])
        if not samples:  # the share of this process is empty
            return
        for number, (part, loss) in enumerate(zip(self.criterion.parts, losses, strict=True)):
            if loss is None:
                self._add(f"weight{number}", 0)
                continue
            weight = samples if part.summed else part.divisor(x, targets)
            self._add(f"weight{number}", weight)
            self._add(f"value{number}", loss.detach(), 1 if part.summed else weight)
        for number in self.metrics.numbers:
            part = self.criterion.compared[number]
            if not part.is_computed(y):  # no optimizer has needed it in this step
                continue
            output, target = part.output(y), part.against(x, y, targets).detach()
            for name, value in self.metrics.sums(number, output, target, self.sums):
                if name.endswith("shift"):
                    self.sums[name] = value.clone() if isinstance(value, torch.Tensor) else value
                else:
                    self._add(name, value)

    def _add(self, name: str, value: Tensor | float, times: Tensor | float = 1) -> None:
        """Add a value times a factor, on the device of the value."""
        if isinstance(times, torch.Tensor):
            value, times = value * times.to(self.dtype), 1
        before = self.sums.get(name)
        if not isinstance(value, torch.Tensor):
            self.sums[name] = value if before is None else before + value
        else:
            if not isinstance(before, torch.Tensor):  # nothing yet, or 0 of a batch that is ignored
                before = value.new_full(value.shape, before or 0, dtype=self.dtype)
                self.sums[name] = before
            before.add_(value, alpha=times)

    def tensors(self) -> dict[str, Tensor]:
        """Return the sums as tensors in the memory of the program."""
        return {
            name: torch.as_tensor(value, dtype=self.dtype, device="cpu")
            for name, value in self.sums.items()
        }

    def of_all(self, world: World) -> dict[str, Tensor]:
        """Return the merged sums of all processes. A process may have added nothing."""
        merged = Measures(self.criterion, self.terms, self.device)
        for sums in world.gather(self.tensors()):
            merged.merge(sums)
        return merged.tensors()

    def merge_all(self, world: World) -> None:
        """Merge the sums of the other processes with the ones of this process."""
        if world.size > 1:
            self.load_state_dict(self.of_all(world))
            if self.metrics.keeps:
                self.metrics.merge(world.gather(self.metrics.kept))

    def merge(self, sums: dict[str, Tensor]) -> None:
        """Merge the sums of other samples with the ones of this object.

        Their distances are from another shift.
        """
        sums = {name: value.to(self.device) for name, value in sums.items()}
        for name in [name for name in sums if name.endswith("shift")]:
            start = name.removesuffix("shift")
            shift = sums.pop(name)
            apart = shift - self.sums.setdefault(name, shift)
            rows = sums[f"{start.removesuffix(SPREADS[1])}rows"]
            distance = sums[f"{start}distance"]
            sums[f"{start}distance"] = distance + rows * apart
            squared = sums[f"{start}distance_squared"]
            sums[f"{start}distance_squared"] = squared + (2 * distance + rows * apart) * apart
        for name, value in sums.items():
            self._add(name, value)

    @property
    def counted(self) -> bool:
        """Whether a label has counted for each loss, so that there is a mean loss."""
        parts = range(len(self.criterion.parts))
        return all(float(self.sums.get(f"weight{part}", 0)) > 0 for part in parts)

    def expect_loss(self, what: str, *, labels: bool = True) -> None:
        """Refuse measures whose mean loss does not exist, or is not finite.

        Without `labels`, the loss may lack labels that count.

        Raises:
            TrainingError: the message says what is missing in `what`.
        """
        if not self.sums:
            raise TrainingError(f"the data has no samples for {what}")
        if not self.counted:
            if labels:
                raise TrainingError(f"no label of {what} counts: {UNCOUNTED}")
            return
        loss = self.loss
        if not math.isfinite(loss):
            raise TrainingError(f"the loss is {loss} in {what}")

    @property
    def _values(self) -> list[float]:
        """The value of each loss; NaN if no label counts for it."""
        sums = self.tensors()
        return [_ratio(sums, f"value{n}", f"weight{n}") for n in range(len(self.criterion.parts))]

    @property
    def loss(self) -> float:
        """The weighted sum of all losses; NaN if one of them has no label that counts."""
        terms = [part.term for part in self.criterion.parts]
        return sum(v * term.weight for v, term in zip(self._values, terms, strict=True))

    def means(self, prefix: str) -> dict[str, Any]:
        """Return the loss and the metrics of all added samples, each name with a prefix.

        A mean over nothing is NaN: the loss and the metrics of labels that are all ignored.

        Raises:
            TrainingError: torchmetrics cannot compute a metric.
        """
        terms, values = [part.term for part in self.criterion.parts], self._values
        found: dict[str, Any] = {"loss": self.loss, **self.metrics.values(self.tensors())}
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
        state = of_former(state)
        self.sums = {name: value.to(self.device) for name, value in state.items()}
        if not self.keeping:
            self.means("")


def _ratio(sums: Mapping[str, Tensor], name: str, count: str) -> float:
    """Return a sum divided by another one; NaN if there is nothing to divide by."""
    by = float(sums.get(count, 0))
    return float(sums[name]) / by if by else math.nan
