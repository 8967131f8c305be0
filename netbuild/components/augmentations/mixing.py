"""Mixing: makes one sample of several samples of a batch, and mixes their targets alike.

A class becomes shares of classes, numbers are weighed by the same shares.
"""

from typing import Annotated, Any

from pydantic import field_validator

from netbuild.components.augmentations.augmentation import Drawn
from netbuild.components.augmentations.ranges import optional_interval, positive
from netbuild.components.fields import PositiveInt, Probability, Wants, optional, unwanted
from netbuild.components.tensor import Shape


class _Mixing(Drawn):
    """Mixes the samples of a batch."""

    mixes = True
    last = "same_on_batch p keepdim"

    p: Probability = 1.0
    """Probability that a batch is mixed."""


class RandomMixUpV2(_Mixing):
    """Blends each image with another image of its batch. Zhang et al. 2018.

    x becomes (1 − λ) · x + λ · x', and its target alike. λ is drawn evenly for each image.

    - RandomMixUpV2: {lambda_val: [0, 0.4]}
    """

    carries = ("picture",)
    holds = "a blend of two images has no single class at a place"

    lambda_val: Annotated[tuple[float, float] | None, optional_interval(0, 1)] = None
    """Range of λ, the share of the other image; null is from 0 to 1."""

    def scales(self, x: Shape, target: Shape) -> bool:  # noqa: ARG002
        """Whether it mixes a target of other height and width alike: λ has no size."""
        return True


class RandomCutMixV2(_Mixing):
    """Pastes a rectangle of another image of the batch into each image. Yun et al. 2019.

    The share of the other target is the rectangle's share of the area.

    - RandomCutMixV2
    """

    carries = ("mask", "picture")
    holds = "boxes and points of two images cannot be one target"

    num_mix: PositiveInt = 1
    """Number of rectangles, each from another image."""
    cut_size: Annotated[tuple[float, float] | None, optional_interval(0, 1)] = None
    """Range of the share of the area that stays; null is from 0 to 1."""
    beta: Annotated[float | None, Wants("a number above 0, or null", optional(positive()))] = None
    """Both parameters of the Beta distribution of the share that stays; null is 1, an even one."""

    @field_validator("cut_size")
    @classmethod
    def _cuts(cls, value: Any) -> Any:
        if value is not None and value[0] >= 1:
            raise unwanted("a range that begins below 1, where something is cut")
        return value

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of kornia's constructor: it warns of its old shares."""
        return super().arguments() | {"use_correct_lambda": True}
