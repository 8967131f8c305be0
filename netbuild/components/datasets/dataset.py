"""The contract of a data source: its samples, described without loading them."""

import time
from collections.abc import Mapping, Sized
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

from netbuild.components.component import Component
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np


class Sample(NamedTuple):
    """What a network and its losses need of a sample.

    `inputs` are in the order of the network's inputs. `targets` has each target of the source by
    its name; it is `Nothing` if no loss reads it. `size` is what `resize` brings pictures to.
    """

    inputs: tuple[Tensor, ...]
    targets: Mapping[str, Target]
    size: "Size | None" = None

    @property
    def target(self) -> Target:
        """The first target, which is the only one of most sources."""
        return next(iter(self.targets.values()))


class Repeat(NamedTuple):
    """A target that repeats an input: at place t it is the input at place t + shift.

    `input` is the number of the input, and `target` the name of the target. The `axis` of both
    holds the places.
    """

    input: int
    shift: int
    axis: int = 0
    target: str = "target"


class Declared(NamedTuple):
    """The description of a sample before loading; None for facts that only loading tells."""

    inputs: tuple[Tensor | None, ...]
    targets: Mapping[str, Target | None]

    @property
    def target(self) -> Target | None:
        """The first target, which is the only one of most sources."""
        return next(iter(self.targets.values()))


_Arrays: TypeAlias = "tuple[np.ndarray[Any, Any], ...]"
#: All samples: an array (samples, *input) for each input, and one (samples, *target) for each
#: target, in the order of `Dataset.target_names`.
Loaded: TypeAlias = "tuple[_Arrays, _Arrays]"
#: The inputs and the targets of one sample.
Row: TypeAlias = "tuple[tuple[Any, ...], tuple[Any, ...]]"

#: The smallest and the largest of some whole numbers.
Bounds: TypeAlias = tuple[int, int]

#: Height and width.
Size: TypeAlias = tuple[int, int]


class DataError(Exception):
    """A source cannot give its samples. The message is a sentence; `at` is the field at fault.

    `sample` is the name of a sample that cannot be read, such as a damaged image, or that is
    `unfit`: it can be read, and not be used.
    """

    def __init__(
        self,
        message: str,
        at: str | None = None,
        help_: str | None = None,
        *,
        sample: str = "",
        unfit: bool = False,
    ) -> None:
        super().__init__(message)
        self.at, self.help, self.sample, self.unfit = at, help_, sample, unfit

    @property
    def unreadable(self) -> bool:
        """Whether a sample cannot be read, so that it may be left out."""
        return bool(self.sample) and not self.unfit


#: The most samples that a message names.
_MOST_NAMES = 10


def together(errors: "Sequence[DataError]") -> DataError:
    """Return one error that names all samples that cannot be read or used."""
    first, *others = errors
    if not others:
        return first
    names = [*dict.fromkeys(error.sample for error in errors)]
    left = len(names) - _MOST_NAMES
    *most, last = [*names[:_MOST_NAMES], f"{left:,} more"] if left > 0 else names
    unfit = any(error.unfit for error in errors)
    said = f"{len(errors):,} samples cannot be {'used' if unfit else 'read'}"
    message = f"{said}: {', '.join(most)} and {last}; {first}"
    return DataError(message, first.at, first.help, sample=first.sample, unfit=unfit)


def unreadable(samples: "Samples", seconds: float) -> list[DataError]:
    """Return the errors of all samples with names; the search takes some seconds at most.

    Other faults of samples are not collected.
    """
    found, end = [], time.monotonic() + seconds
    for index in range(len(samples)):
        if time.monotonic() > end:
            break
        try:
            samples[index]
        except DataError as error:
            if error.sample:
                found.append(_bare(error))
    return found


def _bare(error: DataError) -> DataError:
    """Return the error of a sample without its traceback, whose frames hold the file open."""
    return DataError(str(error), error.at, error.help, sample=error.sample, unfit=error.unfit)


class Samples(Protocol):
    """Samples that are read one by one, because all of them may not fit in memory.

    Worker processes read them too, so the object can be pickled.
    """

    def __len__(self) -> int:
        """Return the number of samples."""

    def __getitem__(self, index: int) -> Row:
        """Return the inputs of a sample and its targets.

        Raises:
            DataError: the sample cannot be read, or differs in shape or type from the others.
        """

    def targets(self) -> _Arrays:
        """Return each target of all samples, (samples, *target), without reading the inputs.

        Raises:
            DataError: a target cannot be read.
        """


class Stream(Protocol):
    """Samples that come one after the other, in unknown number."""

    def samples(self, seed: int | None) -> "Iterator[Row]":
        """Yield all samples, shuffled by the seed, or in the order of the source for None."""


#: How a target lies on the picture of its sample: a class at each of its pixels, another picture of
#: the same scene, or numbers in pixels: corners of boxes (x1, y1, x2, y2), or points (x, y). Pixels
#: count from the left and the top edge: the centre of the first pixel is (0.5, 0.5).
Geometry: TypeAlias = Literal["mask", "picture", "boxes", "points"]

#: The targets of a source that has one, by name.
ONE_TARGET = ("target",)


