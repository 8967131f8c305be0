"""From the section `data:` to batches: samples are loaded, checked, split and normalised."""

from __future__ import annotations

import os
from collections.abc import Sized
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn.functional import interpolate

from netbuild.checks import data as fitting
from netbuild.checks import objective
from netbuild.components.datasets.dataset import ONE_TARGET, DataError
from netbuild.components.target import Classes
from netbuild.components.tensor import Tensor, product, times
from netbuild.training.data import distribution, splitting
from netbuild.training.data.augmentation import augmenter
from netbuild.training.data.batches import (
    Batches,
    ReadBatches,
    Share,
    StreamedBatches,
    shuffled_indices,
)
from netbuild.training.errors import data_faults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netbuild.components.datasets.dataset import Dataset, Loaded, Sample
    from netbuild.components.target import Target
    from netbuild.config.config import Config
    from netbuild.config.preparation import Preparation
    from netbuild.graph.graph import Graph
    from netbuild.training.data.batches import (
        Batch,
        Inputs,
        Split,
        Targets,
        Transform,
    )
    from netbuild.training.parallel.distributed import World

#: The part of the machine's memory that samples may fill. Larger data is read sample by sample.
_ROOM = 0.5


class Data(NamedTuple):
    """Both splits, the preparation with its measured numbers, and the weights of the classes.

    `kept` is what the run keeps of the data.
    """

    training: Split
    held_out: Split
    preparation: Preparation
    class_weights: torch.Tensor | None
    kept: dict[str, Any]
    #: Sentences about a part that groups have made larger, or about samples far from the training.
    notes: tuple[str, ...] = ()


def load(
    graph: Graph,
    world: World,
    kept: Mapping[str, Any] | None = None,
    split: str | None = None,
) -> Data:
    """Load a config's data, prepare it, and split it for training and validation.

    Args:
        graph: the network, and its config.
        world: the processes that share the samples.
        kept: what an existing run has kept of the data. None measures it.
        split: the samples to evaluate: `validation`, `test`, `train` or a split of the source. None
            for a training, which validates with `validation`.

    Raises:
        ConfigError: a file is missing, or a sample or a label does not fit.
        TrainingError: there are too few samples to split.
    """
    with data_faults(graph.config):
        return _loaded(graph, world, kept, split)


def _loaded(graph: Graph, world: World, kept: Mapping[str, Any] | None, split: str | None) -> Data:
    config = graph.config
    source, preparation, train = config.data, config.preparation, config.train
    assert source is not None
    if kept and "source" in kept:
        source = source.with_kept(kept["source"])
    wanted = objective.wanted(config, graph.outputs)
    training, held_out, notes = _parts(graph, source, wanted, split or "validation")
    if kept is None and isinstance(training, Batches):
        source = source.fitted(wanted, _arrays(training))
    training, held_out = (_filled(part, source, wanted) for part in (training, held_out))
    if train.overfit_batches:
        training = held_out = training.first(train.overfit_batches * train.batch_size)
    if split:
        notes = _strange(kept or {}, config, held_out, wanted)
    if kept is None:
        kept = _kept(source, training, wanted, [*config.inputs])
    measured, prepare = normalised(training, preparation, wanted)
    weighed = fitting.weighed(config, graph.outputs)
    weights = _class_weights(training, measured, wanted, *weighed[:1])
    # The network shall memorise these samples, so they are not augmented.
    augment = None if train.overfit_batches else augmenter(preparation.augment, world.device)
    workers = _workers(train.workers)
    return Data(
        _placed(training, world, prepare, workers, augment),
        _placed(held_out, world, prepare, workers),
        measured,
        weights,
        dict(kept),
        notes,
    )


