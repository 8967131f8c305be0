"""The modifiers of a data source: how its samples are split and prepared."""

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
        "true, false, or a list of two lists: the means and the deviations of the channels",
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
_Switch = Annotated[bool | None, switch("true, false, or null for true if there is room")]
_Augment = Annotated[
    tuple[Augmentation, ...] | None, Nested("augmentation", AUGMENTATIONS, many=True)
]


class Preparation(Component):
    """The preparation of a source's samples: `{Digits, resize: [28, 28], normalize: true}`.

    `normalize: true` measures mean and deviation on the training samples, and stores them in the
    run.
    """

    resize: _HeightWidth = None
    """Height and width of all images after scaling; null keeps their sizes."""
    validation: _Validation = 0.2
    """Part of the samples that is held out for validation, or the name of a split for it."""
    augment: _Augment = None
    """Augmentations of the training images, applied batch by batch; null changes no image."""
    normalize: _Normalize = False
    """Whether each channel gets mean 0 and deviation 1; a list gives means and deviations."""
    class_weights: _ClassWeights = None
    """Factor of each class in the loss; balanced gives rare classes larger factors."""
    in_memory: _Switch = None
    """Whether all samples stay in memory; null keeps them if they fit into a third of it."""

    def held_out(self, samples: int) -> int:
        """Return the number of samples that are held out for validation."""
        return 0 if isinstance(self.validation, str) else round(samples * self.validation)

    def leaves_none(self, samples: int | None) -> str:
        """Return a sentence if one of the two splits would have no sample; else an empty text."""
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
