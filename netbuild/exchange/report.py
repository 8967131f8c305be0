"""The page of runs as an HTML file: their records, and one evaluation of each."""

from __future__ import annotations

from errno import EISDIR
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.diagnostics.exceptions import RunNotFoundError
from netbuild.reports.run_page.document import Shown, document
from netbuild.reports.run_page.review import Review
from netbuild.runs import held, layout
from netbuild.runs.folder import Run, find, newest_folds
from netbuild.runs.records import read

if TYPE_CHECKING:
    from collections.abc import Iterable

    from netbuild.graph.graph import Graph
    from netbuild.runs.records import Record

#: The most runs of a page: colours repeat, and a page stays small.
MOST_RUNS = 12
#: The endings of a page: a config that is named in its place must not be replaced.
PAGES = {".html", ".htm"}


def report(
    runs: str | Path | Run | Iterable[str | Path | Run],
    path: str | Path,
    *,
    samples: bool = True,
    refresh: int | None = None,
) -> Path:
    """Write one HTML page about some runs, and return its path. A browser opens it offline.

    Args:
        runs: folders of runs, folders of a network's runs (then the newest of them), or of folds.
        path: the HTML file, which is replaced.
        samples: whether the best checkpoint of each run is evaluated once, to show its mistakes.
            This needs torch and the data; without, the page says so.
        refresh: after how many seconds a browser loads the page again, while a training goes on.

    Raises:
        RunNotFoundError: a folder holds no run.
        ValueError: there are no runs, or too many, or the path does not end with .html.
        OSError: the file cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in PAGES:
        message = f"{path} is not an .html file by its name"
        raise ValueError(message)
    if target.is_dir():
        raise IsADirectoryError(EISDIR, "it is a folder", str(target))
    held.write(target, page_of(folders_of(runs), samples=samples, refresh=refresh).encode())
    return target


def page_of(folders: Iterable[Path], *, samples: bool, refresh: int | None = None) -> str:
    """Return the page of the runs in some folders. The arguments are those of `report`."""
    shown = [_shown(folder, samples=samples and not refresh) for folder in folders]
    note = ""
    if samples and refresh:
        note = "The training goes on. The samples are added when it has ended."
    return document(shown, note=note, refresh=refresh)


def folders_of(runs: str | Path | Run | Iterable[str | Path | Run]) -> list[Path]:
    """Return the folder of each run; those of all folds for a folder of folds.

    Raises:
        RunNotFoundError: a folder holds no run.
        ValueError: there are no runs, or too many.
    """
    given = [runs] if isinstance(runs, str | Path | Run) else [*runs]
    found: list[Path] = []
    for one in given:
        place = one.folder if isinstance(one, Run) else Path(one)
        found += _runs_in(place)
    if not 1 <= len(found) <= MOST_RUNS:
        message = f"a page shows 1 to {MOST_RUNS} runs, not {len(found)}"
        raise ValueError(message)
    return found


def _runs_in(place: Path) -> list[Path]:
    folds = newest_folds(place)
    if folds is not None:
        return sorted(path for path in folds.glob(f"{layout.FOLD}*") if layout.is_run(path))
    if layout.is_run(place) and not (place / layout.RESOLVED).is_file():
        return [place]  # a damaged run: its record says what is wrong
    try:
        return [find(place).folder]
    except RunNotFoundError:
        if not place.is_dir():
            there = place.exists()
            message = (
                f"{place} is a file: name the folder of a run"
                if there
                else f"there is no folder {place}"
            )
            raise RunNotFoundError(message) from None
        raise


def is_running(runs: Iterable[Path]) -> bool:
    """Whether any of some runs is still trained."""
    return any(read(folder).state == "running" for folder in runs)


def _shown(folder: Path, *, samples: bool) -> Shown:
    record = read(folder)
    config, graph = _network(folder)
    review = _review(record) if samples else None
    return Shown(record, config, graph, review)


def _network(folder: Path) -> tuple[str, Graph | None]:
    """Return the settings of a run as text, and its network if they have no faults."""
    from netbuild.checks.trace import infer
    from netbuild.config.load import read as read_config
    from netbuild.diagnostics.diagnostic import errors
    from netbuild.syntax.parser import from_file

    try:
        source = from_file(folder / layout.RESOLVED)
        graph = infer(read_config(source))
    except (OSError, ValueError):  # the record says what is wrong
        return "", None
    faulty = bool(errors(graph.diagnostics))
    return source.document.text, None if faulty else graph


def _review(record: Record) -> Review:
    """Return the review of a run; its note says what is missing."""
    if not record.sections or record.best is None:
        return Review(note="The samples are not shown: the run has no epoch that has ended.")
    try:
        from netbuild.training.review.reviewing import review
    except ModuleNotFoundError as error:
        needed = error.name or "torch"
        return Review(note=f"The samples are not shown: this needs {needed}, which is missing.")
    return review(Run(record.folder))