class Dataset(Component):
    """A source of samples: `sample` describes them, and `load` reads all of them.

    The files of a source may be missing when a config is checked. Then `size` and the description
    by `sample` are None, and there is no fault. `load` raises an error for missing files.
    """

    #: The fields that hold paths; a path is relative to the folder of the file that contains it.
    paths: ClassVar[tuple[str, ...]] = ()
    #: Whether samples are images that `load` resizes when it gets a size.
    resizes: ClassVar[bool] = False

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets. A single target without a name of its own is `target`."""
        return ONE_TARGET

    @property
    def geometry(self) -> Mapping[str, Geometry]:
        """The targets that lie on the picture, and move with it, by name."""
        return {}

    @property
    def named_inputs(self) -> tuple[str, ...] | None:
        """The inputs of the network that a mapping names; None if the order tells them."""
        inputs = getattr(self, "inputs", None)
        return tuple(inputs) if isinstance(inputs, Mapping) else None

    @property
    def streams(self) -> bool:
        """Whether samples come one after the other, in unknown number."""
        return False

    @property
    def size(self) -> int | None:
        """The number of training samples; None if only loading tells it."""
        try:
            return self.count()
        except DataError:  # `sample` raises it too
            return None

    def count(self) -> int | None:
        """Return the number of training samples; None if only loading tells it.

        Raises:
            DataError: a file exists, but holds no samples.
        """
        return None

    def sample(self, wanted: Sample) -> Declared:
        """Return the description of a sample; `wanted` is what the network and loss need.

        Raises:
            DataError: a file exists, but holds no samples.
        """
        raise TypeError(f"{type(self).__name__} does not say what its samples are")

    def repeats(self, wanted: Sample) -> tuple[Repeat, ...]:
        """Return the inputs that targets repeat, from a later place.

        Raises:
            DataError: a file exists, but cannot be read.
        """
        return ()

    def bounds(
        self, inputs: tuple[Tensor, ...], split: str | None = None
    ) -> tuple[Bounds | None, ...]:
        """Return the bounds of the numbers of each input; None for fractions and unknown numbers.

        Args:
            inputs: the inputs of the network.
            split: None for the training samples, or the name of another split.

        Raises:
            DataError: as `sample` does.
        """
        return (None,) * len(inputs)

    def names(self, target: str = "target", ignored: int | None = None) -> tuple[str, ...] | None:
        """Return the names of the classes of a target, in the order of their numbers.

        None if they are unknown. The names matter only if a loss compares with classes. `ignored`
        is a number in the target that the loss ignores, and that is no class.

        Raises:
            DataError: a file cannot be read.
        """
        return None

    def kept(self) -> Mapping[str, Any] | None:
        """Return what a run keeps of the source, as values of JSON; None if there is nothing.

        An evaluation or a prediction needs it, such as the numbers of categories or a vocabulary.

        Raises:
            DataError: a file cannot be read.
        """
        return None

    def with_kept(self, kept: Mapping[str, Any]) -> "Dataset":
        """Return the source with what a run has kept, instead of what its files hold now.

        Raises:
            DataError: these are not the values of such a source.
        """
        return self

    def fitted(self, wanted: Sample, training: Loaded) -> "Dataset":
        """Return the source with what only the training samples tell, such as means.

        `kept` then has it too.
        """
        return self

    def filled(self, wanted: Sample, loaded: Loaded) -> Loaded:
        """Return samples of the source in which what `fitted` has measured is used."""
        return loaded

    def load(self, wanted: Sample, split: str | None = None, size: Size | None = None) -> Loaded:
        """Return all inputs and all targets of the training samples, or of another split.

        A source that `resizes` brings images to `size`.

        Raises:
            DataError: a file is missing or damaged, or there is no such split.
        """
        samples = self.open(wanted, split, size)
        if not isinstance(samples, Sized):
            raise DataError("streamed samples cannot be held in memory")
        return _stacked(samples)

    def open(
        self, wanted: Sample, split: str | None = None, size: Size | None = None
    ) -> Samples | Stream | None:
        """Return the samples, to be read one by one; None if the source holds them in memory.

        Raises:
            DataError: as `load` does.
        """
        return None

    def check_split(self, split: str) -> None:
        """Refuse a split that the source surely lacks; by default a source has no splits.

        Raises:
            DataError: the source has no such split.
        """
        self.without_splits(split)

    def without_splits(self, split: str | None) -> None:
        """Refuse any split except the training samples.

        Raises:
            DataError: `split` is not None.
        """
        if split is not None:
            message = f"{type(self).__name__} has no split {split} of its own"
            raise DataError(message, help_="hold out a share of the samples: validation: 0.2")


def _stacked(samples: Samples) -> Loaded:
    """Read all samples into arrays.

    Raises:
        DataError: there are no samples, some cannot be read, or they differ in shape.
    """
    import numpy as np

    if not len(samples):
        raise DataError("it has no samples")
    columns: list[np.ndarray[Any, Any]] = []
    broken: list[DataError] = []
    for index in range(len(samples)):
        try:
            inputs, targets = samples[index]
        except DataError as error:
            if not error.sample:
                raise
            broken.append(_bare(error))
            continue
        if not columns:
            values = [np.asarray(value) for value in (*inputs, *targets)]
            columns = [np.empty((len(samples), *value.shape), value.dtype) for value in values]
        for column, value in zip(columns, (*inputs, *targets), strict=True):
            if np.shape(value) != column.shape[1:]:
                first, other = (times(x) for x in (column.shape[1:], np.shape(value)))
                raise DataError(f"its samples differ in shape: {first} and {other}")
            column[index] = value
    if broken:
        raise together(broken)
    count = len(inputs)
    return tuple(columns[:count]), tuple(columns[count:])
