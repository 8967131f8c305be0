"""The files that `netbuild validate` checks, and the settings of the project of each file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from netbuild.cli.terminal import fail
from netbuild.diagnostics.exceptions import SettingsError
from netbuild.diagnostics.selection import Settings, from_project

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from netbuild.diagnostics.baseline import Baseline

SUFFIXES = {".yaml", ".yml"}
STANDARD_INPUT = "-"
_PLAIN = '[tool.netbuild] include = ["configs"]'


class Projects:
    """The settings of each file: of the command, and below them of the file's own project."""

    def __init__(self, options: Settings) -> None:
        self._options = options
        self._known: dict[str, Settings] = {}
        self._baselines: dict[Path, Baseline] = {}

    def of(self, name: str) -> Settings:
        """Return the settings of a file. Standard input belongs to the current folder."""
        return self.within(os.path.dirname(name))  # noqa: PTH120  Path takes ten times as long

    def within(self, folder: str) -> Settings:
        """Return the settings of the files in a folder."""
        if folder not in self._known:
            self._known[folder] = self._options.over(_project(folder))
        return self._known[folder]

    def baseline(self, settings: Settings, *, missing: bool) -> Baseline | None:
        """Return the baseline of a project; `missing` is as in `baseline.read`."""
        path = settings.baseline
        if path is None:
            return None
        if path not in self._baselines:
            from netbuild.diagnostics import baseline

            try:
                self._baselines[path] = baseline.read(path, missing=missing)
            except SettingsError as error:
                fail(str(error))
        return self._baselines[path]

    def files(self, paths: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the files that the paths stand for; without paths, those of the project.

        A path without a file, and a folder that may not be entered, gives a sentence.
        """
        found, complaints = [], []
        for path in paths or self._included():
            files, closed = self.search(path)
            found += files
            complaints += closed
            if not files and not closed:
                complaints.append(f"{path} contains no .yaml or .yml file that can be read")
        return found, complaints

    def search(self, path: str) -> tuple[list[str], list[str]]:
        """Return the files that a path stands for: itself, or the configs in a folder and below it.

        A folder of a run stands for the run's config. Within other folders, hidden folders and
        runs are left out, because the `config.yaml` of a run may extend a file that is not there.
        A folder that may not be entered gives a sentence.
        """
        if path in {"", STANDARD_INPUT} or not _is_folder(path):
            return [path], []
        from netbuild.runs.layout import RESOLVED

        closed: list[OSError] = []
        try:
            names = os.listdir(path)  # noqa: PTH208  only the names
            run = [str(Path(path, RESOLVED))] if _is_run(names) else None
            found = sorted(self._walk(path, closed)) if run is None else run
        except OSError as error:
            closed, found = [error], []
        return found, [f"{e.filename} cannot be read: {e.strerror}" for e in closed]

    def _walk(self, top: str, closed: list[OSError]) -> Iterator[str]:
        for folder, folders, names in os.walk(top, onerror=closed.append):
            excludes = self.within(folder).excludes
            below = [] if _is_run(names) else sorted(f for f in folders if f[0] != ".")
            folders[:] = [name for name in below if not excludes(os.path.join(folder, name))]  # noqa: PTH118
            if not _is_run(names):
                files = (str(Path(folder, n)) for n in names if Path(n).suffix in SUFFIXES)
                yield from (file for file in files if not excludes(file))

    def _included(self) -> list[str]:
        """Return the files and folders that `include` names, relative to the current folder."""
        settings = self.within("")
        if settings.folder is None or not settings.include:
            fail(f"name a file or a folder, or write {_PLAIN} into pyproject.toml")
        found: list[str] = []
        for pattern in settings.include:
            there = _matches(settings.folder, pattern)
            if not there:
                fail(f"include in [tool.netbuild] names {pattern}, which does not exist")
            found += [path for path in there if not settings.excludes(path)]
        return list(dict.fromkeys(found))


def _project(folder: str) -> Settings:
    try:
        return from_project(Path(folder))
    except SettingsError as error:
        fail(str(error))
    except (OSError, ValueError):  # the folder cannot be entered, and neither can its files
        return Settings()


def _matches(folder: Path, pattern: str) -> list[str]:
    """Return the paths that a pattern of `include` stands for: folders and configs."""
    from glob import glob

    found = glob(pattern, root_dir=folder, recursive=True)  # noqa: PTH207  Path.glob wants no ..
    paths = (os.path.relpath(folder / each) for each in found)
    return sorted(path for path in paths if _is_folder(path) or Path(path).suffix in SUFFIXES)


def _is_folder(path: str) -> bool:
    try:
        return Path(path).is_dir()
    except (OSError, ValueError):  # ValueError: a NUL character, in Python 3.10 to 3.13
        return False


def _is_run(names: Sequence[str]) -> bool:
    return {"config.yaml", "resolved.yaml", "environment.json"} <= {*names}
