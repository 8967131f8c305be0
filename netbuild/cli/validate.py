"""`netbuild validate`: prints every fault of every file, without torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from netbuild.cli import completion
from netbuild.cli.files import STANDARD_INPUT
from netbuild.cli.terminal import UNUSABLE, Settings, fail, say
from netbuild.reports.faults import Format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.cli.checking import Job
    from netbuild.diagnostics.selection import Settings as Settings_

_Paths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH...]",
        help="Files, folders, runs, or - for standard input.  [default: include of the project]",
    ),
]
_Format = Annotated[Format, typer.Option(help="How the faults are printed.")]
_Select = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODES",
        help="Report only these codes, as in NB2,NB301. Repeatable.  [default: all]",
        autocompletion=completion.codes,
    ),
]
_Ignore = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CODES",
        help="Do not report these codes. Repeatable.  [default: none]",
        autocompletion=completion.codes,
    ),
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
_Statistics = Annotated[
    bool, typer.Option("--statistics", help="Print how often each code was found, and no faults.")
]
_Output = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the report into a file.  [default: print it]"),
]
_Baseline = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Do not report the warnings that this file knows.  [default: none]"
    ),
]
_WriteBaseline = Annotated[
    bool,
    typer.Option("--write-baseline", help="Write all reported warnings into the baseline."),
]
_Watch = Annotated[bool, typer.Option("--watch", help="Check again whenever a file is saved.")]


def validate(  # noqa: PLR0913, PLR0917  a parameter is an option, and typer names them
    paths: _Paths = None,
    format: _Format = "text",  # noqa: A002
    select: _Select = None,
    ignore: _Ignore = None,
    strict: _Strict = None,
    fix: _Fix = False,
    unsafe_fixes: _UnsafeFixes = False,
    diff: _Diff = False,
    statistics: _Statistics = False,
    output_file: _Output = None,
    baseline: _Baseline = None,
    write_baseline: _WriteBaseline = False,
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
    netbuild validate configs/ --statistics
    netbuild validate configs/ --baseline known.json --write-baseline

    A prefix such as NB3 means all codes that begin with it; the longest prefix decides. An ignored
    error still makes the exit code 1, because the network still does not run.

    A comment `# netbuild: ignore[NB301]` at the end of a line silences warnings that point at this
    line. [tool.netbuild] in the nearest pyproject.toml above a file sets include, exclude, select,
    ignore, per-file-ignores, strict and baseline.

    A baseline holds the warnings that a project knows. They stay known when lines above them
    change. --write-baseline renews the warnings of the checked files in it.

    With --diff, and with - and --fix, standard output holds the diff or the fixed text. The report
    then goes to standard error.
    """
    from netbuild.cli.checking import Job
    from netbuild.cli.files import Projects

    projects = Projects(_settings(select, ignore, strict, baseline))
    job = Job(
        format=format,
        projects=projects,
        set=tuple(set or ()),
        fix=fix or diff,
        unsafe=unsafe_fixes,
        diff=diff,
        statistics=statistics,
        output=output_file,
        write_baseline=write_baseline,
    )
    _check_options(job, paths or [], unsafe_fixes=unsafe_fixes, watch=watch)
    if watch:
        _watch(job, paths or [])
    files, complaints = projects.files(paths or [])
    for complaint in complaints:
        say(f"netbuild: {complaint}", err=True)
    code = job.run(files) if files else UNUSABLE
    raise typer.Exit(UNUSABLE if complaints else code)


def _settings(
    select: list[str] | None, ignore: list[str] | None, strict: bool | None, baseline: Path | None
) -> Settings_:
    """Return the settings of the command. They override those of a project."""
    from netbuild.diagnostics.exceptions import SettingsError
    from netbuild.diagnostics.selection import Settings, codes

    try:
        return Settings(
            codes(select, "--select") if select else None,
            codes(ignore, "--ignore") if ignore else None,
            strict,
            baseline=baseline,
        )
    except SettingsError as error:
        fail(str(error))


def _check_options(job: Job, paths: Sequence[str], *, unsafe_fixes: bool, watch: bool) -> None:
    """If two options contradict each other, exit."""
    if unsafe_fixes and not (job.fix or job.diff):
        fail("--unsafe-fixes needs --fix or --diff")
    if job.statistics and job.format not in {"text", "concise", "json"}:
        fail("--statistics needs --format text, concise or json")
    if job.write_baseline and (job.diff or watch):
        fail(f"--write-baseline cannot be used with {'--diff' if job.diff else '--watch'}")
    if watch and STANDARD_INPUT in paths:
        fail("standard input cannot be watched")


def _watch(job: Job, paths: Sequence[str]) -> NoReturn:
    """Check the files whenever one of them changes. A folder may be empty at first."""
    from netbuild.cli.watch import watch

    def files() -> list[str]:
        return job.projects.files(paths)[0]

    watch(lambda: job.run(files()), lambda: map(Path, files()))
