"""`netbuild report`: writes one HTML page about runs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netbuild.cli import completion
from netbuild.cli.terminal import fail, say

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The seconds between two pages while a training goes on.
PAUSE = 5


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Folders of runs. For the folder of a network, its newest run; of folds, all.",
            autocompletion=completion.runs,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="The HTML file, which is replaced; - is standard output.",
        ),
    ] = Path("report.html"),
    samples: Annotated[
        bool,
        typer.Option(
            "--samples/--no-samples",
            help="Evaluate the best checkpoint of each run once, and show its mistakes. This "
            "needs torch and the data.",
        ),
    ] = True,
    watch: Annotated[
        bool,
        typer.Option(
            "--watch", help="Renew the page while a training goes on; the browser loads it again."
        ),
    ] = False,
) -> None:
    """Write one HTML page about runs: curves, metrics, mistakes, settings, environments.

    \b
    netbuild report runs/lenet5 -o lenet.html
    netbuild report runs/lenet5/* -o rates.html
    netbuild report runs/lenet5 --watch

    A browser opens the file without a network, and mails take it: it is smaller than 500 KB. It
    holds the curves of all runs, where a drag zooms, the metrics, the confusion matrix, the worst
    mistakes with their pictures, masks or values, the drawing of the network, the settings that
    differ, the environments and the commands.
    """
    from netbuild.diagnostics.exceptions import RunNotFoundError
    from netbuild.exchange.report import folders_of, page_of

    try:
        folders = folders_of([_found(run) for run in runs])
    except (RunNotFoundError, ValueError) as error:
        fail(str(error))
    if str(output) == "-":
        if watch:
            fail("--watch renews a file: name it with --output")
        typer.echo(page_of(folders, samples=samples), nl=False)
        return
    _expect_page(output)
    if watch:
        _watch(folders, output, samples=samples)
    _write(folders, output, samples=samples)
    size = output.stat().st_size
    say(f"{output}: {len(folders)} run{'s' * (len(folders) != 1)}, {size / 1000:,.0f} KB")


def _expect_page(output: Path) -> None:
    """Exit if a page cannot be written, before any work."""
    from netbuild.exchange.report import PAGES

    if output.suffix.lower() not in PAGES:
        fail(f"{output} is not an .html file by its name")
    if not output.parent.is_dir():
        fail(f"there is no folder {output.parent}")
    if output.is_dir():
        fail(f"{output} is a folder")


def _found(place: Path) -> Path:
    """Return the folder of this path, or the folder of this path in runs/."""
    from netbuild.runs.layout import RUNS

    try:
        return next((folder for folder in (place, RUNS / place) if folder.is_dir()), place)
    except (OSError, ValueError):  # ValueError: a path with a NUL character
        return fail(f"{str(place)!r} is not a folder")


def _write(
    folders: Sequence[Path], output: Path, *, samples: bool, refresh: int | None = None
) -> None:
    from netbuild.exchange.report import report as write

    try:
        write(folders, output, samples=samples, refresh=refresh)
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror or error}")


def _watch(folders: Sequence[Path], output: Path, *, samples: bool) -> None:
    """Renew the page until no run is trained any more, or until Ctrl-C."""
    from netbuild.exchange.report import is_running

    said = False
    try:
        while is_running(folders):
            _write(folders, output, samples=samples, refresh=PAUSE)
            if not said:
                say(f"{output} is renewed every {PAUSE} seconds; press Ctrl-C to stop")
                said = True
            time.sleep(PAUSE)
    except (KeyboardInterrupt, SystemExit):
        _write(folders, output, samples=False)  # a page that does not load itself again
        raise
