"""`netbuild validate`: prints every fault of every file, without torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from netbuild.cli.terminal import FAULTS, UNUSABLE, Settings, console, fail, say, try_source
from netbuild.reports.faults import Format

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.diagnostics import selection as settings
    from netbuild.diagnostics.diagnostic import Diagnostic, Fix
    from netbuild.reports.faults.report import Report
    from netbuild.syntax.parser import Source
    from netbuild.syntax.repair import Change, Repair

_SUFFIXES = {".yaml", ".yml"}
_STANDARD_INPUT = "-"


_Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input."),
]
_Format = Annotated[Format, typer.Option(help="How the faults are printed.")]
_Select = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODES",
        help="Report only these codes, as in NB2,NB301. Repeatable.  [default: all]",
    ),
]
_Ignore = Annotated[
    list[str] | None,
    typer.Option(metavar="CODES", help="Do not report these codes. Repeatable.  [default: none]"),
]
_Strict = Annotated[
    bool | None,
    typer.Option("--strict/--no-strict", help="Count warnings as errors.  [default: no]"),
]
_Fix = Annotated[bool, typer.Option("--fix", help="Apply the safe fixes to the files.")]
_UnsafeFixes = Annotated[
    bool,
    typer.Option("--unsafe-fixes", help="With --fix or --diff: apply the other fixes too."),
]
_Diff = Annotated[
    bool, typer.Option("--diff", help="Print what --fix would change, and write nothing.")
]
_Watch = Annotated[bool, typer.Option("--watch", help="Check again whenever a file is saved.")]


def validate(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    paths: _Paths,
    format: _Format = "text",  # noqa: A002
    select: _Select = None,
    ignore: _Ignore = None,
    strict: _Strict = None,
    fix: _Fix = False,
    unsafe_fixes: _UnsafeFixes = False,
    diff: _Diff = False,
    watch: _Watch = False,
    set: Settings = None,  # noqa: A002
) -> None:
    """Check files, and print every fault with its place.

    \b
    netbuild validate configs/
    netbuild validate net.yaml --set vars.width=32
    git show HEAD:net.yaml | netbuild validate -
    netbuild validate configs/ --format json
    netbuild validate net.yaml --diff
    netbuild validate configs/ --select NB2,NB3 --ignore NB301

    A prefix such as NB3 means all codes that begin with it; the longest prefix decides. An ignored
    error still makes the exit code 1, because the network still does not run.

    A comment `# netbuild: ignore[NB301]` at the end of a line silences warnings that point at this
    line. [tool.netbuild] in pyproject.toml sets select, ignore and strict for a project.

    With --diff, and with - and --fix, standard output holds the diff or the fixed text. The report
    then goes to standard error.
    """
    if unsafe_fixes and not (fix or diff):
        fail("--unsafe-fixes needs --fix or --diff")
    wanted = _settings(select, ignore, strict)
    job = _Job(format, wanted, tuple(set or ()), fix or diff, unsafe_fixes, diff)
    if watch:
        _watch(job, paths)
    files, complaints = _found(paths)
    for complaint in complaints:
        say(f"netbuild: {complaint}", err=True)
    code = job.run(files) if files else UNUSABLE
    raise typer.Exit(UNUSABLE if complaints else code)


class _Job(NamedTuple):
    """The options of one call of the command."""

    format: Format
    settings: settings.Settings
    set: tuple[str, ...]
    fix: bool
    unsafe: bool
    diff: bool

    def run(self, names: Sequence[str]) -> int:
        """Check files, repair them if asked to, print a report, and return the exit code."""
        from netbuild.reports.faults.report import report_of
        from netbuild.syntax.repair import Repair

        read = [(name, try_source(name)) for name in names]
        sources = [source for _, source in read if source is not None]
        repair = Repair(self.check, self.wanted_fix, self.save)
        left = iter(repair.run(sources))
        found = [(name, next(left) if source else None) for name, source in read]
        self.print_texts(repair, sources)
        report = report_of(found, self.settings, repair.fixed, diff=self.diff)
        self.print_report(report, stderr=self.diff or (self.fix and _STANDARD_INPUT in names))
        for name, error in repair.failures:
            say(f"netbuild: {name} cannot be written: {error.strerror or error}", err=True)
        if repair.failures or len(sources) < len(read):
            return UNUSABLE
        return FAULTS if report.failed or (self.diff and repair.changes) else 0

    def check(self, source: Source) -> tuple[Diagnostic, ...]:
        """Return all diagnostics of a source."""
        from netbuild.checks.trace import infer
        from netbuild.config.load import read

        return infer(read(source, self.set)).diagnostics

    def wanted_fix(self, diagnostic: Diagnostic) -> Fix | None:
        """Return the fix to apply; None if the diagnostic is not reported or has no such fix."""
        if not self.fix or not self.settings.reports(diagnostic.code):
            return None
        return next((fix for fix in diagnostic.fixes if fix.safe or self.unsafe), None)

    def save(self, change: Change) -> None:
        """Write a repaired file. A diff and standard input are not written."""
        if not self.diff and not change.is_stdin:
            change.write()

    def print_texts(self, repair: Repair, sources: Iterable[Source]) -> None:
        """Print the diffs, or the repaired text of standard input."""
        from netbuild.syntax.repair import STDIN

        if self.diff:
            texts = [change.diff() for change in repair.changes.values()]
        else:
            texts = [
                repair.text(source)
                for source in sources
                if self.fix and source.document.name == STDIN
            ]
        if any(texts) and self.diff and sys.stdout.isatty():
            say(b"".join(texts).decode("utf-8", "replace"), nl=False)
        elif any(texts):  # bytes that `patch`, or a file, takes as they are
            sys.stdout.flush()
            sys.stdout.buffer.write(b"".join(texts))
            sys.stdout.buffer.flush()

    def print_report(self, report: Report, *, stderr: bool) -> None:
        """Print a report in its format."""
        from netbuild.reports.faults import render

        if self.format == "text" and report.checked and not report.files:
            return  # no file could be read, and a message has said so
        out = console(stderr=stderr)
        rendered = render(self.format, report, out.width)
        if not isinstance(rendered, str):
            out.print(rendered)
        elif rendered:
            say(rendered, err=stderr)
        if report.hidden and self.format != "text":  # the text format prints this number itself
            number = f"{report.hidden:,} error" + ("s are" if report.hidden > 1 else " is")
            say(f"netbuild: {number} not shown: see --select and --ignore", err=True)


def _settings(
    select: list[str] | None, ignore: list[str] | None, strict: bool | None
) -> settings.Settings:
    """Return the settings: an option of the command overrides the setting of the project."""
    from netbuild.diagnostics.exceptions import SettingsError
    from netbuild.diagnostics.selection import Settings, codes, from_project

    try:
        given = Settings(
            codes(select, "--select") if select else None,
            codes(ignore, "--ignore") if ignore else None,
            strict,
        )
        return given.over(from_project(Path()))
    except SettingsError as error:
        fail(str(error))


def _watch(job: _Job, paths: list[str]) -> NoReturn:
    """Check the files whenever one of them changes. A folder may be empty at first."""
    from netbuild.cli.watch import watch

    if _STANDARD_INPUT in paths:
        fail("standard input cannot be watched")

    def files() -> list[str]:
        return _found(paths)[0]

    watch(lambda: job.run(files()), lambda: map(Path, files()))


def _found(paths: list[str]) -> tuple[list[str], list[str]]:
    """Return the files that paths stand for, and a sentence for each folder without any."""
    found, complaints = [], []
    for path in paths:
        files, closed = _files(path)
        found += files
        complaints += closed
        if not files and not closed:
            complaints.append(f"{path} contains no .yaml or .yml file that can be read")
    return found, complaints


def _files(path: str) -> tuple[list[str], list[str]]:
    """Return the files that a path stands for: itself, or the configs in a folder and below it.

    Hidden folders and the folders of runs are left out. The `config.yaml` of a run may extend a
    file that is not there. A folder that may not be entered is a sentence.
    """
    if path in {"", _STANDARD_INPUT} or not os.path.isdir(path):  # noqa: PTH112  it never raises
        return [path], []
    files: list[str] = []
    closed: list[OSError] = []
    for folder, folders, names in os.walk(path, onerror=closed.append):
        folders[:] = [] if _is_run(names) else sorted(f for f in folders if f[0] != ".")
        if not _is_run(names):
            files += [str(Path(folder, n)) for n in names if Path(n).suffix in _SUFFIXES]
    return sorted(files), [f"{e.filename} cannot be read: {e.strerror}" for e in closed]


def _is_run(names: list[str]) -> bool:
    return {"config.yaml", "resolved.yaml", "environment.json"} <= {*names}
