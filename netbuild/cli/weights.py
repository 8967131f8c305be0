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
    from collections.abc import Iterable, Mapping, Sequence

    from netbuild.components.tensor import Shape
    from netbuild.graph.graph import Graph
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

    loaded = read(read_source(config), set or ())
    graph = infer(loaded.starting_from())
    if errors(graph.diagnostics):
        print_faults(errors(graph.diagnostics), stderr=True)
        raise typer.Exit(FAULTS)
    held = shapes_of(file)
    comparison, without = _compared(file, held, graph._replace(config=loaded), leave_out)
    _show(comparison, format, without)
    if comparison.differences:
        raise typer.Exit(FAULTS)


def _compared(
    file: Path, held: Mapping[str, Shape], graph: Graph, leave_out: Sequence[str] | None
) -> tuple[Comparison, Sequence[str]]:
    """Compare a file with what `pretrained` loads it into; return also what is left out.

    A file that no `pretrained` names is compared with the whole network. It is read like the file
    of the section, if this is the only one.
    """
    from netbuild.checks.pretrained import Part, parts, siblings
    from netbuild.components.files import real
    from netbuild.runs.renaming import naming

    found = [(part, one) for part in parts(graph) for one in graph.files[part.path]]
    named = [(part, one) for part, one in found if real(one.pretrained.file) == real(file)]
    alone = [(part, one) for part, one in found if len(graph.files.get("", ())) == 1]
    part, given = (*named, *alone, (Part("", graph.tensors, graph.ties, frozenset()), None))[0]
    others = siblings(graph, part, given) if given else ()
    if given is not None:
        names = naming(held, given.pretrained.prefix, given.pretrained.rename).in_file
        held = {here: held[there] for here, there in names.items()}
    without = leave_out or (given.pretrained.leave_out if given else ())
    return part.compare(held, without, others), without


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
