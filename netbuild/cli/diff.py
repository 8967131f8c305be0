"""`netbuild diff`: what changed between two configs, without torch."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    console,
    fail,
    print_faults,
    print_whole,
    read_source,
)

_DIFFERENT = 1


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help="A config, or - for standard input.")],
    b: Annotated[
        str | None,
        typer.Argument(metavar="B", help="What became of it; A where it is left out."),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["table", "json", "markdown"], typer.Option(help="How the changes are printed.")
    ] = "table",
    set: Settings = None,  # noqa: A002
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 where they differ.")
    ] = False,
) -> None:
    """Print which layers changed from A to B, and what of a checkpoint of A would load into B.

    + was added, − removed, ~ changed, → moved. --set applies to B alone. Exit codes are 0 where
    the two could be compared, whether they differ or not, 1 for faults in one of them, and 2 where
    one cannot be read.

    \b
    netbuild diff old.yaml new.yaml
    netbuild diff net.yaml --set vars.width=32
    git show HEAD:net.yaml | netbuild diff - net.yaml
    netbuild diff old.yaml new.yaml --format markdown
    """
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.reports import difference
    from netbuild.reports.difference import table as render

    if a == b == "-":
        fail("standard input can be one of the two configs only")
    if b is None and not set:
        fail("there is nothing to compare: name a second config, or give --set")
    source = read_source(a)
    other = source if b in {None, a} else read_source(b)
    before, after = infer(read(source)), infer(read(other, set or ()))
    faults = errors(before.diagnostics)
    if not faults or source is not other:
        faults = [*faults, *errors(after.diagnostics)]
    if faults:
        print_faults(faults, stderr=format != "table")
        raise typer.Exit(FAULTS)
    changes = difference.diff(before, after)
    out = console()
    if format == "json":
        out.print(render.as_json(changes))
    elif format == "markdown":
        out.print(render.markdown(changes))
    else:
        print_whole(out, render.table(changes, out))
    if exit_code and not changes.is_empty:
        raise typer.Exit(_DIFFERENT)
