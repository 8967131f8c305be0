"""The picture of a network or of a file, for programs: `netbuild.draw`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

from netbuild.checks.trace import infer
from netbuild.config.config import Config
from netbuild.config.load import load, read
from netbuild.graph.graph import Graph
from netbuild.graph.paths import no_stack
from netbuild.reports.drawing import ENDINGS, Format, formatted
from netbuild.runs import layout
from netbuild.runs.folder import Run, find, folder_of
from netbuild.runs.held import write
from netbuild.syntax import parser

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.reports.drawing.colours import Theme


def draw(
    network: Graph | Config | Run | str | Path,
    path: str | Path | None = None,
    *,
    to: Format | None = None,
    depth: int | None = None,
    also: str | Collection[str] = (),
    theme: Theme = "auto",
) -> str:
    """Return the picture of a network, and write it into a file.

    A network with a fault is drawn up to it.

    Args:
        network: a graph, a config, the path of a file, or a run or its folder.
        path: the file to write, if any; a file that is there is replaced.
        to: the format: `svg`, `html` or `mermaid`. By default the ending of the path tells it;
            without a path, it is `svg`.
        depth: how many levels of stacks are shown. None shows as many as a slide has room for.
        also: the path of a stack that is open at any depth, or several.
        theme: `light`, `dark`, or `auto` for that of the reader's system.

    Raises:
        ValueError: the ending of the path tells no format, or an option has no such value.
        RunNotFoundError: the folder is no run.
        OSError: a file cannot be read or written.
    """
    found = to or ("svg" if path is None else ENDINGS.get(Path(path).suffix.lower()))
    if found is None:
        message = f"{path} tells no format: end it with {', '.join(ENDINGS)}, or give `to`"
        raise ValueError(message)
    graph = network if isinstance(network, Graph) else infer(_config(network))
    also = (also,) if isinstance(also, str) else also
    _expect(graph, found, depth, also, theme)
    text = formatted(graph, found, depth=depth, also=also, theme=theme)
    if path is not None:
        write(Path(path), text.encode())
    return text


def _config(network: Config | Run | str | Path) -> Config:
    """Return the config that is drawn; one of a file with its faults."""
    if isinstance(network, Config):
        return network
    if not isinstance(network, (str, Path, Run)):
        return load(network)
    path = folder_of(network)
    if isinstance(network, Run) or path.is_dir():
        path = find(path).folder / layout.RESOLVED
    return read(parser.from_file(path))


def _expect(
    graph: Graph, to: Format, depth: int | None, also: Collection[str], theme: Theme
) -> None:
    """Refuse values that an option does not have.

    Raises:
        ValueError: names the option.
    """
    wrong = [
        f"{name} is one of {', '.join(known)}, not {value}"
        for name, value, known in (
            ("to", to, get_args(Format)),
            ("theme", theme, ("light", "dark", "auto")),
        )
        if value not in known
    ]
    if depth is not None and depth < 1:
        wrong.append(f"depth is at least 1, not {depth}")
    wrong += filter(None, (no_stack(graph, path) for path in also))
    if wrong:
        raise ValueError(wrong[0])
