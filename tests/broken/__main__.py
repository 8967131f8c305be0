"""`python -m tests.broken --cases 10000 --seed N`: break right files, and judge each fix."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from random import Random
from typing import NamedTuple

from tests.broken.breaks import BREAKS
from tests.broken.judge import NEVER, Verdict, judge
from tests.broken.right import drawn


class Case(NamedTuple):
    """A broken file: its seed, its kind, its text, and what was said of it."""

    seed: int
    kind: str
    text: str
    verdict: Verdict


def cases(first: int, count: int) -> list[Case]:
    """Draw and judge broken files. A break that leaves no fault is drawn again."""
    found = []
    kinds = [*BREAKS]
    for seed in range(first, first + count):
        rng = Random(seed)  # noqa: S311
        kind = kinds[seed % len(kinds)]
        for _ in range(200):
            right = drawn(rng)
            text = BREAKS[kind](rng, right)
            verdict = judge(right, text) if text is not None and text != right.text else None
            if text is not None and verdict is not None:
                found.append(Case(seed, kind, text, verdict))
                break
    return found


def figures(found: list[Case]) -> str:
    """Return the figures as a table, by kind."""
    heads = f"{'helped':>8}{'fixable':>9}{'first fix clean':>17}{'wrong':>7}"
    lines = [f"{'kind':10}{'files':>8}{'faults':>8}{heads}"]
    for kind in [*BREAKS, "all"]:
        own = [case for case in found if kind in {case.kind, "all"}]
        faults = sum(case.verdict.faults for case in own)
        helped = sum(case.verdict.helped for case in own)
        fixable = sum(case.verdict.fixable for case in own)
        clean = sum(case.verdict.clean for case in own)
        wrong = sum(bool(case.verdict.wrong) for case in own)
        lines.append(
            f"{kind:10}{len(own):8,}{faults:8,}{_share(helped, faults):>8}"
            f"{_share(fixable, len(own)):>9}{_share(clean, fixable):>17}{wrong:7}"
        )
    counts = Counter(what for case in found for what, _ in case.verdict.wrong)
    lines += [f"{counts[what]:8,}  {what}" for what in NEVER]
    return "\n".join(lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "-"


def main(arguments: list[str] | None = None) -> int:
    """Run the cases; return 1 if a fix did what it must not do."""
    parser = argparse.ArgumentParser(prog="python -m tests.broken", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first case")
    parser.add_argument("--show", default="wrong", help="wrong, helpless, unclean or unfixed")
    options = parser.parse_args(arguments)
    found = cases(options.seed, options.cases)
    for case in found:
        verdict = case.verdict
        shown = {
            "wrong": bool(verdict.wrong),
            "helpless": bool(verdict.helpless),
            "unclean": verdict.fixable and not verdict.clean,
            "unfixed": not verdict.fixable,
        }
        if shown.get(options.show):
            sys.stdout.write(f"--- seed {case.seed}, {case.kind}: {verdict}\n{case.text}\n")
    sys.stdout.write(figures(found) + "\n")
    return 1 if any(case.verdict.wrong for case in found) else 0


if __name__ == "__main__":
    sys.exit(main())
