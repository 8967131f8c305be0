"""The receptive field after a layer, from the receptive fields of its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.value import NOWHERE, Reach

if TYPE_CHECKING:
    from netbuild.graph.inference import Inferred


def reach_after(inferred: Inferred, before: list[Reach | None]) -> Reach | None:
    """Return the receptive field after a layer: the largest over its inputs."""
    if len(before) == 1:
        return _of_one(inferred, before[0])
    reaching = [
        (reach, x[1:]) for reach, x in zip(before, inferred.shapes, strict=True) if reach != NOWHERE
    ]
    if not reaching:
        return NOWHERE
    window = inferred.window
    if window is None:
        return None
    union: Reach | None = None
    largest = tuple(map(max, zip(*(sizes for _, sizes in reaching), strict=False)))
    for reach, sizes in reaching:
        if reach is None or len(reach.size) != len(window.kernel):
            return None
        after = reach.through(window).repeated(sizes, largest)
        union = after if union is None else union.joined(after)
    return union


def _of_one(inferred: Inferred, before: Reach | None) -> Reach | None:
    window = inferred.window
    if before is None or before == NOWHERE:
        return before
    if window is None or len(before.size) != len(window.kernel):
        return None
    return before if inferred.is_pointwise else before.through(window)
