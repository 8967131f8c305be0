"""The contract of a data source: what its samples are, known without loading them."""

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from netbuild.component import Component
from netbuild.layers.layer import Shape, Tensor, times

if TYPE_CHECKING:
    import numpy as np


class Classes(NamedTuple):
    """A target of class numbers, 0 to `classes` − 1: one of them, or one at each place."""

    classes: int
    shape: Shape = ()

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape, "int64")

    def __str__(self) -> str:
        """Return it as a message says it."""
        where = f" at each of {times(self.shape)} places" if self.shape else ""
        return f"one of {self.classes} classes{where}"


class Labels(NamedTuple):
    """A target of up to `length` class numbers, 0 to `classes` − 1, and −1 behind the last one.

    `blank` is the class that does not stand for itself, where there is one.
    """

    classes: int
    length: int
    blank: int | None = None

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor((self.length,), "int64")

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"up to {self.length} labels of {self.classes} classes"


class Values(NamedTuple):
    """A target that is a tensor of this shape."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"values of shape {times(self.shape)}" if self.shape else "one value"


class Signs(NamedTuple):
    """A target that is a tensor of this shape, of 1 for what belongs together and −1 elsewhere."""

    shape: Shape

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor(self.shape)

    def __str__(self) -> str:
        """Return it as a message says it."""
        return f"1 or −1 in shape {times(self.shape)}" if self.shape else "1 or −1"


class Nothing(NamedTuple):
    """No target: the loss compares the network's outputs with one another."""

    @property
    def tensor(self) -> Tensor:
        """What a sample holds of it."""
        return Tensor((0,))

    def __str__(self) -> str:
        """Return it as a message says it."""
        return "no target"


Target: TypeAlias = Classes | Labels | Values | Signs | Nothing


class Sample(NamedTuple):
    """What one sample holds: the inputs, in the order of the network's, and the target."""

    inputs: tuple[Tensor, ...]
    target: Target


#: All samples: each input, (samples, *input), and the targets, (samples, *target).
Arrays: TypeAlias = "tuple[tuple[np.ndarray[Any, Any], ...], np.ndarray[Any, Any]]"


class Dataset(Component):
    """A source of samples: `sample` says what they are, `load` reads them all."""

    @property
    def size(self) -> int | None:
        """How many samples there are; None where only loading them tells."""
        return None

    def sample(self, wanted: Sample) -> Sample:
        """Return what a sample is; a synthetic source gives what is `wanted`."""
        raise TypeError(f"{type(self).__name__} does not say what its samples are")

    def load(self, wanted: Sample) -> Arrays:
        """Return all inputs and all targets."""
        raise TypeError(f"{type(self).__name__} does not load its samples")
