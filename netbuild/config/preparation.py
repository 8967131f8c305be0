"""The modifiers of a data source: how its samples are split and prepared."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from pydantic import field_validator
from pydantic_core import core_schema

from netbuild.components.augmentations import AUGMENTATIONS
from netbuild.components.augmentations.augmentation import Augmentation
from netbuild.components.component import Component, Nested
from netbuild.components.fields import (
    Wants,
    either,
    fields,
    many,
    optional,
    real,
    switch,
    unwanted,
    whole,
)
from netbuild.config.normalize import Normalize

if TYPE_CHECKING:
    from netbuild.components.datasets.dataset import Dataset

_HeightWidth = Annotated[
    tuple[int, int] | None,
    Wants(
        "a list of two whole numbers of at least 1, height and width",
        optional(core_schema.tuple_schema([whole(1), whole(1)])),
    ),
]
#: The ways in which samples are chosen for a part.
BY = ("order", "class", "chance")
_text = core_schema.str_schema(strict=True, min_length=1)
_how = {
    "by": optional(core_schema.literal_schema([*BY])),
    "group": optional(_text),
}
_part = fields({"part": real(gt=0, lt=1)}, _how)
_fold = fields({"fold": whole(1), "of": whole(2)}, _how)
_Validation = Annotated[
    float | str | dict[str, Any],
    Wants(
        "a number between 0 and 1, the part held out, the name of a split, or a mapping such as "
        "{part: 0.2, by: order} or {part: 0.2, group: COLUMN}",
        either(real(gt=0, lt=1), _text, _part, _fold),
    ),
]
_Test = Annotated[
    float | str | dict[str, Any] | None,
    Wants(
        "null, a number between 0 and 1, the name of a split, or a mapping such as "
        "{part: 0.2, by: order} or {part: 0.2, group: COLUMN}",
        optional(either(real(gt=0, lt=1), _text, _part)),
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


class Part(NamedTuple):
    """A part of the samples that is held out: a share of all samples, or one of several folds."""

    part: float = 0.0
    #: `order` holds out the last samples, `class` the same share of each class, and `chance` any
    #: samples. None is `class` for targets of classes, and else `chance`.
    by: str | None = None
    #: The column whose values name the groups. A group is never divided.
    group: str | None = None
    #: The number of the fold, from 1, and the number of folds; 0 for a share.
    fold: int = 0
    of: int = 0

    def size(self, samples: int, left: int) -> int:
        """Return the number of samples that are held out.

        Args:
            samples: all samples.
            left: the samples without the test part; folds divide these.
        """
        if self.fold:
            return left // self.of + (self.fold <= left % self.of)
        return round(samples * self.part)

    def __str__(self) -> str:
        """Return the words that messages use for the part."""
        return f"fold {self.fold} of {self.of}" if self.fold else f"{self.part:g}"


def _read(written: float | str | dict[str, Any] | None) -> Part | None:
    """Return the part that a field describes; None for the name of a split."""
    if written is None or isinstance(written, str):
        return None
    return Part(**written) if isinstance(written, dict) else Part(written)


def _refused(written: dict[str, Any]) -> str | None:
    """Return what a mapping wants that its schema does not say well; None for all others."""
    by, group, of = (written.get(name) for name in ("by", "group", "of"))
    strange = next((name for name in written if name not in Part._fields), None)
    if strange is not None:
        return "part, by and group in its mapping"
    if by not in (None, *BY):
        return f"by: {', '.join(BY[:-1])} or {BY[-1]}"
    if group is not None and by == "order":
        return "group with by: class or by: chance, because order divides groups"
    if isinstance(of, int) and isinstance(fold := written.get("fold"), int) and fold > of:
        return f"a fold from 1 to {of}"
    return None


class Preparation(Component):
    """The preparation of a source's samples: `{Digits, resize: [28, 28], normalize: true}`.

    `normalize: true` measures mean and deviation on the training samples, and stores them in the
    run. `normalize: {inputs: true, targets: true}` also scales a target of values.
    """

    resize: _HeightWidth = None
    """Height and width of all images after scaling; null keeps their sizes."""
    validation: _Validation = 0.2
    """Part of the samples that is held out for validation, or the name of a split for it."""
    test: _Test = None
    """Part of the samples for `evaluate --split test`, which training never sees, or a split."""
    augment: _Augment = None
    """Augmentations of the training images, applied batch by batch; null changes no image."""
    normalize: Normalize = False
    """Whether each channel gets mean 0 and deviation 1; a mapping names inputs and targets."""
    class_weights: _ClassWeights = None
    """Factor of each class in the loss; balanced gives rare classes larger factors."""
    in_memory: _Switch = None
    """Whether all samples stay in memory; null keeps them if there is room."""

    @property
    def validation_part(self) -> Part | None:
        """The part that validates; None for a split of the source."""
        return _read(self.validation)

    @property
    def test_part(self) -> Part | None:
        """The part that is kept for the test; None for a split of the source, or without a test."""
        return _read(self.test)

    @property
    def parts(self) -> dict[str, Part]:
        """The parts that are held out, by the names of their fields. The test is cut off first."""
        found = {"test": self.test_part, "validation": self.validation_part}
        return {name: part for name, part in found.items() if part}

    def of_source(self, split: str) -> str | None:
        """Return the split of the source that `validation`, `test` or another name stands for.

        It is None for a held-out part.
        """
        if split in self.parts:
            return None
        written = getattr(self, split) if split in {"validation", "test"} else None
        return written or split

    def counts(self, samples: int) -> dict[str, int]:
        """Return the number of samples in each held-out part. Groups may change these numbers."""
        left, found = samples, {}
        for name, part in self.parts.items():
            found[name] = part.size(samples, left)
            left -= found[name]
        return found

    def training(self, samples: int) -> int | None:
        """Return the number of samples that train; None if groups decide it."""
        if any(part.group for part in self.parts.values()):
            return None
        return samples - sum(self.counts(samples).values())

    def trained(self, source: "Dataset") -> int | None:
        """Return the number of samples of a source that train; None if it is not known before.

        Windows that overlap with a held-out part do not train.
        """
        samples, parts = source.size, self.parts.values()
        if samples is None or not source.overlaps:
            return None if samples is None else self.training(samples)
        if any(part.group or part.fold or part.by not in {None, "order"} for part in parts):
            return None
        series = source.numbers_of_series()
        sizes = [samples] if series is None else Counter(series.tolist()).values()
        left = list(sizes)
        for part in parts:
            pairs = zip(sizes, left, strict=True)
            left = [max(0, own - part.size(size, own) - source.gap) for size, own in pairs]
        return sum(left)

    def leaves_none(self, samples: int | None) -> str:
        """Return a sentence if a part or the training would have no sample; else an empty text."""
        if samples is None or not self.parts:
            return ""
        counts = self.counts(samples)
        own = self.validation_part
        left = samples - counts.get("test", 0)
        if own and own.of > left > 0:
            return f"{left} sample{'' if left == 1 else 's'} cannot make {own.of} folds"
        uses = {"validation": "validate with", "test": "test with"}
        lacking = next((uses[name] for name, count in counts.items() if count < 1), None)
        if sum(counts.values()) >= samples:
            lacking = "train on"
        if lacking is None:
            return ""
        plural = "" if samples == 1 else "s"
        with_ = " and ".join(f"{name} {part}" for name, part in reversed(self.parts.items()))
        return f"{samples} sample{plural} with {with_} leave none to {lacking}"

    @field_validator("validation", "test", mode="before")
    @classmethod
    def _possible(cls, written: Any) -> Any:
        phrase = _refused(written) if isinstance(written, dict) else None
        if phrase:
            raise unwanted(phrase)
        return written

    @field_validator("augment", mode="wrap")
    @classmethod
    def _or_null(cls, augment: Any, handler: Any) -> Any:
        return None if augment is None else handler(augment)
