"""The receptive field behind a layer, from the receptive fields of what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.value import NOWHERE, Reach

if TYPE_CHECKING:
    from netbuild.graph.inference import Inferred


def reach_behind(inferred: Inferred, before: list[Reach | None]) -> Reach | None:
    """Return the receptive field behind a layer: the largest over what it reads."""
    if len(before) == 1:
        return _of_one(inferred, before[0])
    looking = [
        (reach, x[1:]) for reach, x in zip(before, inferred.shapes, strict=True) if reach != NOWHERE
    ]
    if not looking:
        return NOWHERE
    window = inferred.window
    if window is None:
        return None
    found: Reach | None = None
    largest = tuple(map(max, zip(*(sizes for _, sizes in looking), strict=False)))
    for reach, sizes in looking:
        if reach is None or len(reach.size) != len(window.kernel):
            return None
        behind = reach.through(window).repeated(sizes, largest)
        found = behind if found is None else found.joined(behind)
    return found


def _of_one(inferred: Inferred, before: Reach | None) -> Reach | None:
    window = inferred.window
    if before is None or before == NOWHERE:
        return before
    if window is None or len(before.size) != len(window.kernel):
        return None
    return before if inferred.is_pointwise else before.through(window)
