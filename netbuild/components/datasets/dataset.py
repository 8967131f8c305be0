"""The contract of a data source: its samples, described without loading them."""

from collections.abc import Mapping, Sized
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Literal,
    NamedTuple,
    TypeAlias,
)

from netbuild.components.component import Component
from netbuild.components.datasets.errors import DataError, together
from netbuild.components.datasets.samples import (
    Blocks,
    Loaded,
    Row,
    Samples,
    Stream,
    stacked,
    unreadable,
)
from netbuild.components.target import Target
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np

#: Names of other modules that others import from here.
__all__ = ["Blocks", "DataError", "Loaded", "Row", "Samples", "Stream", "together", "unreadable"]


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


class Past(NamedTuple):
    """A column of a target that is also in an input: the numbers of the column and of the input.

    `place` is its number among the columns of the input.
    """

    column: int
    input: int
    place: int


class Declared(NamedTuple):
    """The description of a sample before loading; None for facts that only loading tells."""

    inputs: tuple[Tensor | None, ...]
    targets: Mapping[str, Target | None]

    @property
    def target(self) -> Target | None:
        """The first target, which is the only one of most sources."""
        return next(iter(self.targets.values()))


#: The smallest and the largest of some whole numbers.
Bounds: TypeAlias = tuple[int, int]

#: Height and width.
Size: TypeAlias = tuple[int, int]


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

    def counted(self, inputs: tuple[Tensor, ...]) -> tuple[tuple[str, int] | None, ...]:
        """Return the column of each input that is one of categories, and their number.

        They count from 1, and 0 is a category that training has not seen. None for other inputs.

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

    def unseen(self, wanted: Sample) -> Mapping[str, int]:
        """Return how many values of each column are categories that training has not seen.

        Raises:
            DataError: a file cannot be read.
        """
        return {}

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

    @property
    def leaves_gaps(self) -> bool:
        """Whether a loaded input may hold NaN, where `filled` puts a number."""
        return False

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
        return stacked(samples)

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

    @property
    def over_time(self) -> bool:
        """Whether the first axis of inputs and targets is time, as in windows of a series."""
        return False

    def past(self, inputs: int) -> "Mapping[str, tuple[Past, ...]]":
        """Return the columns of each target that are also in the inputs.

        Args:
            inputs: the number of inputs of the network.

        Raises:
            DataError: a file cannot be read.
        """
        return {}

    @property
    def overlaps(self) -> bool:
        """Whether samples overlap with their neighbours, as windows of a series do.

        Without `by`, the last samples are then held out.
        """
        return False

    def numbers_of_series(self, split: str | None = None) -> "np.ndarray[Any, Any] | None":
        """Return the number of the series of each sample; None for a single one.

        `by: order` holds out the last part of each series.
        """
        return None

    @property
    def gap(self) -> int:
        """The number of samples that overlap with the one behind them.

        `by: order` leaves them out before each held-out part.
        """
        return 0

    def check_group(self, column: str) -> None:
        """Refuse a column that cannot group the samples; by default a source has no columns.

        Raises:
            DataError: there is no such column, or the network reads it.
        """
        message = f"{type(self).__name__} has no columns that group its samples"
        raise DataError(
            message, help_="use Csv, Hub or Arrays, or split by: class, chance or order"
        )

    def groups(self, column: str, split: str | None = None) -> "np.ndarray[Any, Any]":
        """Return the value of a column for each sample. Samples of one value are a group.

        Raises:
            DataError: as `check_group` does, or a file cannot be read.
        """
        self.check_group(column)
        raise DataError(f"{type(self).__name__} does not tell its groups")

    def without_splits(self, split: str | None) -> None:
        """Refuse any split except the training samples.

        Raises:
            DataError: `split` is not None.
        """
        if split is not None:
            message = f"{type(self).__name__} has no split {split} of its own"
            raise DataError(message, help_="hold out a share of the samples: validation: 0.2")
