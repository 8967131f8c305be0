"""Batches of samples: index selections of tensors in memory, or what worker processes read.

The order of an epoch is decided by the seed and the epoch alone, and so any of its batches can be
the first. Of each batch a process of several takes every so manieth sample; where none is left for
it, it takes one that does not count, whose targets are empty: all processes take the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch

from netbuild.components.datasets.dataset import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from netbuild.components.datasets.dataset import Samples, Stream
    from netbuild.config.train import Train

Inputs: TypeAlias = "tuple[torch.Tensor, ...]"
Batch: TypeAlias = "tuple[Inputs, torch.Tensor]"
#: What is done to the inputs of a batch that trains, or of any.
Change: TypeAlias = "Callable[[Inputs], Inputs]"


class Share(NamedTuple):
    """Which part of each batch is that of this process."""

    rank: int = 0
    size: int = 1

    def of(self, indices: torch.Tensor) -> torch.Tensor:
        """Return its samples of a batch."""
        return indices if self.size == 1 else indices[self.rank :: self.size]


ALONE = Share()


class _Numbered:
    """Samples that have numbers, of which any can be had."""

    augment: Change | None
    prepare: Change | None

    def __len__(self) -> int:
        """The number of samples."""
        raise NotImplementedError

    def in_order(self, size: int, most: int | None = None) -> Iterator[Batch]:
        """Yield batches as the samples lie, copied: a first layer may work in place."""
        for batch in self._chosen(torch.arange(len(self)), size, 0, most):
            yield _changed(batch, self.prepare)

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[Batch]:
        """Yield batches in an order that the seed alone decides, without the first `skip`."""
        change = _both(self.augment, self.prepare)
        for batch in self._chosen(in_an_order(len(self), seed), size, skip, most):
            yield _changed(batch, change)

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        """Yield the batches of an order, without the first `skip` and up to `most`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Batches(_Numbered):
    """Inputs and targets of one split, on the device that computes."""

    inputs: Inputs  # of the network, each (samples, *input)
    targets: torch.Tensor  # (samples, *target)
    augment: Change | None = None
    prepare: Change | None = None
    share: Share = ALONE

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.targets)

    def first(self, samples: int) -> Batches:
        """Return the first samples alone."""
        return replace(
            self, inputs=tuple(x[:samples] for x in self.inputs), targets=self.targets[:samples]
        )

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        # The whole order at once: each move to a device takes its time.
        for part in _parts(order.to(self.targets.device), size, skip, most):
            own = self.share.of(part)
            taken = own if len(own) else part[:1]
            x = tuple([x.index_select(0, taken) for x in self.inputs])
            yield x, self.targets.index_select(0, own)


@dataclass(frozen=True)
class Read(_Numbered):
    """Samples of one split that worker processes read as they are wanted."""

    samples: Samples
    device: torch.device
    workers: int
    augment: Change | None = None
    prepare: Change | None = None
    share: Share = ALONE

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.samples)

    @property
    def targets(self) -> torch.Tensor:
        """The targets of all samples, of which only they are read."""
        return torch.from_numpy(self.samples.targets())

    def first(self, samples: int) -> Read:
        """Return the first samples alone."""
        return replace(self, samples=Chosen(self.samples, range(min(samples, len(self)))))

    def _chosen(
        self, order: torch.Tensor, size: int, skip: int, most: int | None
    ) -> Iterator[Batch]:
        from torch.utils.data import DataLoader

        shares = [(self.share.of(part), part) for part in _parts(order, size, skip, most)]
        loader: DataLoader[Batch | DataError] = DataLoader(
            _Collatable(self.samples),  # type: ignore[arg-type]  # all that a data set has to be
            batch_sampler=[(own if len(own) else part[:1]).tolist() for own, part in shares],
            num_workers=self.workers,
            collate_fn=_collated,
            # Whose seed for the workers would be drawn from what dropout draws from.
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
        )
        for (own, _), batch in zip(shares, loader, strict=True):
            if isinstance(batch, DataError):
                raise batch
            inputs, targets = batch
            x = tuple(t.to(self.device, non_blocking=True) for t in inputs)
            yield x, targets.to(self.device, non_blocking=True)[: len(own)]


