"""A data set held in memory, whose batches are index selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch.nn.functional import interpolate

from netbuild import objective, schedule
from netbuild.data.dataset import Classes
from netbuild.training.failure import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.graph import Graph


class Batches(NamedTuple):
    """Inputs and targets of one split, on the device that computes."""

    inputs: torch.Tensor  # (samples, *input)
    targets: torch.Tensor  # (samples, *target)

    def __len__(self) -> int:
        """The number of samples."""
        return len(self.inputs)

    def count(self, size: int) -> int:
        """Return the number of batches of this size."""
        return schedule.batches(len(self), size)

    def in_order(self, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches as the samples lie, copied: a first layer may work in place."""
        for start in range(0, len(self), size):
            yield self.inputs[start : start + size].clone(), self.targets[start : start + size]

    def shuffled(
        self, size: int, seed: int, skip: int = 0
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield batches in an order that the seed alone decides, without the first `skip`."""
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(self), generator=generator).to(self.inputs.device)
        for start in range(skip * size, len(self), size):
            indices = order[start : start + size]
            yield self.inputs[indices], self.targets[indices]


def load(graph: Graph, device: torch.device) -> tuple[Batches, Batches]:
    """Load a config's data, prepare it, and split it for training and validation.

    Raises:
        TrainingError: there are too few samples to split.
    """
    config = graph.config
    assert config.data is not None
    wanted = objective.wanted(config, *graph.outputs.values())
    inputs, targets = (torch.from_numpy(a) for a in config.data.load(wanted))
    if config.preparation.resize:
        inputs = interpolate(
            inputs, size=config.preparation.resize, mode="bilinear", antialias=True
        )
    held_out = config.preparation.held_out(len(inputs))
    if not 0 < held_out < len(inputs):
        message = (
            f"{len(inputs)} samples with validation {config.preparation.validation} leave none "
            f"to {'train on' if held_out else 'validate with'}"
        )
        raise TrainingError(message)
    # One class a sample; a sample of many places is of no class.
    by_class = isinstance(config.data.sample(wanted).target, Classes) and targets.ndim == 1
    first, second = _split(targets if by_class else None, len(inputs), held_out, config.train.seed)
    return tuple(  # type: ignore[return-value]  # of two
        Batches(inputs[part].to(device), targets[part].to(device)) for part in (first, second)
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
