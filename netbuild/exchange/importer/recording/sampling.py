"""Batches of random samples like those that are given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping


def batch(given: Mapping[str, torch.Tensor], size: int, seed: int) -> dict[str, torch.Tensor]:
    """Return a batch of this size: normally distributed numbers, and whole numbers as they come.

    Whole numbers lie between the smallest and the largest one that is given. A mask has the given
    values in another order of samples.
    """
    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, tensor in given.items():
        shape = (size, *tensor.shape[1:])
        if tensor.is_floating_point():
            found[name] = torch.randn(shape, generator=generator).to(tensor.dtype)
        elif tensor.dtype == torch.bool:
            found[name] = tensor[torch.arange(size) % len(tensor)].clone()
        else:
            least, most = int(tensor.min()), int(tensor.max())
            drawn = torch.randint(least, most + 1, shape, generator=generator)
            found[name] = drawn.to(tensor.dtype)
    return found
