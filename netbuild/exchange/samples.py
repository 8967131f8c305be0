"""Random samples that a network takes: numbers, classes within bounds, and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from netbuild.checks.indices import lookups
from netbuild.diagnostics.exceptions import ExportError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netbuild.components.tensor import Tensor
    from netbuild.exchange.program import Program

#: The largest whole number of a sample where only a much larger one is out of bounds.
_MOST = 1000


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
    bounds = _bounds(program)

    def draw(name: str, x: Tensor) -> torch.Tensor:
        shape = (size, *x.shape)
        if x.dtype == "bool":
            mask = torch.rand(shape, generator=generator) < (0.3 if masked else 0)
            mask[..., :1] = False  # a sample with no place left has no mean
            return mask
        if x.floating:
            function = torch.rand if "normalize" in program.included else torch.randn
            return function(shape, generator=generator)
        least, most = bounds.get(name, (0, 1))
        kind: torch.dtype = getattr(torch, x.dtype)
        return torch.randint(least, most + 1, shape, generator=generator).to(kind)

    noise = [one.drawn(size, generator) for one in program.noise.values()]
    return (*(draw(name, x) for name, x in program.inputs.items()), *noise)


def _bounds(program: Program) -> dict[str, tuple[int, int]]:
    """Return the bounds of the whole numbers of each input by which a layer looks something up."""
    found: dict[str, tuple[int, int]] = {}
    for one in lookups(program.graph):
        if one.value.path:
            continue
        least, most = found.get(one.value.port, (-_MOST, _MOST))
        within = (max(least, one.lookup.least), min(most, one.lookup.most))
        found[one.value.port] = tuple(int(v) for v in within)  # type: ignore[assignment]
    return found


def each(program: Program, sizes: tuple[int, ...]) -> Iterator[tuple[torch.Tensor, ...]]:
    """Yield a batch of random samples of each size."""
    for size in sizes:
        yield samples(program, size)
