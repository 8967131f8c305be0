"""The findings of a run of `netbuild validate`, independent of the format."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from netbuild.diagnostics.diagnostic import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from netbuild.diagnostics.baseline import Baseline
    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.diagnostics.selection import Settings


class CheckedFile(NamedTuple):
    """A file and the faults in it and its base files; None if the file cannot be read."""

    name: str
    diagnostics: tuple[Diagnostic, ...] | None
    #: Whether warnings count as errors in this file.
    strict: bool = False


class Found(NamedTuple):
    """A file with all faults that were found, the settings for it, and its baseline."""

    name: str
    diagnostics: Sequence[Diagnostic] | None
    settings: Settings
    baseline: Baseline | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all warnings are found: a file with an error is not searched for all of them."""
        return self.diagnostics is not None and not errors(self.diagnostics)


@dataclass(frozen=True)
class Report:
    """The checked files, and how their faults count."""

    checked: tuple[CheckedFile, ...]
    #: The number of errors that the settings hide.
    hidden: int = 0
    #: The number of warnings that a baseline knows, and of those that it knows in vain.
    known: int = 0
    gone: int = 0
    #: The number of fixes that were applied or, with `diff`, would be.
    fixed: int = 0
    diff: bool = False

    @cached_property
    def files(self) -> int:
        """The number of files that could be read."""
        return sum(checked.diagnostics is not None for checked in self.checked)

    @cached_property
    def diagnostics(self) -> list[Diagnostic]:
        """All diagnostics in their order, without duplicates."""
        return distinct(d for checked in self.checked for d in checked.diagnostics or ())

    @property
    def failed(self) -> bool:
        """Whether the run exits with 1. Errors that are not shown count too."""
        return bool(self.hidden or self._strict or errors(self.diagnostics))

    @cached_property
    def _strict(self) -> set[tuple[object, ...]]:
        """The diagnostics of the files in which warnings count as errors."""
        return {identity(d) for one in self.checked if one.strict for d in one.diagnostics or ()}

    def level(self, diagnostic: Diagnostic) -> Literal["error", "warning"]:
        """Return how a diagnostic counts: with `strict`, a warning is an error."""
        if diagnostic.severity == "error" or identity(diagnostic) in self._strict:
            return "error"
        return "warning"


def report_of(
    found: Sequence[Found], fixed: Sequence[Diagnostic] = (), *, diff: bool = False
) -> Report:
    """Return the report of the diagnostics found in each file, and of the fixed ones."""
    # With `diff`, a base file stays unchanged on the disk, so its faults are found again.
    fixed_ones = {identity(diagnostic) for diagnostic in fixed} if diff else ()
    left = [
        one._replace(diagnostics=[d for d in one.diagnostics if identity(d) not in fixed_ones])
        if one.diagnostics
        else one
        for one in found
    ]
    known, gone = _known(left)
    checked, hidden = [], []
    for name, diagnostics, settings, _ in left:
        shown = [d for d in diagnostics or () if settings.shows(d)]
        hidden += [d for d in errors(diagnostics or ()) if not settings.shows(d)]
        new = tuple(d for d in shown if (name, identity(d)) not in known)
        checked.append(
            CheckedFile(name, None if diagnostics is None else new, bool(settings.strict))
        )
    number = len({one for _, one in known})
    return Report(tuple(checked), len(distinct(hidden)), number, gone, len(fixed), diff)


def by_baseline(
    found: Iterable[Found],
) -> list[tuple[Baseline, list[Found], list[Diagnostic]]]:
    """Return each baseline with its files, and with the warnings that they show."""
    groups: dict[Path, list[Found]] = {}
    for one in found:
        if one.baseline:
            groups.setdefault(one.baseline.path, []).append(one)
    return [
        (files[0].baseline, files, distinct(d for one in files for d in _warnings(one)))
        for files in groups.values()
        if files[0].baseline
    ]


def _warnings(one: Found) -> list[Diagnostic]:
    shown = (d for d in one.diagnostics or () if one.settings.shows(d))
    return [d for d in shown if d.severity == "warning"]


def _known(found: Iterable[Found]) -> tuple[set[tuple[str, tuple[object, ...]]], int]:
    """Return the known warnings of each file, and the number of those that did not come."""
    known: set[tuple[str, tuple[object, ...]]] = set()
    gone = 0
    for baseline, files, warnings in by_baseline(found):
        new, left = baseline.split(warnings)
        strange = {identity(d) for d in new}
        known |= {
            (one.name, identity(d))
            for one in files
            for d in _warnings(one)
            if identity(d) not in strange
        }
        names = {baseline.inside(one.name): one.settings for one in files if one.is_whole}
        gone += sum(
            count
            for key, count in left.items()
            if key.file in names and names[key.file].reports(key.code)
        )
    return known, gone


def distinct(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Return each diagnostic once. Several files can extend the base file with the fault."""
    return list({identity(diagnostic): diagnostic for diagnostic in diagnostics}.values())


def identity(diagnostic: Diagnostic) -> tuple[object, ...]:
    """Return a key that is equal for diagnostics that a reader cannot tell apart."""
    span = diagnostic.span
    return span.document.name, span[1:], diagnostic.code, diagnostic.message, diagnostic.layer
