"""Networks to draw, with and without faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netbuild.checks.trace import infer
from netbuild.config.load import read
from netbuild.reports.drawing.repeats import with_repeats
from netbuild.reports.drawing.structure import drawn
from netbuild.syntax.parser import from_bytes, from_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.structure import Drawn, Part


def graph_of(text: str) -> Graph:
    """Return the network of a text, also after a fault."""
    return infer(read(from_bytes("net.yaml", text.encode())))


def graph_at(path: Path) -> Graph:
    """Return the network of a file."""
    return infer(read(from_file(path)))


def parts_of(graph: Graph) -> Drawn:
    """Return the parts that are drawn."""
    return with_repeats(drawn(graph))


def each(part: Part) -> Iterator[Part]:
    """Yield the parts in a stack, at all levels."""
    for member in part.members:
        yield member
        yield from each(member)


def named(found: Drawn, path: str) -> Part:
    """Return the part at a path."""
    return next(part for part in each(found.root) if part.path == path)
