"""`netbuild runs`: lists trainings and their results, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import console, fail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.text import Text

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
    filter: Annotated[  # noqa: A002
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Keep only runs with such a metric or setting, as in 'val_accuracy>0.9' or "
            "optimizer.SGD.lr=0.1. Repeatable.",
        ),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            metavar="ORDER",
            help="By time (the newest last), name, loss (the lowest first), metric (the best of "
            "the monitored values first), or any metric or setting; with a - before it, the "
            "largest first.",
        ),
    ] = "time",
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="List only the first N, or the newest N by time."),
    ] = None,
    format: Annotated[  # noqa: A002
        Literal["table", "json", "markdown", "csv"], typer.Option(help="How the runs are printed.")
    ] = "table",
) -> None:
    """List runs, or the epochs of one run.

    \b
    netbuild runs
    netbuild runs runs/lenet5 --sort loss
    netbuild runs lenet5/2026-01-31T12-00-00
    netbuild runs --filter 'val_accuracy>0.9' --sort optimizer.SGD.lr
    netbuild runs --name 'lenet*' --format csv

    A run is running, finished, stopped or damaged. A stopped run continues with netbuild train
    --resume. Settings that differ between the runs of a network are columns, by their names in
    --set. The table shows the validation loss and the metric of the best epoch, which
    train.monitor decides, and the monitored values of all epochs as a curve; runs of a network
    share its scale. Of the folds of a training it shows mean ± deviation. Times are of training
    alone. One run is its epochs and their curves.
    """
    from netbuild.reports.comparison import listing
    from netbuild.runs.layout import is_folds, is_run
    from netbuild.runs.records import read

    out, folder = console(), _found(place)
    if is_folds(folder):
        _print_folds(read(folder), format)
        return
    if is_run(folder):
        _print_epochs(read(folder), format)
        return
    records = _chosen(folder, name, filter or (), sort, limit)
    if format != "table":
        out.print(listing.formatted(format, records))
    elif not records:
        called = f" of a network called {name}" if name else ""
        out.print(f"no runs in {folder}{called}" + (" that --filter keeps" if filter else ""))
    else:
        out.print(listing.table(folder, records, out.width), end="")
        for record in records:
            if record.problem:
                out.print(f" {record.name}/{record.folder.name}: {record.problem}")


def _chosen(
    folder: Path, name: str | None, filters: Sequence[str], sort: str, limit: int | None
) -> list[Record]:
    """Return the runs in a folder that the options choose, in their order."""
    from netbuild.diagnostics.exceptions import SettingsError
    from netbuild.reports.comparison import choosing
    from netbuild.runs.records import ORDERS, listed

    try:
        records = listed(folder, name, sort if sort in ORDERS else "time")
        records = choosing.filtered(records, filters)
        if sort not in ORDERS:
            records = choosing.sorted_by(records, sort)
    except SettingsError as error:
        fail(str(error))
    return choosing.limited(records, limit, sort)


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
        from netbuild.reports.comparison.curves import drawn_together
        from netbuild.runs.records import folds_of

        out.print(render.table(record.folds, out.width), end="")
        _print_curves(out, drawn_together(folds_of(record), out.width, coloured=_coloured(out)))
    else:
        out.print(f"{record.folder}: no fold has ended")


def _coloured(out: Console) -> bool:
    return out.color_system is not None


def _print_curves(out: Console, curves: Text) -> None:
    """Print curves below a table, set off by an empty line."""
    if curves:
        out.print()
        out.print(curves)


def _print_epochs(record: Record, format_: str) -> None:
    from netbuild.reports import runs as render

    out = console()
    if format_ != "table":
        out.print(render.epochs_formatted(format_, record))
        return
    if record.metrics:
        from netbuild.reports.comparison.curves import drawn

        out.print(render.epochs_table(record, out.width), end="")
        _print_curves(out, drawn(record, out.width, coloured=_coloured(out)))
    else:
        out.print(f"{render.title(record)}: no epoch has ended")
    if record.problem:
        out.print(f" {record.problem}")