@dataclass(frozen=True)
class Streamed:
    """Samples that come one after the other, nobody knows how many."""

    stream: Stream
    device: torch.device
    augment: Change | None = None
    prepare: Change | None = None

    def in_order(self, size: int, most: int | None = None) -> Iterator[Batch]:
        """Yield batches as the samples come."""
        for batch in islice(self._collected(size, None), most):
            yield _changed(batch, self.prepare)

    def shuffled(
        self, size: int, seed: int, skip: int = 0, most: int | None = None
    ) -> Iterator[Batch]:
        """Yield batches in an order that the seed decides, without the first `skip`."""
        change = _both(self.augment, self.prepare)
        for batch in islice(self._collected(size, seed), skip, most):
            yield _changed(batch, change)

    def first(self, samples: int) -> Batches:
        """Return the first samples alone, in memory."""
        x, target = next(self._collected(samples, None))
        return Batches(x, target, self.augment, self.prepare)

    def _collected(self, size: int, seed: int | None) -> Iterator[Batch]:
        samples = iter(self.stream.samples(seed))
        while together := list(islice(samples, size)):
            inputs, targets = _stacked([_tensors(sample) for sample in together])
            yield tuple(t.to(self.device) for t in inputs), targets.to(self.device)


class Chosen:
    """Some of the samples of a source, in another order."""

    def __init__(self, samples: Samples, indices: Sequence[int]) -> None:
        self.samples, self.indices = samples, indices

    def __len__(self) -> int:
        """The number of those that were chosen."""
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        """Return one of them."""
        return self.samples[int(self.indices[index])]

    def targets(self) -> np.ndarray[Any, Any]:
        """Return the targets of those that were chosen."""
        found: np.ndarray[Any, Any] = self.samples.targets()[list(self.indices)]
        return found


class _Collatable:
    """Samples as torch's loader reads them."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Batch | DataError:
        try:
            return _tensors(self.samples[index])
        except DataError as error:
            return error  # raised, torch would put the traceback into its message


def _collated(samples: list[Batch | DataError]) -> Batch | DataError:
    """Return the batch of some samples, or the first error among them."""
    read: list[Batch] = []
    for sample in samples:
        if isinstance(sample, DataError):
            return sample
        read.append(sample)
    return _stacked(read)


def steps(data: Batches | Read | Streamed, train: Train) -> int | None:
    """Return the number of steps of an epoch; None where only its end tells."""
    if isinstance(data, Streamed):
        limit = train.limit_batches
        return None if limit is None else -(-limit // train.accumulate)
    return train.steps(len(data))


def _changed(batch: Batch, change: Change | None) -> Batch:
    x, target = batch
    return (change(x) if change else x), target


def _both(first: Change | None, second: Change | None) -> Change | None:
    """Return what does both, one after the other."""
    if first is None or second is None:
        return first or second
    return lambda inputs: second(first(inputs))


def _tensors(sample: tuple[tuple[np.ndarray[Any, Any], ...], Any]) -> Batch:
    inputs, target = sample
    return tuple(torch.as_tensor(x) for x in inputs), torch.as_tensor(target)


def _stacked(samples: list[Batch]) -> Batch:
    columns = zip(*(inputs for inputs, _ in samples), strict=True)
    return tuple(map(torch.stack, columns)), torch.stack([target for _, target in samples])


def in_an_order(samples: int, seed: int) -> torch.Tensor:
    """Return the numbers of all samples in an order that the seed alone decides."""
    return torch.randperm(samples, generator=torch.Generator().manual_seed(seed))


def _parts(order: torch.Tensor, size: int, skip: int, most: int | None) -> Iterator[torch.Tensor]:
    """Yield the indices of each batch, from one on, up to a number of them."""
    end = len(order) if most is None else min(len(order), most * size)
    for start in range(skip * size, end, size):
        yield order[start : min(start + size, end)]
