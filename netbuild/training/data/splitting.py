"""The split of samples: the test is cut off first, then the validation; the rest trains.

Only the seed, the config and the samples decide a split, so a run can repeat it at any time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import torch

from netbuild.components.datasets.dataset import DataError
from netbuild.components.target import Classes
from netbuild.diagnostics.exceptions import TrainingError
from netbuild.training.data.batches import Batches, ReadBatches, Subset, shuffled_indices

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.datasets.dataset import Dataset, Declared, Sample
    from netbuild.config.preparation import Part, Preparation
    from netbuild.training.data.batches import IndexedSplit

#: Larger numbers of classes are one class when samples are split by class.
_MOST_CLASSES = 1 << 20


class Facts(NamedTuple):
    """The facts of samples that decide how they are split."""

    seed: int
    #: The class of each sample; None without a target that is one class.
    classes: torch.Tensor | None = None
    #: The number of each sample's group, from 0, by the name of the column.
    groups: dict[str, torch.Tensor] = {}  # noqa: RUF012  never changed
    #: The number of each sample's series, from 0; None for a single series.
    series: torch.Tensor | None = None
    #: The samples between the training and a later held-out part, which neither gets.
    gap: int = 0
    #: Whether the last samples are held out if a part has no `by`.
    overlaps: bool = False


class Indices(NamedTuple):
    """The numbers of the samples of each part."""

    training: torch.Tensor
    validation: torch.Tensor
    test: torch.Tensor
    #: A sentence for each part that groups have made larger or smaller than it is written.
    notes: tuple[str, ...] = ()


def facts(
    source: Dataset, data: IndexedSplit, wanted: Sample, preparation: Preparation, seed: int
) -> Facts:
    """Read the facts that decide how the samples of a source are split.

    Raises:
        DataError: a column of groups is missing, or has not one value for each sample.
    """
    number = _by_class(source.sample(wanted), wanted)
    # A sample with one target has a class. A picture with a class for each pixel has no class.
    targets = torch.empty(0, 0) if number is None else data.targets[number]
    classes = targets.clamp(0, _MOST_CLASSES) if targets.ndim == 1 else None
    groups = {}
    for name, part in preparation.parts.items():
        if part.group and part.group not in groups:
            groups[part.group] = _numbered(source.groups(part.group), len(data), name)
    series = source.numbers_of_series() if source.overlaps else None
    numbers = None if series is None else _numbered(series, len(data), "validation")
    return Facts(seed, classes, groups, numbers, source.gap, source.overlaps)


def _by_class(given: Declared, wanted: Sample) -> int | None:
    """Return the number of the target by which samples are split: the first one of classes."""
    kinds = [given.targets[name] or target for name, target in wanted.targets.items()]
    return next((n for n, kind in enumerate(kinds) if isinstance(kind, Classes)), None)


def _numbered(values: object, samples: int, at: str) -> torch.Tensor:
    """Return values as numbers from 0, in the order in which they first occur."""
    import numpy as np

    found = np.asarray(values)
    if found.shape != (samples,):
        message = f"it gives {len(found)} groups for {samples} samples"
        raise DataError(message, at)
    _, first, numbers = np.unique(found, return_index=True, return_inverse=True)
    ranks = np.empty_like(first)
    ranks[first.argsort()] = np.arange(len(first))
    return torch.from_numpy(ranks[numbers])


def split(samples: int, preparation: Preparation, known: Facts) -> Indices:
    """Split samples into training, validation and test.

    A part is empty if the preparation names a split of the source for it.

    Raises:
        TrainingError: a part, or the training, would have no samples.
    """
    if message := preparation.leaves_none(samples):
        raise TrainingError(message)
    training = torch.arange(samples)
    held = dict.fromkeys(("validation", "test"), training[:0])
    notes: list[str] = []
    counts = preparation.counts(samples)
    for name, part in preparation.parts.items():
        training, held[name] = _cut(training, name, part, counts[name], samples, known)
        notes += _notes(name, part, counts[name], samples, held[name], known)
    if not len(training):
        raise TrainingError(f"the samples left of {samples} leave none to train on")
    return Indices(training, held["validation"], held["test"], tuple(notes))


def _cut(
    left: torch.Tensor, name: str, part: Part, count: int, samples: int, known: Facts
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the samples that stay for training, and `count` held-out samples."""
    if part.group:
        return _by_group(left, name, part, known)
    if (part.by or ("order" if known.overlaps else "class")) == "order":
        return _by_order(left, part, samples, known)
    order = left[shuffled_indices(len(left), known.seed)]
    classes = known.classes
    if part.by == "chance" or classes is None:
        rank = torch.arange(len(left))
        chosen = rank % part.of == part.fold - 1 if part.fold else rank < count
    else:
        chosen = _of_classes(classes[order], part, count, asked=part.by == "class")
    return order[~chosen], order[chosen]


def _of_classes(classes: torch.Tensor, part: Part, count: int, *, asked: bool) -> torch.Tensor:
    """Return a mask of held-out samples, if possible with the same share of each class."""
    if part.fold:  # each class is dealt out, one sample to each fold
        rank = torch.empty_like(classes)
        rank[classes.argsort(stable=True)] = torch.arange(len(classes))
        return rank % part.of == part.fold - 1
    sizes = classes.bincount()
    sizes = sizes[sizes > 0]
    enough = sizes.min() >= 2 and len(sizes) <= min(count, len(classes) - count)
    if asked or enough:
        return _first_of_each(classes, count)
    return torch.arange(len(classes)) < count


