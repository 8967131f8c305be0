"""Modules that skip whole samples in training: stochastic depth, under any name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

#: The attributes that hold the probability: of torchvision, of timm, of others.
_NAMES = ("p", "drop_prob", "drop_rate", "prob", "drop_path")
_ROWS, _WIDTH = 64, 3


def probability(module: nn.Module) -> float | None:
    """Return the probability with which a module skips a sample; None for any other module.

    It is found out by what the module does: samples of ones become 0 or 1 / (1 − p) in training,
    each as a whole, and stay as they are in evaluation.
    """
    p = next((v for n in _NAMES if isinstance(v := getattr(module, n, None), float)), None)
    if p is None or not 0 <= p < 1 or any(True for _ in module.children()) or module.state_dict():
        return None
    if type(module).__module__.startswith("torch.nn."):
        return None
    ones, training = torch.ones(_ROWS, _WIDTH), module.training
    try:
        with torch.random.fork_rng(devices=()), torch.no_grad():
            torch.manual_seed(0)
            dropped = module.train().forward(ones.clone())
            kept = module.eval().forward(ones.clone())
    except (TypeError, ValueError, RuntimeError):
        return None
    finally:
        module.train(training)
    if not (isinstance(dropped, torch.Tensor) and isinstance(kept, torch.Tensor)):
        return None
    if not torch.equal(kept, ones) or dropped.shape != ones.shape:
        return None
    whole = bool((dropped == dropped[:, :1]).all())
    scaled = bool(((dropped == 0) | ((dropped - 1 / (1 - p)).abs() < 1e-6)).all())
    several = p < 0.2 or bool((dropped == 0).any())
    return p if whole and scaled and several else None
