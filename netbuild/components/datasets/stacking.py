"""Samples that are read one by one, as arrays."""

from typing import TYPE_CHECKING, Any

from netbuild.components.datasets.dataset import DataError, Loaded, Samples, bare, together
from netbuild.components.tensor import times

if TYPE_CHECKING:
    pass


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
