"""Random data, to try out a network."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import field_validator

from netbuild.components.datasets.dataset import Bounds, Dataset, Declared, Loaded, Sample, Size
from netbuild.components.fields import (
    NaturalInt,
    OptionalCount,
    PositiveInt,
    Wants,
    many,
    optional,
    unwanted,
    whole,
)
from netbuild.components.target import Classes, Labels, Nothing, Signs, Target, Values
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

_Shape = Annotated[
    tuple[int, ...] | None,
    Wants("a list of whole numbers of at least 1", optional(many(whole(1)))),
]


class Random(Dataset):
    """Noise in the shapes of the network's inputs, with targets that fit its loss.

    The inputs are normally distributed. Inputs of whole numbers are from 0 to `below` − 1. The
    targets are uniformly distributed: one of `classes`, or one at each place if the loss compares
    places; values from 0 to 1 of shape `target`; or the targets that the loss needs, such as
    labels, 1 and −1, or none. A network learns nothing from noise. The data shows that a network
    runs, and how fast.

    data: {Random: {samples: 200}}
    """

    samples: PositiveInt = 1000
    """Number of samples."""
    classes: OptionalCount = None
    """Number of classes of the target; null takes the kind of target that the loss needs."""
    target: _Shape = None
    """Shape of a target of values from 0 to 1; null takes the target that the loss needs."""
    seed: NaturalInt = 0
    """Seed of the random values: the same seed gives the same samples."""
    below: PositiveInt = 2
    """Upper bound of whole-number inputs, which are from 0 to below − 1."""

    @field_validator("target")
    @classmethod
    def _one_kind_of_target(cls, target: Any, info: Any) -> Any:
        if target is not None and info.data.get("classes") is not None:
            raise unwanted("null together with classes")
        return target

    def count(self) -> int:
        return self.samples

    def sample(self, wanted: Sample) -> Declared:
        return Declared(wanted.inputs, {"target": self._target(wanted)})

    def _target(self, wanted: Sample) -> Target:
        target: Target = wanted.target
        if self.target is not None:
            target = Values(self.target)
        elif self.classes is not None:
            match target:
                case Classes() | Labels():
                    target = target._replace(classes=self.classes)
                case _:
                    target = Classes(self.classes)
        return target

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        unknown = [x.floating or x.dtype == "bool" for x in inputs]
        return tuple(None if one else (0, self.below - 1) for one in unknown)

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        self.without_splits(split)
        import numpy as np

        random = np.random.default_rng(self.seed)
        inputs = tuple(self._input(random, x) for x in wanted.inputs)
        return inputs, (self._values(random, self._target(wanted)),)

    def _input(self, random: "np.random.Generator", input_: Tensor) -> "np.ndarray[Any, Any]":
        shape = (self.samples, *input_.shape)
        if input_.floating:
            return random.standard_normal(shape, dtype="float32")
        highest = 2 if input_.dtype == "bool" else self.below
        return random.integers(highest, size=shape).astype(input_.dtype)

    def _values(self, random: "np.random.Generator", target: Target) -> "np.ndarray[Any, Any]":
        import numpy as np

        shape = (self.samples, *target.tensor.shape)
        match target:
            case Classes(classes):
                return random.integers(classes, size=shape)
            case Labels(classes, length, blank):
                known = np.delete(np.arange(classes), [] if blank is None else [blank])
                if not known.size:
                    return np.full(shape, -1)
                lengths = random.integers(1, length + 1, size=(self.samples, 1))
                return np.where(np.arange(length) < lengths, random.choice(known, shape), -1)
            case Signs():
                return random.choice(np.array([-1, 1], dtype="float32"), shape)
            case Values() | Nothing():
                return random.random(shape, dtype="float32")
