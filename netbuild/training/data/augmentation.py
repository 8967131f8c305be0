"""Augmentations of batches by kornia, on the device of the training.

Their random numbers come from torch's global generators, whose states are in a checkpoint. kornia
is imported only if a config names an augmentation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.training.data.mixing import Mixer
from netbuild.training.data.moving import Marked, Mover
from netbuild.training.errors import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.components.augmentations.augmentation import Augmentation
    from netbuild.training.data.batches import Batch, Transform


def augmenter(
    augmentations: Iterable[Augmentation] | None,
    device: torch.device,
    marked: Sequence[Marked] = (),
    views: int | None = None,
) -> Transform | None:
    """Return the transform that augments a batch on a device; None without augmentations.

    `marked` says for each target what it marks in its image; without it, targets stay. With
    `views`, each image is augmented several times, once for each input of the network.

    Raises:
        ModuleNotFoundError: kornia is not installed.
    """
    movers = [(Mixer if one.mixes else Mover)(one, device) for one in augmentations or ()]
    if not movers:
        return None

    @torch.no_grad()  # some modules have probabilities as parameters
    def augment(batch: Batch) -> Batch:
        (x,), targets = batch
        kinds = marked or [Marked(None)] * len(targets)
        for mover in movers:
            with refused(f"the augmentation {type(mover.module).__name__}"):
                x = mover.images(x)
                pairs = zip(targets, kinds, strict=True)
                targets = tuple([mover.target(y, kind) for y, kind in pairs])
        return (x.contiguous(),), targets

    def several(batch: Batch) -> Batch:
        (x,), targets = batch
        seen = [augment(((x.clone(),), targets))[0][0] for _ in range(views or 1)]
        return tuple(seen), targets

    return several if views else augment


def spread(views: int | None) -> Transform | None:
    """Return the transform that gives each input of a network the same image; None for one view."""

    def repeat(batch: Batch) -> Batch:
        (x,), targets = batch
        return tuple([x.clone() for _ in range(views or 1)]), targets  # a layer may work in place

    return repeat if views else None