def _parts(
    graph: Graph, source: Dataset, wanted: Sample, split: str
) -> tuple[Split, Split, tuple[str, ...]]:
    """Return the samples that train, those that validate, and sentences about the split."""
    preparation = graph.config.preparation
    every = training = _opened(source, wanted, preparation, None)
    indices = None
    if preparation.parts:
        assert not isinstance(every, StreamedBatches)  # `checks.data` refuses parts of a stream
        seed = graph.config.train.seed
        known = splitting.facts(source, every, wanted, preparation, seed)
        indices = splitting.split(len(every), preparation, known)
        training = splitting.chosen(every, indices.training)
    if split == "train":
        return training, training, ()
    own = preparation.of_source(split)
    if own is not None or indices is None:
        try:
            return training, _opened(source, wanted, preparation, own or split), ()
        except DataError as error:
            if split == "test" and preparation.test is None:
                help_ = "hold out a test before the training: test: 0.2 beside the source"
                raise DataError(str(error), "validation", help_) from error
            raise
    assert not isinstance(every, StreamedBatches)
    held_out = indices.test if split == "test" else indices.validation
    return training, splitting.chosen(every, held_out), indices.notes


def _kept(source: Dataset, training: Split, wanted: Sample, names: Sequence[str]) -> dict[str, Any]:
    """Return what a new run keeps of its data: of its source, and of the inputs that train."""
    values = source.kept()
    some = _some(training, wanted)
    inputs = {} if some is None else distribution.measured(some, names)
    found = {} if values is None else {"source": dict(values)}
    return found | ({"inputs": inputs} if inputs else {})


def _strange(
    kept: Mapping[str, Any], config: Config, data: Split, wanted: Sample
) -> tuple[str, ...]:
    """Return a sentence for each input whose samples lie far from those of the training."""
    watch = distribution.Watch(kept.get("inputs"), [*config.inputs], distribution.columns(config))
    some = _some(data, wanted) if watch.wants else None
    if some is not None:
        watch.add(some)
    return tuple(watch.sentences())


#: The most samples that are read from files to measure their distribution.
_MOST_READ = 256


def _some(data: Split, wanted: Sample) -> Inputs | None:
    """Return the inputs of samples that are drawn at random; None for a stream.

    Samples that cannot be read are left out. The training reads all, and names those.
    """
    if isinstance(data, StreamedBatches):
        return None
    most = distribution.enough(sum(product(x.shape) for x in wanted.inputs))
    most = most if isinstance(data, Batches) else min(most, _MOST_READ)
    if len(data) <= most and isinstance(data, Batches):
        return data.inputs
    indices = shuffled_indices(len(data), 0)[:most]
    if isinstance(data, Batches):
        return tuple(x[indices] for x in data.inputs)
    return data.readable(indices)


def _arrays(data: Batches) -> Loaded:
    inputs, targets = (tuple(x.numpy() for x in part) for part in (data.inputs, data.targets))
    return inputs, targets


def _filled(data: Split, source: Dataset, wanted: Sample) -> Split:
    """Return samples in which what the source has measured is used."""
    if not isinstance(data, Batches):
        return data
    given = _arrays(data)
    found = source.filled(wanted, given)
    if found is given:
        return data
    inputs, targets = (tuple(map(torch.from_numpy, part)) for part in found)
    return replace(data, inputs=inputs, targets=targets)


def _opened(source: Dataset, wanted: Sample, preparation: Preparation, split: str | None) -> Split:
    """Return the samples of a split: in memory if they fit, else read sample by sample."""
    size = preparation.resize
    samples = None
    if preparation.in_memory is not True:
        samples = source.open(wanted, split, size)
    cpu = torch.device("cpu")
    if samples is not None and not isinstance(samples, Sized):
        return StreamedBatches(samples, cpu)
    if samples is not None and (preparation.in_memory is False or not _fit(samples, wanted)):
        return ReadBatches(samples, cpu, 0)
    loaded = source.load(wanted, split, size)
    inputs, targets = (tuple(map(torch.from_numpy, part)) for part in loaded)
    if size and not source.resizes:
        inputs = tuple(interpolate(x, size, mode="bilinear", antialias=True) for x in inputs)
    _check(inputs, targets, wanted)
    return Batches(inputs, targets)


