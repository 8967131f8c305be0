"""The picture of a network, without torch: as SVG, as a page whose boxes open, and as Mermaid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.colours import Theme
    from netbuild.reports.drawing.structure import Drawn

Format: TypeAlias = Literal["svg", "html", "mermaid"]

#: The format of a file by the ending of its name.
ENDINGS: dict[str, Format] = {
    ".svg": "svg",
    ".html": "html",
    ".htm": "html",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
}


def svg(
    graph: Graph,
    *,
    depth: int | None = None,
    also: Collection[str] = (),
    theme: Theme = "auto",
) -> str:
    """Return the picture of a network as the text of an SVG.

    Args:
        graph: the network. One with a fault is drawn up to the fault.
        depth: how many levels of stacks are shown; 1 is only the outermost. None shows as many as
            a slide has room for.
        also: the paths of stacks that are open at any depth.
        theme: the colours; `auto` is light or dark as the reader's system.
    """
    from netbuild.reports.drawing.fitting import fitted
    from netbuild.reports.drawing.svg_format import render

    drawn = _parts(graph)
    return render(fitted(drawn, depth, also), drawn, theme)


def html(
    graph: Graph,
    *,
    depth: int | None = None,
    also: Collection[str] = (),
    theme: Theme = "auto",
) -> str:
    """Return a page that shows the picture. A click opens a stack, and closes it again."""
    from netbuild.reports.drawing.fitting import opening
    from netbuild.reports.drawing.html_format import render

    drawn = _parts(graph)
    return render(drawn, opening(drawn, depth, also), theme)


def mermaid(graph: Graph, *, depth: int | None = None, also: Collection[str] = ()) -> str:
    """Return a flow chart of Mermaid, with as many levels as the SVG."""
    from netbuild.reports.drawing.fitting import opening
    from netbuild.reports.drawing.mermaid_format import render

    drawn = _parts(graph)
    return render(drawn, opening(drawn, depth, also))


def formatted(
    graph: Graph,
    to: Format,
    *,
    depth: int | None = None,
    also: Collection[str] = (),
    theme: Theme = "auto",
) -> str:
    """Return the picture of a network in a format."""
    if to == "mermaid":
        return mermaid(graph, depth=depth, also=also)
    return (svg if to == "svg" else html)(graph, depth=depth, also=also, theme=theme)


def _parts(graph: Graph) -> Drawn:
    from netbuild.reports.drawing.repeats import with_repeats
    from netbuild.reports.drawing.structure import drawn

    return with_repeats(drawn(graph))
