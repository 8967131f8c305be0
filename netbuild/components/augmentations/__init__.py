"""Augmentations: https://kornia.readthedocs.io/en/latest/augmentation.module.html.

An augmentation randomly changes the images of a batch, (N, C, H, W) with values from 0 to 1, before
they are normalised. `p` is the probability that an image is changed, `p_batch` the probability that
a batch is changed. With `same_on_batch`, all images of a batch are changed in the same way. Where a
field takes a range, a single number means a range around the value that changes nothing. `keepdim`
has no effect on batches.
"""

from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.component import Families

__all__ = ["AUGMENTATIONS", "Augmentation"]

AUGMENTATIONS: Families[Augmentation] = Families(
    Augmentation,
    __name__,
    ("geometric", "size", "colour", "filtering", "noise", "policy", "mixing"),
)
"""The augmentations by their type."""
