"""Augmentations: https://kornia.readthedocs.io/en/latest/augmentation.module.html.

Each changes the images of a batch, (N, C, H, W) with values from 0 to 1, at random, before they are
normalised. `p` is the probability with which an image is changed, `p_batch` that with which a batch
is; with `same_on_batch` all images of a batch are changed alike. A number in place of a range is
how far it reaches around what changes nothing. `keepdim` does nothing to a batch.
"""

from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.component import Families

__all__ = ["AUGMENTATIONS", "Augmentation"]

AUGMENTATIONS: Families[Augmentation] = Families(
    Augmentation, __name__, ("geometric", "size", "colour", "filtering", "noise", "policy")
)
"""The augmentations by their type."""
