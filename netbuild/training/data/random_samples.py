"""Random samples that a network takes: numbers, whole numbers within bounds, and masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from netbuild.checks.indices import lookups

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

#: The largest whole number of a sample where only a much larger one is out of bounds.
_MOST = 1000


def random_samples(
    graph: Graph,
    size: int,
    generator: torch.Generator,
    *,
    masked: bool = True,
    numbers: Any = torch.randn,
) -> tuple[torch.Tensor, ...]:
    """Return random samples of each input, each (size, *input).

    Whole numbers are within the bounds of the layers that look something up by them. Of a mask, a
    third of the places is true, but not the first one; none without `masked`. `numbers` draws the
    floats: `torch.randn`, or `torch.rand` from 0 to 1.
    """
    bounds = _bounds(graph)
    found = []
    for name, x in graph.config.inputs.items():
        assert x is not None
        shape = (size, *x.shape)
        if x.dtype == "bool":
            one = torch.rand(shape, generator=generator) < (0.3 if masked else 0)
            one[..., :1] = False  # a sample with no place left has no mean
        elif x.floating:
            one = numbers(shape, generator=generator)
        else:
            least, most = bounds.get(name, (0, 1))
            one = torch.randint(least, most + 1, shape, generator=generator)
        found.append(one.to(getattr(torch, x.dtype)))
    return tuple(found)


def _bounds(graph: Graph) -> dict[str, tuple[int, int]]:
    """Return the bounds of the whole numbers of each input by which a layer looks something up."""
    found: dict[str, tuple[int, int]] = {}
    for one in lookups(graph):
        if not one.value.path:
            least, most = found.get(one.value.port, (-_MOST, _MOST))
            within = max(least, one.lookup.least), min(most, one.lookup.most)
            found[one.value.port] = (int(within[0]), int(within[1]))
    return found
