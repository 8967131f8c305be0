"""`netbuild runs`: lists trainings and their results, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import console, fail

if TYPE_CHECKING:
    from netbuild.runs.records import Record


def runs(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="A folder of runs, or one run.  [default: runs]",
            autocompletion=completion.runs,
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="List only networks of this name, as in 'lenet*'."),
    ] = None,
    sort: Annotated[
        Literal["time", "loss", "name"],
        typer.Option(help="Sort by start, by lowest validation loss, or by name."),
    ] = "time",
    format: Annotated[  # noqa: A002
        Literal["table", "json", "markdown", "csv"], typer.Option(help="How the runs are printed.")
    ] = "table",
) -> None:
    """List runs, or the epochs of one run.

    \b
    netbuild runs
    netbuild runs runs/lenet5 --sort loss
    netbuild runs lenet5/2026-01-31T12-00-00
    netbuild runs --name 'lenet*' --format csv

    A run is running, finished, stopped or damaged. A stopped run continues with netbuild train
    --resume. The table shows the validation loss and the metric of the best epoch, which has the
    lowest loss; for the folds of a training, their mean ± deviation. Times are of training alone.
    """
    from netbuild.reports import runs as render
    from netbuild.runs.layout import is_folds, is_run
    from netbuild.runs.records import listed, read

    out, folder = console(), _found(place)
    if is_folds(folder):
        _print_folds(read(folder), format)
        return
    if is_run(folder):
        _print_epochs(read(folder), format)
        return
    records = listed(folder, name, sort)
    if format != "table":
        out.print(render.formatted(format, records))
    elif not records:
        out.print(f"no runs in {folder}" + (f" of a network called {name}" if name else ""))
    else:
        out.print(render.table(folder, records, out.width), end="")
        for record in records:
            if record.problem:
                out.print(f" {record.name}/{record.folder.name}: {record.problem}")


def _found(place: Path | None) -> Path:
    """Return the folder of this path, or the folder of this path in runs/."""
    from netbuild.runs.layout import RUNS

    if place is None:
        return RUNS
    try:
        found = next((folder for folder in (place, RUNS / place) if folder.is_dir()), None)
    except (OSError, ValueError):  # ValueError: a path with a NUL character
        found = None
    return found or fail(f"{place} is not a folder")


def _print_folds(record: Record, format_: str) -> None:
    from netbuild.reports import folds as render

    out = console()
    if record.folds is None:
        out.print(f"{record.folder}: {record.problem}")
    elif format_ != "table":
        out.print(render.formatted(format_, record.folds))
    elif record.folds.results:
        out.print(render.table(record.folds, out.width), end="")
    else:
        out.print(f"{record.folder}: no fold has ended")


def _print_epochs(record: Record, format_: str) -> None:
    from netbuild.reports import runs as render

    out = console()
    if format_ != "table":
        out.print(render.epochs_formatted(format_, record))
        return
    if record.metrics:
        out.print(render.epochs_table(record, out.width), end="")
    else:
        out.print(f"{render.title(record)}: no epoch has ended")
    if record.problem:
        out.print(f" {record.problem}")
