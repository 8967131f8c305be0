"""The findings of a run of `netbuild validate`, independent of the format."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.selection import Settings


class CheckedFile(NamedTuple):
    """A file and the faults in it and its base files; None if the file cannot be read."""

    name: str
    diagnostics: tuple[Diagnostic, ...] | None


class Report(NamedTuple):
    """The checked files, and how their faults count."""

    checked: tuple[CheckedFile, ...]
    #: Whether warnings count as errors.
    strict: bool = False
    #: The number of errors that --select and --ignore hide.
    hidden: int = 0
    #: The number of fixes that were applied or, with `diff`, would be.
    fixed: int = 0
    diff: bool = False

    @property
    def files(self) -> int:
        """The number of files that could be read."""
        return sum(checked.diagnostics is not None for checked in self.checked)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All diagnostics in their order, without duplicates."""
        return distinct(d for checked in self.checked for d in checked.diagnostics or ())

    @property
    def failed(self) -> bool:
        """Whether the run exits with 1. Errors that are not shown count too."""
        found = self.diagnostics
        return bool(self.hidden or (found if self.strict else errors(found)))


def report_of(
    found: Iterable[tuple[str, Sequence[Diagnostic] | None]],
    settings: Settings,
    fixed: Sequence[Diagnostic] = (),
    *,
    diff: bool = False,
) -> Report:
    """Return the report of the diagnostics found in each file, and of the fixed ones."""
    # With `diff`, a base file stays unchanged on the disk, so its faults are found again.
    gone = {identity(diagnostic) for diagnostic in fixed} if diff else ()
    checked, hidden = [], []
    for name, diagnostics in found:
        left = [d for d in diagnostics or () if identity(d) not in gone]
        shown = tuple(d for d in left if settings.reports(d.code))
        hidden += [d for d in errors(left) if not settings.reports(d.code)]
        checked.append(CheckedFile(name, None if diagnostics is None else shown))
    strict = bool(settings.strict)
    return Report(tuple(checked), strict, len(distinct(hidden)), len(fixed), diff)


def distinct(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return each diagnostic once. Several files can extend the base file with the fault."""
    return list({identity(diagnostic): diagnostic for diagnostic in diagnostics}.values())


def identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """Return a key that is equal for diagnostics that a reader cannot tell apart."""
    span = diagnostic.span
    return span.document.name, span[1:], diagnostic.code, diagnostic.message, diagnostic.layer
