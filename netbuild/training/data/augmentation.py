"""Augmentations of batches by kornia, on the device of the training.

Their random numbers come from torch's global generators, whose states are in a checkpoint. kornia
is imported only if a config names an augmentation.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch

from netbuild.training.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.training.data.batches import Batch, Transform


def augmenter(
    augmentations: Iterable[Augmentation] | None, device: torch.device
) -> Transform | None:
    """Return the transform that augments a batch on a device; None without augmentations.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    modules = [kornia_module(augmentation).to(device) for augmentation in augmentations or ()]
    if not modules:
        return None

    @torch.no_grad()  # some modules have probabilities as parameters
    def augment(batch: Batch) -> Batch:
        (x,), targets = batch
        for module in modules:
            with refused(f"the augmentation {type(module).__name__}"):
                x = module(x)
        return (x.contiguous(),), targets

    return augment


def kornia_module(augmentation: Augmentation) -> Any:
    """Return kornia's module for an augmentation.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    given = augmentation.arguments()
    for name in augmentation.tensors:
        if given[name] is not None:
            given[name] = torch.tensor(given[name])
    kind = getattr(import_module(augmentation.home), type(augmentation).__name__)
    return kind(**given)
