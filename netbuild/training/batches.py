"""A data set held in memory, whose batches are index selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import torch
from torch.nn.functional import interpolate

from netbuild import objective, schedule
from netbuild.data.dataset import Classes
from netbuild.training.failure import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph import Graph


Inputs: TypeAlias = "tuple[torch.Tensor, ...]"


class Batches(NamedTuple):
    """Inputs and targets of one split, on the device that computes."""

    inputs: Inputs  # of the network, each (samples, *input)
    targets: torch.Tensor  # (samples, *target)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.targets)

    def count(self, size: int) -> int:
        """Return the number of batches of this size."""
        return schedule.batches(len(self), size)

    def in_order(self, size: int) -> Iterator[tuple[Inputs, torch.Tensor]]:
        """Yield batches as the samples lie, copied: a first layer may work in place."""
        for start in range(0, len(self), size):
            part = slice(start, start + size)
            yield tuple(x[part].clone() for x in self.inputs), self.targets[part]

    def shuffled(
        self, size: int, seed: int, skip: int = 0
    ) -> Iterator[tuple[Inputs, torch.Tensor]]:
        """Yield batches in an order that the seed alone decides, without the first `skip`."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self), generator=generator).to(self.targets.device)
        for start in range(skip * size, len(self), size):
            indices = order[start : start + size]
            yield tuple(x[indices] for x in self.inputs), self.targets[indices]


def load(graph: Graph, device: torch.device) -> tuple[Batches, Batches]:
    """Load a config's data, prepare it, and split it for training and validation.

    Raises:
        TrainingError: there are too few samples to split.
    """
    config = graph.config
    assert config.data is not None
    wanted = objective.wanted(config, *graph.compared.values())
    loaded, labels = config.data.load(wanted)
    inputs, targets = tuple(map(torch.from_numpy, loaded)), torch.from_numpy(labels)
    if config.preparation.resize:
        size = config.preparation.resize
        inputs = tuple(interpolate(x, size, mode="bilinear", antialias=True) for x in inputs)
    samples = len(targets)
    held_out = config.preparation.held_out(samples)
    if not 0 < held_out < samples:
        message = (
            f"{samples} samples with validation {config.preparation.validation} leave none "
            f"to {'train on' if held_out else 'validate with'}"
        )
        raise TrainingError(message)
    # One class a sample; a sample of many places is of no class.
    by_class = isinstance(config.data.sample(wanted).target, Classes) and targets.ndim == 1
    first, second = _split(targets if by_class else None, samples, held_out, config.train.seed)
    return tuple(  # type: ignore[return-value]  # of two
        Batches(tuple(x[part].to(device) for x in inputs), targets[part].to(device))
        for part in (first, second)
    )


def _split(
    classes: torch.Tensor | None, samples: int, held_out: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of both splits; with the same share of each class where that can be."""
    from sklearn.model_selection import train_test_split

    stratify = None
    if classes is not None:
        counts = classes.bincount()
        present = int((counts > 0).sum())
        if counts[counts > 0].min() >= 2 and present <= min(held_out, samples - held_out):
            stratify = classes.numpy()
    first, second = train_test_split(
        torch.arange(samples).numpy(), test_size=held_out, random_state=seed, stratify=stratify
    )
    return torch.from_numpy(first), torch.from_numpy(second)
