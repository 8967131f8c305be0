"""Policies: augmentations drawn from a list, those that a batch gets anew for each batch.

They are in `kornia.augmentation.auto`; the lists are those of the papers, and kornia's own others,
which Python would write, are left to Python.
"""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Augmentation, OfColour
from netbuild.components.fields import Wants, one_of
from netbuild.components.tensor import Shape


class _Policy(Augmentation):
    """Draws from a list of which sharpness takes images of at least 3×3."""

    home = "kornia.augmentation.auto"

    def shape(self, x: Shape) -> Shape:
        """Return that of the image."""
        self.expect_at_least(x, 3, 3)
        return x


class AutoAugment(_Policy, OfColour):
    """Cubuk et al. 2019: one of 25 pairs of augmentations, as learned with some set of images.

    - AutoAugment: cifar10
    """

    policy: Annotated[str, one_of("imagenet", "cifar10", "svhn")] = "imagenet"
    """Images with which the pairs were learned."""


class RandAugment(_Policy, OfColour):
    """Cubuk et al. 2020: n of 15 augmentations, all of them as strong as m of 30.

    - RandAugment: {n: 2, m: 9}
    """

    n: Annotated[
        int,
        Wants("a whole number from 1 to 15", core_schema.int_schema(strict=True, ge=1, le=15)),
    ]
    """Number of augmentations, one after the other."""
    m: Annotated[
        int,
        Wants("a whole number from 1 to 29", core_schema.int_schema(strict=True, ge=1, le=29)),
    ]
    """How strong they are, from 1 to 29; more changes more."""


class TrivialAugment(_Policy):
    """Müller and Hutter 2021: one of 12 augmentations, as strong as is drawn.

    - TrivialAugment
    """
