"""Batches of samples: from tensors in memory, from worker processes, or from a stream.

Only the seed and the epoch decide the order of an epoch, so a training can continue at any batch.

Several processes share each batch: process r of n takes the samples r, r + n, r + 2n, … All
processes have to take the same number of steps. So a process without samples in a batch computes
one sample without a target, and this sample does not count.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import torch
from torch.nn.functional import interpolate

from netbuild.components.datasets.dataset import DataError, together, unreadable
from netbuild.training.data.reading import Reader, Subset, each_targets, stacked
from netbuild.training.signals import leave_to_parent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from netbuild.components.datasets.dataset import Samples, Size, Stream
    from netbuild.config.train import Train

#: The inputs of the network, and the targets in the order of `Dataset.target_names`.
Inputs: TypeAlias = "tuple[torch.Tensor, ...]"
Targets: TypeAlias = "tuple[torch.Tensor, ...]"
Batch: TypeAlias = "tuple[Inputs, Targets]"
#: An augmentation or a normalisation of a batch.
Transform: TypeAlias = "Callable[[Batch], Batch]"

#: The most seconds of the search for further samples that cannot be read.
_SEARCH = 60


class Share(NamedTuple):
    """The samples of each batch that this process computes."""

    rank: int = 0
    size: int = 1

    def of(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the indices of this process's samples, given the indices of a batch."""
        return indices if self.size == 1 else indices[self.rank :: self.size]


ALONE = Share()


