"""The exponential moving average of the weights, which is validated and saved."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


class Averaged:
    """A copy of a module whose weights follow the module's: w ← decay·w + (1 − decay)·new.

    The decay is at most (1 + steps) / (10 + steps), so that the random first weights are soon
    forgotten. Buffers, such as a running mean, are copied.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.source, self.decay, self.steps = module, decay, 0
        self.module = copy.deepcopy(module).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self) -> None:
        """Update the average after a step of the optimizer."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        pairs = zip(self.module.parameters(), self.source.parameters(), strict=True)
        average, new = map(list, zip(*pairs, strict=True))
        torch._foreach_lerp_(average, new, 1 - decay)
        for kept, buffer in zip(self.module.buffers(), self.source.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, object]:
        """Return the state for a checkpoint. The averaged weights are in the checkpoint already."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Load the state of a checkpoint.

        Raises:
            KeyError, ValueError: the state is damaged.
        """
        if type(state["steps"]) is not int or state["steps"] < 0:
            raise ValueError("steps is not a whole number from 0")
        self.steps = state["steps"]
