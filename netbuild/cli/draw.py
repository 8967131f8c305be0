"""`netbuild draw`: draws a network, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    config_of,
    fail,
    print_faults,
    read_source,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.graph.graph import Graph
    from netbuild.reports.drawing import Format


def draw(  # noqa: PLR0917  a parameter is an option, and typer names them
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|RUN", help="A config, a run, or - for standard input."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Write this file.  [default: standard output]",
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Literal["svg", "html", "mermaid"] | None,
        typer.Option(
            help="The format.  [default: the ending of --output; svg]", show_default=False
        ),
    ] = None,
    depth: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Close stacks nested deeper than N.  [default: as a slide has room]",
            show_default=False,
        ),
    ] = None,
    open: Annotated[  # noqa: A002
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help="Open this stack, however deep it is. Repeatable.",
            autocompletion=completion.layers,
            show_default=False,
        ),
    ] = None,
    theme: Annotated[
        Literal["light", "dark", "auto"],
        typer.Option(help="The colours. auto: those of the reader's system."),
    ] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let --output replace an existing file.")
    ] = False,
    set: Settings = None,  # noqa: A002
) -> None:
    """Draw a network.

    Layers are boxes with their parameters and MACs, and their shares of the whole. Equal layers in
    a row are drawn once. A network with a fault is drawn up to the fault.

    \b
    netbuild draw configs/resnet18.yaml -o resnet18.svg
    netbuild draw configs/unet.yaml -o unet.html
    netbuild draw configs/lenet.yaml --to mermaid
    netbuild draw configs/googlenet.yaml --depth 1 --open body.0 -o googlenet.svg

    .svg is a picture for a browser, a page or a slide. .html is a page whose stacks open with a
    click; it loads nothing. .mmd is Mermaid, which GitHub draws in Markdown.
    """
    format_ = _format(to, output)
    written = None if output in {None, "-"} else Path(output or "")
    if written is not None:
        _expect_output(written, overwrite=overwrite)
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.reports.drawing import formatted

    graph = infer(read(read_source(config_of(file)), set or ()))
    if graph.rows or any(graph.config.inputs.values()):
        _expect_stacks(graph, open or ())
        text = formatted(graph, format_, depth=depth, also=open or (), theme=theme)
        if written is None:
            say(text, nl=False)
        else:
            from netbuild.runs.held import write

            write(written, text.encode())
            size = f"{graph.params:,} parameters, {len(text.encode()):,} bytes"
            say(f"{written}: {size}")
    if found := errors(graph.diagnostics):
        print_faults(found, stderr=True)
        raise typer.Exit(FAULTS)


def _format(to: Format | None, output: str | None) -> Format:
    """Return the format that is asked for."""
    from netbuild.reports.drawing import ENDINGS

    if to or output in {None, "-"}:
        return to or "svg"
    found = ENDINGS.get(Path(output or "").suffix.lower())
    if found is None:
        fail(f"{output} tells no format: end it with {', '.join(ENDINGS)}, or write --to")
    return found


def _expect_stacks(graph: Graph, paths: Sequence[str]) -> None:
    """Exit if a path is no stack."""
    from netbuild.graph.paths import no_stack

    for path in paths:
        if message := no_stack(graph, path):
            fail(message)


def _expect_output(path: Path, *, overwrite: bool) -> None:
    """Exit if a file cannot be written, before any work."""
    if not path.parent.is_dir():
        fail(f"there is no folder {path.parent}")
    if path.is_dir():
        fail(f"{path} is a folder")
    if path.exists() and not overwrite:
        fail(f"{path} already exists: --overwrite replaces it")
