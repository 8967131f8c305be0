"""The drawing of a network for a page of runs: folded, so that it stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.reports import drawing

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph

#: The most bytes of a drawing. A network with a larger one is drawn more folded.
_MOST = 60_000
#: How many levels of stacks are drawn, as many as fit first.
_DEPTHS = (None, 2, 1)


def picture(graph: Graph, most: int = _MOST) -> str:
    """Return the drawing of a network as SVG; "" if none has so few bytes."""
    made = (drawing.svg(graph, depth=depth, theme="auto") for depth in _DEPTHS)
    return next((svg for svg in made if len(svg.encode()) <= most), "")
