"""Data made up, for trying a network out."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import field_validator

from netbuild.data.dataset import Classes, Dataset, Sample, Target, Values
from netbuild.fields import (
    NaturalInt,
    OptionalCount,
    PositiveInt,
    Wants,
    many,
    optional,
    unwanted,
    whole,
)
from netbuild.layers.layer import Tensor

if TYPE_CHECKING:
    import numpy as np

_Shape = Annotated[
    tuple[int, ...] | None,
    Wants("a list of whole numbers of at least 1", optional(many(whole(1), at_least=1))),
]


class Random(Dataset):
    """Noise of the network's input shape, with targets that its loss takes.

    The inputs are normal, the targets evenly distributed: one of `classes`, or values from 0 to 1
    of shape `target`. There is nothing to learn; it shows that a network runs, and how fast.
    """

    samples: PositiveInt = 1000
    classes: OptionalCount = None
    target: _Shape = None
    seed: NaturalInt = 0

    @field_validator("target")
    @classmethod
    def _one_kind_of_target(cls, target: Any, info: Any) -> Any:
        if target is not None and info.data.get("classes") is not None:
            raise unwanted("to stand without classes: a target is one or the other")
        return target

    def sample(self, wanted: Sample) -> Sample:
        target: Target = wanted.target
        if self.classes is not None:
            target = Classes(self.classes)
        elif self.target is not None:
            target = Values(self.target)
        return Sample(Tensor(wanted.input.shape), target)

    def load(self, wanted: Sample) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        import numpy as np

        random = np.random.default_rng(self.seed)
        input_, target = self.sample(wanted)
        inputs = random.standard_normal((self.samples, *input_.shape), dtype="float32")
        if isinstance(target, Classes):
            return inputs, random.integers(target.classes, size=self.samples)
        return inputs, random.random((self.samples, *target.shape), dtype="float32")
