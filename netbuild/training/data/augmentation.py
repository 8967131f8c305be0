"""Augmentations as kornia computes them, on batches, where they are.

They draw from torch's global generators, whose states a checkpoint holds. kornia is imported here,
and only for a config that names some.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.training.data.batches import Change, Inputs


def augmenter(augmentations: Iterable[Augmentation] | None, device: torch.device) -> Change | None:
    """Return what augments a batch on a device; None where nothing does.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    modules = [made(augmentation).to(device) for augmentation in augmentations or ()]
    if not modules:
        return None

    @torch.no_grad()  # some keep their probabilities as parameters
    def change(inputs: Inputs) -> Inputs:
        (x,) = inputs
        for module in modules:
            x = module(x)
        return (x.contiguous(),)

    return change


def made(augmentation: Augmentation) -> Any:
    """Return the module of kornia that an augmentation stands for.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    given = augmentation.arguments()
    for name in augmentation.tensors:
        if given[name] is not None:
            given[name] = torch.tensor(given[name])
    kind = getattr(import_module(augmentation.home), type(augmentation).__name__)
    return kind(**given)
