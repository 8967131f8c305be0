"""The depth and the number of columns with which a network fits a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.graph.paths import dots
from netbuild.reports.drawing.picture import Artist

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.reports.drawing.picture import Opens, Picture
    from netbuild.reports.drawing.structure import Drawn, Part

#: The room of a slide for the picture, without title and legend.
WIDE, TALL = 1760.0, 900.0
#: The heights at which long stacks are broken into columns.
_ROOMS = (860.0, 640.0, 480.0)
#: With this share of a slide, a picture needs no columns.
_ENOUGH = 0.75
#: How much smaller a picture with columns has to be.
_WORTH = 0.85


def fitted(drawn: Drawn, depth: int | None, also: Collection[str] = ()) -> Picture:
    """Return the picture at a depth; by default at the greatest one that fits a slide.

    The stacks at the paths in `also` are open too.
    """
    return _fitted(drawn, depth, also)[1]


def opening(drawn: Drawn, depth: int | None, also: Collection[str] = ()) -> Opens:
    """Return which stacks are open at a depth, or at the depth that fits a slide."""
    return _opens(_fitted(drawn, depth, also)[0], also)


def _opens(depth: int, also: Collection[str]) -> Opens:
    """Return which stacks are open: those above a depth, but for the further calls of one.

    A stack is open, too, if it is in `also`, or around one that is.
    """
    around = {path[:end] for path in also for end in (*dots(path), len(path))}
    return lambda part, level: (level < depth and not part.reuses) or part.path in around


def _fitted(drawn: Drawn, depth: int | None, also: Collection[str]) -> tuple[int, Picture]:
    artist = Artist(drawn)
    if depth is not None:
        return depth, _at(artist, _opens(depth, also))
    best = (1, _at(artist, _opens(1, also)))
    for level in range(2, levels(drawn.root) + 1):
        deeper = _at(artist, _opens(level, also))
        if _scale(deeper) > 1:
            break
        best = (level, deeper)
    return best


def _at(artist: Artist, opens: Opens) -> Picture:
    """Return the picture with these stacks open, in as many columns as fit best."""
    best = artist.picture(opens, turns=True)
    if best.is_u and _scale(best) <= 1:
        return best
    if best.is_u:
        best = artist.picture(opens)
    for room in _ROOMS:
        if _scale(best) <= _ENOUGH or best.height <= room:
            break
        other = artist.picture(opens, room)
        if _scale(other) < _scale(best) * _WORTH:
            best = other
    return best


def _scale(made: Picture) -> float:
    """Return how many times a picture is larger than a slide."""
    return max(made.width / WIDE, made.height / TALL)


def levels(part: Part) -> int:
    """Return how many levels of stacks there are."""
    return 1 + max((levels(member) for member in part.members if member.members), default=0)
