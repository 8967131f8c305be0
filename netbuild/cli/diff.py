"""`netbuild diff`: prints what changed between two configs, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli.terminal import (
    FAULTS,
    Settings,
    config_of,
    console,
    fail,
    print_faults,
    print_whole,
    read_source,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.reports.difference import NetworkChanges
    from netbuild.runs.records import Record

_DIFFERENT = 1

_A = Annotated[str, typer.Argument(metavar="A", help="A config, a run, or - for standard input.")]
_B = Annotated[
    str | None,
    typer.Argument(metavar="B", help="The config to compare it with.  [default: A with --set]"),
]
_Format = Annotated[
    Literal["table", "json", "markdown"], typer.Option(help="How the changes are printed.")
]
_ExitCode = Annotated[bool, typer.Option("--exit-code", help="Exit with 1 if the two differ.")]


def diff(
    a: _A,
    b: _B = None,
    format: _Format = "table",  # noqa: A002
    set: Settings = None,  # noqa: A002
    exit_code: _ExitCode = False,
) -> None:
    """Print which layers changed between two configs, or what differs between two runs.

    It also prints which tensors of a checkpoint of A would load into B. The signs are: + added,
    − removed, ~ changed, → moved. --set applies to B alone. For two runs it also prints the
    metrics of their best and last epochs, their times, and what differs in their environments and
    their data.

    The exit code is 0 if the two can be compared, 1 if one has faults, and 2 if one cannot be read.

    \b
    netbuild diff old.yaml new.yaml
    netbuild diff net.yaml --set vars.width=32
    git show HEAD:net.yaml | netbuild diff - net.yaml
    netbuild diff old.yaml new.yaml --format markdown
    netbuild diff runs/lenet5/2026-01-31T12-00-00 runs/lenet5/2026-01-31T13-00-00
    """
    if a == b == "-":
        fail("only one of the two configs can be standard input")
    if b is None and not set:
        fail("there is nothing to compare: name a second config, or give --set")
    records = _records(a, b)
    changes = _compared(a, b, set or (), in_report=format == "table")
    _print(changes, records, format)
    if exit_code and not changes.is_empty:
        raise typer.Exit(_DIFFERENT)


def _compared(a: str, b: str | None, settings: Sequence[str], *, in_report: bool) -> NetworkChanges:
    """Return the changes from A to B. If a config has faults, print them and exit.

    Args:
        a: the file of the first config.
        b: the file of the second config; None for `a` with the settings.
        settings: the `path=value` of each `--set`, for the second config.
        in_report: whether faults go to standard output. Else they go to standard error, because
            another program reads standard output.
    """
    from netbuild.checks.trace import infer
    from netbuild.config.load import read
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.reports import difference

    source = read_source(config_of(a))
    other = source if b in {None, a} else read_source(config_of(b))
    before, after = infer(read(source)), infer(read(other, settings))
    faults = errors(before.diagnostics)
    if not faults or source is not other:
        faults = [*faults, *errors(after.diagnostics)]
    if faults:
        print_faults(faults, stderr=not in_report)
        raise typer.Exit(FAULTS)
    return difference.diff(before, after)


def _records(a: str, b: str | None) -> list[Record]:
    """Return the records of two runs; none if one of the two is no run."""
    from netbuild.runs.records import read

    configs = [Path(config_of(place)) for place in (a, b) if place not in {None, "-"}]
    places = [place for place in (a, b) if place is not None]
    runs = [
        config.parent
        for config, place in zip(configs, places, strict=False)
        if config != Path(place)
    ]
    return [read(folder) for folder in runs] if len(runs) == 2 else []


def _print(changes: NetworkChanges, records: Sequence[Record], format_: str) -> None:
    from netbuild.reports.comparison import changes as of_runs
    from netbuild.reports.difference import table as render

    out = console()
    if format_ == "json":
        more = {"runs": of_runs.as_json(records)} if records else {}
        out.print(render.as_json(changes, more))
    elif format_ == "markdown":
        parts = [render.markdown(changes), *([of_runs.markdown(records)] if records else [])]
        out.print("\n\n".join(parts))
    else:
        print_whole(out, render.table(changes, out))
        if records:
            out.print(of_runs.text(records, out.width), end="")