def _first_of_each(classes: torch.Tensor, wanted: int) -> torch.Tensor:
    """Return a mask of `wanted` samples: the first of each class, in proportion to its size.

    Shares are rounded down. The classes with the largest remainders get one sample more.

    Args:
        classes: the class of each sample, (samples).
        wanted: the number of samples that are chosen.
    """
    counts = classes.bincount()
    exact = counts.double() * wanted / len(classes)
    share = exact.long()
    remainders = (exact - share).argsort(descending=True, stable=True)
    share[remainders[: wanted - int(share.sum())]] += 1
    by_class = classes.argsort(stable=True)
    place = torch.empty_like(classes)  # the position of each sample within its class
    begins = counts.cumsum(0) - counts
    place[by_class] = torch.arange(len(classes)) - begins[classes[by_class]]
    return place < share[classes]


def _by_order(
    left: torch.Tensor, part: Part, samples: int, known: Facts
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hold out the last part of each series, or one of several successive blocks of it."""
    series = torch.zeros(samples, dtype=torch.long) if known.series is None else known.series
    training, held = [], []
    for number in _distinct(series).tolist():
        own = left[series[left] == number]
        size = part.size(int((series == number).sum()), len(own))
        sizes = [part._replace(fold=n).size(0, len(own)) for n in range(1, part.fold)]
        begin = sum(sizes) if part.fold else len(own) - size
        end = begin + size
        held.append(own[begin:end])
        training += [own[: max(begin - known.gap, 0)], own[end + known.gap :]]
    return torch.cat(training), torch.cat(held)


def _distinct(numbers: torch.Tensor) -> torch.Tensor:
    """Return the different numbers, in rising order."""
    found: torch.Tensor = numbers.unique()  # type: ignore[no-untyped-call]
    return found


def _by_group(
    left: torch.Tensor, name: str, part: Part, known: Facts
) -> tuple[torch.Tensor, torch.Tensor]:
    """Hold out whole groups, so that the parts come near to their shares, also of each class.

    The largest groups are placed first. Each goes where Σ (count / total)² / share rises least,
    with a sum over the parts, over the classes and over all samples: it is least for parts in which
    everything has its share.

    Raises:
        TrainingError: there are fewer groups than parts.
    """
    assert part.group is not None
    groups = known.groups[part.group][left]
    shares = (
        torch.full((part.of,), 1 / part.of)
        if part.fold
        else torch.tensor([part.part, 1 - part.part])
    )
    present = _distinct(groups)
    if len(present) < len(shares):
        is_one = len(present) == 1
        has = f"{part.group} has {len(present)} group{'' if is_one else 's'}"
        message = f"{has} of {len(left)} samples, and {name} needs at least {len(shares)}"
        raise TrainingError(message)
    table = torch.zeros(int(groups.max()) + 1, 1, dtype=torch.double)
    table[:, 0] = groups.bincount()
    if known.classes is not None and part.by != "chance":
        classes = torch.searchsorted(_distinct(known.classes), known.classes[left])
        each = torch.zeros(len(table), int(classes.max()) + 1, dtype=torch.double)
        each.index_put_(
            (groups, classes), torch.ones(len(left), dtype=torch.double), accumulate=True
        )
        table = torch.cat([table, each], 1)
    order = present[shuffled_indices(len(present), known.seed)]
    order = order[table[order, 0].argsort(descending=True, stable=True)]
    place = _placed(table / table.sum(0), order, shares.double())
    chosen = place[groups] == (part.fold - 1 if part.fold else 0)
    return left[~chosen], left[chosen]


def _placed(table: torch.Tensor, order: torch.Tensor, shares: torch.Tensor) -> torch.Tensor:
    """Return the part of each group. Every part gets a group.

    Args:
        table: what each group has of everything, (groups, kinds); the first kind is all samples.
        order: the groups, in the order in which they are placed.
        shares: the share of each part.
    """
    place = torch.full((len(table),), -1)
    filled = torch.zeros(len(shares), table.shape[1], dtype=torch.double)
    for group in order.tolist():
        rise = ((2 * filled + table[group]) * table[group]).sum(1) / shares
        best = int(rise.argmin())
        place[group], filled[best] = best, filled[best] + table[group]
    for empty in (filled[:, 0] == 0).nonzero().flatten().tolist():
        place[order[-1]] = empty  # the smallest group; a fold is never empty
    return place


def _notes(
    name: str, part: Part, count: int, samples: int, held: torch.Tensor, known: Facts
) -> Iterator[str]:
    """Yield a sentence if groups have made a part larger or smaller by more than a quarter."""
    if not part.group or abs(len(held) - count) <= count / 4:
        return
    groups = known.groups[part.group]
    yield (
        f"{name} {part} holds {len(held):,} of {samples:,} samples, {len(held) / samples:.0%}: "
        f"{len(_distinct(groups[held]))} of {len(_distinct(groups))} groups of {part.group}"
    )


def chosen(data: IndexedSplit, indices: torch.Tensor) -> IndexedSplit:
    """Return a split of the chosen samples alone, in the order of the indices."""
    if isinstance(data, ReadBatches):
        return replace(data, samples=Subset(data.samples, indices.tolist()))
    inputs, targets = (tuple(x[indices] for x in part) for part in (data.inputs, data.targets))
    return Batches(inputs, targets)
