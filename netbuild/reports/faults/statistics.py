"""How often each code was found: what `netbuild validate --statistics` prints."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.text import Text

from netbuild.diagnostics.codes import CODES, severity
from netbuild.reports.faults.json_format import counts, written
from netbuild.reports.faults.text_format import last_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netbuild.diagnostics.diagnostic import Diagnostic
    from netbuild.reports.faults.report import Report


@dataclass(frozen=True)
class Statistic:
    """A code: the number of its faults, and of those with a safe fix and with another fix."""

    code: str
    severity: str
    title: str
    count: int
    safe_fixes: int
    unsafe_fixes: int


def statistics(found: Sequence[Diagnostic]) -> list[Statistic]:
    """Return a line for each code that was found, the most frequent first."""
    every = Counter(d.code for d in found)
    safe = Counter(d.code for d in found if any(fix.safe for fix in d.fixes))
    fixable = Counter(d.code for d in found if d.fixes)
    return [
        Statistic(code, severity(code), CODES[code], count, safe[code], fixable[code] - safe[code])
        for code, count in sorted(every.items(), key=lambda item: (-item[1], item[0]))
    ]


def render(name: str, report: Report) -> Text | str:
    """Return the numbers in the format `text`, `concise` or `json`."""
    found = statistics(report.diagnostics)
    if name == "json":
        return written({**counts(report), "statistics": [vars(one) for one in found]})
    width = max((len(f"{one.count:,}") for one in found), default=0)
    lines = [f"{one.count:>{width},}  {one.code}  {one.title}{_fixable(one)}" for one in found]
    if name == "concise":
        return "\n".join(lines)
    return Text("\n").join([*map(Text, [*lines, *([""] if lines else [])]), last_line(report)])


def _fixable(one: Statistic) -> str:
    said = [f"{one.safe_fixes:,} with --fix"] if one.safe_fixes else []
    said += [f"{one.unsafe_fixes:,} with --fix --unsafe-fixes"] if one.unsafe_fixes else []
    return f"  ({', '.join(said)})" if said else ""
