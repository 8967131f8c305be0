"""Checks of a state that was read from a checkpoint, before torch takes it.

torch takes any values. A fused step then writes where a tensor ends, if the tensor is too small.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import torch
from torch import optim

#: Optimizers with fused steps. What they keep has the shape of the weight, except for `step`.
_FUSED = (optim.SGD, optim.Adam, optim.Adagrad)  # AdamW is an Adam


def expect_optimizer(optimizer: optim.Optimizer, saved: dict[str, Any]) -> None:
    """Check the options of the groups, and what the optimizer keeps for each weight.

    Raises:
        KeyError, TypeError, ValueError: the state belongs to another optimizer.
    """
    own, groups = optimizer.param_groups, saved["param_groups"]
    for group, other in zip(own, groups, strict=True):
        options = {name: option for name, option in group.items() if name != "params"}
        if "lr" not in other or not alike(options, other):
            raise ValueError("the options belong to another optimizer")
    if not isinstance(optimizer, _FUSED):
        return
    numbers, weights = (chain.from_iterable(g["params"] for g in gs) for gs in (groups, own))
    for number, weight in zip(numbers, weights, strict=True):
        for name, kept in saved["state"].get(number, {}).items():
            if kept is not None and not _fits(kept, () if name == "step" else weight.shape):
                raise ValueError(f"{name} belongs to another weight")


def _fits(kept: Any, shape: tuple[int, ...]) -> bool:
    """Whether a tensor has a shape, and its storage as many values one after the other."""
    if not isinstance(kept, torch.Tensor) or kept.shape != shape or kept.is_complex():
        return False
    end = (kept.storage_offset() + kept.numel()) * kept.element_size()
    return end <= kept.untyped_storage().nbytes()


def expect_scheduler(scheduler: Any, saved: dict[str, Any]) -> None:
    """Check the state of a scheduler.

    Raises:
        ValueError: the state belongs to another scheduler.
    """
    own = scheduler.state_dict()
    # torch makes each entry an attribute, also in place of a method.
    methods = [name for name in saved if name not in own and hasattr(type(scheduler), name)]
    if methods or not alike(own, saved):
        raise ValueError("the state belongs to another scheduler")


def alike(own: Any, saved: Any) -> bool:
    """Whether values of a checkpoint have the kinds of our own. None stands for any value."""
    if own is None or saved is None:
        return True
    if isinstance(own, dict):
        return isinstance(saved, dict) and all(
            alike(own[name], value) for name, value in saved.items() if name in own
        )
    if isinstance(own, list | tuple):
        return isinstance(saved, list | tuple) and all(map(alike, own, saved))
    numbers = (bool, int, float, torch.Tensor)
    return isinstance(saved, numbers if isinstance(own, numbers) else type(own))
