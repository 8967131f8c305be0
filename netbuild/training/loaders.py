"""The batches of a training, for a loop of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.checks.trace import trainable
from netbuild.config.config import Config
from netbuild.config.load import load
from netbuild.training import randomness
from netbuild.training.data import loading
from netbuild.training.data.batches import of_epoch, steps
from netbuild.training.errors import data_faults, refused
from netbuild.training.parallel.distributed import join

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netbuild.training.data.batches import Batch, Split


class Loader:
    """Batches on the device of the config: the inputs of the network, and the targets of the data.

    Both are tuples of tensors with the batch as axis 0. Each pass over the training samples is the
    next epoch, and has its order. `epoch` is the number of the next pass, from 0.
    """

    def __init__(self, config: Config, split: Split, *, shuffled: bool) -> None:
        self.config, self.split, self.shuffled = config, split, shuffled
        self.epoch = 0

    def __iter__(self) -> Iterator[Batch]:
        train, epoch = self.config.train, self.epoch
        self.epoch += 1
        with data_faults(self.config):
            if self.shuffled:
                whole = self.config.over_batch is not None
                yield from of_epoch(self.split, train, epoch, whole=whole)
            else:
                yield from self.split.in_order(train.batch_size, train.limit_batches)

    def __len__(self) -> int:
        """The number of batches of a pass.

        Raises:
            TypeError: the samples are a stream, whose length is unknown.
        """
        train = self.config.train.model_copy(update={"accumulate": 1})
        whole = self.shuffled and self.config.over_batch is not None
        count = steps(self.split, train, whole=whole)
        if count is None:
            raise TypeError("a stream of samples has no length")
        return count


class Loaders(NamedTuple):
    """The batches that train, and those that validate."""

    train: Loader
    validation: Loader


def loaders(path_or_config: str | Path | Config) -> Loaders:
    """Return the batches of a config's training and validation, as a training sees them.

    They are resized, normalised and augmented, and have the order that the seed of the config
    gives each epoch.

    >>> train, validation = loaders("configs/mlp.yaml")
    >>> (x,), (y,) = next(iter(train))
    >>> tuple(x.shape), tuple(y.shape)
    ((64, 1, 8, 8), (64,))

    Raises:
        ConfigError: the config has faults, lacks a section that training needs, or its data cannot
            be read.
        TrainingError: there are too few samples to split.
        OSError: the file cannot be read.
    """
    config = path_or_config if isinstance(path_or_config, Config) else load(path_or_config)
    graph = trainable(config)
    randomness.seed(config.train.seed, deterministic=config.train.deterministic)
    with refused("the data"):
        data = loading.load(graph, join(config.train))
    return Loaders(
        Loader(config, data.training, shuffled=True), Loader(config, data.held_out, shuffled=False)
    )
