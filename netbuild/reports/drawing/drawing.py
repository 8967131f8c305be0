"""The picture of a network or of a file, for programs: `netbuild.draw`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.checks.trace import infer
from netbuild.config.config import Config
from netbuild.config.load import read
from netbuild.reports.drawing import ENDINGS, Format, formatted
from netbuild.runs.held import write
from netbuild.syntax import parser

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing.colours import Theme


def draw(
    network: Graph | Config | str | Path,
    path: str | Path | None = None,
    *,
    to: Format | None = None,
    depth: int | None = None,
    also: Collection[str] = (),
    theme: Theme = "auto",
) -> str:
    """Return the picture of a network, and write it into a file.

    A network with a fault is drawn up to it.

    Args:
        network: a graph, a config, or the path of a file.
        path: the file to write, if any; a file that is there is replaced.
        to: the format: `svg`, `html` or `mermaid`. By default the ending of the path tells it;
            without a path, it is `svg`.
        depth: how many levels of stacks are shown. None shows as many as a slide has room for.
        also: the paths of stacks that are open at any depth.
        theme: `light`, `dark`, or `auto` for that of the reader's system.

    Raises:
        ValueError: the ending of the path tells no format.
        OSError: a file cannot be read or written.
    """
    found = to or ("svg" if path is None else ENDINGS.get(Path(path).suffix.lower()))
    if found is None:
        message = f"{path} tells no format: end it with {', '.join(ENDINGS)}, or give `to`"
        raise ValueError(message)
    if isinstance(network, (str, Path)):
        network = read(parser.from_file(Path(network)))
    graph = infer(network) if isinstance(network, Config) else network
    text = formatted(graph, found, depth=depth, also=also, theme=theme)
    if path is not None:
        write(Path(path), text.encode())
    return text
