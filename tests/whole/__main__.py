"""`python -m tests.whole --cases 50000 --seed N`: draw whole files, and compare both readings."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import torch

from tests.whole.compare import Comparison
from tests.whole.generator import Generator

COPIES_EVERY = 5
EXPORT_EVERY = 100
#: Disagreements are shown after so many cases.
SHOWN_EVERY = 500


class Found(NamedTuple):
    """A disagreement: its seed, its kind, what it is, and the file."""

    seed: int
    kind: str
    what: str
    text: str


def compare(
    first: int, cases: int, *, every: int = EXPORT_EVERY
) -> tuple[list[Found], Counter[str]]:
    """Draw and compare a number of files. Return what disagrees, and what was counted."""
    found: list[Found] = []
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + cases):
            generator = Generator(seed)
            text = generator.file()
            counts.update(f"drawn: {what}" for what in generator.drawn)
            comparison = Comparison(
                text,
                copies=seed % COPIES_EVERY == 0,
                export=every > 0 and seed % every == 0,
                folder=Path(folder),
            )
            found += [Found(seed, one.kind, one.what, text) for one in comparison.run()]
            counts.update(comparison.counts)
    return found, counts


def main(arguments: list[str] | None = None) -> int:
    """Run the cases; return 1 if there is a disagreement."""
    parser = argparse.ArgumentParser(prog="python -m tests.whole", description=__doc__)
    parser.add_argument("--cases", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0, help="the number of the first case")
    parser.add_argument("--export-every", type=int, default=EXPORT_EVERY)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    found: list[Found] = []
    counts: Counter[str] = Counter()
    end = options.seed + options.cases
    for first in range(options.seed, end, SHOWN_EVERY):
        more, drawn = compare(first, min(SHOWN_EVERY, end - first), every=options.export_every)
        for one in more:
            sys.stdout.write(f"--- seed {one.seed}: {one.kind}: {one.what}\n{one.text}\n")
        sys.stdout.flush()
        found += more
        counts += drawn
    for what, count in sorted(counts.items()):
        sys.stdout.write(f"{count:>9,}  {what}\n")
    for kind, count in Counter(one.kind for one in found).most_common():
        sys.stdout.write(f"{count:>9,}  DISAGREE: {kind}\n")
    sys.stdout.write(f"{options.cases:,} cases from {options.seed}, {len(found)} disagreements\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
