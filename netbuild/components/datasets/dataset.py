"""The contract of a data source: what its samples are, known without loading them."""

from collections.abc import Sized
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, TypeAlias

from netbuild.components.component import Component
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np


class Sample(NamedTuple):
    """What one sample holds: the inputs, in the order of the network's, and the target."""

    inputs: tuple[Tensor, ...]
    target: Target


class Declared(NamedTuple):
    """What a source declares of a sample before it is loaded; None is what only loading tells."""

    inputs: tuple[Tensor | None, ...]
    target: Target | None


#: All samples: each input, (samples, *input), and the targets, (samples, *target).
Loaded: TypeAlias = "tuple[tuple[np.ndarray[Any, Any], ...], np.ndarray[Any, Any]]"

#: Height and width.
Size: TypeAlias = tuple[int, int]


class DataError(Exception):
    """What keeps a source from giving its samples: a sentence, and the field that is to blame."""

    def __init__(self, message: str, at: str | None = None, help_: str | None = None) -> None:
        super().__init__(message)
        self.at, self.help = at, help_


class Samples(Protocol):
    """Samples that are read one by one, for they may not fit in memory together.

    Worker processes read them too, so they can be pickled.
    """

    def __len__(self) -> int:
        """Return how many there are."""

    def __getitem__(self, index: int) -> tuple[tuple["np.ndarray[Any, Any]", ...], Any]:
        """Return the inputs of a sample and its target.

        Raises:
            DataError: it cannot be read, or is not what the others are.
        """

    def targets(self) -> "np.ndarray[Any, Any]":
        """Return the targets of all, (samples, *target), without reading their inputs.

        Raises:
            DataError: one cannot be read.
        """


class Stream(Protocol):
    """Samples that come one after the other, whose number nobody knows."""

    def samples(self, seed: int | None) -> "Iterator[tuple[tuple[np.ndarray[Any, Any], ...], Any]]":
        """Yield all samples, in an order that a seed decides, or as they come."""


class Dataset(Component):
    """A source of samples: `sample` says what they are, `load` reads them all.

    What a source has in files may not be there yet when a config is checked: then `size` and what
    `sample` declares are None, and nothing is wrong. `load` raises where something is.
    """

    #: The fields that hold paths, seen from the folder of the file in which they are written.
    paths: ClassVar[tuple[str, ...]] = ()
    #: Whether samples are images that `load` brings to one size, where it is given one.
    resizes: ClassVar[bool] = False

    @property
    def streams(self) -> bool:
        """Whether samples come one after the other, nobody knows how many."""
        return False

    @property
    def size(self) -> int | None:
        """How many samples there are to train with; None where only loading them tells."""
        try:
            return self.count()
        except DataError:  # which `sample` raises as well
            return None

    def count(self) -> int | None:
        """Return how many samples there are to train with; None where only loading them tells.

        Raises:
            DataError: a file is there, and holds no samples.
        """
        return None

    def sample(self, wanted: Sample) -> Declared:
        """Return what a sample is; a synthetic source gives what is `wanted`.

        Raises:
            DataError: a file is there, and holds no samples.
        """
        raise TypeError(f"{type(self).__name__} does not say what its samples are")

    def names(self) -> tuple[str, ...] | None:
        """Return what the classes are called, in the order of their numbers; None: nobody knows.

        They mean something only where the loss compares with classes.

        Raises:
            DataError: its files cannot be read.
        """
        return None

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        """Return all inputs and all targets, those that train or those of another split.

        `size` is what images are brought to by a source that `resizes`.

        Raises:
            DataError: a file is missing or damaged, or there is no such split.
        """
        samples = self.open(wanted, split, size)
        if not isinstance(samples, Sized):
            raise DataError("what is streamed is not held in memory")
        return _stacked(samples)

    def open(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | Stream | None:
        """Return the samples to be read one by one; None of a source that has them in memory.

        Raises:
            DataError: as `load` does.
        """
        return None

    def check_split(self, split: str) -> None:
        """Refuse a split that the source is known not to have; by default it has none.

        Raises:
            DataError: it has no such split.
        """
        self.without_splits(split)

    def without_splits(self, split: str | None) -> None:
        """Refuse to give another split than what trains.

        Raises:
            DataError: one is asked for.
        """
        if split is not None:
            message = f"{type(self).__name__} has no split {split} of its own"
            raise DataError(message, help_="hold a part out: validation: 0.2")


def _stacked(samples: Samples) -> Loaded:
    """Read all samples into arrays.

    Raises:
        DataError: there are none, or they are of different shapes.
    """
    import numpy as np

    if not len(samples):
        raise DataError("it has no samples")
    inputs, target = samples[0]
    values = [np.asarray(value) for value in (*inputs, target)]
    columns = [np.empty((len(samples), *value.shape), value.dtype) for value in values]
    for index in range(len(samples)):
        inputs, target = samples[index]
        for column, value in zip(columns, (*inputs, target), strict=True):
            if np.shape(value) != column.shape[1:]:
                first, other = (times(x) for x in (column.shape[1:], np.shape(value)))
                raise DataError(f"its samples differ in shape: {first} and {other}")
            column[index] = value
    return tuple(columns[:-1]), columns[-1]
