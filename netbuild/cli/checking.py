"""One run of `netbuild validate`: check the files, repair them, and print or write the report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from netbuild.cli.files import STANDARD_INPUT, SUFFIXES, Projects
from netbuild.cli.terminal import FAULTS, UNUSABLE, console, fail, say, try_source
from netbuild.reports.faults import Format, render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.text import Text

    from netbuild.diagnostics.diagnostic import Diagnostic, Fix
    from netbuild.diagnostics.selection import Settings
    from netbuild.reports.faults.report import Found, Report
    from netbuild.syntax.parser import Source
    from netbuild.syntax.repair import Change, Repair


class Job(NamedTuple):
    """The options of one call of the command."""

    format: Format
    projects: Projects
    set: tuple[str, ...] = ()
    fix: bool = False
    unsafe: bool = False
    diff: bool = False
    statistics: bool = False
    output: Path | None = None
    write_baseline: bool = False

    def run(self, names: Sequence[str]) -> int:
        """Check files, repair them if asked to, print a report, and return the exit code."""
        from netbuild.reports.faults.report import report_of
        from netbuild.syntax.repair import Repair

        settings = [self.projects.of(name) for name in names]
        self._expect_output(names)
        read = [(name, try_source(name)) for name in names]
        sources = [source for _, source in read if source is not None]
        repair = Repair(self.check, self.wanted_fix, self.save)
        left = iter(repair.run(sources))
        diagnostics = [next(left) if source else None for _, source in read]
        self.print_texts(repair, sources)
        found = self._found(names, diagnostics, settings)
        report = report_of(found, repair.fixed, diff=self.diff)
        self.print_report(report, stderr=self.diff or (self.fix and STANDARD_INPUT in names))
        for name, error in repair.failures:
            say(f"netbuild: {name} cannot be written: {error.strerror or error}", err=True)
        if repair.failures or len(sources) < len(read):
            return UNUSABLE
        return FAULTS if report.failed or (self.diff and repair.changes) else 0

    def check(self, source: Source) -> tuple[Diagnostic, ...]:
        """Return all diagnostics of a source."""
        from netbuild.checks.trace import infer
        from netbuild.config.load import read

        config = read(source, self.set)
        found = infer(config).diagnostics
        if not config.is_library:
            return found
        name = source.document.name
        say(f"netbuild: {name} holds only blocks, which are checked without an input", err=True)
        return tuple(fault for fault in found if fault.code != "NB102")

    def wanted_fix(self, diagnostic: Diagnostic) -> Fix | None:
        """Return the fix to apply; None if the diagnostic is not reported or has no such fix."""
        if not self.fix or not self.projects.of(diagnostic.span.document.name).shows(diagnostic):
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
        """Print a report in its format, or write it into the file of --output-file."""
        if self.format == "text" and report.checked and not report.files:
            return  # no file could be read, and a message has said so
        out = console(stderr=stderr)
        if self.output is not None:
            from netbuild.reports.faults.text_format import last_line

            self._write(self.output, report)
            out.print(last_line(report))
        else:
            rendered = self._rendered(report, out.width)
            if not isinstance(rendered, str):
                out.print(rendered)
            elif rendered:
                say(rendered, err=stderr)
        if report.hidden and self.format != "text":  # the text format prints this number itself
            number = f"{report.hidden:,} error" + ("s are" if report.hidden > 1 else " is")
            say(f"netbuild: {number} not shown: see --select and --ignore", err=True)
        if report.gone:
            number = f"{report.gone:,} known warning" + ("s are" if report.gone > 1 else " is")
            say(f"netbuild: {number} gone; --write-baseline forgets them", err=True)

    def _rendered(self, report: Report, width: int) -> Text | str:
        if self.statistics:
            from netbuild.reports.faults import statistics

            return statistics.render(self.format, report)
        return render(self.format, report, width)

    def _expect_output(self, names: Sequence[str]) -> None:
        """If --output-file would overwrite a config, or is no file, exit before any check."""
        path = self.output
        if path is None:
            return
        if path.suffix in SUFFIXES or any(_is_same(path, name) for name in names):
            fail(f"--output-file {path} is the name of a config; name another file")
        try:
            odd = path.exists() and not path.is_file()
        except (OSError, ValueError) as error:
            fail(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")
        if odd:
            fail(f"--output-file {path} is not a file; reports are printed without this option")

    def _write(self, path: Path, report: Report) -> None:
        from netbuild.diagnostics.escapes import visible
        from netbuild.reports.faults import WIDTH

        text = visible(str(self._rendered(report, WIDTH)))
        try:
            path.write_text(f"{text}\n" if text else "", encoding="utf-8", errors="replace")
        except (OSError, ValueError) as error:
            fail(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}")

    def _found(
        self,
        names: Sequence[str],
        diagnostics: Sequence[Sequence[Diagnostic] | None],
        settings: Sequence[Settings],
    ) -> list[Found]:
        """Return each file with its faults and its baseline, which is renewed if asked to."""
        from netbuild.reports.faults.report import Found, by_baseline

        missing = self.write_baseline
        found = [
            Found(name, faults, own, self.projects.baseline(own, missing=missing))
            for name, faults, own in zip(names, diagnostics, settings, strict=True)
        ]
        if not self.write_baseline:
            return found
        if not any(one.baseline for one in found):
            fail("--write-baseline needs --baseline FILE, or baseline in [tool.netbuild]")
        renewed = {}
        for old, files, warnings in by_baseline(found):
            checked = [one.name for one in files if one.is_whole]
            new = renewed[old.path] = old.renewed(warnings, checked)
            try:
                new.write()
            except OSError as error:
                fail(f"{old.shown} cannot be written: {error.strerror or error}")
            number = f"{len(warnings):,} known warning" + ("" if len(warnings) == 1 else "s")
            say(f"netbuild: wrote {old.shown}: {number}", err=True)
        return [
            one._replace(baseline=renewed[one.baseline.path]) if one.baseline else one
            for one in found
        ]


def _is_same(path: Path, name: str) -> bool:
    try:
        return path.samefile(name)
    except (OSError, ValueError):
        return False
