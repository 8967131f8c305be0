"""The picture of a network, without torch: as SVG, as a page whose boxes open, and as Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.colours import Theme


def svg(graph: Graph, *, depth: int | None = None, theme: Theme = "auto") -> str:
    """Return the picture of a network as the text of an SVG.

    Args:
        graph: the network. One with a fault is drawn up to the fault.
        depth: how many levels of stacks are shown; 1 is only the outermost. None shows as many as
            a slide has room for.
        theme: the colours; `auto` is light or dark as the reader's system.
    """
    from netbuild.reports.drawing.fitting import fitted
    from netbuild.reports.drawing.parts import drawn
    from netbuild.reports.drawing.repeats import with_repeats
    from netbuild.reports.drawing.svg_format import render

    parts = with_repeats(drawn(graph))
    return render(fitted(parts, depth), parts, theme)
