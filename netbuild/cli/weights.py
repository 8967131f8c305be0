"""`netbuild weights`: compares a file of weights with a network, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    console,
    print_faults,
    print_whole,
    read_source,
    shapes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.runs.weights import Comparison


def weights(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A .safetensors file, or a file of torch.save.")
    ],
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A config, or - for standard input.")
    ],
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE", help="Leave this module out, as in fc. Repeatable.  [default: none]"
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["table", "json"], typer.Option(help="How the comparison is printed.")
    ] = "table",
    set: Settings = None,  # noqa: A002
) -> None:
    """Compare a file of weights with a network.

    It compares the names and shapes of tensors, and reads no values. Exit code 1 means that the
    file does not fit.

    \b
    netbuild weights resnet18.safetensors configs/resnet18.yaml
    netbuild weights resnet18.pth configs/resnet18.yaml --leave-out fc
    """
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.runs.renaming import naming
    from netbuild.runs.weights import compare

    loaded = read(read_source(config), set or ())
    section = loaded.pretrained
    graph = infer(loaded._replace(pretrained=None))
    if errors(graph.diagnostics):
        print_faults(errors(graph.diagnostics), stderr=True)
        raise typer.Exit(FAULTS)
    held = shapes_of(file)
    if section:
        names = naming(held, section.prefix, section.rename).in_file
        held = {here: held[there] for here, there in names.items()}
    without = leave_out or (section.leave_out if section else ())
    comparison = compare(held, graph.tensors, without, graph.ties)
    _show(comparison, format, without)
    if comparison.differences:
        raise typer.Exit(FAULTS)


def _show(comparison: Comparison, format_: str, without: Iterable[str]) -> None:
    from netbuild.checks.pretrained import advice
    from netbuild.reports import weights as render

    out = console()
    if format_ == "json":
        out.print(render.as_json(comparison))
        return
    if comparison.differences:
        print_whole(out, render.table(comparison))
        out.print()
    out.print(render.counts(comparison))
    help_ = advice(comparison, without)
    if help_:
        out.print(f"help: {help_}")
