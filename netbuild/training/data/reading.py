"""Samples that stay in their files: a part of them, and several read together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import torch

from netbuild.components.datasets.dataset import Blocks, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.components.datasets.dataset import Row, Samples

#: The inputs or the targets of some samples.
Tensors: TypeAlias = "tuple[torch.Tensor, ...]"
_Batch: TypeAlias = "tuple[Tensors, Tensors]"

#: The bytes that are read at once when all samples are looked at. One sample may be larger.
_AT_ONCE = 1 << 24


class Subset:
    """Some samples of a source, in their own order: 8 bytes for each."""

    def __init__(self, samples: Samples, indices: np.ndarray[Any, Any]) -> None:
        #: The whole source, which is no `Subset` itself.
        self.samples: Samples = samples.samples if isinstance(samples, Subset) else samples
        self.indices: np.ndarray[Any, Any] = indices
        if isinstance(samples, Subset):
            self.indices = samples.indices[indices]

    def __len__(self) -> int:
        """The number of chosen samples."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Row:
        """Return the inputs and the targets of a chosen sample."""
        return self.samples[int(self.indices[index])]

    def targets(self) -> tuple[np.ndarray[Any, Any], ...]:
        """Return the targets of the chosen samples."""
        if isinstance(self.samples, Blocks):
            return self.samples.block_targets(self.indices)
        return tuple(targets[self.indices] for targets in self.samples.targets())


class Reader:
    """Samples with the methods that torch's `DataLoader` calls."""

    def __init__(self, samples: Samples) -> None:
        self.samples, self.quick = samples, is_quick(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitems__(self, indices: Sequence[int]) -> _Batch | DataError:
        """Return the batch of some samples, or the first error among them."""
        try:
            return read(self.samples, np.asarray(indices), quick=self.quick)
        except DataError as error:
            return error  # torch would put the traceback of a raised error into its message


def read(samples: Samples, indices: np.ndarray[Any, Any], *, quick: bool) -> _Batch:
    """Return the batch of some samples. `quick` is what `is_quick` says of them.

    Raises:
        DataError: a sample cannot be read.
    """
    if isinstance(samples, Subset):
        indices, samples = samples.indices[indices], samples.samples
    if quick:
        inputs, targets = cast("Blocks", samples).block(indices)
        return tuple(map(torch.from_numpy, inputs)), tuple(map(torch.from_numpy, targets))
    return stacked([samples[index] for index in indices.tolist()])


def stacked(rows: list[Row]) -> _Batch:
    """Return the batch of some samples."""
    columns = (zip(*parts, strict=True) for parts in zip(*rows, strict=True))
    inputs, targets = (
        tuple([torch.stack([*map(torch.as_tensor, column)]) for column in part]) for part in columns
    )
    return inputs, targets


def each_targets(samples: Samples) -> Iterator[Tensors]:
    """Yield the targets of all samples, some at a time; those of a `Subset` in any order."""
    indices = np.arange(len(samples))
    if isinstance(samples, Subset):
        indices, samples = np.sort(samples.indices), samples.samples  # read from start to end
    if not isinstance(samples, Blocks):
        yield tuple(torch.from_numpy(targets[indices]) for targets in samples.targets())
        return
    first = samples.block_targets(indices[:1])
    for start in range(0, len(indices), size := at_once(sum(each.nbytes for each in first))):
        found = samples.block_targets(indices[start : start + size])
        yield tuple(map(torch.from_numpy, found))


def at_once(nbytes: int) -> int:
    """Return how many samples of some bytes are read at once, when all are looked at."""
    return max(1, _AT_ONCE // max(1, nbytes))


def is_quick(samples: Samples) -> bool:
    """Whether samples are copied from files rather than decoded, so that no worker is needed."""
    return isinstance(samples.samples if isinstance(samples, Subset) else samples, Blocks)
