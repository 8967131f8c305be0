"""The depth and the number of columns with which a network fits a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.reports.drawing.picture import picture

if TYPE_CHECKING:
    from netbuild.reports.drawing.parts import Drawn, Part
    from netbuild.reports.drawing.picture import Picture

#: The room of a slide for the picture, without title and legend.
WIDE, TALL = 1760.0, 900.0
#: The heights at which long stacks are broken into columns.
_ROOMS = (860.0, 640.0, 480.0)
#: With this share of a slide, a picture needs no columns.
_ENOUGH = 0.75
#: How much smaller a picture with columns has to be.
_WORTH = 0.85


def fitted(drawn: Drawn, depth: int | None) -> Picture:
    """Return the picture at a depth; by default at the greatest one that fits a slide."""
    if depth is not None:
        return _at(drawn, depth)
    deepest = _levels(drawn.root)
    best = _at(drawn, 1)
    for level in range(2, deepest + 1):
        deeper = _at(drawn, level)
        if _scale(deeper) > 1:
            break
        best = deeper
    return best


def _at(drawn: Drawn, depth: int) -> Picture:
    """Return the picture at a depth, in as many columns as fit best."""

    def opens(_: Part, level: int) -> bool:
        return level < depth

    best = picture(drawn, opens, None)
    for room in _ROOMS:
        if _scale(best) <= _ENOUGH or best.height <= room:
            break
        other = picture(drawn, opens, room)
        if _scale(other) < _scale(best) * _WORTH:
            best = other
    return best


def _scale(made: Picture) -> float:
    """Return how many times a picture is larger than a slide."""
    return max(made.width / WIDE, made.height / TALL)


def _levels(part: Part) -> int:
    """Return how many levels of stacks there are."""
    return 1 + max((_levels(member) for member in part.members if member.members), default=0)
