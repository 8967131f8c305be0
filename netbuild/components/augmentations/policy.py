"""Policies: augmentations drawn at random from a list, again for each batch.

kornia has them in `kornia.augmentation.auto`. The lists are those of the papers. A file cannot
write other lists, because they are Python objects.
"""

from typing import Annotated

from pydantic_core import core_schema

from netbuild.components.augmentations.augmentation import Augmentation, OfColour
from netbuild.components.fields import Wants, one_of
from netbuild.components.tensor import Shape


class _Policy(Augmentation):
    """Draws from a list that contains sharpness, which needs images of at least 3×3."""

    home = "kornia.augmentation.auto"
    geometric = True  # each list has rotations or shears

    def fills(self, x: Shape) -> bool:  # noqa: ARG002
        """Whether places from outside of the image come in: the rotations and shears have 0."""
        return True

    def shape(self, x: Shape) -> Shape:
        """Return the shape of the image."""
        self.expect_at_least(x, 3, 3)
        return x


class AutoAugment(_Policy, OfColour):
    """Applies one of 25 pairs of augmentations, learned on a data set. Cubuk et al. 2019.

    - AutoAugment: cifar10
    """

    policy: Annotated[str, one_of("imagenet", "cifar10", "svhn")] = "imagenet"
    """Data set on which the pairs were learned."""


class RandAugment(_Policy, OfColour):
    """Applies n of 15 augmentations, all with strength m of 30. Cubuk et al. 2020.

    - RandAugment: {n: 2, m: 9}
    """

    n: Annotated[
        int,
        Wants("a whole number from 1 to 15", core_schema.int_schema(strict=True, ge=1, le=15)),
    ]
    """Number of augmentations, applied one after the other."""
    m: Annotated[
        int,
        Wants("a whole number from 1 to 29", core_schema.int_schema(strict=True, ge=1, le=29)),
    ]
    """Strength of the augmentations, from 1 to 29; a larger m changes more."""


class TrivialAugment(_Policy):
    """Applies one of 12 augmentations with a random strength. Müller and Hutter 2021.

    - TrivialAugment
    """
