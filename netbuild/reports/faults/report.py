"""What a run of `netbuild validate` has to say, before any format."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from netbuild.diagnostics.diagnostic import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.selection import Settings


class Checked(NamedTuple):
    """A file, and what is wrong in it and in those that it extends; None if it cannot be read."""

    name: str
    diagnostics: tuple[Diagnostic, ...] | None


class Report(NamedTuple):
    """What was checked and found, and how it counts."""

    checked: tuple[Checked, ...]
    #: Warnings count as errors.
    strict: bool = False
    #: How many errors --select and --ignore leave out.
    hidden: int = 0
    #: How many fixes were applied; where only a diff is wanted, they would be.
    fixed: int = 0
    diff: bool = False

    @property
    def files(self) -> int:
        """How many files could be read."""
        return sum(checked.diagnostics is not None for checked in self.checked)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All diagnostics in their order, each once."""
        return distinct(d for checked in self.checked for d in checked.diagnostics or ())

    @property
    def failed(self) -> bool:
        """Whether there are faults, shown or not, that exit code 1 is for."""
        found = self.diagnostics
        return bool(self.hidden or (found if self.strict else errors(found)))


def made(
    found: Iterable[tuple[str, Sequence[Diagnostic] | None]],
    settings: Settings,
    fixed: Sequence[Diagnostic] = (),
    *,
    diff: bool = False,
) -> Report:
    """Return the report of what was found in files, by their names, and of what was fixed."""
    # Where a diff is wanted, a base stays as it is on the disk, and its faults are found again.
    gone = {identity(diagnostic) for diagnostic in fixed} if diff else ()
    checked, hidden = [], []
    for name, diagnostics in found:
        left = [d for d in diagnostics or () if identity(d) not in gone]
        shown = tuple(d for d in left if settings.reports(d.code))
        hidden += [d for d in errors(left) if not settings.reports(d.code)]
        checked.append(Checked(name, None if diagnostics is None else shown))
    strict = bool(settings.strict)
    return Report(tuple(checked), strict, len(distinct(hidden)), len(fixed), diff)


def distinct(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return each diagnostic once: several files may extend the one that has the fault."""
    return list({identity(diagnostic): diagnostic for diagnostic in diagnostics}.values())


def identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """Return what makes a diagnostic the same in the eyes of its reader."""
    span = diagnostic.span
    return span.document.name, span[1:], diagnostic.code, diagnostic.message, diagnostic.layer
