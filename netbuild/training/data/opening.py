"""The samples of a split: held in memory if there is room, else read from their files."""

from __future__ import annotations

from collections.abc import Sized
from typing import TYPE_CHECKING

import torch

from netbuild.checks import objective
from netbuild.components.datasets.dataset import ONE_TARGET, DataError
from netbuild.components.machine import memory
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor, times
from netbuild.training.data.batches import Batches, ReadBatches, StreamedBatches, resized
from netbuild.training.data.reading import at_once, is_quick

if TYPE_CHECKING:
    from netbuild.components.datasets.dataset import Dataset, Sample
    from netbuild.components.target import Target
    from netbuild.config.preparation import Preparation
    from netbuild.training.data.batches import Inputs, Split, Targets

#: The part of the memory that samples may fill. The split and `normalize` copy them for a moment.
ROOM = 1 / 3
_UNITS = (("GB", 9), ("MB", 6))


def opened(source: Dataset, wanted: Sample, preparation: Preparation, split: str | None) -> Split:
    """Return the samples of a split: in memory if they fit, else read from their files.

    Raises:
        DataError: a file is missing or damaged, or a sample does not fit.
    """
    size = preparation.resize
    samples = None
    if preparation.in_memory is not True:
        samples = source.open(wanted, split, size)
    cpu = torch.device("cpu")
    if samples is not None and not isinstance(samples, Sized):
        return StreamedBatches(samples, cpu)
    why = ""
    if samples is not None:
        given = preparation.in_memory is False
        why = "in_memory is false" if given else too_large(len(samples), wanted)
    if samples is not None and why:
        rest = None if source.resizes else size
        found = ReadBatches(samples, cpu, 0, why=why, resize=rest)
        if is_quick(samples):
            _check_all(found, wanted)
        return found
    loaded = source.load(wanted, split, size)
    inputs, targets = (tuple(map(torch.from_numpy, part)) for part in loaded)
    if size and not source.resizes:
        inputs = resized(inputs, size)
    check(inputs, targets, wanted, gaps=source.leaves_gaps)
    return Batches(inputs, targets)


def too_large(samples: int, wanted: Sample) -> str:
    """Return a text that says that samples do not fit into their part of the memory, or "".

    It is a clause without a full stop, such as "3.2 GB are more than …".
    """
    tensors = (*wanted.inputs, *(target.tensor for target in wanted.targets.values()))
    needed, there = samples * sum(tensor.nbytes for tensor in tensors), memory()
    if needed <= ROOM * there:
        return ""
    return f"{_bytes(needed)} are more than a third of {_bytes(there)} of memory"


def _bytes(count: int) -> str:
    unit, power = next(((u, p) for u, p in _UNITS if count >= 10**p), ("kB", 3))
    return f"{count / 10**power:,.1f} {unit}"


def _check_all(data: ReadBatches, wanted: Sample) -> None:
    """Check samples in files as `check` does, some at a time."""
    for inputs, targets in data.in_order(at_once_of(wanted)):
        check(inputs, targets, wanted)


def at_once_of(wanted: Sample) -> int:
    """Return how many samples are read at once, when all are looked at."""
    return at_once(sum(x.nbytes for x in wanted.inputs))


def check(inputs: Inputs, targets: Targets, wanted: Sample, *, gaps: bool = False) -> None:
    """Check the shape and the dtype of samples, that values are finite, and that labels are known.

    With `gaps`, a value may be missing.

    Raises:
        DataError: the message names the first sample or label that does not fit.
    """
    if len(inputs) != len(wanted.inputs):
        message = f"it gives {len(inputs)} inputs, and the network reads {len(wanted.inputs)}"
        raise DataError(message)
    for x, needed in zip(inputs, wanted.inputs, strict=True):
        came = Tensor(tuple(x.shape[1:]), str(x.dtype).removeprefix("torch."))
        if came != needed:
            said = f"its samples are {times(came.shape)} of {came.dtype}"
            message = f"{said}, and the network reads {times(needed.shape)} of {needed.dtype}"
            raise DataError(message, help_=objective.resize(came, needed))
        finite = x.isfinite() | x.isnan() if gaps else x.isfinite()
        if x.is_floating_point() and not bool(finite.all()):
            sample = int((~finite).flatten(1).any(1).nonzero()[0])
            raise DataError(f"sample {sample} (from 0) holds values that are not finite")
    for name, labels in zip(wanted.targets, targets, strict=True):
        _check_labels(name, labels, wanted.targets[name])


def _check_labels(name: str, labels: torch.Tensor, wanted: Target) -> None:
    """Check that the network has a score for each label.

    Raises:
        DataError: the message names the largest label without a score.
    """
    if not isinstance(wanted, Classes) or labels.is_floating_point() or not len(labels):
        return
    classes, ignored = wanted.classes, wanted.ignored
    wrong = labels[(labels < 0) | (labels >= classes)]
    wrong = wrong if ignored is None else wrong[wrong != ignored]
    if len(wrong):
        of = "" if name == ONE_TARGET[0] else f" of {name}"
        said = f"a label{of} is {int(wrong.max())}"
        raise DataError(f"{said}, and the network has scores for 0 to {classes - 1}")
