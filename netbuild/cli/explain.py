"""`netbuild explain`: prints every number of a layer with its formula, without torch."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    config_of,
    console,
    fail,
    print_faults,
    read_source,
    say,
)


def explain(
    file: Annotated[
        str,
        typer.Argument(metavar="FILE|RUN", help="A config, a run, or - for standard input."),
    ],
    layer: Annotated[
        str,
        typer.Argument(
            metavar="LAYER",
            help="The path of a layer or a stack.  [default: all layers]",
            autocompletion=completion.layers,
        ),
    ] = "",
    format: Annotated[  # noqa: A002
        Literal["text", "json", "markdown"], typer.Option(help="How the explanation is printed.")
    ] = "text",
    set: Settings = None,  # noqa: A002
) -> None:
    """Print the formula of each number of a layer.

    The numbers are shapes, parameters, MACs, the receptive field and the memory. Each formula is
    printed with names, and then with numbers. Below, each number is traced to a line of the file,
    to another layer, or to torch's default.

    \b
    netbuild explain configs/lenet.yaml features.3
    netbuild explain configs/resnet18.yaml stage2.0
    netbuild explain configs/lenet.yaml --format markdown
    """
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.graph.paths import paths, unknown
    from netbuild.reports import explanation
    from netbuild.reports.explanation import formats as render

    graph = infer(read(read_source(config_of(file)), set or ()))
    faulty = bool(errors(graph.diagnostics))
    if layer in paths(graph) or (graph.rows and not layer):
        found = explanation.explain(graph, layer)
        out = console()
        if format == "json":
            say(render.as_json(found))
        elif format == "markdown":
            say(render.markdown(found))
        else:
            out.print(render.text(found, out.width))
        if format == "text" and graph.diagnostics:
            out.print()
    elif not faulty:
        fail(unknown(graph, layer))
    if graph.diagnostics:
        print_faults(graph.diagnostics, stderr=format != "text")
    if faulty:
        raise typer.Exit(FAULTS)