class _IndexedBatches:
    """Samples that can be read in any order."""

    augment: Transform | None
    prepare: Transform | None

    def __len__(self) -> int:
        """The number of samples."""
        raise NotImplementedError

    def each_targets(self) -> Iterator[Targets]:
        """Yield the targets of all samples, some at a time, in any order."""
        raise NotImplementedError

    def in_order(self, size: int, most: int | None = None) -> Iterator[Batch]:
        """Yield batches in the order of the samples. They are copies: a layer may work in place."""
        for batch in self._chosen(torch.arange(len(self)), size, 0, most):
            yield _transformed(batch, self.prepare)

    def at(self, indices: torch.Tensor) -> Batch:
        """Return the samples at some indices, one of which at least is there, as one batch."""
        return _transformed(next(self._chosen(indices, len(indices), 0, 1)), self.prepare)

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[Batch]:
        """Yield batches in an order that only the seed decides, without the first `skip`."""
        transform = composed(self.augment, self.prepare)
        for batch in self._chosen(shuffled_indices(len(self), seed), size, skip, most):
            yield _transformed(batch, transform)

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        """Yield the batches of an order, without the first `skip` and up to `most`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Batches(_IndexedBatches):
    """Inputs and targets of one split, in the memory of the device."""

    inputs: Inputs  # of the network, each (samples, *input)
    targets: Targets  # each (samples, *target)
    augment: Transform | None = None
    prepare: Transform | None = None
    share: Share = ALONE

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.targets[0])

    def each_targets(self) -> Iterator[Targets]:
        """Yield the targets of all samples, in their order."""
        yield self.targets

    def first(self, samples: int) -> Batches:
        """Return a split of the first samples alone."""
        parts = (self.inputs, self.targets)
        inputs, targets = (tuple(part[:samples] for part in each) for each in parts)
        return replace(self, inputs=inputs, targets=targets)

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        # The whole order is moved to the device at once: each transfer takes time.
        for part in _parts(order.to(self.targets[0].device), size, skip, most):
            own = self.share.of(part)
            taken = own if len(own) else part[:1]
            x = tuple([x.index_select(0, taken) for x in self.inputs])
            yield x, tuple([y.index_select(0, own) for y in self.targets])


@dataclass(frozen=True)
class ReadBatches(_IndexedBatches):
    """Samples of one split that are read while the network trains, by worker processes if any.

    `why` says why they are not in memory. `resize` is the height and width that images get.
    """

    samples: Samples
    device: torch.device
    workers: int
    augment: Transform | None = None
    prepare: Transform | None = None
    share: Share = ALONE
    why: str = ""
    resize: Size | None = None

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.samples)

    def each_targets(self) -> Iterator[Targets]:
        """Yield the targets of all samples, some at a time; of a part of a source in any order."""
        return each_targets(self.samples)

    def first(self, samples: int) -> ReadBatches:
        """Return a split of the first samples alone."""
        chosen = np.arange(min(samples, len(self)))
        return replace(self, samples=Subset(self.samples, chosen))

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        own = (self.share.of(part) for part in _parts(order, size, skip, most))
        for count, batch in zip(map(len, own), self._read(order, size, skip, most), strict=True):
            if isinstance(batch, DataError):
                raise self._all_like(batch)
            inputs, targets = batch
            if self.resize:
                inputs = resized(inputs, self.resize)
            x = tuple(t.to(self.device, non_blocking=True) for t in inputs)
            yield x, tuple(t.to(self.device, non_blocking=True)[:count] for t in targets)

    def _read(self, *order: Any) -> Iterator[Batch | DataError]:
        """Yield the batches of an order: in this process, or from worker processes."""
        reader, batches = Reader(self.samples), _OwnIndices(self.share, order)
        if not self.workers:
            return map(reader.__getitems__, batches)
        from torch.utils.data import DataLoader

        loader: DataLoader[Batch | DataError] = DataLoader(
            reader,  # type: ignore[arg-type]  # it has the methods of a Dataset
            batch_sampler=batches,
            num_workers=self.workers,
            collate_fn=_as_read,
            # By default the loader draws a seed from the global generator, as dropout does.
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
            worker_init_fn=leave_to_parent,
        )
        return iter(loader)

    def readable(self, indices: torch.Tensor) -> Inputs | None:
        """Return the inputs of those samples that can be read; None if none can."""
        read = []
        for index in indices.tolist():
            with suppress(DataError):
                read.append(self.samples[index])
        return stacked(read)[0] if read else None

    def _all_like(self, error: DataError) -> DataError:
        """Return the error of a sample; if it cannot be read, with all others that cannot."""
        if not error.sample:
            return error
        samples = self.samples
        if isinstance(samples, Subset):  # also those of the other split
            samples = samples.samples
        return together(unreadable(samples, _SEARCH) or [error])


class _OwnIndices:
    """The numbers of the samples that this process reads for each batch.

    Without a sample of its own it reads the first one of the batch, which then does not count.
    """

    def __init__(self, share: Share, order: tuple[Any, ...]) -> None:
        self.share, self.order = share, order

    def __iter__(self) -> Iterator[list[int]]:
        for part in _parts(*self.order):
            own = self.share.of(part)
            yield (own if len(own) else part[:1]).tolist()


def _as_read(batch: Any) -> Any:
    """Return what `Reader` gives: a whole batch. Worker processes need a function with a name."""
    return batch


def resized(inputs: Inputs, size: Size) -> Inputs:
    """Return images that are scaled to a height and width."""
    return tuple(interpolate(x, size, mode="bilinear", antialias=True) for x in inputs)


@dataclass(frozen=True)
class StreamedBatches:
    """Samples of one split that come one after the other. Their number is unknown."""

    stream: Stream
    device: torch.device
    augment: Transform | None = None
    prepare: Transform | None = None

    def in_order(self, size: int, most: int | None = None) -> Iterator[Batch]:
        """Yield batches as the samples come."""
        for batch in islice(self._collected(size, None), most):
            yield _transformed(batch, self.prepare)

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[Batch]:
        """Yield batches in an order that the seed decides, without the first `skip`."""
        transform = composed(self.augment, self.prepare)
        for batch in islice(self._collected(size, seed), skip, most):
            yield _transformed(batch, transform)

    def first(self, samples: int) -> Batches:
        """Return a split of the first samples alone, in memory."""
        x, targets = next(self._collected(samples, None))
        return Batches(x, targets, self.augment, self.prepare)

    def _collected(self, size: int, seed: int | None) -> Iterator[Batch]:
        samples = iter(self.stream.samples(seed))
        while together := list(islice(samples, size)):
            inputs, targets = stacked(together)
            x, y = (tuple(t.to(self.device) for t in each) for each in (inputs, targets))
            yield x, y


#: A split whose samples can be read in any order.
IndexedSplit: TypeAlias = Batches | ReadBatches
#: The samples that train, or those that validate.
Split: TypeAlias = Batches | ReadBatches | StreamedBatches


def steps(data: Split, train: Train, *, whole: bool = False) -> int | None:
    """Return the number of steps of an epoch; None for a stream, whose length is unknown.

    `whole` leaves out a smaller last batch.
    """
    if isinstance(data, StreamedBatches):
        limit = train.limit_batches
        return None if limit is None else -(-limit // train.accumulate)
    return train.steps(len(data), whole=whole)


def of_epoch(
    data: Split, train: Train, epoch: int, skip: int = 0, *, whole: bool = False
) -> Iterator[Batch]:
    """Yield the batches of an epoch, counted from 0, without the first `skip`.

    `whole` leaves out a smaller last batch, unless it is the only one.
    """
    seed = (train.seed << 31) + epoch
    batches = data.shuffled(train.batch_size, seed, skip=skip, most=train.limit_batches)
    for number, batch in enumerate(batches, start=skip):
        if whole and number and batch[1][0].shape[0] < train.batch_size:
            return
        yield batch


def _transformed(batch: Batch, transform: Transform | None) -> Batch:
    return transform(batch) if transform else batch


def composed(first: Transform | None, second: Transform | None) -> Transform | None:
    """Return the transform that applies both, one after the other."""
    if first is None or second is None:
        return first or second
    return lambda batch: second(first(batch))


def shuffled_indices(samples: int, seed: int) -> torch.Tensor:
    """Return the indices of all samples, in an order that only the seed decides."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed))


def _parts(order: torch.Tensor, size: int, skip: int, most: int | None) -> Iterator[torch.Tensor]:
    """Yield the indices of each batch, without the first `skip` and up to `most`."""
    end = len(order) if most is None else min(len(order), most * size)
    if skip * size < end:
        yield from torch.split(order[skip * size : end], size)
