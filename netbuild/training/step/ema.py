"""The exponential moving average of the weights, which is validated and saved."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn


class Averaged:
    """A copy of a module whose weights follow the module's: w ← decay·w + (1 − decay)·new.

    The decay is at most (1 + steps) / (10 + steps), so that the random first weights are soon
    forgotten. Buffers, such as a running mean, are copied.

    Args:
        module: the module that trains.
        decay: the part of the average that stays at each step.
        owners: the optimizers, if each takes steps of its own. The average of a weight counts the
            steps that its optimizer took.
    """

    def __init__(
        self, module: nn.Module, decay: float, owners: Sequence[torch.optim.Optimizer] = ()
    ) -> None:
        self.source, self.decay = module, decay
        self.module = copy.deepcopy(module).requires_grad_(requires_grad=False)
        pairs = list(zip(self.module.parameters(), self.source.parameters(), strict=True))
        own = [{id(p) for g in one.param_groups for p in g["params"]} for one in owners]
        #: The average and the weights that each optimizer steps.
        self.parts = [[pair for pair in pairs if id(pair[1]) in ids] for ids in own] or [pairs]
        #: The steps of each optimizer.
        self.steps = [0] * len(self.parts)

    @torch.no_grad()
    def update(self, number: int = 0) -> None:
        """Update the average after a step of an optimizer."""
        steps = self.steps[number]
        decay = min(self.decay, (1 + steps) / (10 + steps))
        self.steps[number] += 1
        if self.parts[number]:
            average, new = map(list, zip(*self.parts[number], strict=True))
            torch._foreach_lerp_(average, new, 1 - decay)
        for kept, buffer in zip(self.module.buffers(), self.source.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, object]:
        """Return the state for a checkpoint. The averaged weights are in the checkpoint already."""
        return {"steps": self.steps if len(self.steps) > 1 else self.steps[0]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load the state of a checkpoint.

        Raises:
            KeyError, ValueError: the state is damaged.
        """
        steps = state["steps"] if isinstance(state["steps"], list) else [state["steps"]]
        if not steps or any(type(count) is not int or count < 0 for count in steps):
            raise ValueError("steps is not a whole number from 0")
        # After a change of the config, there may be another number of optimizers.
        self.steps = steps if len(steps) == len(self.steps) else [max(steps)] * len(self.steps)
