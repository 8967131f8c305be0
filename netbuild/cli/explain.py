"""`netbuild explain`: prints every number of a layer with its formula, without torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

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

if TYPE_CHECKING:
    from collections.abc import Collection

    from netbuild.graph.graph import Graph


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
    from netbuild.reports import explanation
    from netbuild.reports.explanation import formats as render

    graph = infer(read(read_source(config_of(file)), set or ()))
    faulty = bool(errors(graph.diagnostics))
    known = explanation.paths(graph)
    if layer in known or (graph.rows and not layer):
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
        fail(_unknown(layer, known, graph))
    if graph.diagnostics:
        print_faults(graph.diagnostics, stderr=format != "text")
    if faulty:
        raise typer.Exit(FAULTS)


def _unknown(layer: str, known: Collection[str], graph: Graph) -> str:
    """Return the message for an unknown path: it lists the names at the first wrong part."""
    from netbuild.diagnostics.wording import brief

    names = layer.split(".")
    right = 0
    while ".".join(names[: right + 1]) in known:
        right += 1
    stack, (wrong, *rest) = ".".join(names[:right]), names[right:]
    start = f"{stack}." if stack else ""
    below = (row.path.removeprefix(start) for row in graph.rows if row.path.startswith(start))
    there = [*dict.fromkeys(path.split(".")[0] for path in below)]
    near = [f"{start}{name}" for name in _near(wrong, there)]
    said = _listed(start, there) if there else f"{stack} is a layer and contains no other layers"
    if near:
        whole = [".".join([path, *rest]) for path in near]
        *others, last = [path for path in whole if path in known] or near
        said = f"did you mean {' or '.join([', '.join(others), last] if others else [last])}?"
    return f"{graph.config.document.name} has no layer {brief(layer)}: {said}"


def _listed(start: str, there: list[str]) -> str:
    """Return the members of a stack. If all are numbers, return the first and the last."""
    from netbuild.diagnostics.wording import brief

    paths = [f"{start}{name}" for name in there]
    if len(paths) == 1:
        return f"there is {paths[0]}"
    if all(name.isdecimal() for name in there):
        return f"there are {paths[0]} to {paths[-1]}"
    return f"there are {brief(', '.join(paths), 60)}"


def _near(name: str, there: list[str]) -> list[str]:
    """Return the few most similar names. Numbers are left out: they all look alike."""
    from difflib import get_close_matches

    folded = {each.lower(): each for each in there if not each.isdecimal()}
    found = get_close_matches(name[:40].lower(), folded, n=3, cutoff=0.7)  # quadratic in the name
    return [each for key, each in folded.items() if key in found]
