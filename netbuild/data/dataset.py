"""The contract of a data source: what its samples are, known without loading them."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.component import Component
from netbuild.layers.layer import Shape, Tensor, times

if TYPE_CHECKING:
    import numpy as np


class Classes(NamedTuple):
    """A target that is the number of a class, 0 to `classes` − 1."""

    classes: int

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"one of {self.classes} classes"


class Values(NamedTuple):
    """A target that is a tensor of this shape."""

    shape: Shape

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"values of shape {times(self.shape)}"


Target: TypeAlias = Classes | Values


class Sample(NamedTuple):
    """What one sample holds: the input and the target."""

    input: Tensor
    target: Target


class Dataset(Component):
    """A source of samples: `sample` says what they are, `load` reads them all."""

    def sample(self, wanted: Sample) -> Sample:
        """Return what a sample is; a synthetic source gives what is `wanted`."""
        raise TypeError(f"{type(self).__name__} does not say what its samples are")

    def load(self, wanted: Sample) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
        """Return all inputs, (samples, *input), and all targets, (samples,) or (samples, *)."""
        raise TypeError(f"{type(self).__name__} does not load its samples")
