"""From the section `data:` to batches: samples are loaded, checked, split and normalised."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

import torch

from netbuild.checks import data as fitting
from netbuild.checks import objective
from netbuild.components.datasets.dataset import ONE_TARGET, DataError
from netbuild.components.target import Classes
from netbuild.components.tensor import product
from netbuild.training.data import distribution, splitting
from netbuild.training.data.augmentation import augmenter, spread
from netbuild.training.data.batches import (
    Batches,
    ReadBatches,
    Share,
    StreamedBatches,
    composed,
    shuffled_indices,
)
from netbuild.training.data.moving import marked_targets
from netbuild.training.data.opening import at_once_of, opened
from netbuild.training.data.reading import is_quick
from netbuild.training.data.scaling import normalised
from netbuild.training.errors import data_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from netbuild.components.datasets.dataset import Dataset, Loaded, Sample
    from netbuild.config.config import Config
    from netbuild.config.preparation import Preparation
    from netbuild.graph.graph import Graph
    from netbuild.training.data.batches import (
        Inputs,
        Split,
        Transform,
    )
    from netbuild.training.parallel.distributed import World


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
        split: the samples to evaluate: `validation`, `test`, `train`, `all` of the source, or one
            of its splits. None for a training, which validates with `validation`.

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
    elif kept:
        notes = (*notes, *_changed(kept, training, wanted))
    if kept is None:
        kept = _kept(source, training, wanted, _names(config, wanted))
    measured, prepare = normalised(training, config, graph.outputs, at_once_of(wanted))
    weighed = fitting.weighed(config, graph.outputs)
    weights = _class_weights(training, measured, wanted, *weighed[:1])
    # The network shall memorise these samples, so they are not augmented.
    marked = marked_targets(config, graph.outputs, wanted)
    given = None if train.overfit_batches else preparation.augment
    augment = augmenter(given, world.device, marked, preparation.views)
    views = spread(preparation.views)
    return Data(
        _placed(training, world, prepare, train.workers, augment, None if augment else views),
        _placed(held_out, world, prepare, train.workers, views=views),
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
    every = training = opened(source, wanted, preparation, None)
    indices = None
    if preparation.parts:
        assert not isinstance(every, StreamedBatches)  # `checks.data` refuses parts of a stream
        seed = graph.config.train.seed
        known = splitting.facts(source, every, wanted, preparation, seed)
        indices = splitting.split(len(every), preparation, known)
        training = splitting.chosen(every, indices.training)
    if split == "train":
        return training, training, ()
    if split == "all":
        return every, every, ()
    own = preparation.of_source(split)
    if own is not None or indices is None:
        try:
            return training, opened(source, wanted, preparation, own or split), ()
        except DataError as error:
            if split == "test" and preparation.test is None:
                help_ = "hold out a test before the training: test: 0.2 beside the source"
                raise DataError(str(error), "validation", help_) from error
            raise
    assert not isinstance(every, StreamedBatches)
    held_out = indices.test if split == "test" else indices.validation
    return training, splitting.chosen(every, held_out), indices.notes


def _names(config: Config, wanted: Sample) -> list[str]:
    """Return the names of the inputs that the source gives: of several views it gives one."""
    return [*config.inputs][: len(wanted.inputs)]


def _kept(source: Dataset, training: Split, wanted: Sample, names: Sequence[str]) -> dict[str, Any]:
    """Return what a new run keeps of its data: of its source, and of the inputs that train."""
    values = source.kept()
    some = _some(training, wanted)
    inputs = {} if some is None else distribution.measured(some, names)
    found = {} if values is None else {"source": dict(values)}
    if some is None or not inputs:
        return found
    return found | {"inputs": inputs, "samples": _marks(training, some)}


def _marks(training: Split, some: Inputs) -> dict[str, int]:
    """Return what tells whether the samples that train are still the same: numbers of JSON."""
    checksum = 0
    for x in some:
        checksum = crc32(x.contiguous().numpy().tobytes(), checksum)
    samples = 0 if isinstance(training, StreamedBatches) else len(training)
    return {"count": samples, "checksum": checksum}


def _changed(kept: Mapping[str, Any], training: Split, wanted: Sample) -> Iterator[str]:
    """Yield a sentence if other samples train than at the begin of the run."""
    before = kept.get("samples")
    some = None if before is None else _some(training, wanted)
    if some is not None and _marks(training, some) != before:
        yield (
            "the data has changed since the run began: other samples train, and samples that have "
            "trained may validate"
        )


def _strange(
    kept: Mapping[str, Any], config: Config, data: Split, wanted: Sample
) -> tuple[str, ...]:
    """Return a sentence for each input whose samples lie far from those of the training."""
    names = _names(config, wanted)
    watch = distribution.Watch(kept.get("inputs"), names, distribution.columns(config))
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
    classes, ignored = target.classes, target.ignored
    counts = torch.zeros(classes, dtype=torch.int64)
    for each in data.each_targets():
        targets = each[number]
        counted = (targets >= 0) & (targets < classes)  # a loss may ignore other labels
        if ignored is not None:
            counted &= targets != ignored
        counts += targets[counted].bincount(minlength=classes)
    of = classes - (ignored is not None and 0 <= ignored < classes)
    return counts.sum() / (of * counts.clamp(min=1))


def _placed(
    data: Split,
    world: World,
    prepare: Transform | None,
    workers: int | None,
    augment: Transform | None = None,
    views: Transform | None = None,
) -> Split:
    """Return a split on the device of this process, with the process's share of each batch."""
    share = Share(world.rank, world.size)
    data = replace(data, augment=augment)
    if isinstance(data, StreamedBatches):
        if world.size > 1:
            raise DataError("a stream is not divided among processes")
        return replace(data, device=world.device, prepare=composed(prepare, views))
    if isinstance(data, ReadBatches):
        prepare = composed(prepare, views)
        count = _workers(data, world.device) if workers is None else workers
        return replace(data, device=world.device, prepare=prepare, share=share, workers=count)
    batch = data.inputs, data.targets
    if prepare and not augment:  # once, for all epochs
        batch, prepare = prepare(batch), None
    inputs, targets = (tuple(x.to(world.device) for x in part) for part in batch)
    return Batches(inputs, targets, augment, composed(prepare, views), share)


def _workers(data: ReadBatches, device: torch.device) -> int:
    """Return the number of processes that read samples. Copies on a CPU are faster without."""
    return 0 if is_quick(data.samples) and device.type == "cpu" else min(4, os.cpu_count() or 1)
