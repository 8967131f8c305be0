"""Samples that are read one by one, in blocks, or as a stream."""

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from netbuild.components.datasets.errors import DataError, bare, together
from netbuild.components.tensor import times

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

Arrays: TypeAlias = "tuple[np.ndarray[Any, Any], ...]"
#: All samples: an array (samples, *input) for each input, and one (samples, *target) for each
#: target, in the order of `Dataset.target_names`.
Loaded: TypeAlias = "tuple[Arrays, Arrays]"
#: The inputs and the targets of one sample.
Row: TypeAlias = "tuple[tuple[Any, ...], tuple[Any, ...]]"


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
                found.append(bare(error))
    return found


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

    def targets(self) -> Arrays:
        """Return each target of all samples, (samples, *target), without reading the inputs.

        Raises:
            DataError: a target cannot be read.
        """


@runtime_checkable
class Blocks(Samples, Protocol):
    """Samples that are read quickly, many at once.

    `indices` are an array of their numbers, in any order.
    """

    def block(self, indices: "np.ndarray[Any, Any]") -> Loaded:
        """Return some samples.

        Raises:
            DataError: a value cannot be an input or a target.
        """

    def block_targets(self, indices: "np.ndarray[Any, Any]") -> Arrays:
        """Return the targets of some samples, without reading their inputs.

        Raises:
            DataError: a value cannot be a target.
        """


class Stream(Protocol):
    """Samples that come one after the other, in unknown number."""

    def samples(self, seed: int | None) -> "Iterator[Row]":
        """Yield all samples, shuffled by the seed, or in the order of the source for None."""


def stacked(samples: Samples) -> Loaded:
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
            broken.append(bare(error))
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
