"""Random samples for the comparison of an exported file with its network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.diagnostics.exceptions import ExportError
from netbuild.training.data.random_samples import random_samples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.exchange.program import Program


def samples(program: Program, size: int, seed: int = 0) -> tuple[torch.Tensor, ...]:
    """Return a batch of random samples for which all outputs are finite, each (size, *input).

    Behind the inputs stands the noise, where it is an input.

    Numbers are normally distributed, or from 0 to 1 where the file normalises them. Whole numbers
    are within the bounds of the layers that look something up by them. A mask hides a part of its
    places, or none.

    Raises:
        ExportError: for all samples that are tried, an output is not finite.
    """
    for masked in (True, False):
        x = _drawn(program, size, seed, masked=masked)
        y = program(x)
        if all(bool(one.isfinite().all()) for one in y if one.is_floating_point()):
            return x
    raise ExportError("its outputs are not finite for random samples: nothing can be compared")


def _drawn(program: Program, size: int, seed: int, *, masked: bool) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed + size)
    noise = [one.drawn(size, generator) for one in program.noise.values()]
    numbers = torch.rand if "normalize" in program.included else torch.randn
    x = random_samples(program.graph, size, generator, masked=masked, numbers=numbers)
    return (*x, *noise)


def each(program: Program, sizes: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield a batch of random samples of each size."""
    for size in sizes:
        yield samples(program, size)