def _fit(samples: Sized, wanted: Sample) -> bool:
    """Whether samples fit into the part of the memory that they may fill."""
    needed = len(samples) * sum(4 * product(x.shape) for x in wanted.inputs)
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # the system does not tell its memory
        there = 8 << 30
    return needed <= _ROOM * there


def _check(inputs: Inputs, targets: Targets, wanted: Sample) -> None:
    """Check the shape and the dtype of samples, that values are finite, and that labels are known.

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
        if x.is_floating_point() and not bool(x.isfinite().all()):
            sample = int((~x.isfinite()).flatten(1).any(1).nonzero()[0])
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


def normalised(
    data: Split, preparation: Preparation, wanted: Sample
) -> tuple[Preparation, Transform | None]:
    """Return the preparation with the measured mean and deviation, and its transform."""
    given = preparation.normalize
    if given is False:
        return preparation, None
    channels = wanted.inputs[0].shape[0]
    if given is True:
        given = _measured(data, channels)
    shape = (1, channels, *(1 for _ in wanted.inputs[0].shape[1:]))
    mean, deviation = (torch.tensor(values).reshape(shape) for values in given)

    def prepare(batch: Batch) -> Batch:
        inputs, targets = batch
        return tuple((x - mean.to(x.device)) / deviation.to(x.device) for x in inputs), targets

    return preparation.model_copy(update={"normalize": given}), prepare


def _measured(data: Split, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the mean and the standard deviation of each channel, over samples and positions."""
    count = 0
    total, squares = torch.zeros(2, channels, dtype=torch.float64)
    for (x,), _ in data.in_order(1024):
        values = x.double().movedim(1, 0).flatten(1)
        count += values.shape[1]
        total += values.sum(1)
        squares += values.square().sum(1)
    mean = total / count
    deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
    deviation[deviation < 1e-7] = 1.0  # a constant channel
    as_floats = (tuple(round(v, 7) for v in values.tolist()) for values in (mean, deviation))
    first, second = as_floats
    return first, second


def _class_weights(
    data: Split, preparation: Preparation, wanted: Sample, name: str = ONE_TARGET[0]
) -> torch.Tensor | None:
    """Return the weight of each class: the given number, or n / (classes · count)."""
    given = preparation.class_weights
    if given is None:
        return None
    if given != "balanced":
        return torch.tensor(given)
    # `checks.data` has checked that one target is classes, and that no stream is used.
    number, target = [*wanted.targets].index(name), wanted.targets[name]
    assert isinstance(target, Classes)
    assert not isinstance(data, StreamedBatches)
    classes, targets, ignored = target.classes, data.targets[number], target.ignored
    counted = (targets >= 0) & (targets < classes)  # a loss may ignore other labels
    if ignored is not None:
        counted &= targets != ignored
    counts = targets[counted].bincount(minlength=classes)
    of = classes - (ignored is not None and 0 <= ignored < classes)
    return counts.sum() / (of * counts.clamp(min=1))


def _placed(
    data: Split,
    world: World,
    prepare: Transform | None,
    workers: int,
    augment: Transform | None = None,
) -> Split:
    """Return a split on the device of this process, with the process's share of each batch."""
    share = Share(world.rank, world.size)
    data = replace(data, augment=augment)
    if isinstance(data, StreamedBatches):
        if world.size > 1:
            raise DataError("a stream is not divided among processes")
        return replace(data, device=world.device, prepare=prepare)
    if isinstance(data, ReadBatches):
        return replace(data, device=world.device, prepare=prepare, share=share, workers=workers)
    batch = data.inputs, data.targets
    if prepare and not augment:  # once, for all epochs
        batch, prepare = prepare(batch), None
    inputs, targets = (tuple(x.to(world.device) for x in part) for part in batch)
    return Batches(inputs, targets, augment, prepare, share)


def _workers(wanted: int | None) -> int:
    return min(4, os.cpu_count() or 1) if wanted is None else wanted
