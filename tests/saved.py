"""The memory that torch keeps after a forward pass for the backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import nn


def kept_bytes(module: nn.Module, *x: torch.Tensor) -> tuple[int, Any]:
    """Return the bytes that a module keeps of inputs beside its own tensors, and what it gives.

    Memory that several tensors share counts once.
    """
    own = {t.untyped_storage().data_ptr() for t in module.state_dict().values()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        y = module(*x)
    return sum(kept.values()), y
