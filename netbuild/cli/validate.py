"""`netbuild validate`: every fault of every file, without torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from netbuild.cli.terminal import FAULTS, UNUSABLE, Settings, console, fail, try_source
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


def validate(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders, or - for standard input."),
    ],
    format: Annotated[Format, typer.Option(help="How faults are printed.")] = "text",  # noqa: A002
    select: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Report only these: NB301,NB2. Repeatable."),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="CODES", help="Do not report these. Repeatable."),
    ] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="Warnings count as errors.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the safe fixes to the files.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: the other fixes too.")
    ] = False,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what --fix would change; write nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever a file is saved.")
    ] = False,
    set: Settings = None,  # noqa: A002
) -> None:
    """Check configs, and print every fault with its place.

    \b
    netbuild validate configs/
    netbuild validate net.yaml --set vars.width=32
    git show HEAD:net.yaml | netbuild validate -
    netbuild validate configs/ --format json
    netbuild validate net.yaml --diff
    netbuild validate configs/ --select NB2,NB3 --ignore NB301

    \b
    A prefix such as NB3 means all codes that begin with it; the longer one
    counts. What a command does not say stands in [tool.netbuild] of the
    nearest pyproject.toml: select, ignore, strict. Errors that are not
    reported are counted, and the exit code is still 1: ignoring an error
    does not make a network run. `# netbuild: ignore[NB301]` at the end of a
    line silences warnings there.

    \b
    With --diff, and with - and --fix, standard output is the diff or the
    fixed text, and the report goes to standard error.
    """
    if unsafe_fixes and not (fix or diff):
        fail("--unsafe-fixes goes with --fix or --diff")
    wanted = _settings(select, ignore, strict)
    job = _Job(format, wanted, tuple(set or ()), fix or diff, unsafe_fixes, diff)
    if watch:
        _watch(job, paths)
    raise typer.Exit(job.run([file for path in paths for file in _files(path)]))


class _Job(NamedTuple):
    """What is to be done with files, whichever they are."""

    format: Format
    settings: settings.Settings
    set: tuple[str, ...]
    fix: bool
    unsafe: bool
    diff: bool

    def run(self, names: Sequence[str]) -> int:
        """Check files, mend them where that is wanted, print, and return the exit code."""
        from netbuild.reports.faults.report import made
        from netbuild.syntax.repair import Repair

        read = [(name, try_source(name)) for name in names]
        sources = [source for _, source in read if source is not None]
        repair = Repair(self.check, self.wanted_fix, self.save)
        left = iter(repair.run(sources))
        found = [(name, next(left) if source else None) for name, source in read]
        self.print_texts(repair, sources)
        report = made(found, self.settings, repair.fixed, diff=self.diff)
        self.print_report(report, stderr=self.diff or (self.fix and _STANDARD_INPUT in names))
        for name, error in repair.failures:
            typer.echo(f"netbuild: {name} cannot be written: {error.strerror or error}", err=True)
        if repair.failures or len(sources) < len(read):
            return UNUSABLE
        return FAULTS if report.failed or (self.diff and repair.changes) else 0

    def check(self, source: Source) -> tuple[Diagnostic, ...]:
        """Return all diagnostics of a source."""
        from netbuild.checks.trace import infer
        from netbuild.config.load import read

        return infer(read(source, self.set)).diagnostics

    def wanted_fix(self, diagnostic: Diagnostic) -> Fix | None:
        """Return what is to be done about a diagnostic: nothing about one that is not reported."""
        if not self.fix or not self.settings.reports(diagnostic.code):
            return None
        return next((fix for fix in diagnostic.fixes if fix.safe or self.unsafe), None)

    def save(self, change: Change) -> None:
        """Write a mended file, unless only a diff is wanted, or it is standard input."""
        if not self.diff and not change.is_stdin:
            change.write()

    def print_texts(self, repair: Repair, sources: Iterable[Source]) -> None:
        """Print what the files should become, or what standard input has become."""
        from netbuild.syntax.repair import STDIN

        if self.diff:
            texts = [change.diff() for change in repair.changes.values()]
        else:
            texts = [
                repair.text(source)
                for source in sources
                if self.fix and source.document.name == STDIN
            ]
        if any(texts):
            sys.stdout.flush()
            sys.stdout.buffer.write(b"".join(texts))
            sys.stdout.buffer.flush()

    def print_report(self, report: Report, *, stderr: bool) -> None:
        """Print a report in its format."""
        from netbuild.reports.faults import render

        if self.format == "text" and report.checked and not report.files:
            return  # that none can be read is said already
        out = console(stderr=stderr)
        rendered = render(self.format, report, out.width)
        if not isinstance(rendered, str):
            out.print(rendered)
        elif rendered:
            typer.echo(rendered, err=stderr)
        if report.hidden and self.format != "text":  # which says it in its last line
            number = f"{report.hidden:,} error" + ("s are" if report.hidden > 1 else " is")
            typer.echo(f"netbuild: {number} not shown: see --select and --ignore", err=True)


def _settings(
    select: list[str] | None, ignore: list[str] | None, strict: bool | None
) -> settings.Settings:
    """Return what the command says, and what it does not say from the project."""
    from netbuild.diagnostics.exceptions import SettingsError
    from netbuild.diagnostics.selection import Settings, codes, from_project

    try:
        given = Settings(
            codes(select, "--select") if select else None,
            codes(ignore, "--ignore") if ignore else None,
            strict,
        )
        return given.over(from_project(Path.cwd()))
    except SettingsError as error:
        fail(str(error))


def _watch(job: _Job, paths: list[str]) -> NoReturn:
    """Check again and again, also a folder that has no config yet."""
    from netbuild.cli.watch import watch

    if _STANDARD_INPUT in paths:
        fail("standard input cannot be watched")

    def files() -> list[str]:
        return [file for path in paths for file in _found(path)]

    watch(lambda: job.run(files()), lambda: map(Path, files()))


def _files(path: str) -> list[str]:
    """Return the files that a path stands for; leave where it is a folder without any."""
    files = _found(path)
    if not files:
        fail(f"{path} holds no .yaml and no .yml file that can be read")
    return files


def _found(path: str) -> list[str]:
    """Return the files that a path stands for: itself, or the configs of a folder and below.

    Hidden folders are left out, and so are runs: their `config.yaml` may extend a file that lies
    elsewhere.
    """
    if path in {"", _STANDARD_INPUT} or not Path(path).is_dir():
        return [path]
    files: list[str] = []
    for folder, folders, names in os.walk(path):
        folders[:] = [] if _is_run(names) else sorted(f for f in folders if f[0] != ".")
        if not _is_run(names):
            files += [str(Path(folder, n)) for n in names if Path(n).suffix in _SUFFIXES]
    return sorted(files)


def _is_run(names: list[str]) -> bool:
    return {"config.yaml", "resolved.yaml", "environment.json"} <= {*names}
