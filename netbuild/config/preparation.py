"""What stands beside a data source: how its samples are split and prepared."""

from typing import Annotated, Any, Literal

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.component import Component, Nested
from netbuild.components.fields import Wants, either, many, optional, real, switch, whole

_HeightWidth = Annotated[
    tuple[int, int] | None,
    Wants(
        "a list of two whole numbers of at least 1, height and width",
        optional(core_schema.tuple_schema([whole(1), whole(1)])),
    ),
]
_Validation = Annotated[
    float | str,
    Wants(
        "a number between 0 and 1, the part held out, or the name of a split of the source",
        either(real(gt=0, lt=1), core_schema.str_schema(strict=True, min_length=1)),
    ),
]
_Normalize = Annotated[
    bool | tuple[tuple[float, ...], tuple[float, ...]],
    Wants(
        "true, false, or a list of two lists: the mean of each channel, and its deviation",
        either(
            core_schema.bool_schema(strict=True),
            core_schema.tuple_schema([many(real(), at_least=1), many(real(gt=0), at_least=1)]),
        ),
    ),
]
_ClassWeights = Annotated[
    Literal["balanced"] | tuple[float, ...] | None,
    Wants(
        "balanced, or a list of numbers of at least 0, one for each class",
        optional(
            either(core_schema.literal_schema(["balanced"]), many(real(ge=0), at_least=1)),
        ),
    ),
]
_Switch = Annotated[bool | None, switch("true, false, or null: true where there is room")]
_Augment = Annotated[
    tuple[Augmentation, ...] | None, Nested("augmentation", AUGMENTATIONS, many=True)
]


class Preparation(Component):
    """What is done with a source's samples: `{Digits, resize: [28, 28], normalize: true}`.

    What `normalize: true` measures, of the samples that train, is written into the run.
    """

    resize: _HeightWidth = None
    """Height and width that all images are brought to; null leaves them."""
    validation: _Validation = 0.2
    """Part of the samples that is held out to measure with, or the name of a split for it."""
    augment: _Augment = None
    """Augmentations that change the images that train, batch by batch; null changes none."""
    normalize: _Normalize = False
    """Whether each channel gets mean 0 and deviation 1; a list says mean and deviation before."""
    class_weights: _ClassWeights = None
    """Factor of each class in the loss; balanced is more for rare classes."""
    in_memory: _Switch = None
    """Whether all samples stay in memory; null: where there is room."""

    def held_out(self, samples: int) -> int:
        """Return how many of a source's samples are kept for validation."""
        return 0 if isinstance(self.validation, str) else round(samples * self.validation)

    def leaves_none(self, samples: int | None) -> str:
        """Return a sentence where so many samples leave none for one of the two splits."""
        if samples is None or isinstance(self.validation, str):
            return ""
        held_out = self.held_out(samples)
        if 0 < held_out < samples:
            return ""
        plural = "" if samples == 1 else "s"
        return (
            f"{samples} sample{plural} with validation {self.validation} leave none "
            f"to {'train on' if held_out else 'validate with'}"
        )

    @field_validator("augment", mode="wrap")
    @classmethod
    def _or_null(cls, augment: Any, handler: Any) -> Any:
        return None if augment is None else handler(augment)
