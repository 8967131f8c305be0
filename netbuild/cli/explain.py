"""`netbuild explain`: every number of a layer with its formula, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli.terminal import FAULTS, Settings, console, fail, print_faults, read_source

if TYPE_CHECKING:
    from netbuild.graph import Graph


def explain(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A config, or - for standard input.")],
    layer: Annotated[
        str,
        typer.Argument(
            metavar="[LAYER]", help="A layer or a stack by its path; all where it is left out."
        ),
    ] = "",
    format: Annotated[  # noqa: A002
        Literal["text", "json", "markdown"], typer.Option(help="How it is printed.")
    ] = "text",
    set: Settings = None,  # noqa: A002
) -> None:
    """Print how each number of a layer comes about: formulas, their values, and where these stand.

    Shapes, parameters, MACs, the receptive field and the memory; each formula in the names of
    fields, then with their numbers. Below them stands which line, input or default has each value.

    \b
    netbuild explain configs/lenet.yaml features.3
    netbuild explain configs/resnet18.yaml stage2.0
    netbuild explain configs/lenet.yaml --format markdown
    """
    from netbuild import explanation
    from netbuild.config import read
    from netbuild.diagnostic import errors
    from netbuild.render import explanation as render
    from netbuild.tracer import infer

    graph = infer(read(read_source(file), set or ()))
    faulty = bool(errors(graph.diagnostics))
    known = explanation.paths(graph)
    if layer in known or (graph.rows and not layer):
        found = explanation.explain(graph, layer)
        out = console()
        if format == "json":
            out.print(render.as_json(found))
        elif format == "markdown":
            out.print(render.markdown(found))
        else:
            out.print(render.text(found, out.width))
        if format == "text" and graph.diagnostics:
            out.print()
    elif not faulty:
        fail(_unknown(layer, known, graph))
    if graph.diagnostics:
        print_faults(graph.diagnostics, stderr=format != "text")
    if faulty:
        raise typer.Exit(FAULTS)


def _unknown(layer: str, known: list[str], graph: Graph) -> str:
    """Return what to say of a path at which there is nothing."""
    from netbuild.diagnostic import brief, suggest

    stack = layer.rpartition(".")[0]
    among = [path for path in known if path.rpartition(".")[0] == (stack if stack in known else "")]
    numbered = all(path.rpartition(".")[2].isdecimal() for path in among)
    near = suggest(layer, tuple(known))
    said = f"did you mean {near}?"
    if near is None or (near in among and numbered):  # any number is near to any other
        there = f"{among[0]} to {among[-1]}" if numbered else brief(", ".join(among), 60)
        said = f"there are {there}" if among else "it has none"
    return f"{graph.config.document.name} has no layer {brief(layer)}: {said}"
