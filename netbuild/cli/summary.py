"""`netbuild summary`: prints the shapes of a network, without torch."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    config_of,
    console,
    fail,
    print_faults,
    read_source,
)


def _shape(text: str) -> tuple[int, ...]:
    from netbuild.components.component import LARGEST

    sizes = text.replace("x", ",").replace("×", ",").split(",")
    if not all(size.strip().isdecimal() and len(size) < 12 for size in sizes) or not all(
        0 < int(size) <= LARGEST for size in sizes
    ):
        fail(f"--input {text} is not a shape: write 1,32,32, without the batch axis")
    return tuple(int(size) for size in sizes)


_File = Annotated[
    str, typer.Argument(metavar="FILE|RUN", help="A config, a run, or - for standard input.")
]
_Format = Annotated[
    Literal["table", "json", "markdown", "csv"], typer.Option(help="How the layers are printed.")
]
_Depth = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Fold stacks nested deeper than N.  [default: none]"),
]
_Input = Annotated[
    str | None,
    typer.Option(
        metavar="SIZES", help="Take another input shape, as in 1,32,32.  [default: the file's]"
    ),
]


def summary(
    file: _File,
    format: _Format = "table",  # noqa: A002
    depth: _Depth = None,
    input: _Input = None,  # noqa: A002
    set: Settings = None,  # noqa: A002
) -> None:
    """Print the shape, parameters and MACs of each layer.

    MACs are the multiplications for one sample. The field, the receptive field, is how much of the
    input one output position sees.

    \b
    netbuild summary configs/lenet.yaml
    netbuild summary configs/lenet.yaml --depth 1
    netbuild summary configs/lenet.yaml --input 1,32,32
    netbuild summary configs/lenet.yaml --format json
    """
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.reports import summary as render

    shape = None if input is None else _shape(input)
    graph = infer(read(read_source(config_of(file)), set or (), shape))
    out = console()
    if format == "json":
        out.print(render.as_json(graph))
    elif format == "markdown":
        out.print(render.markdown(graph, depth))
    elif format == "csv":
        out.print(render.as_csv(graph, depth))
    elif graph.rows:
        out.print(render.widest_table(graph, depth, out.width).text())
        out.print(render.memory(graph))
    if graph.diagnostics:
        as_table = format == "table"
        if as_table and graph.rows:
            out.print()
        print_faults(graph.diagnostics, stderr=not as_table)
    if errors(graph.diagnostics):
        raise typer.Exit(FAULTS)
