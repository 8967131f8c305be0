"""The exponential moving average of the weights, which is what is validated and kept as best."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn


class Averaged:
    """A module whose weights follow those of another one: w ← decay·w + (1 − decay)·new.

    Early on the decay is smaller, (1 + steps) / (10 + steps), so that the first weights, which are
    random, do not linger. What is no weight, such as a running mean, is copied.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.source, self.decay, self.steps = module, decay, 0
        self.module = copy.deepcopy(module).requires_grad_(requires_grad=False)

    @torch.no_grad()
    def update(self) -> None:
        """Follow a step."""
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        pairs = zip(self.module.parameters(), self.source.parameters(), strict=True)
        average, new = map(list, zip(*pairs, strict=True))
        torch._foreach_lerp_(average, new, 1 - decay)
        for kept, buffer in zip(self.module.buffers(), self.source.buffers(), strict=True):
            kept.copy_(buffer)

    def state_dict(self) -> dict[str, object]:
        """Return what a checkpoint holds beside the average itself, which are its weights."""
        return {"steps": self.steps}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go back to what a checkpoint held."""
        self.steps = state["steps"]
